
/*
 * The kind call_processing: has what was sent of a call analysed, stores its
 * recording, and says what came of it.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "../lib/voice_json.h"
#include "call_payload.h"
#include "job_speech.h"
#include "worker_offer.h"


#define CALL_EMBEDDED     "embedded"
#define CALL_SECONDS_MAX  (7 * 86400.0)        /* by clocks that are right */


typedef struct {
    const worker_settings_t  *settings;
    const worker_job_t       *job;
    const worker_profile_t   *profile; /* of the analysis; NULL: embedded */
    call_payload_t            payload;
    provider_insight_t        insight;
    char                      key[WORKER_OBJECT_KEY_SIZE];     /* of the
                                          recording; "" none */
} call_t;


static provider_e call_analyse(call_t *c, provider_fault_t *fault);
static provider_e call_ask(call_t *c, const provider_call_t *call,
    provider_fault_t *fault);
static const provider_analysis_t *call_provider(call_t *c);
static provider_e call_store(call_t *c, provider_fault_t *fault);
static provider_e store_expect(call_t *c, const char *key,
    provider_fault_t *fault);
static json_t *call_json(call_t *c);
static int call_figures(const call_t *c, json_t *result);
static json_t *sentiment_json(const provider_insight_t *insight);
static json_t *call_notes(const call_t *c);
static json_t *call_duration(const call_t *c);
static json_t *number_json(double number, int known);
static json_t *word_json(const char *word);
static void call_release(call_t *c);


static const char  sql_expect[] =
    "select work.expect_object($1, $2, $3) as held";


void
job_call_processing(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result)
{
    call_t            c;
    provider_e        rc;
    provider_fault_t  fault;

    /* the call is gone, or somebody has ended it */
    if (json_is_null(job->input)) {
        result->outcome = JOB_DONE;
        return;
    }

    memset(&c, 0, sizeof(call_t));
    memset(&fault, 0, sizeof(provider_fault_t));
    c.settings = settings;
    c.job = job;

    rc = call_payload_gather(&c.payload, settings, job, &fault);

    if (rc == PROVIDER_OK && job_step(job, 0.2, "analysing")) {
        rc = call_analyse(&c, &fault);
    }

    if (rc == PROVIDER_OK && job_step(job, 0.9, "storing")) {
        rc = call_store(&c, &fault);
    }

    if (rc == PROVIDER_OK && !worker_job_cancelled(job)) {
        result->result = call_json(&c);
        result->outcome = JOB_DONE;

        if (result->result == NULL) {
            job_end(result, JOB_RETRY, "out of memory");
        }

    } else if (rc != PROVIDER_OK) {
        job_fault(result, rc, &fault);
    }

    call_release(&c);
}


static provider_e
call_analyse(call_t *c, provider_fault_t *fault)
{
    provider_e       rc;
    provider_call_t  call = { c->settings, NULL, c->job->deadline_ms };

    rc = call_ask(c, &call, fault);

    if (rc == PROVIDER_OK) {
        rc = provider_insight_check(&c->insight,
                                    (size_t) c->settings->call_text_max,
                                    fault);
    }

    if (rc == PROVIDER_OK
        && provider_insight_complete(&call, voice_json_text(c->job->input,
                                                            "language"),
                                     &c->insight)
           != VOICE_OK)
    {
        rc = provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }

    return rc;
}


static provider_e
call_ask(call_t *c, const provider_call_t *call, provider_fault_t *fault)
{
    provider_call_t             one = *call;
    provider_conversation_t     conversation;
    const provider_analysis_t  *analysis;

    analysis = call_provider(c);
    if (analysis == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "the analysis profile is "
                             "unknown, or names an unknown provider");
    }

    one.profile = c->profile;

    memset(&conversation, 0, sizeof(provider_conversation_t));
    conversation.call_id = voice_json_text(c->job->input, "call_id");
    conversation.language = voice_json_text(c->job->input, "language");
    conversation.text = voice_span(c->payload.text, c->payload.text_len);
    conversation.wav = c->payload.wav;
    conversation.packets = c->payload.packets;
    conversation.missing = json_integer_value(
                               json_object_get(c->job->input, "missing"));

    return analysis->analyse(&one, &conversation, &c->insight, fault);
}


/* The tenant's profile, else the pool's, else the embedded one. */
static const provider_analysis_t *
call_provider(call_t *c)
{
    const char  *name;

    name = json_string_value(json_object_get(c->job->input, "analysis"));

    /* nobody needs to be asked what silence says */
    if (c->payload.recording != NULL && c->payload.wav.len == 0) {
        return provider_analysis_find(CALL_EMBEDDED);
    }

    if ((name == NULL || name[0] == '\0')
        && c->settings->default_analysis[0] == '\0')
    {
        return provider_analysis_find(CALL_EMBEDDED);
    }

    c->profile = worker_settings_profile(c->settings,
                                         WORKER_PROFILE_ANALYSIS, name);

    return c->profile == NULL ? NULL
           : provider_analysis_find(c->profile->provider);
}


/* What is stored is announced before, so that nothing is left for ever. */
static provider_e
call_store(call_t *c, provider_fault_t *fault)
{
    provider_e  rc;

    if (c->payload.wav.len == 0) {
        return PROVIDER_OK;
    }

    if (worker_object_key(c->payload.wav, "wav", c->key) != VOICE_OK) {
        return provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }

    rc = store_expect(c, c->key, fault);
    if (rc != PROVIDER_OK) {
        return rc;
    }

    if (worker_object_store(c->settings)->put(c->settings, c->payload.wav,
                                              "wav", c->key)
        != VOICE_OK)
    {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the object store failed");
    }

    return PROVIDER_OK;
}


static provider_e
store_expect(call_t *c, const char *key, provider_fault_t *fault)
{
    int              held;
    char             token[24];
    PGresult        *row;
    const char      *value;

    const char *const  params[] = { c->job->id, token, key };

    snprintf(token, sizeof(token), "%" PRId64, c->job->token);

    if (worker_offer(c->job->offer, sql_expect, params, 3, &row)
        != WORKER_OFFER_TAKEN)
    {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the recording cannot be announced");
    }

    value = worker_db_value(row, 0, "held");
    held = value != NULL && value[0] == 't';
    PQclear(row);

    return held ? PROVIDER_OK
                : provider_fail(fault, PROVIDER_RETRY,
                                "the job is not held any more");
}


static json_t *
call_json(call_t *c)
{
    json_t                    *result;
    const provider_insight_t  *insight = &c->insight;

    result = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
                       "provider", c->profile == NULL ? CALL_EMBEDDED
                                                      : c->profile->name,
                       "transcription", insight->transcription,
                       "sentiment", insight->sentiment,
                       "sentiment_detail", sentiment_json(insight),
                       "summary", word_json(insight->summary),
                       "language", word_json(insight->language),
                       "duration_ms", call_duration(c),
                       "notes", call_notes(c));

    if (result != NULL && c->payload.recording != NULL
        && !call_figures(c, result))
    {
        json_decref(result);
        return NULL;
    }

    return result;
}


/* What a recording tells; 0: no memory. */
static int
call_figures(const call_t *c, json_t *result)
{
    json_t                    *more;
    call_recording_figures_t   figures;

    call_recording_figures(c->payload.recording, &figures);

    more = json_pack("{s:I, s:I, s:I}",
                     "duration_ms", (json_int_t) figures.duration_ms,
                     "talk_ms", (json_int_t) figures.talk_ms,
                     "silence_ms", (json_int_t) figures.silence_ms);

    if (more != NULL && c->key[0] != '\0'
        && json_object_set_new(more, "recording",
               json_pack("{s:s, s:I, s:I}", "object", c->key,
                         "bytes", (json_int_t) figures.bytes,
                         "duration_ms", (json_int_t) figures.recording_ms))
           != 0)
    {
        json_decref(more);
        return 0;
    }

    if (json_object_update(result, more) != 0) {
        json_decref(more);
        return 0;
    }

    json_decref(more);

    return 1;
}


static json_t *
sentiment_json(const provider_insight_t *insight)
{
    return json_pack("{s:o, s:o, s:s}",
                     "score", number_json(insight->score,
                                          !isnan(insight->score)),
                     "confidence", number_json(insight->confidence,
                                               insight->confidence >= 0),
                     "method", insight->method);
}


/* What is not there, of what there was. */
static json_t *
call_notes(const call_t *c)
{
    unsigned   i;
    json_t    *notes, *note;

    const struct {
        const char  *name;
        const char  *unit;
        int64_t      amount;
    } cuts[] = {
        { "text_cut", "bytes", c->payload.text_cut },
        { "transcription_cut", "bytes", c->insight.cut },
        { "not_heard", "ms", c->insight.unheard_ms }
    };

    notes = c->payload.recording == NULL
            ? json_array() : call_recording_notes(c->payload.recording);

    for (i = 0; i < VOICE_ARRAY_SIZE(cuts); i++) {
        if (cuts[i].amount == 0) {
            continue;
        }

        note = json_pack("{s:s, s:I}", "note", cuts[i].name, cuts[i].unit,
                         (json_int_t) cuts[i].amount);

        if (json_array_append_new(notes, note) != 0) {
            json_decref(notes);
            return NULL;
        }
    }

    return notes;
}


/* Of a text: from its first packet to its last, by the sender's clock. */
static json_t *
call_duration(const call_t *c)
{
    double  seconds;

    seconds = c->payload.last_at - c->payload.first_at;

    return seconds >= 0 && seconds <= CALL_SECONDS_MAX
           ? json_integer((json_int_t) (seconds * 1000 + 0.5)) : json_null();
}


static json_t *
number_json(double number, int known)
{
    return known ? json_real(number) : json_null();
}


static json_t *
word_json(const char *word)
{
    return word == NULL || word[0] == '\0' ? json_null() : json_string(word);
}


static void
call_release(call_t *c)
{
    call_payload_release(&c->payload);
    provider_insight_release(&c->insight);
}
