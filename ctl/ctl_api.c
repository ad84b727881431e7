
/*
 * Calls of the API.
 */

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_json.h"
#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_session.h"
#include "ctl_signal.h"
#include "ctl_text.h"


#define API_PATIENCE   30              /* seconds of waiting in all */
#define API_WAIT_MAX   8               /* seconds, where none are named */
#define API_BROKEN     3               /* attempts that broke, at most */
#define API_LEAST      1000            /* ms of the last attempt in time */


typedef struct {
    ctl_t             *ctl;
    const ctl_call_t  *call;
    char              *url;
    char              *body;
    char               key[37];        /* Idempotency-Key */
    long               patience;       /* seconds that are left */
    long               wait;           /* seconds of the next one */
    int                broken;         /* attempts that broke */
    int                renewed;        /* the login */
} attempt_t;


static ctl_exit_e call_once(attempt_t *attempt, ctl_http_reply_t *reply);
static int64_t time_left(const ctl_t *ctl);
static struct curl_slist *add_header(struct curl_slist *headers,
    const char *name, const char *value);
static int again(attempt_t *attempt, const ctl_http_reply_t *reply);
static int is_passing(const ctl_http_reply_t *reply);
static ctl_exit_e conclude(const attempt_t *attempt,
    ctl_http_reply_t *reply, ctl_answer_t *answer);
static int is_ours(const ctl_call_t *call, const ctl_answer_t *answer);
static ctl_exit_e not_ours(const ctl_t *ctl);
static int is_login_over(attempt_t *attempt, const ctl_http_reply_t *reply);
static void tell(const attempt_t *attempt, const ctl_http_reply_t *reply);


ctl_exit_e
ctl_api_call(ctl_t *ctl, const ctl_call_t *call, ctl_answer_t *answer)
{
    attempt_t         attempt;
    ctl_exit_e        rc;
    ctl_http_reply_t  reply;

    memset(answer, 0, sizeof(ctl_answer_t));
    memset(&attempt, 0, sizeof(attempt_t));
    attempt.ctl = ctl;
    attempt.call = call;
    attempt.url = ctl_api_url(ctl, call->path, call->query);
    attempt.body = call->body == NULL ? NULL
                   : json_dumps(call->body, JSON_COMPACT);
    attempt.patience = ctl_option_number(ctl->arguments, "patience",
                                         API_PATIENCE);
    attempt.wait = 1;
    ctl_api_uuid(attempt.key);

    for ( ;; ) {
        rc = call_once(&attempt, &reply);

        if (rc != CTL_OK) {
            ctl_http_release(&reply);
            break;
        }

        if (is_login_over(&attempt, &reply) || again(&attempt, &reply)) {
            ctl_http_release(&reply);
            continue;
        }

        rc = conclude(&attempt, &reply, answer);
        ctl_http_release(&reply);
        break;
    }

    free(attempt.url);

    if (attempt.body != NULL) {
        explicit_bzero(attempt.body, strlen(attempt.body));
    }

    free(attempt.body);

    return rc;
}


void
ctl_api_release(ctl_answer_t *answer)
{
    json_decref(answer->reply);
    memset(answer, 0, sizeof(ctl_answer_t));
}


json_t *
ctl_api_list(ctl_t *ctl, const ctl_call_t *call, size_t limit,
    size_t *total, ctl_exit_e *rc)
{
    size_t         got, size, page;
    json_t        *items, *query;
    ctl_call_t     part;
    ctl_answer_t   answer;

    items = json_array();
    query = call->query == NULL ? json_object() : json_deep_copy(call->query);
    part = *call;
    part.query = query;
    size = limit > 0 && limit < CTL_API_PAGE ? limit : CTL_API_PAGE;
    *total = 0;

    for (page = 1; /* void */; page++) {
        if (!call->whole) {
            json_object_set_new(query, "page",
                                json_integer((json_int_t) page));
            json_object_set_new(query, "page_size",
                                json_integer((json_int_t) size));
        }

        *rc = ctl_api_call(ctl, &part, &answer);
        *rc = *rc == CTL_OK && !json_is_array(answer.data) ? not_ours(ctl)
                                                           : *rc;

        if (*rc != CTL_OK) {
            ctl_api_release(&answer);
            json_decref(items);
            items = NULL;
            break;
        }

        got = json_array_size(answer.data);
        json_array_extend(items, answer.data);
        *total = (size_t) json_integer_value(voice_json_at(answer.reply,
                     "/pagination/total_items"));
        ctl_api_release(&answer);

        if (call->whole || got < size
            || (limit > 0 && json_array_size(items) >= limit))
        {
            break;
        }
    }

    json_decref(query);

    while (limit > 0 && items != NULL && json_array_size(items) > limit) {
        json_array_remove(items, json_array_size(items) - 1);
    }

    return items;
}


char *
ctl_api_path(const char *pattern, const char *const *words)
{
    char          *word;
    const char    *at, *hole;
    ctl_buffer_t   path = { 0 };

    for (at = pattern; /* void */; at = hole + 2) {
        hole = strstr(at, "{}");

        if (hole == NULL) {
            ctl_buffer_put(&path, at);
            return path.data;
        }

        word = ctl_http_escape(voice_span_str(*words++));
        ctl_buffer_add(&path, voice_span(at, (size_t) (hole - at)));
        ctl_buffer_put(&path, word);
        free(word);
    }
}


char *
ctl_api_url(const ctl_t *ctl, const char *path, const json_t *query)
{
    char          *escaped, *text;
    json_t        *value;
    const char    *name;
    ctl_buffer_t   url = { 0 };

    ctl_buffer_format(&url, "%s%s", ctl->profile->url, path);

    json_object_foreach((json_t *) query, name, value) {
        text = json_is_string(value)
               ? ctl_copy(voice_span_str(json_string_value(value)))
               : json_dumps(value, JSON_ENCODE_ANY);
        escaped = ctl_http_escape(voice_span_str(text));
        ctl_buffer_format(&url, "%s%s=%s", strchr(url.data, '?') == NULL
                          ? "?" : "&", name, escaped);
        free(escaped);
        free(text);
    }

    return url.data;
}


ctl_exit_e
ctl_api_credential(ctl_t *ctl, struct curl_slist **headers)
{
    char                 *bearer;
    ctl_exit_e            rc;
    const ctl_profile_t  *profile;

    profile = ctl->profile;

    if (profile->api_key != NULL) {
        *headers = add_header(*headers, "X-API-Key", profile->api_key);
        return CTL_OK;
    }

    if (profile->token == NULL) {
        rc = ctl_session_token(ctl);

        if (rc != CTL_OK) {
            return rc;
        }
    }

    bearer = ctl_format("Bearer %s", profile->token);
    *headers = add_header(*headers, "Authorization", bearer);
    explicit_bzero(bearer, strlen(bearer));
    free(bearer);

    return CTL_OK;
}


ctl_exit_e
ctl_api_refusal(const ctl_t *ctl, int status, const json_t *reply)
{
    size_t         i;
    ctl_exit_e     code;
    json_t        *error;
    const char    *path, *message;
    const json_t  *problem, *problems;

    code = ctl_api_code(status);
    error = json_object_get(reply, "error");

    if (!json_is_object(error)) {
        return ctl_problem(ctl, code, "the answer is %d, and not one of "
                           "Voicegate's", status);
    }

    if (ctl->json) {
        return ctl_problem_json(code, json_incref(error));
    }

    message = ctl_json_text(error, "message");
    ctl_problem(ctl, code, "%s (%s)", message, ctl_json_text(error, "code"));

    problems = voice_json_at(error, "/details/errors");

    for (i = 0; i < json_array_size(problems); i++) {
        problem = json_array_get(problems, i);
        path = ctl_json_text(problem, "path");

        /* the message is the first of them */
        if (i > 0 || strncmp(message, path, strlen(path)) != 0) {
            ctl_note(ctl, "  %s: %s", path,
                     ctl_json_text(problem, "reason"));
        }
    }

    ctl_note(ctl, "  request %s", ctl_json_text(error, "request_id"));

    return code;
}


ctl_exit_e
ctl_api_code(int status)
{
    size_t  i;

    static const struct {
        int         status;
        ctl_exit_e  code;
    } codes[] = {
        { 401, CTL_REFUSED }, { 403, CTL_REFUSED }, { 404, CTL_NOT_FOUND },
        { 429, CTL_BUSY }, { 503, CTL_BUSY }, { 504, CTL_TIMEOUT }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(codes); i++) {
        if (codes[i].status == status) {
            return codes[i].code;
        }
    }

    return status >= 200 && status < 300 ? CTL_OK
           : status >= 400 && status < 500 ? CTL_REJECTED : CTL_SERVICE;
}


void
ctl_api_uuid(char out[37])
{
    size_t         i, at;
    unsigned char  bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t) sizeof(bytes)) {
        fputs("voicectl: there are no random numbers\n", stderr);
        exit(CTL_LOCAL);
    }

    bytes[6] = (unsigned char) (0x40 | (bytes[6] & 0x0f));
    bytes[8] = (unsigned char) (0x80 | (bytes[8] & 0x3f));
    at = 0;

    for (i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[at++] = '-';
        }

        snprintf(out + at, 37 - at, "%02x", bytes[i]);
        at += 2;
    }
}


static ctl_exit_e
call_once(attempt_t *attempt, ctl_http_reply_t *reply)
{
    int64_t              left;
    ctl_exit_e           rc;
    struct curl_slist   *headers;
    ctl_http_request_t   request;

    memset(reply, 0, sizeof(ctl_http_reply_t));
    headers = add_header(NULL, "Accept", "application/json");

    if (attempt->body != NULL) {
        headers = add_header(headers, "Content-Type",
                             "application/json");
    }

    if (attempt->call->caller == CTL_AS_CALLER) {
        rc = ctl_api_credential(attempt->ctl, &headers);

        if (rc != CTL_OK) {
            curl_slist_free_all(headers);
            return rc;
        }

        if (strcmp(attempt->call->method, "POST") == 0) {
            headers = add_header(headers, "Idempotency-Key", attempt->key);
        }
    }

    request.method = attempt->call->method;
    request.url = attempt->url;
    request.headers = headers;
    request.body = attempt->body == NULL
                   && strcmp(attempt->call->method, "POST") == 0
                   ? "" : attempt->body;
    request.ms = 1000 * ctl_option_number(attempt->ctl->arguments,
                                          "request-timeout", CTL_HTTP_USUAL);

    left = time_left(attempt->ctl);
    left = left < API_LEAST ? API_LEAST : left;
    request.ms = left < request.ms ? (long) left : request.ms;

    ctl_http_send(attempt->ctl->http, &request, reply);
    curl_slist_free_all(headers);

    tell(attempt, reply);

    return ctl_interrupted() ? CTL_INTERRUPTED : CTL_OK;
}


/* ms that the command may still take. */
static int64_t
time_left(const ctl_t *ctl)
{
    return ctl->deadline == 0 ? INT64_MAX : ctl->deadline - ctl_now();
}


static struct curl_slist *
add_header(struct curl_slist *headers, const char *name, const char *value)
{
    char               *line;
    struct curl_slist  *longer;

    line = ctl_format("%s: %s", name, value);
    longer = curl_slist_append(headers, line);
    explicit_bzero(line, strlen(line));
    free(line);

    if (longer == NULL) {
        fputs("voicectl: out of memory\n", stderr);
        exit(CTL_LOCAL);
    }

    return longer;
}


/* Waits and tells whether to send it once more. */
static int
again(attempt_t *attempt, const ctl_http_reply_t *reply)
{
    long  wait;

    if (!is_passing(reply)
        || (reply->broken && ++attempt->broken >= API_BROKEN))
    {
        return 0;
    }

    wait = reply->retry_after < 0 ? attempt->wait
           : reply->retry_after == 0 ? 1 : reply->retry_after;

    if (wait > attempt->patience || wait * 1000 > time_left(attempt->ctl)) {
        return 0;
    }

    ctl_note(attempt->ctl, "voicectl: %s; once more in %ld s",
             reply->status == 0 ? reply->reason
             : reply->status == 429 ? "too many requests"
             : reply->status == 503 ? "the service is not available"
             : "the first attempt is under way", wait);

    attempt->patience -= wait;

    if (reply->retry_after < 0) {
        attempt->wait = attempt->wait * 2 > API_WAIT_MAX ? API_WAIT_MAX
                                                         : attempt->wait * 2;
    }

    return ctl_pause(wait * 1000);
}


/* May it be otherwise soon, and is it safe to send it again? */
static int
is_passing(const ctl_http_reply_t *reply)
{
    json_t              *body;
    voice_span_t         code;
    voice_json_error_t   error;
    int                  under_way;

    if (reply->status == 0 || reply->status == 429 || reply->status == 503) {
        return reply->status != 0 || reply->broken;
    }

    if (reply->status != 409) {
        return 0;
    }

    body = voice_json_parse(voice_span(ctl_buffer_text(&reply->body),
                                       reply->body.len), &error);
    code = voice_json_text(json_object_get(body, "error"), "code");
    under_way = voice_span_eq(code, VOICE_SPAN("IDEMPOTENCY_IN_PROGRESS"));
    json_decref(body);

    return under_way;
}


static ctl_exit_e
conclude(const attempt_t *attempt, ctl_http_reply_t *reply,
    ctl_answer_t *answer)
{
    ctl_exit_e           code;
    voice_json_error_t   error;
    const ctl_call_t    *call;

    call = attempt->call;
    answer->status = reply->status;

    if (reply->status == 0) {
        return call->calm ? reply->problem
               : ctl_problem(attempt->ctl, reply->problem, "%s: %s%s",
                             attempt->ctl->profile->url, reply->reason,
                             reply->problem == CTL_TIMEOUT
                             && time_left(attempt->ctl) <= 0
                             ? "; the time of --timeout is over" : "");
    }

    code = ctl_api_code(reply->status);

    if (reply->body.len > 0) {
        answer->reply = voice_json_parse(voice_span(reply->body.data,
                                             reply->body.len), &error);
        answer->data = json_object_get(answer->reply, "data");
    }

    if (code == CTL_OK && reply->status != 204 && !is_ours(call, answer)) {
        return call->calm ? CTL_SERVICE : not_ours(attempt->ctl);
    }

    return code == CTL_OK || call->calm ? code
           : ctl_api_refusal(attempt->ctl, reply->status, answer->reply);
}


/* Only what needs no credential comes without an envelope. */
static int
is_ours(const ctl_call_t *call, const ctl_answer_t *answer)
{
    return json_is_object(answer->reply)
           && (answer->data != NULL || call->caller == CTL_AS_NOBODY);
}


static ctl_exit_e
not_ours(const ctl_t *ctl)
{
    return ctl_problem(ctl, CTL_SERVICE, "%s answers, but not as Voicegate "
                       "does: is it the right URL?", ctl->profile->url);
}


/* A login whose token ran out or was ended gets another, once. */
static int
is_login_over(attempt_t *attempt, const ctl_http_reply_t *reply)
{
    if (reply->status != 401 || attempt->renewed
        || attempt->call->caller == CTL_AS_NOBODY
        || !ctl_session_renew(attempt->ctl))
    {
        return 0;
    }

    attempt->renewed = 1;

    return 1;
}


/* With --verbose; a query may hold names, but no secret. */
static void
tell(const attempt_t *attempt, const ctl_http_reply_t *reply)
{
    ctl_buffer_t  reason = { 0 };

    if (attempt->ctl->verbose) {
        ctl_text_safe(&reason, voice_span_str(reply->reason), 0);
        fprintf(stderr, "> %s %s\n< %d %s\n", attempt->call->method,
                attempt->url, reply->status, ctl_buffer_text(&reason));
        ctl_buffer_release(&reason);
    }
}
