/*
 * Classes that limit each value of a path parameter, and captures.
 */

#include "tap.h"
#include "contract.h"


static void limits(void);
static void capture(const voice_contract_t *made, const char *path,
    voice_rc_t rc, const char *expected);


int
main(void)
{
    limits();

    return done_testing();
}


static void
limits(void)
{
    voice_contract_t           *made;
    voice_problem_t             problem;
    const voice_operation_t    *packet;
    const voice_limit_class_t  *class;

    made = create(
        "{\"x-limits\":{\"flood\":{\"rate\":9,\"burst\":8,\"each\":"
        "{\"by\":\"b\",\"rate\":7,\"burst\":6}}},\"paths\":"
        "{\"/a/{a}/b/{b}\":{\"post\":{\"operationId\":\"packet\","
        "\"x-role\":\"viewer\",\"x-limit\":\"flood\","
        "\"x-shape\":\"packet\",\"x-aliases\":[\"/b/{b}/a/{a}\"],"
        "\"parameters\":[{\"name\":\"a\",\"in\":\"path\","
        "\"required\":true,\"schema\":{\"type\":\"string\"}},"
        "{\"name\":\"b\",\"in\":\"path\",\"required\":true,"
        "\"schema\":{\"type\":\"string\"}}]," REPLY "}}}}", &problem);

    if (!ok(made != NULL, "a class may limit each value of a parameter")) {
        printf("# %s: %s\n", problem.path, problem.reason);
        return;
    }

    packet = voice_contract_operation(made, 8);
    class = packet->limit;

    ok(packet->shape == VOICE_SHAPE_PACKET, "packets have a shape");
    is(class->by, "b", "the class names the parameter");
    ok(class->rate == 9 && class->burst == 8 && class->each_rate == 7
       && class->each_burst == 6, "and has figures for both");
    ok(voice_contract_limit(made, 0)->by == NULL, "others have none");

    capture(made, "/a/x/b/y", VOICE_OK, "y");
    capture(made, "/b/y/a/x", VOICE_OK, "y");
    capture(made, "/a/x/b/%41b", VOICE_OK, "Ab");
    capture(made, "/a/x/b/12345", VOICE_LIMIT, "");
    capture(made, "/a/x/b/%412345", VOICE_LIMIT, "");
    capture(made, "/a/x/b/%4", VOICE_INVALID, "");

    voice_contract_destroy(made);
}


static void
capture(const voice_contract_t *made, const char *path, voice_rc_t rc,
    const char *expected)
{
    char           buf[4];
    voice_span_t   text;
    voice_match_t  match;

    if (!ok(voice_contract_match(made, VOICE_METHOD_POST,
                                 voice_span_str(path), &match)
            == VOICE_ROUTE_FOUND, "\"%s\" is found", path))
    {
        return;
    }

    ok(voice_capture(&match, match.operation->each, buf, sizeof(buf), &text)
       == rc && (rc != VOICE_OK
                 || voice_span_eq(text, voice_span_str(expected))),
       "its capture is \"%s\", or refused", expected);
}
