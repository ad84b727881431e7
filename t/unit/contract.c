/*
 * The contract: the union of files, its holes, its operations, routing.
 */

#include <stdio.h>

#include "tap.h"
#include "contract.h"


static void good(void);
static void members(void);
static void dress(void);
static void roles(void);
static void errors(void);
static void holes(void);
static void hole(const char *path, const char *json, const char *place,
    const char *reason);
static void unions(void);
static void file_references(void);
static void routing(void);


static voice_contract_t  *contract;


int
main(void)
{
    voice_problem_t  problem;

    contract = create(NULL, &problem);

    if (ok(contract != NULL, "a good contract is read")) {
        good();
        members();
        dress();
    roles();
        errors();
        routing();
    }

    voice_contract_destroy(contract);

    holes();
    unions();

    return done_testing();
}


static void
good(void)
{
    json_t              *document;
    voice_json_error_t   err;

    ok(voice_contract_count(contract) == 8, "all operations are there");
    ok(voice_contract_operation(contract, 8) == NULL, "and no more");

    document = voice_json_parse(voice_contract_text(contract), &err);
    ok(voice_json_at(document, "/paths/~1/get") != NULL
       && voice_json_at(document, "/components/schemas/Uuid") != NULL
       && voice_json_at(document, "/info/title") != NULL,
       "the text is the union of the files");
    json_decref(document);
}


static void
members(void)
{
    const voice_operation_t  *list, *post, *get, *patch, *delete;

    list = voice_contract_operation(contract, 0);
    post = voice_contract_operation(contract, 1);
    get = voice_contract_operation(contract, 2);
    patch = voice_contract_operation(contract, 3);
    delete = voice_contract_operation(contract, 4);

    is(list->function, "list_things", "an operation names its function");
    is(list->path, "/api/v1/things", "and its path");
    is(list->scope, "things:read", "the scope of a GET is reading its tag");
    is(post->scope, "things:write", "of another method writing it");
    is(patch->scope, "all:write", "or what x-scope says");
    is(list->limit->name, "read", "the limit is a class");
    ok(list->limit->rate == 50 && list->limit->burst == 100,
       "of the root's list");
    ok(list->slow && !post->slow && !list->stream
       && voice_contract_operation(contract, 5)->stream,
       "slow and stream are flags");
    ok(get->public && !list->public && get->roles == 0,
       "public needs no role");
    ok(get->shape == VOICE_SHAPE_FLAT && post->shape == VOICE_SHAPE_ENVELOPE,
       "a shape is envelope unless named");
    ok(post->max_body == 500 && get->max_body == 64 * 1024,
       "a body is 64 KiB at most unless said otherwise");
    ok(post->has_body && post->body_required && post->body != NULL
       && patch->has_body && !patch->body_required && !delete->has_body,
       "bodies are known");
    is(post->hash[0], "password", "x-hash is a list");
    ok(post->hash[1] == NULL && get->hash[0] == NULL, "that ends");
    is(post->digest[0], "token", "x-digest is one, too");
    is(post->verify_member, "password", "x-verify names a member");
    is(post->verify_lookup, "find_thing", "and a function");
    is(post->token, "/tokens/access_token", "x-token is a pointer");
    is(post->expires, "until", "x-expires is a name");
    ok(delete->index == 4 && delete->method == VOICE_METHOD_DELETE,
       "an operation knows its index and method");
}


/* What stands in an operation of its own file. */
static void
dress(void)
{
    voice_problem_t           problem;
    voice_contract_t         *more;
    const voice_operation_t  *dressed, *plain;

    static const char  json[] =
        "{\"paths\":{\"/v1/call/{x}\":{\"get\":{\"operationId\":\"dressed\","
        "\"x-role\":\"public\",\"x-limit\":\"read\",\"tags\":[\"x\"],"
        "\"x-shape\":\"example\",\"x-errors\":\"flat\","
        "\"x-dropin\":\"supervisor\",\"parameters\":[{\"name\":\"x\","
        "\"in\":\"path\",\"required\":true,\"schema\":{\"type\":"
        "\"string\"}}],\"responses\":{\"200\":{\"description\":\"\","
        "\"content\":{\"application/json\":{\"example\":{\"b\":1,\"a\":"
        "[true]}}}}}}}}}";

    more = create(json, &problem);
    dressed = voice_contract_nearest(more, VOICE_SPAN("/v1/call/7"));
    plain = voice_contract_nearest(more, VOICE_SPAN("/api/v1/nothing"));

    is(dressed->function, "dressed", "an operation is near its path");
    ok(voice_contract_nearest(more, VOICE_SPAN("/v1/nothing")) == dressed,
       "and one that begins alike");
    ok(voice_contract_nearest(more, VOICE_SPAN("/nothing")) == NULL,
       "no operation is near a stranger");
    is(dressed->example, "{\"b\":1,\"a\":[true]}",
       "an example is its text, in its order");
    ok(dressed->shape == VOICE_SHAPE_EXAMPLE && dressed->flat_errors
       && dressed->dropin == VOICE_DROPIN_SUPERVISOR,
       "errors may be flat, and nobody be let in");
    ok(!plain->flat_errors && plain->dropin == VOICE_DROPIN_NONE
       && plain->example == NULL, "if it says so");

    voice_contract_destroy(more);
}


static void
roles(void)
{
    unsigned                  i;
    uint32_t                  found;
    const voice_operation_t  *list, *post, *delete;

    list = voice_contract_operation(contract, 0);
    post = voice_contract_operation(contract, 1);
    delete = voice_contract_operation(contract, 4);

    ok(voice_role_admitted(list, VOICE_ROLE_VIEWER)
       && voice_role_admitted(list, VOICE_ROLE_PLATFORM_ADMIN)
       && voice_role_admitted(list, VOICE_ROLE_OWNER),
       "a ranked role admits those above");
    ok(!voice_role_admitted(list, VOICE_ROLE_QA_LEAD)
       && !voice_role_admitted(list, VOICE_ROLE_SERVICE),
       "but no side and no machine role");
    ok(voice_role_admitted(post, VOICE_ROLE_QA_LEAD)
       && voice_role_admitted(post, VOICE_ROLE_ADMIN)
       && !voice_role_admitted(post, VOICE_ROLE_SUPERVISOR)
       && !voice_role_admitted(post, VOICE_ROLE_VALIDATOR),
       "a list admits each of it");
    ok(delete->roles == (uint32_t) 1 << VOICE_ROLE_SERVICE,
       "a machine role admits itself only");
    ok(!voice_role_admitted(list, VOICE_ROLE_COUNT),
       "an unknown role is not admitted");

    found = 0;

    for (i = 0; i < VOICE_ROLE_COUNT; i++) {
        found += voice_role_parse(voice_span_str(voice_role_name(i))) == i;
    }

    ok(found == VOICE_ROLE_COUNT, "each role's name is read back");
    ok(voice_role_parse(VOICE_SPAN("root")) == VOICE_ROLE_COUNT,
       "another name is no role");
    is(voice_method_name(VOICE_METHOD_PATCH), "PATCH", "a method has a name");
}


static void
errors(void)
{
    const char  *message;

    message = NULL;
    ok(voice_contract_error(contract, "NO", &message) == 404,
       "a code has a status");
    is(message, "There is none.", "and a sentence");
    ok(voice_contract_error(contract, "YES", &message) == 0,
       "an unknown code has none");
}


/* Operations with one hole each, "get" of the path. */
static const struct {
    const char  *path;
    const char  *json;
    const char  *place;
    const char  *reason;
} hole_rows[] = {
    { "/x", "{\"x-role\":\"viewer\",\"x-limit\":\"read\"," REPLY "}", "",
      "lacks \"operationId\"" },
    { "/x", "{\"operationId\":\"X\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\"," REPLY "}", "",
      "\"operationId\" must be like ^[a-z][a-z0-9_]{0,62}$" },
    { "/x", "{\"operationId\":\"x\",\"x-limit\":\"read\"," REPLY "}", "",
      "lacks \"x-role\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\"," REPLY "}",
      "", "lacks \"x-limit\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"root\","
      "\"x-limit\":\"read\"," REPLY "}", "/x-role",
      "must be \"public\", a role or a list of roles" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":[\"viewer\",\"public\"],"
      "\"x-limit\":\"read\"," REPLY "}", "/x-role",
      "must be \"public\", a role or a list of roles" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":[],"
      "\"x-limit\":\"read\"," REPLY "}", "/x-role",
      "must be \"public\", a role or a list of roles" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"none\"," REPLY "}", "/x-limit",
      "must name a class of \"x-limits\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-shape\":\"round\"," REPLY "}",
      "/x-shape", "is no shape we know" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-shape\":\"example\"," REPLY "}",
      "/x-shape", "needs an \"example\" of the reply 200" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-errors\":\"round\"," REPLY "}",
      "/x-errors", "must be \"flat\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-dropin\":false," REPLY "}",
      "/x-dropin", "must be true or \"supervisor\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-max-body\":0," REPLY "}",
      "/x-max-body", "must be an integer of 1 to 1073741824" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-hash\":[\"password\"]," REPLY "}",
      "/x-hash", "names what is no member of the body" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-expires\":\"a b\"," REPLY "}",
      "/x-expires", "must be a name that the body does not have" },
    { "/x/{id}", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"x-aliases\":[\"/y/{name}\"]," REPLY "}",
      "/x-aliases", "must hold paths with the same captures" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"operationid\":1," REPLY "}", "",
      "has the unknown member \"operationid\"" },
    { "/x", "{\"operationId\":\"get_root\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\"," REPLY "}", "/operationId",
      "\"get_root\" stands at /paths/~1/get in things.json, too" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"tags\":[\"x\"]}", "",
      "lacks \"responses\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"tags\":[\"x\"],\"responses\":{}}",
      "/responses", "must hold a reply" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"tags\":[\"x\"],\"responses\":{\"200\":"
      "{\"$ref\":\"#/components/responses/Nothing\"}}}",
      "/responses/200", "\"$ref\" \"#/components/responses/Nothing\" "
      "points to nothing" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"tags\":[\"x\"],\"responses\":{\"200\":"
      "{\"description\":\"\",\"content\":{\"application/json\":"
      "{\"schema\":{\"typ\":1}}}}}}",
      "/responses/200/content/application~1json/schema/typ",
      "is not a keyword we know" },
    { "/x/{id}", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\"," REPLY "}", "",
      "the capture \"id\" of the path is no parameter" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":["
      "{\"$ref\":\"#/components/parameters/Id\"}]," REPLY "}", "",
      "the path parameter \"id\" is no capture of the path" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":[{\"name\":\"c\","
      "\"in\":\"cookie\",\"schema\":{\"type\":\"string\"}}]," REPLY "}",
      "/parameters/0",
      "\"in\" must be \"path\", \"query\" or \"header\"" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":[{\"name\":\"q\","
      "\"in\":\"query\",\"schema\":{\"type\":\"object\"}}]," REPLY "}",
      "/parameters/0/schema",
      "must have one scalar type, or be a list of such" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":[{\"name\":\"q\","
      "\"in\":\"query\",\"schema\":{\"type\":\"array\",\"items\":"
      "{\"type\":\"string\"}}}]," REPLY "}", "/parameters/0",
      "is a list: \"style\" must be \"form\", \"explode\" false" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":[{\"name\":\"q\","
      "\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,"
      "\"default\":0}}]," REPLY "}", "/parameters/0",
      "has a default that must be at least 1" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":["
      "{\"$ref\":\"#/components/parameters/Page\"},"
      "{\"$ref\":\"#/components/parameters/Page\"}]," REPLY "}",
      "/parameters/1", "\"page\" stands twice" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":[{\"name\":\"name\","
      "\"in\":\"query\",\"schema\":{\"type\":\"string\"}}],"
      "\"requestBody\":{\"$ref\":\"#/components/requestBodies/Thing\"},"
      REPLY "}", "",
      "the body has a member \"name\" as a parameter has" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"requestBody\":{\"content\":{\"text/plain\":"
      "{\"schema\":{\"type\":\"object\"}}}}," REPLY "}",
      "/requestBody", "must have the content \"application/json\" with "
      "a schema, and no other" },
    { "/x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"requestBody\":{\"content\":"
      "{\"application/json\":{\"schema\":{\"type\":\"array\"}}}},"
      REPLY "}", "/requestBody",
      "must have a schema of the type \"object\"" },
    { "/pairs/{x}/of/{y}", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\",\"parameters\":[{\"name\":\"x\","
      "\"in\":\"path\",\"required\":true,\"schema\":{\"type\":"
      "\"string\"}},{\"name\":\"y\",\"in\":\"path\",\"required\":true,"
      "\"schema\":{\"type\":\"string\"}}]," REPLY "}", "",
      "the path \"/pairs/{x}/of/{y}\" cannot be told apart from "
      "/pairs/{a}/of/{b}" },
    { "/x{id}", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\"," REPLY "}", "", "the path \"/x{id}\" has a "
      "capture that is no whole segment" },
    { "x", "{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"read\"," REPLY "}", "",
      "the path \"x\" must begin with \"/\"" },
};


static void
holes(void)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(hole_rows); i++) {
        hole(hole_rows[i].path, hole_rows[i].json, hole_rows[i].place,
             hole_rows[i].reason);
    }
}


/* A third file with one operation, "get" of path, is refused. */
static void
hole(const char *path, const char *json, const char *place,
    const char *reason)
{
    char               file[2048], where[512];
    size_t             n;
    const char        *p;
    voice_problem_t    problem;
    voice_contract_t  *broken;

    (void) snprintf(file, sizeof(file), "{\"paths\":{\"%s\":{\"get\":%s}}}",
                    path, json);
    n = (size_t) snprintf(where, sizeof(where), "extra.json#/paths/");

    for (p = path; *p != '\0'; p++) {
        n += (size_t) snprintf(where + n, sizeof(where) - n, "%.*s",
                               *p == '/' ? 2 : 1, *p == '/' ? "~1" : p);
    }

    (void) snprintf(where + n, sizeof(where) - n, "/get%s", place);

    broken = create(file, &problem);
    ok(broken == NULL, "refused: %s", reason);
    is(problem.path, where, "the file and the place are named");
    is(problem.reason, reason, "and what is wrong");
    voice_contract_destroy(broken);
}


/* Third files that are refused. */
static const struct {
    const char  *file;
    const char  *path;
    const char  *reason;
} union_rows[] = {
    { "{", "extra.json", "ends too early at line 1, column 1" },
    { "[]", "extra.json", "must be an object" },
    { "{\"paths\":{\"/\":{}}}", "things.json#/paths/~1",
      "stands again in extra.json" },
    { "{\"paths\":[]}", "contract#/paths",
      "must be an object in extra.json" },
    { "{\"components\":{\"schemas\":{\"Uuid\":{}}}}",
      "root.json#/components/schemas/Uuid",
      "stands again in extra.json" },
    { "{\"components\":{\"schemas\":[]}}",
      "contract#/components/schemas",
      "must be an object in extra.json" },
    { "{\"info\":{}}", "root.json#/info", "stands again in extra.json" },
    { "{\"x-errors\":{\"NO\":{}}}", "root.json#/x-errors/NO",
      "stands again in extra.json" },
    { "{\"tags\":[{\"name\":\"things\"}]}", "contract#/tags",
      "has the tag \"things\" twice, once in extra.json" },
    { "{\"x-errors\":{\"A\":{\"status\":200}}}",
      "extra.json#/x-errors/A", "must hold a \"status\" of 400 to 599" },
    { "{\"x-errors\":{\"A\":{\"status\":404,\"message\":\"m\","
      "\"sqlstate\":\"V1405\"}}}", "extra.json#/x-errors/A",
      "must hold a \"sqlstate\" that ends with the status" },
    { "{\"x-limits\":{\"x\":{\"rate\":0,\"burst\":1}}}",
      "extra.json#/x-limits/x",
      "must hold \"rate\" and \"burst\", integers of at least 1" },
    { "{\"x-limits\":{\"x\":{\"rate\":1,\"burst\":1,\"each\":"
      "{\"rate\":1,\"burst\":1}}}}",
      "extra.json#/x-limits/x", "\"each\" must hold \"by\", a path "
      "parameter, \"rate\" and \"burst\"" },
    { "{\"x-limits\":{\"x\":{\"rate\":1,\"burst\":1,\"each\":"
      "{\"by\":\"id\",\"rate\":1,\"burst\":1}}},\"paths\":{\"/x/{y}\":"
      "{\"post\":{\"operationId\":\"x\",\"x-role\":\"viewer\","
      "\"x-limit\":\"x\",\"parameters\":[{\"name\":\"y\",\"in\":\"path\","
      "\"required\":true,\"schema\":{\"type\":\"string\"}}]," REPLY "}}}}",
      "extra.json#/paths/~1x~1{y}/post", "has no path parameter \"id\", by "
      "which its limit counts" },
    { "{\"components\":{\"schemas\":{\"A\":{\"properties\":"
      "{\"b\":{\"$ref\":\"#/components/schemas/C\"}}}}}}",
      "extra.json#/components/schemas/A/properties/b",
      "\"$ref\" \"#/components/schemas/C\" points to nothing" },
    { "{\"components\":{\"schemas\":{\"A\":"
      "{\"$ref\":\"things.json#/components/schemas/Uuid\"}}}}",
      "extra.json#/components/schemas/A",
      "\"$ref\" \"things.json#/components/schemas/Uuid\" points to nothing" },
    { "{\"components\":{\"schemas\":{\"A\":"
      "{\"$ref\":\"/root.json#/components/schemas/Uuid\"}}}}",
      "extra.json#/components/schemas/A",
      "\"$ref\" \"/root.json#/components/schemas/Uuid\" points to nothing" },
    { "{\"components\":{\"schemas\":{\"A\":{\"$ref\":\"root.json\"}}}}",
      "extra.json#/components/schemas/A",
      "\"$ref\" \"root.json\" points to nothing" },
    { "{\"components\":{\"schemas\":{\"A\":"
      "{\"$ref\":\"http://x/root.json#/components/schemas/Uuid\"}}}}",
      "extra.json#/components/schemas/A",
      "\"$ref\" \"http://x/root.json#/components/schemas/Uuid\" points to "
      "nothing" },
    { "{\"components\":{\"schemas\":{\"A\":{\"nullable\":true}}}}",
      "extra.json#/components/schemas/A/nullable",
      "is not a keyword we know" },
    { "{\"paths\":{\"/x\":{\"trace\":{}}}}", "extra.json#/paths/~1x",
      "has the unknown member \"trace\"" },
};


static void
unions(void)
{
    size_t             i;
    voice_problem_t    problem;
    voice_contract_t  *broken;

    for (i = 0; i < VOICE_ARRAY_SIZE(union_rows); i++) {
        broken = create(union_rows[i].file, &problem);
        ok(broken == NULL, "%s is refused", union_rows[i].file);
        is(problem.path, union_rows[i].path,
           "the file and the place are named");
        is(problem.reason, union_rows[i].reason, "and what is wrong");
        voice_contract_destroy(broken);
    }

    broken = create("{\"openapi\":\"3.1.0\",\"components\":{\"examples\":"
                    "{\"a\":{\"example\":{\"$ref\":\"#/none\"}}}}}",
                    &problem);
    ok(broken != NULL, "what stands twice may be equal, samples are data");
    voice_contract_destroy(broken);

    ok(voice_contract_create(NULL, 0, &problem) == NULL,
       "no files are no contract");

    file_references();
}


/* In the union they are local: nobody has to fetch a file to read it. */
static void
file_references(void)
{
    json_t              *document;
    voice_problem_t      problem;
    voice_contract_t    *both;
    voice_json_error_t   err;

    both = create("{\"components\":{\"schemas\":{\"Other\":{\"properties\":{"
                  "\"a\":{\"$ref\":\"root.json#/components/schemas/Uuid\"},"
                  "\"b\":{\"$ref\":\"./root.json#/components/schemas/Thing/"
                  "properties/size\"},"
                  "\"c\":{\"$ref\":\"extra.json#/components/schemas/Other\"}"
                  "}}}}}", &problem);

    if (!ok(both != NULL, "a reference may name a file of the contract")) {
        return;
    }

    document = voice_json_parse(voice_contract_text(both), &err);
    is(json_string_value(voice_json_at(document,
           "/components/schemas/Other/properties/a/$ref")),
       "#/components/schemas/Uuid", "which is local in the union");
    is(json_string_value(voice_json_at(document,
           "/components/schemas/Other/properties/b/$ref")),
       "#/components/schemas/Thing/properties/size", "also below a schema");
    is(json_string_value(voice_json_at(document,
           "/components/schemas/Other/properties/c/$ref")),
       "#/components/schemas/Other", "and to the file itself");

    json_decref(document);
    voice_contract_destroy(both);
}


static void
routing(void)
{
    size_t         i;
    const char    *got;
    voice_match_t  match;
    voice_route_e  rc;

    static const struct {
        voice_method_e  method;
        const char     *path;
        voice_route_e   rc;
        const char     *function;
        uint32_t        allow;
    } rows[] = {
        { VOICE_METHOD_GET, "/", VOICE_ROUTE_FOUND, "get_root", 1 },
        { VOICE_METHOD_GET, "/api/v1/things", VOICE_ROUTE_FOUND,
          "list_things", 3 },
        { VOICE_METHOD_POST, "/things", VOICE_ROUTE_FOUND, "create_thing",
          2 },
        { VOICE_METHOD_GET, "/things", VOICE_ROUTE_NO_METHOD, NULL, 2 },
        { VOICE_METHOD_GET, "/api/v1/things/7", VOICE_ROUTE_FOUND,
          "get_thing", 1 | 8 | 16 },
        { VOICE_METHOD_GET, "/api/v1/things/search", VOICE_ROUTE_FOUND,
          "search_things", 1 },
        { VOICE_METHOD_DELETE, "/api/v1/things/search", VOICE_ROUTE_FOUND,
          "delete_thing", 1 | 8 | 16 },
        { VOICE_METHOD_PUT, "/api/v1/things/7", VOICE_ROUTE_NO_METHOD, NULL,
          1 | 8 | 16 },
        { VOICE_METHOD_GET, "/api/v1/things/", VOICE_ROUTE_NO_PATH, NULL, 0 },
        { VOICE_METHOD_GET, "/api/v1//things", VOICE_ROUTE_NO_PATH, NULL, 0 },
        { VOICE_METHOD_GET, "/api/v1", VOICE_ROUTE_NO_PATH, NULL, 0 },
        { VOICE_METHOD_GET, "/api/v1/things/7/8", VOICE_ROUTE_NO_PATH, NULL,
          0 },
        { VOICE_METHOD_GET, "", VOICE_ROUTE_NO_PATH, NULL, 0 },
        { VOICE_METHOD_GET, "api", VOICE_ROUTE_NO_PATH, NULL, 0 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        rc = voice_contract_match(contract, rows[i].method,
                                  voice_span_str(rows[i].path), &match);
        got = match.operation == NULL ? NULL : match.operation->function;

        ok(rc == rows[i].rc && match.allow == rows[i].allow,
           "%s %s is %s", voice_method_name(rows[i].method), rows[i].path,
           rc == VOICE_ROUTE_FOUND ? "found" : "not found");
        is(got, rows[i].function, "its operation");
    }

    rc = voice_contract_match(contract, VOICE_METHOD_GET,
                              VOICE_SPAN("/pairs/x/of/1"), &match);
    ok(rc == VOICE_ROUTE_FOUND && match.ncaptures == 2
       && voice_span_eq(match.captures[0], VOICE_SPAN("x"))
       && voice_span_eq(match.captures[1], VOICE_SPAN("1")),
       "captures are in the order of the path");

    rc = voice_contract_match(contract, VOICE_METHOD_GET,
                              VOICE_SPAN("/of/1/pairs/x"), &match);
    ok(rc == VOICE_ROUTE_FOUND && match.ncaptures == 2
       && voice_span_eq(match.captures[0], VOICE_SPAN("x"))
       && voice_span_eq(match.captures[1], VOICE_SPAN("1")),
       "also those of an alias");
}
