
/*
 * Replies of the API for people.
 */

#include <math.h>

#include "ctl_output.h"
#include "ctl_show.h"
#include "ctl_text.h"


#define SHOW_DEPTH   8                 /* what lies deeper is JSON */
#define SHOW_INDENT  2
#define SHOW_SHORT   60                /* columns of an array on one line */


/* What is looked for first, wherever it stands in a reply. */
static const char *const  first[] = {
    "id", "name", "kind", "queue", "state", "status", "error", "reason"
};

#define SHOW_FIRST  VOICE_ARRAY_SIZE(first)


static voice_span_t at(const json_t *object, const char *pointer,
    ctl_as_e as, ctl_buffer_t *text);
static void show_text(ctl_buffer_t *out, voice_span_t text, ctl_as_e as);
static void show_number(ctl_buffer_t *out, double number, ctl_as_e as);
static void show_whole(ctl_buffer_t *out, const json_t *value);
static void show_members(const ctl_t *ctl, ctl_buffer_t *out,
    const json_t *object, size_t depth);
static size_t rank(const char *name, const json_t *value, size_t depth);
static void show_member(const ctl_t *ctl, ctl_buffer_t *out,
    const char *name, const json_t *value, size_t depth);
static void show_items(const ctl_t *ctl, ctl_buffer_t *out,
    const json_t *list, size_t depth);
static int is_long(const json_t *value, size_t depth);
static ctl_as_e guess(const char *name, const json_t *value);


static const struct {
    const char   *state;
    ctl_color_e   color;
} states[] = {
    { "passed", CTL_GOOD }, { "completed", CTL_GOOD }, { "done", CTL_GOOD },
    { "healthy", CTL_GOOD }, { "active", CTL_GOOD }, { "auto_pass", CTL_GOOD },
    { "failed", CTL_BAD }, { "error", CTL_BAD }, { "dead", CTL_BAD },
    { "unhealthy", CTL_BAD }, { "lost", CTL_BAD }, { "auto_fail", CTL_BAD },
    { "skipped", CTL_CAUTION }, { "cancelled", CTL_CAUTION },
    { "paused", CTL_CAUTION }, { "degraded", CTL_CAUTION },
    { "manual_review", CTL_CAUTION }, { "draining", CTL_CAUTION },
    { "running", CTL_BUSY_COLOR }, { "pending", CTL_FAINT },
    { "queued", CTL_FAINT }, { "online", CTL_GOOD },
    { "offline", CTL_BAD }, { "critical", CTL_BAD },
    { "warning", CTL_CAUTION }
};


void
ctl_show_value(ctl_buffer_t *out, const json_t *value, ctl_as_e as)
{
    switch (json_typeof(value)) {

    case JSON_NULL:
        return;

    case JSON_STRING:
        show_text(out, voice_span(json_string_value(value),
                                  json_string_length(value)), as);
        return;

    case JSON_TRUE:
    case JSON_FALSE:
        ctl_buffer_put(out, json_is_true(value) ? "yes"
                            : as == CTL_AS_YES ? "" : "no");
        return;

    case JSON_INTEGER:
        if (as <= CTL_AS_NUMBER || as == CTL_AS_YES) {
            ctl_buffer_format(out, "%" JSON_INTEGER_FORMAT,
                              json_integer_value(value));
            return;
        }
        /* fall through */

    case JSON_REAL:
        show_number(out, json_number_value(value), as);
        return;

    case JSON_ARRAY:
    case JSON_OBJECT:
        show_whole(out, value);
    }
}


ctl_color_e
ctl_state_color(voice_span_t state)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(states); i++) {
        if (voice_span_eq(voice_span_str(states[i].state), state)) {
            return states[i].color;
        }
    }

    return CTL_PLAIN;
}


void
ctl_show_list(const ctl_t *ctl, const json_t *list,
    const ctl_field_t *fields)
{
    size_t         i, j, count;
    voice_span_t   text;
    ctl_table_t   *table;
    ctl_column_t   columns[CTL_TABLE_COLUMNS_MAX];
    ctl_buffer_t   value = { 0 }, out = { 0 };

    for (count = 0; count < CTL_TABLE_COLUMNS_MAX
         && fields[count].title != NULL; count++)
    {
        columns[count].title = fields[count].title;
        columns[count].flexible = fields[count].flexible;
        columns[count].spare = fields[count].spare;
        columns[count].right = fields[count].as >= CTL_AS_NUMBER
                               && fields[count].as <= CTL_AS_SECONDS;
    }

    table = ctl_table_make(columns, count);

    for (i = 0; i < json_array_size(list); i++) {
        for (j = 0; j < count; j++) {
            ctl_buffer_reset(&value);
            text = at(json_array_get(list, i), fields[j].member,
                      fields[j].as, &value);
            ctl_table_cell(table, text, fields[j].as == CTL_AS_STATE
                           ? ctl_state_color(text) : CTL_PLAIN);
        }
    }

    ctl_table_write(table, &out, ctl_columns(ctl), ctl->screen.color);
    ctl_write(&out);

    ctl_table_destroy(table);
    ctl_buffer_release(&value);
    ctl_buffer_release(&out);
}


void
ctl_show_object(const ctl_t *ctl, const json_t *object)
{
    ctl_buffer_t  out = { 0 };

    show_members(ctl, &out, object, 0);
    ctl_write(&out);
    ctl_buffer_release(&out);
}


static voice_span_t
at(const json_t *object, const char *pointer, ctl_as_e as,
    ctl_buffer_t *text)
{
    const json_t  *value;

    value = voice_json_at(object, pointer);

    if (value != NULL) {
        ctl_show_value(text, value, as);
    }

    return voice_span(ctl_buffer_text(text), text->len);
}


/* "2026-11-21T19:46:22.123Z" as "2026-11-21 19:46:22". */
static void
show_text(ctl_buffer_t *out, voice_span_t text, ctl_as_e as)
{
    if (as == CTL_AS_TIME && text.len >= 19 && text.ptr[10] == 'T') {
        ctl_buffer_add(out, voice_span(text.ptr, 10));
        ctl_buffer_put(out, " ");
        ctl_buffer_add(out, voice_span(text.ptr + 11, 8));
        return;
    }

    ctl_buffer_add(out, text);
}


static void
show_number(ctl_buffer_t *out, double number, ctl_as_e as)
{
    if (as == CTL_AS_PERCENT) {
        ctl_buffer_format(out, "%.0f %%", number * 100);
        return;
    }

    if (as == CTL_AS_MS && number < 1000) {
        ctl_buffer_format(out, "%.0f ms", number);
        return;
    }

    if (as == CTL_AS_MS) {
        number /= 1000;
    }

    if (as != CTL_AS_MS && as != CTL_AS_SECONDS) {
        ctl_buffer_format(out, "%g", number);

    } else if (number < 120) {
        ctl_buffer_format(out, number == floor(number) ? "%.0f s" : "%.1f s",
                          number);

    } else if (number < 7200) {
        ctl_buffer_format(out, "%.0f min", number / 60);

    } else {
        ctl_buffer_format(out, "%.1f h", number / 3600);
    }
}


/* "a, b" or "a 1, b 2" where it is no deeper, else JSON. */
static void
show_whole(ctl_buffer_t *out, const json_t *value)
{
    char        *text;
    size_t       i, start;
    json_t      *item;
    const char  *name;

    start = out->len;

    json_array_foreach((json_t *) value, i, item) {
        ctl_buffer_put(out, i == 0 ? "" : ", ");
        ctl_show_value(out, item, CTL_AS_TEXT);

        if (json_is_array(item) || json_is_object(item)) {
            goto deep;
        }
    }

    json_object_foreach((json_t *) value, name, item) {
        ctl_buffer_format(out, "%s%s ", out->len == start ? "" : ", ", name);
        ctl_show_value(out, item, CTL_AS_TEXT);

        if (json_is_array(item) || json_is_object(item)) {
            goto deep;
        }
    }

    return;

deep:

    out->len = start;
    text = json_dumps(value, JSON_COMPACT);
    ctl_buffer_put(out, text == NULL ? "" : text);
    free(text);
}


static void
show_members(const ctl_t *ctl, ctl_buffer_t *out, const json_t *object,
    size_t depth)
{
    size_t       i, width, len;
    json_t      *value;
    const char  *name;

    width = 0;

    json_object_foreach((json_t *) object, name, value) {
        len = ctl_text_width(voice_span_str(name));
        width = len > width && !is_long(value, depth) ? len : width;
    }

    for (i = 0; i <= SHOW_FIRST + 1; i++) {
        json_object_foreach((json_t *) object, name, value) {
            if (rank(name, value, depth) == i) {
                len = ctl_text_width(voice_span_str(name));
                ctl_buffer_fill(out, ' ', depth * SHOW_INDENT);
                ctl_text_safe(out, voice_span_str(name), 0);
                ctl_buffer_fill(out, ' ', !is_long(value, depth)
                                          && width > len ? width - len : 0);
                show_member(ctl, out, name, value, depth);
            }
        }
    }
}


/* What has lines of its own comes last. */
static size_t
rank(const char *name, const json_t *value, size_t depth)
{
    size_t  i;

    if (is_long(value, depth)) {
        return SHOW_FIRST + 1;
    }

    for (i = 0; i < SHOW_FIRST && strcmp(first[i], name) != 0; i++) {
        /* void */
    }

    return i;
}


static void
show_member(const ctl_t *ctl, ctl_buffer_t *out, const char *name,
    const json_t *value, size_t depth)
{
    ctl_as_e      as;
    ctl_buffer_t  text = { 0 }, safe = { 0 };

    if (is_long(value, depth)) {
        ctl_buffer_put(out, "\n");

        if (json_is_object(value)) {
            show_members(ctl, out, value, depth + 1);

        } else {
            show_items(ctl, out, value, depth + 1);
        }

        return;
    }

    as = guess(name, value);
    ctl_show_value(&text, value, as);

    if (text.len == 0) {
        ctl_buffer_put(&text, "-");

    } else if (as == CTL_AS_TIME) {
        ctl_buffer_put(&text, " UTC");
    }

    ctl_text_safe(&safe, voice_span(ctl_buffer_text(&text), text.len), 0);

    if (safe.len > 0) {
        ctl_buffer_put(out, "  ");
        ctl_paint(out, voice_span(safe.data, safe.len), ctl->screen.color
                  && as == CTL_AS_STATE
                  ? ctl_state_color(voice_span(safe.data, safe.len))
                  : CTL_PLAIN);
    }

    while (out->len > 0 && out->data[out->len - 1] == ' ') {
        out->len--;
    }

    ctl_buffer_put(out, "\n");
    ctl_buffer_release(&text);
    ctl_buffer_release(&safe);
}


static void
show_items(const ctl_t *ctl, ctl_buffer_t *out, const json_t *list,
    size_t depth)
{
    size_t         i;
    ctl_buffer_t   text = { 0 };
    const json_t  *value;

    for (i = 0; i < json_array_size(list); i++) {
        value = json_array_get(list, i);

        if (json_is_object(value)) {
            ctl_buffer_fill(out, ' ', depth * SHOW_INDENT);
            ctl_buffer_format(out, "%zu.\n", i + 1);
            show_members(ctl, out, value, depth + 1);
            continue;
        }

        ctl_buffer_reset(&text);
        ctl_show_value(&text, value, CTL_AS_TEXT);
        ctl_buffer_fill(out, ' ', depth * SHOW_INDENT);
        ctl_text_safe(out, voice_span(ctl_buffer_text(&text), text.len), 0);
        ctl_buffer_put(out, "\n");
    }

    ctl_buffer_release(&text);
}


/* Has it lines of its own? */
static int
is_long(const json_t *value, size_t depth)
{
    size_t  i;

    if (depth >= SHOW_DEPTH) {
        return 0;
    }

    if (json_is_object(value)) {
        return json_object_size(value) > 0;
    }

    for (i = 0; i < json_array_size(value); i++) {
        if (json_is_object(json_array_get(value, i))
            || json_array_size(value) * 8 > SHOW_SHORT)
        {
            return 1;
        }
    }

    return 0;
}


/* How a member is best read, by its name. */
static ctl_as_e
guess(const char *name, const json_t *value)
{
    size_t  i, len, end;

    static const struct {
        const char  *end;
        ctl_as_e     as;
    } ends[] = {
        { "_at", CTL_AS_TIME }, { "status", CTL_AS_STATE },
        { "state", CTL_AS_STATE }, { "_ms", CTL_AS_MS },
        { "_seconds", CTL_AS_SECONDS }
    };

    len = strlen(name);

    for (i = 0; i < VOICE_ARRAY_SIZE(ends); i++) {
        end = strlen(ends[i].end);

        if (len >= end && strcmp(name + len - end, ends[i].end) == 0
            && (ends[i].as <= CTL_AS_TIME) == json_is_string(value))
        {
            return ends[i].as;
        }
    }

    return CTL_AS_TEXT;
}
