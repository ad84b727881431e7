
/*
 * voice_score.h
 */

#include <math.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_score.h"


static json_t *
json(const char *text)
{
    json_t  *value;

    value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL) {
        abort();
    }

    return value;
}


static double
intent(const char *expected, const char *actual)
{
    double  score;

    if (voice_score_intent(voice_span_str(expected), voice_span_str(actual),
                           &score) != VOICE_OK)
    {
        return -1;
    }

    return score;
}


static void
test_intent(void)
{
    is_near(intent("navigate_home", "navigate_home"), 1, "equal intents");
    is_near(intent("Navigate_Home ", " navigate_home"), 1,
            "intents are trimmed and have no case");
    is_near(intent(NULL, NULL), 1, "no intent where none is expected");
    is_near(intent("a", NULL), 0, "an expected intent is missing");
    is_near(intent(NULL, "a"), 0, "an unexpected intent is there");
    is_near(intent("", ""), 1, "two empty intents");
    is_near(intent("", "a"), 0, "an empty intent was expected");
    is_near(intent("a", "  "), 0, "the intent is blank");
    is_near(intent("navigate_house", "navigate_home"), 0.8888888889,
            "intents that are alike score their likeness");
    is_near(intent("different", "completely"), 0.2105263158,
            "the likeness is taken of the actual intent first");
    ok(intent("a", "\xff") < 0, "an intent that is no UTF-8 is refused");
}


static void
is_entities(const char *expected, const char *actual, double score,
    const char *name)
{
    json_t  *one, *two;

    one = json(expected);
    two = json(actual);
    is_near(voice_score_entities(one, two, NULL, VOICE_SCORE_TOLERANCE,
                                 NULL), score, name);
    json_decref(one);
    json_decref(two);
}


static void
test_entities(void)
{
    is_entities("{}", "{\"a\":1}", 1, "nothing expected is found");
    is_entities("null", "null", 1, "null expects nothing");
    is_entities("{\"a\":1}", "null", 0, "nothing is there");
    is_entities("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", 0.5,
                "one key of two matches");
    is_entities("{\"a\":1}", "{\"a\":1,\"b\":2}", 1,
                "a further key does not matter");
    is_entities("{\"a\":\"Paris \"}", "{\"a\":\"paris\"}", 1,
                "strings are trimmed and have no case");
    is_entities("{\"a\":\"Ärger\"}", "{\"a\":\"äRGER\"}", 1,
                "strings have no case beyond ASCII, too");
    is_entities("{\"a\":72}", "{\"a\":72.01}", 1,
                "numbers match within the tolerance");
    is_entities("{\"a\":72}", "{\"a\":72.02}", 0,
                "numbers do not match beyond the tolerance");
    is_entities("{\"a\":72}", "{\"a\":\"72\"}", 1,
                "a numeric string equals its number");
    is_entities("{\"a\":\" 72.0\"}", "{\"a\":72}", 1,
                "a number equals its numeric string");
    is_entities("{\"a\":72}", "{\"a\":\"72 degrees\"}", 0,
                "a string with a number in it is no number");
    is_entities("{\"a\":1000000}", "{\"a\":1000000.01}", 1,
                "the tolerance is met by large numbers, too");
    is_entities("{\"a\":9007199254740993}", "{\"a\":9007199254740992}", 0,
                "large integers are compared exactly");
    is_entities("{\"a\":9007199254740993}",
                "{\"a\":\"9007199254740993\"}", 1,
                "large integers equal their numeric strings");
    is_entities("{\"a\":\"007\"}", "{\"a\":\"7\"}", 0,
                "two strings are no numbers");
    is_entities("{\"a\":true}", "{\"a\":1}", 0, "true is not 1");
    is_entities("{\"a\":true}", "{\"a\":\"true\"}", 0, "true is no string");
    is_entities("{\"a\":false}", "{\"a\":false}", 1, "booleans match");
    is_entities("{\"a\":null}", "{\"a\":null}", 1, "null matches null");
    is_entities("{\"a\":null}", "{}", 0, "an absent key is not null");
    is_entities("{\"a\":null}", "{\"a\":0}", 0, "0 is not null");
    is_entities("{\"a\":[1,\"B\"]}", "{\"a\":[1.001,\"b\"]}", 1,
                "lists match element by element");
    is_entities("{\"a\":[1,2]}", "{\"a\":[2,1]}", 0,
                "the order of a list matters");
    is_entities("{\"a\":[1]}", "{\"a\":[1,2]}", 0, "a longer list differs");
    is_entities("{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":1}}}", 1,
                "objects match deeply");
    is_entities("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":2}}", 0,
                "a larger object inside differs");
}


static void
test_tolerance(void)
{
    json_t  *expected, *actual, *tolerances, *errors;

    expected = json("{\"speed\":50,\"heat\":20,\"gone\":1}");
    actual = json("{\"speed\":55,\"heat\":21}");
    tolerances = json("{\"speed\":5}");
    errors = json_array();

    is_near(voice_score_entities(expected, actual, tolerances, 0.01, errors),
            1.0 / 3, "a tolerance may be set for a key");
    ok(json_array_size(errors) == 2, "each key that differs is named");
    is(json_string_value(json_array_get(errors, 1)),
       "entity \"gone\" is missing", "a missing key is told from a wrong one");

    json_decref(expected);
    json_decref(actual);
    json_decref(tolerances);
    json_decref(errors);
}


static void
test_response_time(void)
{
    int     i;
    double  ms[100], score;

    is_near(voice_score_response_time(900, 1000), 1, "a fast answer");
    is_near(voice_score_response_time(1000, 1000), 1, "just in time");
    is_near(voice_score_response_time(1000.001, 1000), 0.4999995,
            "just too late falls to a half");
    is_near(voice_score_response_time(1250, 1000), 0.375,
            "between one and one and a half");
    is_near(voice_score_response_time(1500, 1000), 0.25, "half too late");
    is_near(voice_score_response_time(1750, 1000), 0.125,
            "between one and a half and twice");
    is_near(voice_score_response_time(2000, 1000), 0, "twice the threshold");
    is_near(voice_score_response_time(9000, 1000), 0, "far too late");
    is_near(voice_score_response_time(0, 0), 1, "no time for no threshold");
    is_near(voice_score_response_time(1, 0), 0,
            "a threshold of 0 divides nothing");

    for (i = 0; i < 100; i++) {
        ms[i] = 100 - i;
    }

    is_near(voice_score_p95(ms, 100), 96, "P95 of 1 to 100 is 96");

    for (i = 0; i < 5; i++) {
        ms[i] = 100 * (i + 1);
    }

    is_near(voice_score_p95(ms, 5), 500, "P95 of five is the largest");
    is_near(voice_score_p95(ms, 0), 0, "P95 of none is 0");

    ok(voice_score_response_times(ms, 5, 400, &score) == VOICE_OK
       && fabs(score - 0.375) < 1e-9, "many times are scored by their P95");
    ok(voice_score_response_times(NULL, 0, 400, &score) == VOICE_OK
       && score == 0.5, "no times score a half");
}


/* Checks an answer; tells how many errors there are, or -1. */
static int
patterns(const char *content, const char *forbidden, const char *answer)
{
    int         passed, count;
    json_t     *one, *two, *errors;
    voice_rc_t  rc;

    one = content == NULL ? NULL : json(content);
    two = forbidden == NULL ? NULL : json(forbidden);
    errors = json_array();

    rc = voice_score_patterns(one, two, voice_span_str(answer), errors,
                              &passed);
    count = rc == VOICE_OK ? (int) json_array_size(errors) : -1;

    if (rc == VOICE_OK && passed != (count == 0)) {
        count = -2;
    }

    json_decref(one);
    json_decref(two);
    json_decref(errors);

    return count;
}


static void
test_patterns(void)
{
    ok(patterns("{\"contains\":[\"Table\",\"two\"]}", NULL,
                "a TABLE  for two") == 0, "both phrases are there");
    ok(patterns("{\"contains\":[\"table\",\"three\",\"four\"]}", NULL,
                "a table for two") == 2, "each missing phrase is an error");
    ok(patterns("{\"contains\":[\"for two\"]}", NULL, "for\n two") == 0,
       "any white space is a space");
    ok(patterns("{\"not_contains\":[\"sorry\"]}", NULL, "Sorry, no") == 1,
       "an unwanted phrase is an error");
    ok(patterns("{\"regex\":[\"^book(ed|ing)\\\\b\"]}", NULL,
                "Booked it") == 0, "a pattern matches in any case");
    ok(patterns("{\"regex\":[\"^ok$\"]}", NULL, "not ok") == 1,
       "a pattern that does not match is an error");
    ok(patterns("{\"regex_not_match\":[\"err\\\\w+\"]}", NULL,
                "an Error") == 1, "an unwanted match is an error");
    ok(patterns("{\"regex\":[\"^.{2}$\"]}", NULL, "\xc3\xa9\xc3\xa8") == 0,
       "a pattern sees characters");
    ok(patterns(NULL, "[\"damn\"]", "well, DAMN it") == 1,
       "a forbidden phrase is an error without other patterns");
    ok(patterns("{}", "[\"damn\"]", "fine") == 0,
       "an answer without forbidden phrases is right");
    ok(patterns("{\"regex\":[\"(unclosed\"]}", NULL, "x") == 1
       && patterns("{\"regex_not_match\":[\"(unclosed\"]}", NULL, "x") == 1,
       "a pattern that does not compile is an error");
    ok(patterns("{\"regex\":[\"(a+)+$\"]}", NULL,
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")
       == 1, "a pattern that explodes ends at the limit");
    ok(patterns("{\"contains\":[\" \"]}", NULL, "x") == 1,
       "a blank phrase is an error");
    ok(patterns("{\"not_contains\":[\"x\"]}", NULL, " ") == 1,
       "an empty answer fails where something is asked");
    ok(patterns(NULL, NULL, "") == 0 && patterns("null", "null", "") == 0,
       "an empty answer passes where nothing is asked");
    ok(patterns("{\"contains\":\"x\"}", NULL, "x") == -1
       && patterns("[]", NULL, "x") == -1 && patterns(NULL, "{}", "x") == -1
       && patterns("{\"regex\":[1]}", NULL, "x") == -1,
       "patterns of a wrong type are refused");
    ok(patterns(NULL, "[\"x\"]", "\xff") == -1,
       "an answer that is no UTF-8 is refused");
}


static void
test_confidence(void)
{
    double          confidence;
    voice_scores_t  scores;
    voice_policy_t  policy;

    memset(&scores, 0, sizeof(voice_scores_t));
    policy = voice_policy_default;

    ok(voice_score_confidence(&scores, &policy, &confidence)
       == VOICE_NOTFOUND && confidence == 0.0,
       "no score gives no confidence");

    scores = (voice_scores_t) { { 0.9, 0.85, 0.8, 1.0 }, 15, 0 };
    (void) !voice_score_confidence(&scores, &policy, &confidence);
    is_near(confidence, 0.875, "the reference's four scores give 0.875");

    scores = (voice_scores_t) { { 1, 0.8, 0, 0 }, 3, 0 };
    (void) !voice_score_confidence(&scores, &policy, &confidence);
    is_near(confidence, 0.9, "weights of absent scores are shared out");

    scores = (voice_scores_t) { { 7, -3, 0, 0 }, 3, 0 };
    (void) !voice_score_confidence(&scores, &policy, &confidence);
    is_near(confidence, 0.5, "scores are clamped");

    policy = (voice_policy_t) { { 0, 0, 0, 0 }, 0.75, 0.4, 0.5, 0.15,
                                0.01 };
    scores = (voice_scores_t) { { 1, 0, 0.5, 0.5 }, 15, 0 };
    (void) !voice_score_confidence(&scores, &policy, &confidence);
    is_near(confidence, 0.5, "weights that are all 0 are equal");

    policy.weight[VOICE_SCORE_INTENT] = 3;
    policy.weight[VOICE_SCORE_ENTITY] = -5;
    policy.weight[VOICE_SCORE_SEMANTIC] = 1;
    (void) !voice_score_confidence(&scores, &policy, &confidence);
    is_near(confidence, 3.5 / 4, "a negative weight is 0, the sum is 1");
}


static voice_decision_e
decide(double confidence, unsigned present, int lexical)
{
    voice_gates_t   gates;
    voice_scores_t  scores;

    memset(&gates, 0, sizeof(voice_gates_t));
    scores = (voice_scores_t) { { 1, 1, 1, 1 }, present, lexical };

    return voice_score_decide(&scores, &gates, &confidence,
                              &voice_policy_default);
}


static void
test_decision(void)
{
    double          sure;
    voice_gates_t   gates;
    voice_scores_t  scores;

    ok(decide(0.75, 15, 0) == VOICE_DECISION_AUTO_PASS, "0.75 passes");
    ok(decide(0.7499, 15, 0) == VOICE_DECISION_MANUAL_REVIEW,
       "less than 0.75 is reviewed");
    ok(decide(0.4, 15, 0) == VOICE_DECISION_MANUAL_REVIEW,
       "0.40 is reviewed");
    ok(decide(0.3999, 15, 0) == VOICE_DECISION_AUTO_FAIL,
       "less than 0.40 fails");
    ok(decide(NAN, 15, 0) == VOICE_DECISION_MANUAL_REVIEW,
       "a confidence that is no number is reviewed");
    ok(decide(1, 12, 1) == VOICE_DECISION_MANUAL_REVIEW,
       "a lexical score never passes alone");
    ok(decide(0.1, 12, 1) == VOICE_DECISION_AUTO_FAIL,
       "a low lexical score fails");
    ok(decide(1, 13, 1) == VOICE_DECISION_AUTO_PASS
       && decide(1, 14, 1) == VOICE_DECISION_AUTO_PASS,
       "a lexical score passes beside intent or entities");
    ok(decide(1, 12, 0) == VOICE_DECISION_AUTO_PASS,
       "a score by embeddings may pass alone");

    sure = 1;
    memset(&gates, 0, sizeof(voice_gates_t));
    scores = (voice_scores_t) { { 1, 1, 1, 1 }, 15, 0 };

    ok(voice_score_decide(&scores, &gates, NULL, &voice_policy_default)
       == VOICE_DECISION_MANUAL_REVIEW, "no confidence is reviewed");

    voice_gate_add(&gates, "x", 0, "because of %d", 7);
    ok(voice_score_decide(&scores, &gates, &sure, &voice_policy_default)
       == VOICE_DECISION_AUTO_FAIL
       && voice_score_decide(&scores, &gates, NULL, &voice_policy_default)
          == VOICE_DECISION_AUTO_FAIL,
       "a failed gate fails whatever the confidence");

    is(voice_decision_name(VOICE_DECISION_AUTO_FAIL), "auto_fail",
       "decisions have names");
}


static int
failed(const char *answer, unsigned nerrors, double entity, double wer)
{
    int                 count;
    json_t             *errors;
    unsigned            i;
    voice_gates_t       gates;
    voice_scores_t      scores;
    voice_gate_facts_t  facts;

    memset(&gates, 0, sizeof(voice_gates_t));
    scores = (voice_scores_t) { { 0, entity, 0, 0 },
                                entity < 0 ? 1 : 3, 0 };
    errors = json_array();

    for (i = 0; i < nerrors; i++) {
        (void) json_array_append_new(errors, json_string("error"));
    }

    facts = (voice_gate_facts_t) { voice_span_str(answer), errors, &scores,
                                   wer };
    voice_gates_fill(&gates, &facts, &voice_policy_default);
    json_decref(errors);

    count = 0;

    for (i = 0; i < gates.count; i++) {
        count += gates.items[i].passed ? 0 : 1;

        if (gates.items[i].passed == (gates.items[i].reason[0] != '\0')) {
            return -1;
        }
    }

    return count;
}


static void
test_gates(void)
{
    int             i;
    char           *text;
    json_t         *list;
    voice_gates_t   gates;

    ok(failed("hi", 0, 1, 0) == 0, "a good answer passes all gates");
    ok(failed(" ", 0, 1, 0) == 1, "an empty answer fails a gate");
    ok(failed("hi", 2, 1, 0) == 1, "failed patterns fail a gate");
    ok(failed("hi", 0, 0.5, 0) == 1, "missing entities fail a gate");
    ok(failed("hi", 0, -1, 0) == 0, "entities not asked for fail no gate");
    ok(failed("hi", 0, 1, 0.5) == 0, "a WER of 0.5 passes");
    ok(failed("hi", 0, 1, 0.51) == 1, "a WER above 0.5 fails a gate");
    ok(failed("hi", 0, 1, -1) == 0, "no WER fails no gate");

    memset(&gates, 0, sizeof(voice_gates_t));
    voice_gate_add(&gates, "one", 1, "unused");
    voice_gate_add(&gates, "two", 0, "because of %d", 7);

    list = voice_gates_json(&gates);
    text = json_dumps(list, JSON_COMPACT);
    is(text, "[{\"name\":\"one\",\"passed\":true,\"reason\":\"\"},"
       "{\"name\":\"two\",\"passed\":false,\"reason\":\"because of 7\"}]",
       "gates are told as JSON");
    free(text);
    json_decref(list);

    for (i = 0; i < 20; i++) {
        voice_gate_add(&gates, "more", 1, "unused");
    }

    voice_gate_add(&gates, "last", 0, "too many");
    ok(gates.count == VOICE_SCORE_GATES_MAX
       && strcmp(gates.items[VOICE_SCORE_GATES_MAX - 1].name, "last") == 0,
       "a failed gate is kept where there is no room");
}


static int
policy(const char *text, voice_policy_t *out)
{
    json_t      *object;
    voice_rc_t   rc;

    object = json(text);
    rc = voice_policy_read(out, object);
    json_decref(object);

    return rc == VOICE_OK;
}


static void
test_policy(void)
{
    voice_policy_t  out;

    ok(voice_policy_read(&out, NULL) == VOICE_OK && out.auto_pass == 0.75
       && out.review == 0.4 && out.wer_fail == 0.5 && out.tolerance == 0.01
       && out.wer_pass == 0.15
       && out.weight[VOICE_SCORE_INTENT] == 0.3,
       "nothing is the default policy");
    ok(policy("{\"auto_pass\":0.9,\"needs_review\":0.5,\"wer_fail\":1}", &out)
       && out.auto_pass == 0.9 && out.review == 0.5 && out.wer_fail == 1.0
       && out.weight[VOICE_SCORE_ENTITY] == 0.3,
       "thresholds are overridden");
    ok(policy("{\"wer_pass\":0}", &out) && out.wer_pass == 0
       && !policy("{\"wer_pass\":-1}", &out),
       "what may pass by itself is overridden");
    ok(policy("{\"weights\":{\"intent\":1}}", &out)
       && out.weight[VOICE_SCORE_INTENT] == 1.0
       && out.weight[VOICE_SCORE_ENTITY] == 0.0,
       "weights that are not named are 0");
    ok(!policy("{\"auto_pass\":0.3}", &out)
       && !policy("{\"auto_pass\":75}", &out)
       && !policy("{\"manual_review\":-1}", &out),
       "thresholds that are no ascending fractions are refused");
    ok(!policy("{\"auto_pass\":\"high\"}", &out)
       && !policy("{\"weights\":[1]}", &out)
       && !policy("{\"weights\":{\"intent\":\"1\"}}", &out)
       && !policy("[]", &out),
       "a wrong type is refused");
}


int
main(void)
{
    test_intent();
    test_entities();
    test_tolerance();
    test_response_time();
    test_patterns();
    test_confidence();
    test_decision();
    test_gates();
    test_policy();

    return done_testing();
}
