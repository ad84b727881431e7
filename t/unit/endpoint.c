
/*
 * Lists of servers: forms, bounds, and back to text.
 */

#include "tap.h"
#include "voice_endpoint.h"


static void forms(void);
static void refusals(void);
static void bounds(void);
static void texts(void);


int
main(void)
{
    forms();
    refusals();
    bounds();
    texts();

    return done_testing();
}


static void
forms(void)
{
    voice_endpoints_t  list;

    ok(voice_endpoints_parse(VOICE_SPAN("10.0.0.1:6379 ,[::1]:7,10.0.0.2,"
                                        " 2001:db8::1 , /run/r.sock"), &list)
       == VOICE_OK && list.n == 5, "a list of all forms is read");
    ok(strcmp(list.at[0].host, "10.0.0.1") == 0 && list.at[0].port == 6379,
       "an address with a port");
    ok(strcmp(list.at[1].host, "::1") == 0 && list.at[1].port == 7,
       "one of IPv6 in brackets");
    ok(strcmp(list.at[2].host, "10.0.0.2") == 0 && list.at[2].port == 0,
       "one without a port");
    ok(strcmp(list.at[3].host, "2001:db8::1") == 0 && list.at[3].port == 0,
       "one of IPv6 without a port");
    ok(strcmp(list.at[4].host, "/run/r.sock") == 0
       && voice_endpoint_local(&list.at[4])
       && !voice_endpoint_local(&list.at[0]), "a path");

    voice_endpoints_port(&list, 5432);
    ok(list.at[0].port == 6379 && list.at[2].port == 5432
       && list.at[4].port == 5432, "those without a port are given one");
}


static void
refusals(void)
{
    size_t             i;
    voice_endpoints_t  list;

    static const char *const  bad[] = {
        "", " ", ",", "10.0.0.1,", ",10.0.0.1", "10.0.0.1,,10.0.0.2",
        "localhost", "redis:6379", "10.0.0.1:", "10.0.0.1:0",
        "10.0.0.1:65536", "10.0.0.1:100000", "10.0.0.1:6a", "10.0.0.1:-1",
        "10.0.0.1: 6", "[::1]", "[::1", "[::1]:", "[::1]6", "[redis]:6379",
        "[]:1", "10.0.0.1 10.0.0.2", "10.0.0.256", ":6379"
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(bad); i++) {
        ok(voice_endpoints_parse(voice_span_str(bad[i]), &list)
           == VOICE_INVALID, "\"%s\" is no list of servers", bad[i]);
    }

    ok(voice_endpoints_parse(voice_span("10.0.0.1\0", 9), &list)
       == VOICE_INVALID, "an address ends where its text ends");
}


static void
bounds(void)
{
    char               text[VOICE_ENDPOINTS_MAX * 3 + 200];
    unsigned           i;
    voice_endpoints_t  list;

    for (i = 0; i <= VOICE_ENDPOINTS_MAX; i++) {
        memcpy(text + i * 3, "::,", 3);
    }

    text[VOICE_ENDPOINTS_MAX * 3 - 1] = '\0';
    ok(voice_endpoints_parse(voice_span_str(text), &list) == VOICE_OK
       && list.n == VOICE_ENDPOINTS_MAX, "%d servers are read",
       VOICE_ENDPOINTS_MAX);

    text[VOICE_ENDPOINTS_MAX * 3 - 1] = ',';
    text[VOICE_ENDPOINTS_MAX * 3 + 2] = '\0';
    ok(voice_endpoints_parse(voice_span_str(text), &list) == VOICE_LIMIT,
       "not one more");

    memset(text, 'a', VOICE_ENDPOINT_HOST);
    text[0] = '/';
    text[VOICE_ENDPOINT_HOST - 1] = '\0';
    ok(voice_endpoints_parse(voice_span_str(text), &list) == VOICE_OK,
       "a path as long as a socket's may be");

    text[VOICE_ENDPOINT_HOST - 1] = 'a';
    text[VOICE_ENDPOINT_HOST] = '\0';
    ok(voice_endpoints_parse(voice_span_str(text), &list) == VOICE_LIMIT,
       "no longer one");
}


static void
texts(void)
{
    char               text[VOICE_ENDPOINT_TEXT];
    size_t             i;
    voice_endpoints_t  list;

    static const char  good[][16] = {
        "10.0.0.1:6379", "[::1]:7", "10.0.0.2", "::1", "/run/r.sock"
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(good); i++) {
        ok(voice_endpoints_parse(voice_span_str(good[i]), &list) == VOICE_OK,
           "\"%s\" is read", good[i]);
        voice_endpoint_text(&list.at[0], text);
        ok(strcmp(text, good[i]) == 0, "and written the same");
    }
}
