
/*
 * voice_houndify.h
 */

#include <math.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_houndify.h"


#define R_TIME  1418068667
#define S_TIME  1600000000


static const voice_houndify_client_t  r_client = {
    { "KFvH6Rpy3tUimL-pCUFpPg==", 24 },
    { "KgMLuq-k1oCUv5bzTlKAJf_mGo0T07jTogbi6apcqLa114CCPH3rlK4c0RktY30xLEQ49"
      "MZ-C2bMyFOVQO4PyA==", 88 }
};
static const voice_houndify_stamp_t  r_stamp = {
    { "ae06fcd3-6447-4356-afaa-813aa4f2ba41", 36 },
    { "70aa7c25-c74f-48be-8ca8-cbf73627c05f", 36 },
    R_TIME
};
static const char  *r_signature =
    "myWdEfHJ7AV8OP23v8pCH1PILL_gxH4uDOAXMi06akk=";

static const voice_houndify_client_t  s_client = {
    { "test-client", 11 }, { "secret-key", 10 }
};
static const voice_houndify_stamp_t  s_stamp = {
    { NULL, 0 }, { "request-123", 11 }, S_TIME
};
static const char  *s_signature =
    "k25UmanW9DDmlmmprGmzikR1dC9LHYEUVnOue6H3Kfo=";


static void
test_sign(void)
{
    char                     out[VOICE_HOUNDIFY_SIGNATURE + 1];
    voice_houndify_stamp_t   stamp;
    voice_houndify_client_t  client;

    ok(voice_houndify_sign_r(&r_client, &r_stamp, out) == VOICE_OK,
       "the public scheme signs");
    is(out, r_signature, "the public scheme's vector");

    ok(voice_houndify_sign_s(&s_client, &s_stamp, out) == VOICE_OK,
       "the documented scheme signs");
    is(out, s_signature, "the documented scheme's vector");

    ok(voice_houndify_sign_r(&s_client, &r_stamp, out) == VOICE_INVALID
       && out[0] == '\0', "a key that is no base64url has no public scheme");

    stamp = r_stamp;
    stamp.user_id = VOICE_SPAN("a;b");
    ok(voice_houndify_sign_r(&r_client, &stamp, out) == VOICE_INVALID,
       "an id with a semicolon is refused");

    stamp.user_id = VOICE_SPAN("a\r\nX: y");
    ok(voice_houndify_sign_r(&r_client, &stamp, out) == VOICE_INVALID,
       "an id with a line end is refused");

    client = s_client;
    client.client_id = voice_span(NULL, 0);
    ok(voice_houndify_sign_s(&client, &s_stamp, out) == VOICE_INVALID,
       "an empty id is refused");
}


static voice_houndify_headers_t
r_headers(void)
{
    voice_houndify_headers_t  headers;

    memset(&headers, 0, sizeof(headers));
    headers.request_authentication = VOICE_SPAN(
        "ae06fcd3-6447-4356-afaa-813aa4f2ba41;"
        "70aa7c25-c74f-48be-8ca8-cbf73627c05f");
    headers.client_authentication = VOICE_SPAN(
        "KFvH6Rpy3tUimL-pCUFpPg==;1418068667;"
        "myWdEfHJ7AV8OP23v8pCH1PILL_gxH4uDOAXMi06akk=");

    return headers;
}


static voice_houndify_headers_t
s_headers(void)
{
    voice_houndify_headers_t  headers;

    memset(&headers, 0, sizeof(headers));
    headers.client_id = VOICE_SPAN("test-client");
    headers.request_id = VOICE_SPAN("request-123");
    headers.timestamp = VOICE_SPAN("1600000000");
    headers.signature = voice_span_str(s_signature);

    return headers;
}


static void
test_verify(void)
{
    voice_houndify_stamp_t    stamp;
    voice_houndify_headers_t  headers;

    headers = r_headers();
    ok(voice_houndify_verify(&r_client, &headers, R_TIME + 300, &stamp)
       == VOICE_HOUNDIFY_VALID
       && voice_span_eq(stamp.user_id, r_stamp.user_id)
       && voice_span_eq(stamp.request_id, r_stamp.request_id)
       && stamp.timestamp == R_TIME,
       "a request signed by the public scheme is admitted");
    ok(voice_houndify_verify(&r_client, &headers, R_TIME + 301, NULL)
       == VOICE_HOUNDIFY_STALE_TIME,
       "a request older than 300 seconds is refused");
    ok(voice_houndify_verify(&r_client, &headers, R_TIME - 301, NULL)
       == VOICE_HOUNDIFY_STALE_TIME,
       "a request from the future is refused");
    ok(voice_houndify_verify(&s_client, &headers, R_TIME, NULL)
       == VOICE_HOUNDIFY_UNKNOWN, "another client is refused");

    headers.request_authentication = VOICE_SPAN("other;"
        "70aa7c25-c74f-48be-8ca8-cbf73627c05f");
    ok(voice_houndify_verify(&r_client, &headers, R_TIME, NULL)
       == VOICE_HOUNDIFY_WRONG, "another user breaks the signature");

    headers.request_authentication = VOICE_SPAN("no semicolon");
    ok(voice_houndify_verify(&r_client, &headers, R_TIME, NULL)
       == VOICE_HOUNDIFY_MALFORMED, "a header without parts is malformed");

    headers = s_headers();
    ok(voice_houndify_verify(&s_client, &headers, S_TIME - 300, NULL)
       == VOICE_HOUNDIFY_VALID,
       "a request signed by the documented scheme is admitted");
    ok(voice_houndify_verify(&s_client, &headers, S_TIME + 301, NULL)
       == VOICE_HOUNDIFY_STALE_TIME,
       "a stale request of the documented scheme is refused");

    headers.timestamp = VOICE_SPAN("16e8");
    ok(voice_houndify_verify(&s_client, &headers, S_TIME, NULL)
       == VOICE_HOUNDIFY_MALFORMED, "a timestamp of no digits is malformed");

    headers.timestamp = VOICE_SPAN("01600000000");
    ok(voice_houndify_verify(&s_client, &headers, S_TIME, NULL)
       == VOICE_HOUNDIFY_MALFORMED, "a leading zero is malformed");

    headers.timestamp = VOICE_SPAN("1600000001");
    ok(voice_houndify_verify(&s_client, &headers, S_TIME, NULL)
       == VOICE_HOUNDIFY_WRONG, "another time breaks the signature");

    memset(&headers, 0, sizeof(headers));
    headers.client_authentication = VOICE_SPAN("c;1600000000;x");
    ok(voice_houndify_verify(&s_client, &headers, S_TIME, NULL)
       == VOICE_HOUNDIFY_MALFORMED, "half of the headers are malformed");

    memset(&headers, 0, sizeof(headers));
    ok(voice_houndify_verify(&s_client, &headers, S_TIME, NULL)
       == VOICE_HOUNDIFY_MISSING
       && voice_houndify_status(VOICE_HOUNDIFY_MISSING) == 401,
       "a request without credentials is refused with 401");
}


/* Both schemes of one client at once, as clients send them. */
static void
test_both(void)
{
    char                      r[128], s[VOICE_HOUNDIFY_SIGNATURE + 1];
    char                      mac[VOICE_HOUNDIFY_SIGNATURE + 1];
    voice_houndify_stamp_t    stamp;
    voice_houndify_headers_t  headers;

    stamp = r_stamp;
    headers = r_headers();

    if (voice_houndify_sign_r(&r_client, &stamp, mac) != VOICE_OK
        || voice_houndify_sign_s(&r_client, &stamp, s) != VOICE_OK)
    {
        abort();
    }

    (void) snprintf(r, sizeof(r), "%s;%d;%s", r_client.client_id.ptr, R_TIME,
                    mac);
    headers.client_authentication = voice_span_str(r);
    headers.client_id = r_client.client_id;
    headers.request_id = r_stamp.request_id;
    headers.timestamp = VOICE_SPAN("1418068667");
    headers.signature = voice_span_str(s);

    ok(voice_houndify_verify(&r_client, &headers, R_TIME, &stamp)
       == VOICE_HOUNDIFY_VALID
       && voice_span_eq(stamp.user_id, r_stamp.user_id),
       "a request signed by both schemes is admitted");

    s[3] = s[3] == 'A' ? 'B' : 'A';
    ok(voice_houndify_verify(&r_client, &headers, R_TIME, NULL)
       == VOICE_HOUNDIFY_WRONG, "both signatures must hold");
}


static void
test_info(void)
{
    char                   *text;
    json_t                 *object, *state;
    voice_houndify_info_t   info;

    memset(&info, 0, sizeof(info));
    state = json_pack("{s:i}", "Turn", 2);
    info.client_id = VOICE_SPAN("c");
    info.user_id = VOICE_SPAN("u");
    info.request_id = VOICE_SPAN("r");
    info.timestamp = 17;
    info.language_tag = VOICE_SPAN("en-US");
    info.conversation_state = state;

    object = voice_houndify_request_info(&info);
    text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    is(text, "{\"ClientID\":\"c\",\"ConversationState\":{\"Turn\":2},"
       "\"InputLanguageIETFTag\":\"en-US\","
       "\"PartialTranscriptsDesired\":false,\"RequestID\":\"r\","
       "\"SDK\":\"Voicegate\",\"SDKVersion\":\"1.0\",\"TimeStamp\":17,"
       "\"UserID\":\"u\"}", "the request's info has what is known");
    free(text);
    json_decref(object);
    json_decref(state);

    info.conversation_state = NULL;
    info.user_id = VOICE_SPAN("\xff");
    ok(voice_houndify_request_info(&info) == NULL,
       "an id that is no UTF-8 gives no info");
}


static int
text_is(voice_span_t text, const char *expected)
{
    return voice_span_eq(text, voice_span_str(expected));
}


static void
test_real(void)
{
    voice_houndify_answer_t  a;

    static const char  body[] =
        "{\"Format\":\"HoundVoiceQueryPartialTranscript\","
        "\"PartialTranscript\":\"navigate\",\"SafeToStopAudio\":false}\n"
        "{\"Format\":\"SoundHoundVoiceSearchParialTranscript\","
        "\"PartialTranscript\":\"navigate home\","
        "\"SafeToStopAudio\":true}\r\n\n"
        "{\"Format\":\"SoundHoundVoiceSearchResult\",\"Status\":\"OK\","
        "\"AllResults\":[{\"CommandKind\":\"NavigationCommand\","
        "\"SpokenResponse\":\"Going home.\",\"WrittenResponse\":\"Home\","
        "\"ConversationState\":{\"Turn\":1},\"ConversationStateTime\":5,"
        "\"ResponseAudioBytes\":\"UklGRg==\","
        "\"NativeData\":{\"Intent\":\"navigate\","
        "\"Entities\":{\"place\":\"home\"}}}],"
        "\"Disambiguation\":{\"ChoiceData\":[{\"Transcription\":"
        "\"navigate home\",\"ConfidenceScore\":0.93}]}}\n";

    memset(&a, 0, sizeof(a));

    ok(voice_houndify_read_all(&a, VOICE_SPAN(body)) == VOICE_OK
       && a.final && a.ok, "a whole answer is read");
    ok(a.partials == 2 && text_is(a.partial, "navigate home"),
       "both spellings of a partial transcript are read");
    ok(a.safe_to_stop, "the server's wish to stop the audio is read");
    ok(text_is(a.transcription, "navigate home")
       && fabs(a.confidence - 0.93) < 1e-9,
       "transcription and confidence stand in the first choice");
    ok(text_is(a.command_kind, "NavigationCommand"), "the command is read");
    ok(text_is(a.spoken, "Going home.") && text_is(a.written, "Home"),
       "both responses are read");
    ok(text_is(a.intent, "navigate") && json_object_size(a.entities) == 1,
       "intent and entities are read from the native data");
    ok(json_object_size(a.conversation_state) == 1
       && json_integer_value(a.conversation_time) == 5,
       "the conversation's state is read");
    ok(text_is(a.audio, "UklGRg=="), "the response audio is read");

    voice_houndify_answer_release(&a);
}


static void
test_mock(void)
{
    voice_houndify_answer_t  a;

    static const char  body[] =
        "123\n{\n\"Format\": \"HoundQueryResult\"\n}\n";
    static const char  other[] =
        "211\n{\"Format\":\"HoundQueryResult\",\"Status\":\"OK\","
        "\"AllResults\":[{\"RawTranscription\":\"play\","
        "\"ASRConfidence\":0.95,\"SpokenResponseLong\":\"Playing\","
        "\"NativeData\":{\"intent\":\"play\"},"
        "\"ConversationState\":null}]}\n";

    memset(&a, 0, sizeof(a));

    ok(voice_houndify_read_all(&a, VOICE_SPAN(other)) == VOICE_OK
       && text_is(a.transcription, "play")
       && fabs(a.confidence - 0.95) < 1e-9,
       "transcription and confidence may stand in the result");
    ok(text_is(a.spoken, "Playing") && text_is(a.intent, "play"),
       "other spellings are read");
    ok(a.conversation_state == NULL, "a state of null is none");
    voice_houndify_answer_release(&a);

    ok(voice_houndify_read_all(&a, VOICE_SPAN(body)) == VOICE_INVALID,
       "an object over several lines behind a length is refused");
    voice_houndify_answer_release(&a);
}


static voice_rc_t
read_all(const char *body, voice_houndify_answer_t *answer)
{
    memset(answer, 0, sizeof(voice_houndify_answer_t));

    return voice_houndify_read_all(answer, voice_span_str(body));
}


static void
test_odd(void)
{
    voice_houndify_answer_t  a;

    ok(read_all("{\"Format\":\"HoundQueryResult\",\n\"Status\":\"Error\",\n"
                "\"ErrorMessage\":\"no such thing\"}", &a) == VOICE_OK
       && a.final && !a.ok && text_is(a.error, "no such thing")
       && a.confidence < 0,
       "an error over several lines is read");
    voice_houndify_answer_release(&a);

    ok(read_all("", &a) == VOICE_INVALID, "an empty body has no answer");
    voice_houndify_answer_release(&a);

    memset(&a, 0, sizeof(a));
    ok(voice_houndify_read_all(&a, voice_span(NULL, 0)) == VOICE_INVALID,
       "no body has no answer");

    ok(read_all("Unauthorized", &a) == VOICE_INVALID,
       "a body that is no JSON is refused");
    voice_houndify_answer_release(&a);

    ok(read_all("[]", &a) == VOICE_INVALID, "an array is refused");
    voice_houndify_answer_release(&a);

    ok(read_all("{\"Format\":\"HoundQueryResult\"}", &a) == VOICE_INVALID,
       "a final object without status is refused");
    voice_houndify_answer_release(&a);

    ok(read_all("{\"Format\":\"HoundQueryResult\",\"Status\":\"OK\"}\n"
                "{\"Format\":\"HoundQueryResult\",\"Status\":\"OK\"}", &a)
       == VOICE_INVALID, "a second final object is refused");
    voice_houndify_answer_release(&a);

    ok(read_all("{\"Format\":\"HoundQueryResult\",\"Status\":\"OK\","
                "\"AllResults\":{},\"Disambiguation\":[1]}", &a) == VOICE_OK
       && a.transcription.len == 0 && a.confidence < 0,
       "members of a wrong type are as good as absent");
    voice_houndify_answer_release(&a);

    ok(read_all("{\"Format\":\"New\"}\n{\"Format\":\"HoundQueryResult\","
                "\"Status\":\"OK\"}", &a) == VOICE_OK,
       "objects of another format are passed over");
    voice_houndify_answer_release(&a);
}


int
main(void)
{
    test_sign();
    test_verify();
    test_both();
    test_info();
    test_real();
    test_mock();
    test_odd();

    return done_testing();
}
