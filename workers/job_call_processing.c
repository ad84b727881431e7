
/*
 * The kind call_processing: gathers what was sent of a call, has it
 * analysed, and says what came of it.  Packets come in pages and are not
 * kept, so that a long call takes no more memory than a short one.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "job_speech.h"
#include "worker_clock.h"
#include "worker_offer.h"


#define CALL_PAGE         "500"        /* packets at once */
#define CALL_TEXT_MIN     4096
#define CALL_EMBEDDED     "embedded"
#define CALL_SECONDS_MAX  (7 * 86400.0)        /* by clocks that are right */


typedef struct {
    const worker_settings_t  *settings;
    const worker_job_t       *job;
    const worker_profile_t   *profile; /* of the analysis; NULL: embedded */

    char                     *text;    /* NULL: none yet */
    size_t                    text_len;
    size_t                    text_size;
    int64_t                   text_cut;        /* bytes left out */

    int64_t                   packets;
    double                    first_at;        /* the sender's clock */
    double                    last_at;

    provider_insight_t        insight;
} call_t;


static provider_e call_gather(call_t *c, provider_fault_t *fault);
static provider_e call_page(call_t *c, int64_t *after, int *n,
    provider_fault_t *fault);
static int call_packet(call_t *c, const PGresult *rows, int row);
static int text_add(call_t *c, voice_span_t data);
static int text_room(call_t *c, size_t more);
static provider_e call_analyse(call_t *c, provider_fault_t *fault);
static const provider_analysis_t *call_provider(call_t *c);
static json_t *call_json(call_t *c);
static json_t *sentiment_json(const provider_insight_t *insight);
static json_t *call_notes(const call_t *c);
static json_t *call_duration(const call_t *c);
static json_t *number_json(double number, int known);
static json_t *word_json(const char *word);
static void call_release(call_t *c);


static const char  sql_packets[] =
    "select sequence, sent_at, data "
    "from work.call_packets($1, $2, $3, $4)";


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

    rc = call_gather(&c, &fault);

    if (rc == PROVIDER_OK) {
        rc = call_analyse(&c, &fault);
    }

    if (rc == PROVIDER_OK) {
        result->result = call_json(&c);
        result->outcome = JOB_DONE;

        if (result->result == NULL) {
            job_end(result, JOB_RETRY, "out of memory");
        }

    } else {
        job_fault(result, rc, &fault);
    }

    call_release(&c);
}


static provider_e
call_gather(call_t *c, provider_fault_t *fault)
{
    int         n;
    int64_t     after;
    provider_e  rc;

    after = -1;

    do {
        if (worker_now_ms() >= c->job->deadline_ms) {
            return provider_fail(fault, PROVIDER_RETRY,
                                 "the packets could not be read in time");
        }

        rc = call_page(c, &after, &n, fault);
    } while (rc == PROVIDER_OK && n > 0);

    return rc;
}


static provider_e
call_page(call_t *c, int64_t *after, int *n, provider_fault_t *fault)
{
    int              row, kept;
    char             token[24], last[24];
    PGresult        *rows;
    worker_offer_e   offer;

    const char *const  params[] = { c->job->id, token, last, CALL_PAGE };

    snprintf(token, sizeof(token), "%" PRId64, c->job->token);
    snprintf(last, sizeof(last), "%" PRId64, *after);

    offer = worker_offer(c->job->offer, sql_packets, params, 4, &rows);
    if (offer != WORKER_OFFER_TAKEN) {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the packets could not be read: %s",
                             offer == WORKER_OFFER_REFUSED
                             ? c->job->offer->error
                             : worker_offer_name(offer));
    }

    *n = PQntuples(rows);
    kept = 1;

    for (row = 0; row < *n && kept; row++) {
        kept = call_packet(c, rows, row);
        *after = strtoll(worker_db_value(rows, row, "sequence"), NULL, 10);
    }

    PQclear(rows);

    return kept ? PROVIDER_OK
                : provider_fail(fault, PROVIDER_RETRY, "out of memory");
}


/* 0: no memory. */
static int
call_packet(call_t *c, const PGresult *rows, int row)
{
    double  at;

    at = strtod(worker_db_value(rows, row, "sent_at"), NULL);

    if (c->packets == 0 || at < c->first_at) {
        c->first_at = at;
    }

    if (c->packets == 0 || at > c->last_at) {
        c->last_at = at;
    }

    c->packets++;

    return text_add(c, voice_span_str(worker_db_value(rows, row, "data")));
}


/* What is over the limit is counted, from the first byte on. */
static int
text_add(call_t *c, voice_span_t data)
{
    size_t  room, space;

    space = c->packets > 1;
    room = (size_t) c->settings->call_text_max - c->text_len;

    if (c->text_cut > 0) {
        c->text_cut += (int64_t) (space + data.len);
        return 1;
    }

    if (space + data.len > room) {
        c->text_cut = (int64_t) (space + data.len);
        data.len = room > space ? room - space : 0;

        while (data.len > 0 && (data.ptr[data.len] & 0xc0) == 0x80) {
            data.len--;
        }

        if (data.len == 0) {
            return 1;
        }

        c->text_cut -= (int64_t) (space + data.len);
    }

    if (!text_room(c, space + data.len)) {
        return 0;
    }

    if (space) {
        c->text[c->text_len++] = ' ';
    }

    memcpy(c->text + c->text_len, data.ptr, data.len);
    c->text_len += data.len;

    return 1;
}


static int
text_room(call_t *c, size_t more)
{
    char    *grown;
    size_t   size;

    size = c->text_size == 0 ? CALL_TEXT_MIN : c->text_size;

    while (size < c->text_len + more) {
        size *= 2;
    }

    if (size == c->text_size) {
        return 1;
    }

    grown = realloc(c->text, size);
    if (grown == NULL) {
        return 0;
    }

    c->text = grown;
    c->text_size = size;

    return 1;
}


static provider_e
call_analyse(call_t *c, provider_fault_t *fault)
{
    provider_e                  rc;
    provider_call_t             call = { c->settings, NULL,
                                         c->job->deadline_ms };
    provider_conversation_t     conversation;
    const provider_analysis_t  *analysis;

    analysis = call_provider(c);
    if (analysis == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "the analysis profile is "
                             "unknown, or names an unknown provider");
    }

    call.profile = c->profile;

    memset(&conversation, 0, sizeof(provider_conversation_t));
    conversation.call_id = voice_json_text(c->job->input, "call_id");
    conversation.language = voice_json_text(c->job->input, "language");
    conversation.text = voice_span(c->text, c->text_len);
    conversation.packets = c->packets;
    conversation.missing = json_integer_value(
                               json_object_get(c->job->input, "missing"));

    rc = analysis->analyse(&call, &conversation, &c->insight, fault);

    return rc == PROVIDER_OK
           ? provider_insight_check(&c->insight,
                                    (size_t) c->settings->call_text_max,
                                    fault)
           : rc;
}


/* The tenant's profile, else the pool's, else the embedded one. */
static const provider_analysis_t *
call_provider(call_t *c)
{
    const char  *name;

    name = json_string_value(json_object_get(c->job->input, "analysis"));

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


static json_t *
call_json(call_t *c)
{
    const provider_insight_t  *insight = &c->insight;

    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
                     "provider", c->profile == NULL ? CALL_EMBEDDED
                                                    : c->profile->name,
                     "transcription", insight->transcription,
                     "sentiment", insight->sentiment,
                     "sentiment_detail", sentiment_json(insight),
                     "summary", word_json(insight->summary),
                     "language", word_json(insight->language),
                     "duration_ms", call_duration(c),
                     "notes", call_notes(c));
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
        int64_t      bytes;
    } cuts[] = {
        { "text_cut", c->text_cut },
        { "transcription_cut", c->insight.cut }
    };

    notes = json_array();

    for (i = 0; i < VOICE_ARRAY_SIZE(cuts); i++) {
        if (cuts[i].bytes == 0) {
            continue;
        }

        note = json_pack("{s:s, s:I}", "note", cuts[i].name,
                         "bytes", (json_int_t) cuts[i].bytes);

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

    seconds = c->last_at - c->first_at;

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
    provider_insight_release(&c->insight);
    free(c->text);
}
