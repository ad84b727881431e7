
/*
 * The reader of lexicon files.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_lexicon_private.h"


#define ENTRY_MAX  200                 /* bytes of an entry in the file */


typedef struct {
    voice_lexicon_t        *lexicon;
    voice_lines_t           lines;
    int                     inside;    /* of a section */
    voice_lexicon_entry_t   entry;     /* kind and value of the section */
    char                   *room;      /* left in the lexicon's text */
} reader_t;


typedef struct {
    const char            *name;
    voice_lexicon_kind_e   kind;
    double                 min;
    double                 max;        /* both 0: takes no value */
} section_t;


typedef struct {
    const char   *name;
    voice_rc_t  (*set)(reader_t *reader, voice_span_t value);
} directive_t;


static voice_rc_t read_file(reader_t *reader);
static voice_rc_t read_line(reader_t *reader, voice_span_t line);
static voice_rc_t read_section(reader_t *reader, voice_span_t line);
static voice_rc_t read_directive(reader_t *reader, voice_span_t line);
static voice_rc_t set_language(reader_t *reader, voice_span_t value);
static voice_rc_t set_apostrophe(reader_t *reader, voice_span_t value);
static voice_rc_t set_negation(reader_t *reader, voice_span_t value);
static voice_rc_t read_entry(reader_t *reader, voice_span_t text);
static voice_rc_t add_entry(reader_t *reader, const voice_tokens_t *tokens,
    int prefix);
static voice_rc_t add_start(reader_t *reader, voice_span_t first,
    unsigned words);
static char *key_put(char *out, const voice_tokens_t *tokens, int prefix);
static int number(voice_span_t text, double *value);


static const section_t  sections[] = {
    { "weight", VOICE_LEXICON_WEIGHT, -4, 4 },
    { "factor", VOICE_LEXICON_FACTOR, 0.1, 3 },
    { "negators", VOICE_LEXICON_NEGATOR, 0, 0 },
    { "contrasts", VOICE_LEXICON_CONTRAST, 0, 0 }
};

static const directive_t  directives[] = {
    { "language", set_language },
    { "apostrophe", set_apostrophe },
    { "negation", set_negation }
};


voice_rc_t
voice_lexicon_parse(voice_span_t file, voice_lexicon_t **lexicon,
    voice_lines_fault_t *fault)
{
    reader_t    reader;
    voice_rc_t  rc;

    *lexicon = NULL;
    memset(&reader, 0, sizeof(reader_t));

    rc = voice_lines_begin(&reader.lines, file, fault);
    if (rc != VOICE_OK) {
        return rc;
    }

    reader.lexicon = calloc(1, sizeof(voice_lexicon_t));
    if (reader.lexicon == NULL) {
        return VOICE_NOMEM;
    }

    /* as voice_tokens_read() has it; an entry and what ends it */
    reader.lexicon->text = malloc(file.len * 3 + 1);
    reader.lexicon->head.ahead = 4;
    reader.room = reader.lexicon->text;

    rc = reader.room == NULL ? VOICE_NOMEM : read_file(&reader);

    if (rc != VOICE_OK) {
        voice_lexicon_destroy(reader.lexicon);
        return rc;
    }

    *lexicon = reader.lexicon;

    return VOICE_OK;
}


static voice_rc_t
read_file(reader_t *reader)
{
    voice_rc_t    rc;
    voice_span_t  line;

    rc = VOICE_OK;

    while (rc == VOICE_OK && voice_lines_next(&reader->lines, &line)) {
        rc = read_line(reader, line);
    }

    reader->lexicon->head.entries = reader->lexicon->entries.count;

    if (rc == VOICE_OK && reader->lexicon->head.entries == 0) {
        rc = voice_lines_wrong(&reader->lines, VOICE_INVALID,
                               "there is no entry");
    }

    return rc;
}


static voice_rc_t
read_line(reader_t *reader, voice_span_t line)
{
    voice_rc_t    rc;
    voice_span_t  entry;

    if (line.ptr[0] == '[') {
        return read_section(reader, line);
    }

    if (!reader->inside) {
        return read_directive(reader, line);
    }

    do {
        entry = voice_lines_cut(&line, ',');

        /* a line may end with a comma */
        if (entry.len == 0) {
            return line.len == 0
                   ? VOICE_OK
                   : voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                       "nothing stands between two commas");
        }

        rc = read_entry(reader, entry);

    } while (rc == VOICE_OK && line.len > 0);

    return rc;
}


static voice_rc_t
read_section(reader_t *reader, voice_span_t line)
{
    size_t            i;
    double            value;
    voice_span_t      name;
    const section_t  *section;

    if (line.ptr[line.len - 1] != ']') {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "a section has no \"]\"");
    }

    if (reader->lexicon->head.language[0] == '\0') {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "\"language\" must stand before the first "
                                 "section");
    }

    line = voice_span(line.ptr + 1, line.len - 2);
    name = voice_lines_cut(&line, ' ');
    value = 0;

    for (i = 0; i < VOICE_ARRAY_SIZE(sections); i++) {

        section = &sections[i];

        if (!voice_span_eq(name, voice_span_str(section->name))) {
            continue;
        }

        if (section->max > 0
            ? !number(line, &value) || value < section->min
              || value > section->max
            : line.len > 0)
        {
            break;
        }

        reader->inside = 1;
        reader->entry.kind = section->kind;
        reader->entry.value = value;

        return VOICE_OK;
    }

    return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                             "a section is [weight -4 .. 4], [factor 0.1 .. "
                             "3], [negators] or [contrasts]");
}


static voice_rc_t
read_directive(reader_t *reader, voice_span_t line)
{
    size_t        i;
    voice_span_t  name;

    name = voice_lines_cut(&line, ' ');

    for (i = 0; i < VOICE_ARRAY_SIZE(directives); i++) {
        if (voice_span_eq(name, voice_span_str(directives[i].name))) {
            return directives[i].set(reader, voice_lines_trim(line));
        }
    }

    return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                             "\"%.*s\" is no directive",
                             (int) (name.len < 40 ? name.len : 40),
                             name.ptr);
}


static voice_rc_t
set_language(reader_t *reader, voice_span_t value)
{
    if (voice_language_canonical(value, reader->lexicon->head.language)
        != VOICE_OK)
    {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "no language tag");
    }

    return VOICE_OK;
}


static voice_rc_t
set_apostrophe(reader_t *reader, voice_span_t value)
{
    if (voice_span_eq(value, VOICE_SPAN("split"))) {
        reader->lexicon->head.flags |= VOICE_TOKEN_SPLIT;
        return VOICE_OK;
    }

    if (voice_span_eq(value, VOICE_SPAN("join"))) {
        reader->lexicon->head.flags &= ~(unsigned) VOICE_TOKEN_SPLIT;
        return VOICE_OK;
    }

    return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                             "\"apostrophe\" is join or split");
}


static voice_rc_t
set_negation(reader_t *reader, voice_span_t value)
{
    double        ahead, behind;
    voice_span_t  first;

    first = voice_lines_cut(&value, ' ');

    if (!number(first, &ahead) || !number(voice_lines_trim(value), &behind)
        || ahead < 0 || ahead > VOICE_LEXICON_REACH
        || behind < 0 || behind > VOICE_LEXICON_REACH)
    {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "\"negation\" takes two numbers of words, 0 "
                                 "to %d", VOICE_LEXICON_REACH);
    }

    reader->lexicon->head.ahead = (unsigned) ahead;
    reader->lexicon->head.behind = (unsigned) behind;

    return VOICE_OK;
}


static voice_rc_t
read_entry(reader_t *reader, voice_span_t text)
{
    int             prefix;
    size_t          i;
    voice_rc_t      rc;
    voice_tokens_t  tokens;

    prefix = text.ptr[text.len - 1] == '*';
    text.len -= prefix ? 1 : 0;

    if (text.len > ENTRY_MAX || memchr(text.ptr, '*', text.len) != NULL) {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "an entry has at most %d bytes, and \"*\" "
                                 "only at its end", ENTRY_MAX);
    }

    rc = voice_tokens_read(text, reader->lexicon->head.flags, &tokens);
    if (rc != VOICE_OK) {
        return rc;
    }

    for (i = 0; i + 1 < tokens.count; i++) {
        if (tokens.items[i].end != VOICE_TOKEN_NEXT) {
            break;
        }
    }

    if (tokens.count == 0 || tokens.count > VOICE_LEXICON_WORDS
        || i + 1 < tokens.count
        || (prefix && tokens.items[i].word.len < 3))
    {
        rc = voice_lines_wrong(&reader->lines, VOICE_INVALID,
                               "\"%.*s\" is not 1 to %d words; before \"*\" "
                               "there are 3 bytes at least",
                               (int) (text.len < 40 ? text.len : 40),
                               text.ptr, VOICE_LEXICON_WORDS);
    } else {
        rc = add_entry(reader, &tokens, prefix);
    }

    voice_tokens_release(&tokens);

    return rc;
}


static voice_rc_t
add_entry(reader_t *reader, const voice_tokens_t *tokens, int prefix)
{
    char             *end;
    voice_rc_t        rc;
    lexicon_entry_t   entry;

    if (reader->lexicon->entries.count == VOICE_LEXICON_ENTRIES) {
        return voice_lines_wrong(&reader->lines, VOICE_LIMIT,
                                 "more than %d entries",
                                 VOICE_LEXICON_ENTRIES);
    }

    memset(&entry, 0, sizeof(lexicon_entry_t));

    end = key_put(reader->room, tokens, prefix);
    entry.entry = reader->entry;
    entry.entry.words = (unsigned) tokens->count;
    entry.key = voice_span(reader->room, (size_t) (end - reader->room));

    if (lexicon_get(&reader->lexicon->entries, entry.key) != NULL) {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "\"%.*s\" stands twice",
                                 (int) (entry.key.len < 60 ? entry.key.len
                                                           : 60),
                                 entry.key.ptr);
    }

    reader->room = end;

    rc = lexicon_put(&reader->lexicon->entries, &entry);

    if (rc != VOICE_OK || tokens->count == 1) {
        return rc;
    }

    return add_start(reader, voice_span(entry.key.ptr,
                                        tokens->items[0].word.len),
                     entry.entry.words);
}


/* The first word leads to entries of so many words. */
static voice_rc_t
add_start(reader_t *reader, voice_span_t first, unsigned words)
{
    lexicon_entry_t  start, *known;

    known = lexicon_get(&reader->lexicon->starts, first);

    if (known != NULL) {
        known->entry.words = words > known->entry.words ? words
                                                        : known->entry.words;
        return VOICE_OK;
    }

    memset(&start, 0, sizeof(lexicon_entry_t));
    start.key = first;
    start.entry.words = words;

    return lexicon_put(&reader->lexicon->starts, &start);
}


static char *
key_put(char *out, const voice_tokens_t *tokens, int prefix)
{
    size_t        i;
    voice_span_t  word;

    for (i = 0; i < tokens->count; i++) {
        word = tokens->items[i].word;

        if (i > 0) {
            *out++ = ' ';
        }

        memcpy(out, word.ptr, word.len);
        out += word.len;
    }

    if (prefix) {
        *out++ = '*';
    }

    return out;
}


/* "-2", "1.35": a sign, two digits, a point and three more at most. */
static int
number(voice_span_t text, double *value)
{
    int     sign, seen;
    double  scale;
    size_t  i;

    sign = text.len > 0 && text.ptr[0] == '-';
    scale = 0;
    seen = 0;
    *value = 0;

    if (text.len > 7) {
        return 0;
    }

    for (i = sign ? 1 : 0; i < text.len; i++) {

        if (text.ptr[i] == '.' && scale <= 0 && seen) {
            scale = 1;
            continue;
        }

        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return 0;
        }

        seen = 1;
        scale *= 10;
        *value = *value * 10 + (text.ptr[i] - '0');
    }

    *value /= scale > 1 ? scale : 1;
    *value = sign ? -*value : *value;

    return seen;
}
