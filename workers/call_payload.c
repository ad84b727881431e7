
/*
 * What was sent of a call, page by page.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "call_payload.h"
#include "worker_clock.h"
#include "worker_object.h"
#include "worker_offer.h"


#define PAYLOAD_PAGE      "500"        /* packets at once */
#define PAYLOAD_TEXT_MIN  4096


static provider_e payload_begin(call_payload_t *p, provider_fault_t *fault);
static provider_e payload_packets(call_payload_t *p,
    provider_fault_t *fault);
static provider_e payload_page(call_payload_t *p, int64_t *after, int *n,
    provider_fault_t *fault);
static voice_rc_t payload_packet(call_payload_t *p, const PGresult *rows,
    int row, int64_t sequence);
static voice_rc_t text_add(call_payload_t *p, voice_span_t data);
static int text_room(call_payload_t *p, size_t more);
static provider_e payload_record(call_payload_t *p, provider_fault_t *fault);
static provider_e disk_fault(voice_rc_t rc, provider_fault_t *fault);


static const char  sql_packets[] =
    "select sequence, sent_at, data "
    "from work.call_packets($1, $2, $3, $4)";


provider_e
call_payload_gather(call_payload_t *p, const worker_settings_t *settings,
    const worker_job_t *job, provider_fault_t *fault)
{
    provider_e  rc;

    memset(p, 0, sizeof(call_payload_t));
    p->settings = settings;
    p->job = job;

    rc = payload_begin(p, fault);

    if (rc == PROVIDER_OK) {
        rc = payload_packets(p, fault);
    }

    if (rc == PROVIDER_OK) {
        rc = payload_record(p, fault);
    }

    return rc;
}


void
call_payload_release(call_payload_t *p)
{
    call_recording_release(p->recording);
    free(p->text);
    memset(p, 0, sizeof(call_payload_t));
}


static provider_e
payload_begin(call_payload_t *p, provider_fault_t *fault)
{
    voice_rc_t                rc;
    const json_t             *input = p->job->input;
    call_recording_options_t  options;

    options.dir = p->settings->cache_dir;
    options.call_id = json_string_value(json_object_get(input, "id"));
    options.media = json_string_value(json_object_get(input, "media"));
    options.rate = (unsigned) json_integer_value(
                                  json_object_get(input, "sample_rate"));
    options.max = (size_t) p->settings->recording_max;

    if (options.call_id == NULL || options.media == NULL) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the input of the job is no call");
    }

    if (strcmp(options.media, "text") == 0) {
        return PROVIDER_OK;
    }

    rc = call_recording_begin(&options, &p->recording);

    return rc == VOICE_OK ? PROVIDER_OK : disk_fault(rc, fault);
}


static provider_e
payload_packets(call_payload_t *p, provider_fault_t *fault)
{
    int         n;
    int64_t     after;
    provider_e  rc;

    after = -1;

    do {
        if (worker_now_ms() >= p->job->deadline_ms
            || worker_job_cancelled(p->job))
        {
            return provider_fail(fault, PROVIDER_RETRY,
                                 "the packets could not be read in time");
        }

        rc = payload_page(p, &after, &n, fault);
    } while (rc == PROVIDER_OK && n > 0);

    return rc;
}


static provider_e
payload_page(call_payload_t *p, int64_t *after, int *n,
    provider_fault_t *fault)
{
    int              row;
    char             token[24], last[24];
    PGresult        *rows;
    voice_rc_t       rc;
    worker_offer_e   offer;

    const char *const  params[] = { p->job->id, token, last, PAYLOAD_PAGE };

    snprintf(token, sizeof(token), "%" PRId64, p->job->token);
    snprintf(last, sizeof(last), "%" PRId64, *after);

    offer = worker_offer(p->job->offer, sql_packets, params, 4, &rows);
    if (offer != WORKER_OFFER_TAKEN) {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the packets could not be read: %s",
                             offer == WORKER_OFFER_REFUSED
                             ? p->job->offer->error
                             : worker_offer_name(offer));
    }

    *n = PQntuples(rows);
    rc = VOICE_OK;

    for (row = 0; row < *n && rc == VOICE_OK; row++) {
        *after = strtoll(worker_db_value(rows, row, "sequence"), NULL, 10);
        rc = payload_packet(p, rows, row, *after);
    }

    PQclear(rows);

    return rc == VOICE_OK ? PROVIDER_OK : disk_fault(rc, fault);
}


static voice_rc_t
payload_packet(call_payload_t *p, const PGresult *rows, int row,
    int64_t sequence)
{
    double        at;
    voice_span_t  data;

    at = strtod(worker_db_value(rows, row, "sent_at"), NULL);

    if (p->packets == 0 || at < p->first_at) {
        p->first_at = at;
    }

    if (p->packets == 0 || at > p->last_at) {
        p->last_at = at;
    }

    p->packets++;
    data = voice_span_str(worker_db_value(rows, row, "data"));

    return p->recording == NULL
           ? text_add(p, data)
           : call_recording_add(p->recording, sequence, data);
}


/* What is over the limit is counted, from the first byte on. */
static voice_rc_t
text_add(call_payload_t *p, voice_span_t data)
{
    size_t  room, space;

    space = p->packets > 1;
    room = (size_t) p->settings->call_text_max - p->text_len;

    if (p->text_cut > 0) {
        p->text_cut += (int64_t) (space + data.len);
        return VOICE_OK;
    }

    if (space + data.len > room) {
        p->text_cut = (int64_t) (space + data.len);
        data.len = room > space ? room - space : 0;

        while (data.len > 0 && (data.ptr[data.len] & 0xc0) == 0x80) {
            data.len--;
        }

        if (data.len == 0) {
            return VOICE_OK;
        }

        p->text_cut -= (int64_t) (space + data.len);
    }

    if (!text_room(p, space + data.len)) {
        return VOICE_NOMEM;
    }

    if (space) {
        p->text[p->text_len++] = ' ';
    }

    memcpy(p->text + p->text_len, data.ptr, data.len);
    p->text_len += data.len;

    return VOICE_OK;
}


static int
text_room(call_payload_t *p, size_t more)
{
    char    *grown;
    size_t   size;

    size = p->text_size == 0 ? PAYLOAD_TEXT_MIN : p->text_size;

    while (size < p->text_len + more) {
        size *= 2;
    }

    if (size == p->text_size) {
        return 1;
    }

    grown = realloc(p->text, size);
    if (grown == NULL) {
        return 0;
    }

    p->text = grown;
    p->text_size = size;

    return 1;
}


static provider_e
payload_record(call_payload_t *p, provider_fault_t *fault)
{
    voice_rc_t  rc;

    if (p->recording == NULL) {
        return PROVIDER_OK;
    }

    rc = call_recording_end(p->recording,
             json_integer_value(json_object_get(p->job->input, "expected")),
             &p->wav);

    return rc == VOICE_OK ? PROVIDER_OK : disk_fault(rc, fault);
}


static provider_e
disk_fault(voice_rc_t rc, provider_fault_t *fault)
{
    switch (rc) {

    case VOICE_INVALID:
        return provider_fail(fault, PROVIDER_DEAD,
                             "the call's media are unknown");

    case VOICE_FAILED:
        return provider_fail(fault, PROVIDER_RETRY,
                             "the recording cannot be written: %s",
                             strerror(errno));

    default:
        return provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }
}
