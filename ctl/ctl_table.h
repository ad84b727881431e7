
/*
 * Columns of text: as wide as what is in them, cut or not to a width.
 */

#ifndef CTL_TABLE_H
#define CTL_TABLE_H


#include "ctl_buffer.h"


#define CTL_TABLE_COLUMNS_MAX  16
#define CTL_TABLE_LEAST        8       /* columns that a flexible one keeps */


/* Colours by what they mean; numbers are those of SGR. */
typedef enum {
    CTL_PLAIN = 0,
    CTL_BOLD = 1,
    CTL_FAINT = 2,
    CTL_BAD = 31,
    CTL_GOOD = 32,
    CTL_CAUTION = 33,
    CTL_BUSY_COLOR = 36
} ctl_color_e;


typedef struct ctl_table_s  ctl_table_t;


typedef struct {
    const char  *title;
    unsigned     right:1;              /* numbers */
    unsigned     flexible:1;           /* may be cut where room is short */
    unsigned     spare:1;              /* or left out, the last one first */
} ctl_column_t;


/*
 * The columns must outlive the table; CTL_TABLE_COLUMNS_MAX at most.
 * Release with ctl_table_destroy().
 */
ctl_table_t *ctl_table_make(const ctl_column_t *columns, size_t count);
void ctl_table_destroy(ctl_table_t *table);

/* The next cell, row by row; the text is made safe. */
void ctl_table_cell(ctl_table_t *table, voice_span_t text,
    ctl_color_e color);

size_t ctl_table_rows(const ctl_table_t *table);

/*
 * Adds titles and rows, a line each.  width: columns there are, 0: as many
 * as it takes; what is cut ends in an ellipsis.  Where even that does not
 * fit, lines are longer.
 */
void ctl_table_write(const ctl_table_t *table, ctl_buffer_t *out,
    size_t width, int color);

/* Adds a text within its colour. */
void ctl_paint(ctl_buffer_t *out, voice_span_t text, ctl_color_e color);


#endif /* CTL_TABLE_H */
