
/*
 * Columns of text.
 */

#include "ctl_table.h"
#include "ctl_text.h"


#define TABLE_GAP       2
#define TABLE_ELLIPSIS  "\xe2\x80\xa6"


typedef struct {
    char         *text;
    size_t        width;
    ctl_color_e   color;
} cell_t;


struct ctl_table_s {
    const ctl_column_t  *columns;
    size_t               count;
    cell_t              *cells;
    size_t               used;
    size_t               size;
};


static void find_widths(const ctl_table_t *table, size_t *widths);
static void leave_out(const ctl_table_t *table, size_t *widths,
    size_t width);
static size_t least_width(const ctl_table_t *table, const size_t *widths,
    size_t i);
static void shrink(const ctl_table_t *table, size_t *widths, size_t width);
static size_t widest(const ctl_table_t *table, const size_t *widths);
static void write_cell(const ctl_table_t *table, ctl_buffer_t *out,
    const cell_t *cell, const size_t *widths, size_t column);
static void end_line(ctl_buffer_t *out);


ctl_table_t *
ctl_table_make(const ctl_column_t *columns, size_t count)
{
    ctl_table_t  *table;

    table = ctl_alloc(sizeof(ctl_table_t));
    table->columns = columns;
    table->count = count;

    return table;
}


void
ctl_table_destroy(ctl_table_t *table)
{
    size_t  i;

    for (i = 0; i < table->used; i++) {
        free(table->cells[i].text);
    }

    free(table->cells);
    free(table);
}


void
ctl_table_cell(ctl_table_t *table, voice_span_t text, ctl_color_e color)
{
    cell_t        *cell;
    ctl_buffer_t   safe = { 0 };

    if (table->used == table->size) {
        table->size = table->size == 0 ? 64 : table->size * 2;
        table->cells = ctl_grow(table->cells, table->size * sizeof(cell_t));
    }

    ctl_buffer_put(&safe, "");
    ctl_text_safe(&safe, text, 0);

    cell = &table->cells[table->used++];
    cell->text = safe.data;
    cell->width = ctl_text_width(voice_span(safe.data, safe.len));
    cell->color = color;
}


size_t
ctl_table_rows(const ctl_table_t *table)
{
    return table->used / table->count;
}


void
ctl_table_write(const ctl_table_t *table, ctl_buffer_t *out, size_t width,
    int color)
{
    cell_t   title, cell;
    size_t   i, widths[CTL_TABLE_COLUMNS_MAX];

    find_widths(table, widths);

    if (width > 0) {
        leave_out(table, widths, width);
        shrink(table, widths, width);
    }

    for (i = 0; i < table->count; i++) {
        title.text = (char *) table->columns[i].title;
        title.width = strlen(title.text);
        title.color = color ? CTL_BOLD : CTL_PLAIN;
        write_cell(table, out, &title, widths, i);
    }

    end_line(out);

    for (i = 0; i < table->used; i++) {
        cell = table->cells[i];
        cell.color = color ? cell.color : CTL_PLAIN;
        write_cell(table, out, &cell, widths, i % table->count);

        if ((i + 1) % table->count == 0) {
            end_line(out);
        }
    }
}


void
ctl_paint(ctl_buffer_t *out, voice_span_t text, ctl_color_e color)
{
    if (color == CTL_PLAIN || text.len == 0) {
        ctl_buffer_add(out, text);
        return;
    }

    ctl_buffer_format(out, "\033[%dm", (int) color);
    ctl_buffer_add(out, text);
    ctl_buffer_put(out, "\033[0m");
}


static void
find_widths(const ctl_table_t *table, size_t *widths)
{
    size_t  i, column;

    for (i = 0; i < table->count; i++) {
        widths[i] = strlen(table->columns[i].title);
    }

    for (i = 0; i < table->used; i++) {
        column = i % table->count;

        if (table->cells[i].width > widths[column]) {
            widths[column] = table->cells[i].width;
        }
    }
}


/* Columns without a width are not written; the first one always is. */
static void
leave_out(const ctl_table_t *table, size_t *widths, size_t width)
{
    size_t  i, least;

    least = 0;

    for (i = 0; i < table->count; i++) {
        least += TABLE_GAP + least_width(table, widths, i);
    }

    for (i = table->count - 1; i > 0 && least > width + TABLE_GAP; i--) {
        if (table->columns[i].spare) {
            least -= TABLE_GAP + least_width(table, widths, i);
            widths[i] = 0;
        }
    }
}


static size_t
least_width(const ctl_table_t *table, const size_t *widths, size_t i)
{
    return table->columns[i].flexible && widths[i] > CTL_TABLE_LEAST
           ? CTL_TABLE_LEAST : widths[i];
}


/* Takes from the widest of those that may be cut until all fits. */
static void
shrink(const ctl_table_t *table, size_t *widths, size_t width)
{
    size_t  i, all;

    all = 0;

    for (i = 0; i < table->count; i++) {
        all += widths[i] == 0 ? 0 : widths[i] + TABLE_GAP;
    }

    while (all > width + TABLE_GAP) {
        i = widest(table, widths);

        if (i == table->count) {
            return;
        }

        widths[i]--;
        all--;
    }
}


/* The count of columns if none may be cut any more. */
static size_t
widest(const ctl_table_t *table, const size_t *widths)
{
    size_t  i, found;

    found = table->count;

    for (i = 0; i < table->count; i++) {
        if (table->columns[i].flexible && widths[i] > CTL_TABLE_LEAST
            && (found == table->count || widths[i] > widths[found]))
        {
            found = i;
        }
    }

    return found;
}


static void
write_cell(const ctl_table_t *table, ctl_buffer_t *out, const cell_t *cell,
    const size_t *widths, size_t column)
{
    size_t        len, room, width;
    voice_span_t  text;

    text = voice_span_str(cell->text);
    room = widths[column];
    width = cell->width;

    if (room == 0) {
        return;
    }

    if (column > 0) {
        ctl_buffer_fill(out, ' ', TABLE_GAP);
    }

    if (width > room) {
        len = ctl_text_cut(text, room - 1);
        ctl_paint(out, voice_span(text.ptr, len), cell->color);
        width = ctl_text_width(voice_span(text.ptr, len)) + 1;
        ctl_buffer_put(out, ctl_text_is_ascii() ? "~" : TABLE_ELLIPSIS);
        ctl_buffer_fill(out, ' ', room - width);
        return;
    }

    if (table->columns[column].right) {
        ctl_buffer_fill(out, ' ', room - width);
    }

    ctl_paint(out, text, cell->color);

    if (!table->columns[column].right) {
        ctl_buffer_fill(out, ' ', room - width);
    }
}


static void
end_line(ctl_buffer_t *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ') {
        out->data[--out->len] = '\0';
    }

    ctl_buffer_put(out, "\n");
}
