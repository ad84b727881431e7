/*
 * Arguments: from a request's parameters and body to one object.
 */

#include "tap.h"
#include "contract.h"


#define ID  "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


typedef struct {
    const char  *name;
    const char  *value;
} header_t;


static void arguments(void);
static void arguments_wrong(void);
static void bodies(void);
static void queries(void);
static json_t *call(const char *target, const char *query,
    const header_t *headers, const char *body, voice_problems_t *problems);
static voice_span_t header_of(void *data, const char *name);
static int args_are(json_t *args, const char *expected);


static voice_contract_t  *contract;


int
main(void)
{
    voice_problem_t  problem;

    contract = create(NULL, &problem);

    if (ok(contract != NULL, "the contract is read")) {
        arguments();
        arguments_wrong();
        bodies();
        queries();
    }

    voice_contract_destroy(contract);

    return done_testing();
}


static void
arguments(void)
{
    size_t            i;
    voice_problems_t  problems;

    static const header_t  trace[] = {
        { "x-trace-id", "abc" }, { NULL, NULL }
    };

    static const struct {
        const char  *query;
        const char  *args;
    } rows[] = {
        { "", "{\"page\":1}" },
        { "page=2", "{\"page\":2}" },
        { "&&page=2&", "{\"page\":2}" },
        { "%70age=%32", "{\"page\":2}" },
        { "ratio=-1.5e1", "{\"page\":1,\"ratio\":-15.0}" },
        { "ratio=2", "{\"page\":1,\"ratio\":2}" },
        { "deep=true", "{\"page\":1,\"deep\":true}" },
        { "deep=false", "{\"page\":1,\"deep\":false}" },
        { "search=a+b%2Bc", "{\"page\":1,\"search\":\"a b+c\"}" },
        { "search=%C3%A9%26%3D", "{\"page\":1,\"search\":\"\\u00e9&=\"}" },
        { "search", "{\"page\":1,\"search\":\"\"}" },
        { "search=a=b", "{\"page\":1,\"search\":\"a=b\"}" },
        { "ids=1,2,3", "{\"page\":1,\"ids\":[1,2,3]}" },
        { "ids=1%2C2", "{\"page\":1,\"ids\":[1,2]}" },
        { "ids=", "{\"page\":1,\"ids\":[]}" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(args_are(call("/api/v1/things", rows[i].query, NULL, NULL,
                         &problems),
                    rows[i].args), "\"%s\" gives %s", rows[i].query,
           rows[i].args);
    }

    ok(args_are(call("/api/v1/things", "", trace, NULL, &problems),
                "{\"page\":1,\"x_trace_id\":\"abc\"}"),
       "a header's name is in lower case with \"_\"");
    ok(args_are(call("/pairs/a%2Fb+c/of/7", "", NULL, NULL, &problems),
                "{\"a\":\"a/b+c\",\"b\":7}"),
       "captures are decoded and converted");
    ok(args_are(call("/api/v1/things/" ID, "", NULL, NULL, &problems),
                "{\"id\":\"" ID "\"}"), "and checked");
}


/* Requests that are refused for one reason. */
static const struct {
    const char  *target;
    const char  *query;
    const char  *path;
    const char  *reason;
} wrong_rows[] = {
    { "/api/v1/things", "page=x", "/query/page", "must be an integer" },
    { "/api/v1/things", "page=", "/query/page", "must be an integer" },
    { "/api/v1/things", "page=1.0", "/query/page",
      "must be an integer" },
    { "/api/v1/things", "page=01", "/query/page", "must be an integer" },
    { "/api/v1/things", "page=+1", "/query/page", "must be an integer" },
    { "/api/v1/things", "page=1%20", "/query/page",
      "must be an integer" },
    { "/api/v1/things", "page=99999999999999999999", "/query/page",
      "must be an integer" },
    { "/api/v1/things", "page=0", "/query/page", "must be at least 1" },
    { "/api/v1/things", "page=1&page=2", "/query/page", "is sent twice" },
    { "/api/v1/things", "ratio=NaN", "/query/ratio",
      "must be a number" },
    { "/api/v1/things", "deep=1", "/query/deep",
      "must be true or false" },
    { "/api/v1/things", "search=%FF", "/query/search", "must be UTF-8" },
    { "/api/v1/things", "search=a%00", "/query/search", "has a NUL" },
    { "/api/v1/things", "search=%4", "/query/search",
      "has a broken percent-encoding" },
    { "/api/v1/things", "search=%zz", "/query/search",
      "has a broken percent-encoding" },
    { "/api/v1/things", "search=123456789", "/query/search",
      "must have at most 8 characters" },
    { "/api/v1/things", "ids=1,,2", "/query/ids",
      "each item must be an integer" },
    { "/api/v1/things", "ids=1,2,3,4", "/query/ids",
      "must have at most 3 items" },
    { "/api/v1/things", "a%2Fb=1", "/query/a~1b",
      "is not a known parameter" },
    { "/api/v1/things", "%FF=1", "/query/?",
      "is not a known parameter" },
    { "/api/v1/things", "%=1", "/query",
      "has a name that has a broken percent-encoding" },
    { "/api/v1/things", "=1", "/query/", "is not a known parameter" },
    { "/api/v1/things/7", "", "/path/id", "is not of the format uuid" },
    { "/api/v1/things/%zz", "", "/path/id",
      "has a broken percent-encoding" },
    { "/pairs/a/of/b", "", "/path/b", "must be an integer" },
};


static void
arguments_wrong(void)
{
    size_t            i;
    voice_problems_t  problems;

    static const header_t  trace[] = {
        { "x-trace-id", "ABC" }, { NULL, NULL }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(wrong_rows); i++) {
        ok(call(wrong_rows[i].target, wrong_rows[i].query, NULL, NULL,
                &problems)
           == NULL && problems.count == 1, "%s?%s is refused",
           wrong_rows[i].target, wrong_rows[i].query);
        is(problems.items[0].path, wrong_rows[i].path, "its place is named");
        is(problems.items[0].reason, wrong_rows[i].reason,
           "and what is wrong");
    }

    ok(call("/api/v1/things", "", trace, NULL, &problems) == NULL,
       "a wrong header is refused");
    is(problems.items[0].path, "/header/x_trace_id", "its place is named");

    ok(call("/api/v1/things", "page=x&deep=7&y=1&ratio=r", trace, NULL,
            &problems)
       == NULL && problems.count == 5, "all that is wrong is told");
}


static void
bodies(void)
{
    voice_problems_t  problems;

    static const header_t  match[] = {
        { "if-match", "3" }, { NULL, NULL }
    };

    ok(args_are(call("POST /things", "", NULL, "{\"name\":\"n\"}", &problems),
                "{\"name\":\"n\",\"size\":3}"),
       "members of the body are arguments, defaults are set");
    ok(call("POST /things", "", NULL, NULL, &problems) == NULL,
       "a body that is demanded must be there");
    is(problems.items[0].path, "/body", "its place is named");

    ok(call("POST /things", "z=1", NULL, "{\"name\":\"\",\"x\":1}", &problems)
       == NULL && problems.count == 3, "all that is wrong is told");
    is(problems.items[1].path, "/body/x", "with places in the body");

    ok(args_are(call("PATCH /api/v1/things/" ID, "", match, "{\"a\":[1]}",
                     &problems),
                "{\"id\":\"" ID "\",\"if_match\":3,\"a\":[1]}"),
       "parameters and body are one object");
    ok(args_are(call("PATCH /api/v1/things/" ID, "", match, NULL, &problems),
                "{\"id\":\"" ID "\",\"if_match\":3}"),
       "a body that is not demanded may be absent");

    ok(call("PATCH /api/v1/things/" ID, "", match, "{\"id\":1}", &problems)
       == NULL, "a body must not overwrite a parameter");
    is(problems.items[0].path, "/body/id", "its place is named");
    ok(call("PATCH /api/v1/things/" ID, "", NULL, "{}", &problems) == NULL,
       "a header that is demanded must be there");
    is(problems.items[0].path, "/header/if_match", "its place is named");

    ok(call("/api/v1/things", "", NULL, "[1]", &problems) == NULL,
       "a body that nobody expects is refused");
    ok(args_are(call("/api/v1/things", "", NULL, "{}", &problems),
                "{\"page\":1}"), "unless it is an empty object");
    ok(call("POST /things", "", NULL, "[]", &problems) == NULL,
       "a body that is no object is refused");
}


static void
queries(void)
{
    char    buf[8];
    size_t  len;

    ok(voice_query_find(VOICE_SPAN("a=1&b=%32+3&b=4"), "b", buf, sizeof(buf),
                        &len)
       == VOICE_OK && voice_span_eq(voice_span(buf, len), VOICE_SPAN("2 3")),
       "the first of a name is found, decoded");
    ok(voice_query_find(VOICE_SPAN("a=1"), "b", buf, sizeof(buf), &len)
       == VOICE_NOTFOUND, "an absent one is not");
    ok(voice_query_find(voice_span(NULL, 0), "b", buf, sizeof(buf), &len)
       == VOICE_NOTFOUND, "nor one in nothing");
    ok(voice_query_find(VOICE_SPAN("b=123456789"), "b", buf, sizeof(buf),
                        &len)
       == VOICE_LIMIT, "one too long is over the limit");
    ok(voice_query_find(VOICE_SPAN("b=%0"), "b", buf, sizeof(buf), &len)
       == VOICE_INVALID, "one that is broken is invalid");
}


/* target: "METHOD /path", GET if there is none. */
static json_t *
call(const char *target, const char *query, const header_t *headers,
    const char *body, voice_problems_t *problems)
{
    json_t              *tree, *args;
    const char          *path;
    voice_match_t        match;
    voice_method_e       method;
    voice_json_error_t   err;

    memset(problems, 0, sizeof(voice_problems_t));
    path = strchr(target, '/');
    method = target[0] == '/' ? VOICE_METHOD_GET
             : target[1] == 'O' ? VOICE_METHOD_POST : VOICE_METHOD_PATCH;

    if (voice_contract_match(contract, method, voice_span_str(path), &match)
        != VOICE_ROUTE_FOUND)
    {
        ok(0, "%s is found", target);
        return NULL;
    }

    tree = body == NULL ? NULL : voice_json_parse(voice_span_str(body), &err);
    args = voice_contract_args(match.operation, &match,
                               voice_span_str(query), header_of,
                               (void *) headers, tree, problems);
    json_decref(tree);

    return args;
}


static voice_span_t
header_of(void *data, const char *name)
{
    const header_t  *row;

    for (row = data; row != NULL && row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return voice_span_str(row->value);
        }
    }

    return voice_span(NULL, 0);
}


/* Takes over the reference of args. */
static int
args_are(json_t *args, const char *expected)
{
    int                  same;
    json_t              *tree;
    voice_json_error_t   err;

    tree = voice_json_parse(voice_span_str(expected), &err);
    same = args != NULL && json_equal(args, tree);
    json_decref(tree);
    json_decref(args);

    return same;
}
