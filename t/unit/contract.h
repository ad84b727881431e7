/*
 * A small contract that the tests of it share: two files and their union.
 */

#ifndef CONTRACT_H
#define CONTRACT_H


#include "voice_contract.h"


static const char  root_json[] =
    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"t\",\"version\":\"1\"},"
    "\"x-limits\":{\"read\":{\"rate\":50,\"burst\":100},"
    "\"write\":{\"rate\":5,\"burst\":10}},"
    "\"x-errors\":{\"NO\":{\"status\":404,\"sqlstate\":\"V1404\","
    "\"message\":\"There is none.\"}},"
    "\"tags\":[{\"name\":\"things\"}],"
    "\"components\":{\"schemas\":{"
    "\"Uuid\":{\"type\":\"string\",\"format\":\"uuid\"},"
    "\"Thing\":{\"type\":\"object\",\"required\":[\"name\"],"
    "\"additionalProperties\":false,\"properties\":{"
    "\"name\":{\"type\":\"string\",\"minLength\":1},"
    "\"size\":{\"type\":\"integer\",\"default\":3},"
    "\"password\":{\"type\":\"string\"},"
    "\"token\":{\"type\":\"string\"}}}},"
    "\"parameters\":{\"Id\":{\"name\":\"id\",\"in\":\"path\","
    "\"required\":true,\"schema\":{\"$ref\":\"#/components/schemas/Uuid\"}},"
    "\"Page\":{\"name\":\"page\",\"in\":\"query\",\"schema\":"
    "{\"type\":\"integer\",\"minimum\":1,\"default\":1}}},"
    "\"requestBodies\":{\"Thing\":{\"required\":true,\"content\":"
    "{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/Thing\"}}}}},"
    "\"responses\":{\"Done\":{\"description\":\"Done.\"}}}}";


#define REPLY  "\"responses\":{\"200\":{\"$ref\":" \
               "\"#/components/responses/Done\"}},\"tags\":[\"things\"]"


static const char  things_json[] =
    "{\"openapi\":\"3.1.0\",\"paths\":{"
    "\"/api/v1/things\":{"
    "\"get\":{\"operationId\":\"list_things\",\"x-role\":\"viewer\","
    "\"x-limit\":\"read\",\"x-slow\":true,\"parameters\":["
    "{\"$ref\":\"#/components/parameters/Page\"},"
    "{\"name\":\"ratio\",\"in\":\"query\",\"schema\":{\"type\":\"number\"}},"
    "{\"name\":\"deep\",\"in\":\"query\",\"schema\":{\"type\":\"boolean\"}},"
    "{\"name\":\"search\",\"in\":\"query\",\"schema\":"
    "{\"type\":\"string\",\"maxLength\":8}},"
    "{\"name\":\"ids\",\"in\":\"query\",\"explode\":false,\"schema\":"
    "{\"type\":\"array\",\"maxItems\":3,\"items\":{\"type\":\"integer\"}}},"
    "{\"name\":\"X-Trace-Id\",\"in\":\"header\",\"schema\":"
    "{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}}],"
    REPLY "},"
    "\"post\":{\"operationId\":\"create_thing\","
    "\"x-role\":[\"admin\",\"qa_lead\"],\"x-limit\":\"write\","
    "\"x-aliases\":[\"/things\"],\"x-max-body\":500,"
    "\"x-hash\":[\"password\"],\"x-digest\":[\"token\"],"
    "\"x-verify\":{\"member\":\"password\",\"lookup\":\"find_thing\"},"
    "\"x-token\":\"/tokens/access_token\",\"x-expires\":\"until\","
    "\"requestBody\":"
    "{\"$ref\":\"#/components/requestBodies/Thing\"}," REPLY "}},"
    "\"/api/v1/things/{id}\":{\"parameters\":["
    "{\"$ref\":\"#/components/parameters/Id\"}],"
    "\"get\":{\"operationId\":\"get_thing\",\"x-role\":\"public\","
    "\"x-limit\":\"read\",\"x-shape\":\"flat\"," REPLY "},"
    "\"patch\":{\"operationId\":\"change_thing\",\"x-role\":\"owner\","
    "\"x-limit\":\"write\",\"x-scope\":\"all:write\",\"parameters\":["
    "{\"name\":\"If-Match\",\"in\":\"header\",\"required\":true,\"schema\":"
    "{\"type\":\"integer\"}}],\"requestBody\":{\"content\":"
    "{\"application/json\":{\"schema\":{\"type\":\"object\"}}}}," REPLY "},"
    "\"delete\":{\"operationId\":\"delete_thing\",\"x-role\":\"service\","
    "\"x-limit\":\"write\"," REPLY "}},"
    "\"/api/v1/things/search\":{\"get\":{\"operationId\":\"search_things\","
    "\"x-role\":\"viewer\",\"x-limit\":\"read\",\"x-stream\":true,"
    REPLY "}},"
    "\"/pairs/{a}/of/{b}\":{\"get\":{\"operationId\":\"get_pair\","
    "\"x-role\":\"viewer\",\"x-limit\":\"read\","
    "\"x-aliases\":[\"/of/{b}/pairs/{a}\"],\"parameters\":["
    "{\"name\":\"b\",\"in\":\"path\",\"required\":true,\"schema\":"
    "{\"type\":\"integer\"}},{\"name\":\"a\",\"in\":\"path\","
    "\"required\":true,\"schema\":{\"type\":\"string\"}}]," REPLY "}},"
    "\"/\":{\"get\":{\"operationId\":\"get_root\",\"x-role\":\"public\","
    "\"x-limit\":\"read\"," REPLY "}}}}";


/* The contract of both files, and a third one unless extra is NULL. */
static inline voice_contract_t *
create(const char *extra, voice_problem_t *problem)
{
    voice_contract_file_t  files[3] = {
        { "root.json", VOICE_SPAN(root_json) },
        { "things.json", VOICE_SPAN(things_json) },
        { "extra.json", voice_span_str(extra) },
    };

    return voice_contract_create(files, extra == NULL ? 2 : 3, problem);
}


#endif /* CONTRACT_H */
