/*
 * JSON texts: the published parser cases, then bounds, positions, pointers.
 */

#include <dirent.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_json.h"


#define SUITE     "../shared/vectors/json/test_parsing"
#define FILE_MAX  (1024 * 1024)


static void suite(void);
static void suite_file(const char *name);
static const char *exception(const char *name);
static void texts(void);
static void depth(void);
static void values(void);
static void pointers(void);
static void setting(void);
static json_t *parse(const char *text, voice_json_error_t *err);


static char  json_text[FILE_MAX];      /* one file of the suite */


/* Well-formed texts that we refuse all the same. */
static const struct {
    const char  *name;
    const char  *reason;
} json_exceptions[] = {
    { "y_object_duplicated_key.json", "a name twice is ambiguous" },
    { "y_object_duplicated_key_and_value.json", "a name twice is ambiguous" },
    { "y_object_escaped_null_in_key.json", "PostgreSQL has no NUL" },
    { "y_string_null_escape.json", "PostgreSQL has no NUL" },
};


int
main(void)
{
    suite();
    texts();
    depth();
    values();
    pointers();
    setting();

    return done_testing();
}


static void
suite(void)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(SUITE);

    if (dir == NULL) {
        ok(1, "the published cases # SKIP " SUITE " is absent");
        return;
    }

    for (entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strchr("yni", entry->d_name[0]) != NULL
            && entry->d_name[1] == '_')
        {
            suite_file(entry->d_name);
        }
    }

    (void) closedir(dir);
}


static void
suite_file(const char *name)
{
    char                 path[512];
    FILE                *file;
    json_t              *value;
    size_t               len;
    const char          *reason;
    voice_json_error_t   err;

    (void) snprintf(path, sizeof(path), SUITE "/%s", name);
    file = fopen(path, "rb");

    if (file == NULL) {
        ok(0, "%s can be read", name);
        return;
    }

    len = fread(json_text, 1, sizeof(json_text), file);
    (void) fclose(file);

    value = voice_json_parse(voice_span(json_text, len), &err);
    reason = exception(name);

    if (reason != NULL) {
        ok(value == NULL && err.well_formed, "%s is refused: %s", name,
           reason);

    } else if (name[0] == 'i') {
        printf("# %s may be either and is %s\n", name,
               value == NULL ? "refused" : "read");

    } else {
        ok((value != NULL) == (name[0] == 'y'), "%s is %s", name,
           name[0] == 'y' ? "read" : "refused");
    }

    if (value == NULL) {
        ok(err.line > 0 && err.column > 0 && err.reason[0] != '\0'
           && (name[0] != 'n' || !err.well_formed),
           "with a place and a reason");
    }

    json_decref(value);
}


static const char *
exception(const char *name)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(json_exceptions); i++) {
        if (strcmp(json_exceptions[i].name, name) == 0) {
            return json_exceptions[i].reason;
        }
    }

    return NULL;
}


static void
texts(void)
{
    size_t               i;
    json_t              *value;
    voice_json_error_t   err;

    static const struct {
        const char  *text;
        const char  *reason;
        size_t       line;
    } rows[] = {
        { "", "ends too early", 1 },
        { "{\n\"a\": secret\n}", "is not JSON", 2 },
        { "{\"a\":1,\n\n\"a\":2}", "has a name twice in one object", 3 },
        { "[1] 2", "goes on after the value", 1 },
        { "[\"\\u0000\"]", "has a NUL in a string", 1 },
        { "{\"\\u0000\":1}", "has a NUL in a name", 1 },
        { "[\"\xff\"]", "is not UTF-8", 1 },
        { "[12345678901234567890]", "has a number that is too large", 1 },
        { "[1e999]", "has a number that is too large", 1 },
        { "[1", "ends too early", 1 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        value = parse(rows[i].text, &err);

        ok(value == NULL && err.line == rows[i].line,
           "a broken text is refused at its line");
        is(err.reason, rows[i].reason, "its reason quotes nothing of it");
        json_decref(value);
    }

    value = parse("1.5", &err);
    ok(json_is_real(value), "a scalar is a text");
    json_decref(value);
}


static void
depth(void)
{
    char                 text[512];
    json_t              *value;
    size_t               n;
    voice_json_error_t   err;

    n = VOICE_JSON_DEPTH;
    memset(text, '[', n);
    memset(text + n, ']', n);

    value = voice_json_parse(voice_span(text, 2 * n), &err);
    ok(value != NULL, "nesting up to the bound is read");
    json_decref(value);

    n++;
    memset(text, '[', n);
    memset(text + n, ']', n);

    value = voice_json_parse(voice_span(text, 2 * n), &err);
    ok(value == NULL, "nesting past the bound is refused");
    is(err.reason, "is nested too deeply", "with the reason");
    ok(err.line == 1 && err.column == n, "at the bracket too many");
    json_decref(value);

    (void) snprintf(text, sizeof(text), "[\"%0100d\\\"%0100d\"]", 0, 0);
    memset(text + 2, '[', 100);
    memset(text + 104, '{', 100);

    value = parse(text, &err);
    ok(value != NULL, "brackets in strings do not count");
    json_decref(value);
}


static void
values(void)
{
    json_t              *value;
    voice_json_error_t   err;

    value = voice_json_parse_bounded(VOICE_SPAN("{\"a,[\":[1,2],\"b\":{}}"),
                                     6, &err);
    ok(value != NULL, "as many values as the bound are read");
    json_decref(value);

    value = voice_json_parse_bounded(VOICE_SPAN("[1,2,3]"), 3, &err);
    ok(value == NULL && err.well_formed, "more than that are refused");
    is(err.reason, "has too many values", "with the reason");
    ok(err.line == 1 && err.column == 5, "at the comma too many");
    json_decref(value);
}


static void
pointers(void)
{
    size_t               i;
    json_t              *root, *value;
    voice_json_error_t   err;

    /* RFC 6901 section 5, all but the names that are no strings here */

    static const struct {
        const char  *pointer;
        int          value;            /* -1: there is none */
    } rows[] = {
        { "/foo/0", 10 }, { "/foo/1", 11 }, { "/", 0 }, { "/a~1b", 1 },
        { "/c%d", 2 }, { "/e^f", 3 }, { "/g|h", 4 }, { "/ ", 7 },
        { "/m~0n", 8 }, { "/foo/2", -1 }, { "/foo/01", -1 },
        { "/foo/-", -1 }, { "/foo/", -1 }, { "/foo/x", -1 },
        { "/nothing", -1 }, { "foo", -1 }, { "/a~2b", -1 }, { "/a~", -1 },
        { "/foo/0/x", -1 }, { "/foo/99999999999999999999", -1 },
    };

    root = parse("{\"foo\":[10,11],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
                 "\"g|h\":4,\" \":7,\"m~n\":8}", &err);

    ok(voice_json_at(root, "") == root, "an empty pointer is the whole");

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        value = voice_json_at(root, rows[i].pointer);

        ok(rows[i].value < 0 ? value == NULL
                             : json_integer_value(value) == rows[i].value
                               && json_is_integer(value),
           "\"%s\" points to %s", rows[i].pointer,
           rows[i].value < 0 ? "nothing" : "its value");
    }

    ok(json_integer_value(voice_json_ref(root, "#/c%25d")) == 2,
       "a reference is percent-decoded");
    ok(voice_json_ref(root, "#") == root, "\"#\" is the whole");
    ok(voice_json_ref(root, "/foo") == NULL
       && voice_json_ref(root, "#foo") == NULL
       && voice_json_ref(root, "#/%0") == NULL
       && voice_json_ref(root, "#/%00") == NULL,
       "what is no local reference points to nothing");

    is(voice_json_text(root, "foo").ptr, NULL, "a list is no text");
    json_decref(root);
}


static void
setting(void)
{
    char                *text;
    json_t              *root;
    voice_json_error_t   err;

    root = parse("{\"a\":{},\"b\":[1]}", &err);

    ok(voice_json_set(root, "/a/x", json_true()) == VOICE_OK
       && voice_json_set(root, "/a/x", json_integer(3)) == VOICE_OK
       && voice_json_set(root, "/b/0", json_integer(2)) == VOICE_OK
       && voice_json_set(root, "/b/-", json_integer(4)) == VOICE_OK,
       "members and items are set");

    ok(voice_json_set(root, "/c/x", json_integer(1)) == VOICE_NOTFOUND,
       "all but the last must exist");
    ok(voice_json_set(root, "/b/9", json_integer(1)) == VOICE_NOTFOUND,
       "a list has no holes");
    ok(voice_json_set(root, "", json_integer(1)) == VOICE_INVALID,
       "the root cannot be replaced");
    ok(voice_json_set(root, "x", json_integer(1)) == VOICE_INVALID,
       "a malformed pointer is refused");
    ok(voice_json_set(root, "/x", NULL) == VOICE_INVALID,
       "nothing cannot be set");

    text = json_dumps(root, JSON_COMPACT);
    is(text, "{\"a\":{\"x\":3},\"b\":[2,4]}", "the rest is as it was");
    free(text);
    json_decref(root);
}


static json_t *
parse(const char *text, voice_json_error_t *err)
{
    return voice_json_parse(voice_span_str(text), err);
}
