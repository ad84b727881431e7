
/*
 * The tables of providers, and what several of them need.
 */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_code.h"
#include "../lib/voice_json.h"
#include "../lib/voice_text.h"
#include "provider.h"


static const provider_agent_t *const  agents[] = {
    &provider_agent_houndify,
    &provider_agent_http,
    NULL
};

static const provider_asr_t *const  recognisers[] = {
    &provider_asr_pocketsphinx,
    &provider_asr_openai,
    NULL
};

static const provider_embeddings_t *const  embeddings[] = {
    &provider_embeddings_openai,
    NULL
};

static const provider_analysis_t *const  analyses[] = {
    &provider_analysis_embedded,
    &provider_analysis_http,
    &provider_analysis_openai,
    NULL
};

static const char *const  sentiments[] = {
    "positive", "negative", "neutral", NULL
};


static int sentiment_known(const char *sentiment);
static size_t text_cut(char *text, size_t max);


const provider_agent_t *
provider_agent_find(const char *name)
{
    size_t  i;

    for (i = 0; agents[i] != NULL && strcmp(agents[i]->name, name) != 0; i++)
    {
        /* void */
    }

    return agents[i];
}


const provider_asr_t *
provider_asr_find(const char *name)
{
    size_t  i;

    for (i = 0;
         recognisers[i] != NULL && strcmp(recognisers[i]->name, name) != 0;
         i++)
    {
        /* void */
    }

    return recognisers[i];
}


const provider_embeddings_t *
provider_embeddings_find(const char *name)
{
    size_t  i;

    for (i = 0;
         embeddings[i] != NULL && strcmp(embeddings[i]->name, name) != 0;
         i++)
    {
        /* void */
    }

    return embeddings[i];
}


const provider_analysis_t *
provider_analysis_find(const char *name)
{
    size_t  i;

    for (i = 0; analyses[i] != NULL && strcmp(analyses[i]->name, name) != 0;
         i++)
    {
        /* void */
    }

    return analyses[i];
}


void
provider_insight_release(provider_insight_t *insight)
{
    free(insight->transcription);
    free(insight->summary);
    memset(insight, 0, sizeof(provider_insight_t));
}


provider_e
provider_insight_check(provider_insight_t *insight, size_t max,
    provider_fault_t *fault)
{
    const char  *what;

    what = insight->transcription == NULL ? "no transcription"
           : !voice_text_valid(voice_span_str(insight->transcription))
             ? "a transcription that is no text"
           : !voice_text_valid(voice_span_str(insight->summary))
             ? "a summary that is no text"
           : !sentiment_known(insight->sentiment) ? "no sentiment"
           : !isnan(insight->score)
             && !(insight->score >= -1 && insight->score <= 1)
             ? "a score that is none"
           : !(insight->confidence <= 1) ? "a confidence that is none"
           : NULL;

    if (what != NULL) {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the analysis answered with %s", what);
    }

    insight->cut += (int64_t) text_cut(insight->transcription, max);

    if (insight->summary != NULL) {
        (void) text_cut(insight->summary, max);
    }

    return PROVIDER_OK;
}


void
provider_answer_release(provider_answer_t *answer)
{
    free(answer->response_text);
    free(answer->written_response);
    free(answer->transcript);
    free(answer->intent);
    free(answer->command_kind);
    free(answer->wav);
    json_decref(answer->entities);
    json_decref(answer->conversation_state);
    memset(answer, 0, sizeof(provider_answer_t));
}


provider_e
provider_answer_check(provider_answer_t *answer, provider_fault_t *fault)
{
    size_t  i;

    const char *const  texts[] = {
        answer->response_text, answer->written_response, answer->transcript,
        answer->intent, answer->command_kind
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(texts); i++) {
        if (texts[i] != NULL && strlen(texts[i]) > PROVIDER_TEXT_MAX) {
            return provider_fail(fault, PROVIDER_DEAD, "a text of the agent "
                                 "is longer than %d bytes",
                                 PROVIDER_TEXT_MAX);
        }
    }

    if (json_dumpb(answer->entities, NULL, 0, JSON_COMPACT)
        + json_dumpb(answer->conversation_state, NULL, 0, JSON_COMPACT)
        > PROVIDER_JSON_MAX)
    {
        return provider_fail(fault, PROVIDER_DEAD, "the agent's entities and "
                             "state are larger than %d bytes",
                             PROVIDER_JSON_MAX);
    }

    if (!(answer->asr_confidence >= 0 && answer->asr_confidence <= 1)) {
        answer->asr_confidence = -1;
    }

    return PROVIDER_OK;
}


provider_e
provider_fail(provider_fault_t *fault, provider_e kind, const char *reason,
    ...)
{
    va_list  args;

    va_start(args, reason);
    vsnprintf(fault->reason, sizeof(fault->reason), reason, args);
    va_end(args);

    fault->retry_after = 0;
    fault->garbage = 0;

    return kind;
}


provider_e
provider_http_fault(const char *who, const worker_http_reply_t *reply,
    provider_fault_t *fault)
{
    provider_e  kind;

    kind = reply->retryable ? PROVIDER_RETRY : PROVIDER_DEAD;

    if (reply->result == WORKER_HTTP_OPEN && reply->attempts == 1) {
        kind = PROVIDER_OPEN;
    }

    if (reply->result == WORKER_HTTP_STATUS
        && (reply->status == 401 || reply->status == 403))
    {
        (void) provider_fail(fault, kind, "%s refused the credentials of its "
                             "profile with status %d", who, reply->status);

    } else if (reply->result == WORKER_HTTP_STATUS && reply->status != 0) {
        (void) provider_fail(fault, kind, "%s answered with status %d", who,
                             reply->status);
    } else if (reply->result == WORKER_HTTP_GARBAGE) {
        (void) provider_fail(fault, kind, "%s answered with %s", who,
                             reply->error[0] == '\0' ? "garbage"
                                                     : reply->error);
    } else {
        (void) provider_fail(fault, kind, "%s did not answer (%s): %s", who,
                             worker_http_reason(reply->result), reply->error);
    }

    fault->retry_after = reply->retry_after;

    return kind;
}


char *
provider_text_at(const json_t *root, const char *pointer)
{
    json_t  *value;

    value = voice_json_at(root, pointer);
    if (!json_is_string(value)) {
        return NULL;
    }

    return strdup(json_string_value(value));
}


char *
provider_copy(voice_span_t text)
{
    return text.len == 0 ? NULL : strndup(text.ptr, text.len);
}


char *
provider_base64(voice_span_t text, size_t *len)
{
    char  *out;

    out = malloc(text.len / 4 * 3 + 3);
    if (out == NULL) {
        return NULL;
    }

    if (voice_base64_decode((unsigned char *) out, len, text) != VOICE_OK) {
        free(out);
        return NULL;
    }

    return out;
}


static int
sentiment_known(const char *sentiment)
{
    size_t  i;

    for (i = 0; sentiments[i] != NULL; i++) {
        if (strcmp(sentiments[i], sentiment) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Cuts a text at the end of a character; how many bytes went. */

static size_t
text_cut(char *text, size_t max)
{
    size_t  len, kept;

    len = strlen(text);

    if (len <= max) {
        return 0;
    }

    for (kept = max; kept > 0 && (text[kept] & 0xc0) == 0x80; kept--) {
        /* void */
    }

    text[kept] = '\0';

    return len - kept;
}
