
/*
 * Fuzz target: a lexicon, a file of languages and the text behind the first
 * NUL, of which all is measured.
 */

#include <stdlib.h>

#include "voice_sentiment.h"
#include "voice_summary.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
check_sentiment(voice_span_t file, voice_span_t text)
{
    voice_rc_t              rc;
    voice_lexicon_t        *lexicon;
    voice_sentiment_t       sentiment;
    voice_lines_fault_t   fault;
    voice_sentiment_sums_t  sums;

    rc = voice_lexicon_parse(file, &lexicon, &fault);
    require((rc == VOICE_OK) == (lexicon != NULL));
    require(rc == VOICE_OK || fault.reason[0] != '\0');

    if (rc != VOICE_OK) {
        return;
    }

    memset(&sums, 0, sizeof(sums));

    if (voice_sentiment_add(lexicon, text, &sums) == VOICE_OK) {
        voice_sentiment_judge(&sums, &sentiment);
        require(sums.positive >= 0 && sums.negative >= 0);
        require(sentiment.score >= -1 && sentiment.score <= 1);
        require(sentiment.confidence >= 0 && sentiment.confidence <= 1);
    } else {
        require(!voice_text_valid(text));
    }

    voice_lexicon_destroy(lexicon);
}


static void
check_summary(const voice_detector_t *detector, voice_span_t text)
{
    char                    *summary;
    voice_summary_limits_t   limits;

    limits.sentences = 1 + text.len % 4;
    limits.bytes = 16 + text.len % 64;
    limits.language = VOICE_SPAN("en");
    limits.detector = detector;

    if (voice_summary(text, &limits, &summary) == VOICE_OK) {
        require(strlen(summary) <= limits.bytes);
        require(voice_text_valid(voice_span_str(summary))
                || memchr(text.ptr, '\0', text.len) != NULL);
        free(summary);
    }
}


static void
check_language(voice_span_t file, voice_span_t text)
{
    voice_rc_t             rc;
    voice_detected_t       detected;
    voice_detector_t      *detector;
    voice_lines_fault_t  fault;

    rc = voice_detector_parse(file, &detector, &fault);
    require((rc == VOICE_OK) == (detector != NULL));
    require(rc == VOICE_OK || fault.reason[0] != '\0');

    if (rc == VOICE_OK && voice_detect(detector, text, &detected) == VOICE_OK)
    {
        require(detected.confidence >= 0 && detected.confidence <= 1);
        require(detected.language[0] != '\0');
    }

    check_summary(detector, text);
    voice_detector_destroy(detector);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char    *all, *end;
    voice_span_t   file, text;

    all = (const char *) data;
    end = size > 0 ? memchr(all, '\0', size) : NULL;

    file = voice_span(all, end == NULL ? size : (size_t) (end - all));
    text = end == NULL ? voice_span("", 0)
                       : voice_span(end + 1, size - file.len - 1);

    check_sentiment(file, text);
    check_language(file, text);

    return 0;
}
