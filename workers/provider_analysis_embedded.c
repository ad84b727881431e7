
/*
 * Analysis of calls in this process: speech by pocketsphinx, language,
 * sentiment and summary by lib's measures (docs/analysis.md).
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_sentiment.h"
#include "../lib/voice_summary.h"
#include "analysis_files.h"
#include "analysis_hearing.h"
#include "speech_dictation.h"


#define EMBEDDED_PIECE      (256 * 1024)       /* bytes of text at once */
#define EMBEDDED_CUT        2048       /* of a piece where its end may be */
#define EMBEDDED_SENTENCES  3          /* of a summary */
#define EMBEDDED_SUMMARY    500        /* bytes */
#define EMBEDDED_SURE       0.6        /* that English was heard */


static provider_e embedded_analyse(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault);
static provider_e embedded_text(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault);
static provider_e embedded_hear(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault);
static provider_e embedded_measure(const worker_settings_t *settings,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault);
static voice_rc_t embedded_language(const worker_settings_t *settings,
    voice_span_t told, provider_insight_t *insight);
static voice_rc_t embedded_sentiment(const worker_settings_t *settings,
    provider_insight_t *insight);
static voice_span_t piece_take(voice_span_t *rest);
static voice_rc_t embedded_summary(const worker_settings_t *settings,
    provider_insight_t *insight);


const provider_analysis_t  provider_analysis_embedded = {
    "embedded", embedded_analyse
};


static provider_e
embedded_analyse(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault)
{
    return conversation->wav.len > 0
           ? embedded_hear(call, conversation, insight, fault)
           : embedded_text(call, conversation, insight, fault);
}


static provider_e
embedded_text(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault)
{
    insight->transcription = strndup(conversation->text.len == 0
                                     ? "" : conversation->text.ptr,
                                     conversation->text.len);
    if (insight->transcription == NULL) {
        return provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }

    return embedded_measure(call->settings, conversation, insight, fault);
}


/*
 * Nothing is heard in a language that the recogniser does not know.  What
 * is felt of a text that may be misheard is felt with less confidence.
 */

static provider_e
embedded_hear(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault)
{
    char                     method[sizeof(insight->method)];
    provider_e               rc;
    analysis_hearing_t       hearing;
    provider_conversation_t  heard = *conversation;

    if (conversation->language.len == 0) {
        heard.language = VOICE_SPAN("en");
    }

    if (!speech_dictation_knows(heard.language)) {
        return embedded_text(call, conversation, insight, fault);
    }

    rc = analysis_hear(call, conversation->wav, &hearing, fault);
    if (rc != PROVIDER_OK) {
        return rc;
    }

    insight->transcription = hearing.text;
    insight->unheard_ms = (int64_t) hearing.unheard_ms;
    insight->cut = (int64_t) hearing.cut;

    rc = embedded_measure(call->settings, &heard, insight, fault);

    snprintf(method, sizeof(method), "pocketsphinx+%.40s", insight->method);
    memcpy(insight->method, method, sizeof(method));
    insight->confidence *= hearing.confidence;

    /* it hears English words in any language */
    if (conversation->language.len == 0
        && hearing.confidence < EMBEDDED_SURE)
    {
        insight->language[0] = '\0';
    }

    return rc;
}


static provider_e
embedded_measure(const worker_settings_t *settings,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault)
{
    voice_rc_t  rc;

    rc = embedded_language(settings, conversation->language, insight);

    if (rc == VOICE_OK) {
        rc = embedded_sentiment(settings, insight);
    }

    if (rc == VOICE_OK) {
        rc = embedded_summary(settings, insight);
    }

    if (rc == VOICE_INVALID) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the text of the call is not UTF-8");
    }

    return rc == VOICE_OK ? PROVIDER_OK
                          : provider_fail(fault, PROVIDER_RETRY,
                                          "out of memory");
}


voice_rc_t
provider_insight_complete(const provider_call_t *call, voice_span_t language,
    provider_insight_t *insight)
{
    voice_rc_t  rc;

    rc = VOICE_OK;

    if (insight->language[0] == '\0') {
        rc = embedded_language(call->settings, language, insight);
    }

    if (rc == VOICE_OK && insight->summary == NULL) {
        rc = embedded_summary(call->settings, insight);
    }

    return rc;
}


/* What was told, else what the words tell; "" if they do not. */

static voice_rc_t
embedded_language(const worker_settings_t *settings, voice_span_t told,
    provider_insight_t *insight)
{
    voice_rc_t               rc;
    voice_detected_t         detected;
    const voice_detector_t  *detector;

    if (told.len > 0
        && voice_language_canonical(told, insight->language) == VOICE_OK)
    {
        return VOICE_OK;
    }

    insight->language[0] = '\0';

    detector = analysis_detector(settings);
    if (detector == NULL) {
        return VOICE_OK;
    }

    rc = voice_detect(detector, voice_span_str(insight->transcription),
                      &detected);

    if (rc == VOICE_OK && strcmp(detected.language, "und") != 0) {
        snprintf(insight->language, sizeof(insight->language), "%s",
                 detected.language);
    }

    return rc;
}


static voice_rc_t
embedded_sentiment(const worker_settings_t *settings,
    provider_insight_t *insight)
{
    voice_rc_t               rc;
    voice_span_t             rest, piece;
    voice_sentiment_t        sentiment;
    voice_sentiment_sums_t   sums;
    const voice_lexicon_t   *lexicon;

    memset(&sums, 0, sizeof(voice_sentiment_sums_t));
    snprintf(insight->method, sizeof(insight->method), "none");

    lexicon = insight->language[0] == '\0' ? NULL
              : analysis_lexicon(settings, voice_span_str(insight->language));

    rest = voice_span_str(lexicon == NULL ? "" : insight->transcription);

    while (rest.len > 0) {
        piece = piece_take(&rest);

        rc = voice_sentiment_add(lexicon, piece, &sums);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    if (lexicon != NULL) {
        snprintf(insight->method, sizeof(insight->method), "lexicon-%s",
                 voice_lexicon_head(lexicon)->language);
    }

    voice_sentiment_judge(&sums, &sentiment);

    snprintf(insight->sentiment, sizeof(insight->sentiment), "%s",
             voice_sentiment_name(sentiment.label));
    insight->score = sentiment.score;
    insight->confidence = sentiment.confidence;

    return VOICE_OK;
}


/*
 * Takes a piece off a text: up to a sentence's end near the largest size,
 * else up to a blank, else anywhere between two characters.
 */

static voice_span_t
piece_take(voice_span_t *rest)
{
    size_t        n, at, blank;
    voice_span_t  piece;

    n = rest->len;

    if (n > EMBEDDED_PIECE) {

        blank = 0;

        for (at = EMBEDDED_PIECE; at > EMBEDDED_PIECE - EMBEDDED_CUT; at--) {

            if (rest->ptr[at] != ' ' && rest->ptr[at] != '\n') {
                continue;
            }

            blank = blank == 0 ? at : blank;

            if (strchr(".!?", rest->ptr[at - 1]) != NULL) {
                break;
            }
        }

        n = at > EMBEDDED_PIECE - EMBEDDED_CUT ? at
            : blank > 0 ? blank : EMBEDDED_PIECE;

        while (((unsigned char) rest->ptr[n] & 0xc0) == 0x80) {
            n--;
        }
    }

    piece = voice_span(rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;

    return piece;
}


static voice_rc_t
embedded_summary(const worker_settings_t *settings,
    provider_insight_t *insight)
{
    voice_rc_t              rc;
    voice_summary_limits_t  limits;

    limits.sentences = EMBEDDED_SENTENCES;
    limits.bytes = EMBEDDED_SUMMARY;
    limits.language = voice_span_str(insight->language);
    limits.detector = analysis_detector(settings);

    rc = voice_summary(voice_span_str(insight->transcription), &limits,
                       &insight->summary);

    if (rc == VOICE_OK && insight->summary[0] == '\0') {
        free(insight->summary);
        insight->summary = NULL;
    }

    return rc;
}
