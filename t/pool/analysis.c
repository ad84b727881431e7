
/*
 * The embedded analysis of calls.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../../workers/provider.h"
#include "../unit/tap.h"


/* The recogniser's library never frees a grammar's rules. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libsphinxbase\nleak:libpocketsphinx\n";
}


static worker_settings_t  settings;


static provider_e
analyse(voice_span_t text, const char *language, provider_insight_t *insight)
{
    provider_e               rc;
    provider_call_t          call = { &settings, NULL, INT64_MAX };
    provider_fault_t         fault = { .reason = "" };
    provider_conversation_t  conversation;

    memset(insight, 0, sizeof(provider_insight_t));
    memset(&conversation, 0, sizeof(provider_conversation_t));
    conversation.text = text;
    conversation.language = voice_span_str(language);

    rc = provider_analysis_find("embedded")->analyse(&call, &conversation,
                                                     insight, &fault);
    if (rc != PROVIDER_OK) {
        printf("# %s\n", fault.reason);
    }

    return rc;
}


static void
texts(void)
{
    provider_fault_t    fault;
    provider_insight_t  insight;

    ok(analyse(VOICE_SPAN("Hello, my internet is not working. I am really "
                          "disappointed, this is the third time. Can you "
                          "send a technician?"), "", &insight)
       == PROVIDER_OK, "a text is analysed");
    ok(strncmp(insight.transcription, "Hello, my internet", 18) == 0,
       "it is the transcription");
    is(insight.language, "en", "its language is found");
    is(insight.sentiment, "negative", "its sentiment, too");
    is(insight.method, "lexicon-en", "with its method");
    ok(insight.score < -0.5 && insight.confidence > 0.6,
       "its score and confidence");
    ok(insight.summary != NULL && strlen(insight.summary) > 40,
       "and its summary");
    ok(provider_insight_check(&insight, 4096, &fault) == PROVIDER_OK,
       "all of it well formed");
    provider_insight_release(&insight);

    ok(analyse(VOICE_SPAN("nettini ei toimi"), "", &insight) == PROVIDER_OK,
       "so is one in a language that nobody knows");
    is(insight.language, "", "which is not told then");
    is(insight.method, "none", "nothing is felt");
    is(insight.sentiment, "neutral", "it is neutral");
    ok(insight.confidence <= 0, "without confidence");
    provider_insight_release(&insight);

    ok(analyse(VOICE_SPAN("great"), "en_us", &insight) == PROVIDER_OK,
       "so is one whose language was told");
    is(insight.language, "en-US", "which counts");
    is(insight.method, "lexicon-en", "by its primary subtag");
    is(insight.sentiment, "positive", "for the sentiment");
    provider_insight_release(&insight);

    ok(analyse(VOICE_SPAN(""), "", &insight) == PROVIDER_OK,
       "so is a call in which nobody said a word");
    ok(insight.summary == NULL, "it has no summary");
    is(insight.sentiment, "neutral", "and is neutral");
    provider_insight_release(&insight);
}


static void
long_text(void)
{
    char                *text;
    size_t               n, size;
    provider_insight_t   insight;

    static const char  sentence[] = "The gr\xc3\xbc\xc3\x9f service was not "
                                    "helpful and it is useless. ";

    size = 3 * 1024 * 1024;
    text = malloc(size);

    for (n = 0; n + sizeof(sentence) < size; n += sizeof(sentence) - 1) {
        memcpy(text + n, sentence, sizeof(sentence));
    }

    ok(analyse(voice_span(text, n), "", &insight) == PROVIDER_OK
       && strcmp(insight.sentiment, "negative") == 0
       && strcmp(insight.language, "en") == 0,
       "a text of three MiB is analysed");
    ok(insight.summary != NULL && strlen(insight.summary) <= 500,
       "its summary is short");
    provider_insight_release(&insight);

    memset(text, 'x', size);
    ok(analyse(voice_span(text, size), "de", &insight) == PROVIDER_OK,
       "and one of a single word");
    provider_insight_release(&insight);

    free(text);
}


/* The WAV file of a sentence; the caller frees its bytes. */
static voice_span_t
speech(const char *text)
{
    char                  *wav;
    size_t                 len;
    provider_call_t        call = { &settings, NULL, INT64_MAX };
    provider_fault_t       fault;
    provider_utterance_t   utterance = { voice_span_str(text),
                                         VOICE_SPAN("en"),
                                         VOICE_SPAN("slt") };

    if (provider_tts_flite.speak(&call, &utterance, &wav, &len, &fault)
        != PROVIDER_OK)
    {
        printf("Bail out! %s\n", fault.reason);
        exit(1);
    }

    return voice_span(wav, len);
}


static provider_e
hear(voice_span_t wav, const char *language, int64_t deadline_ms,
    provider_insight_t *insight)
{
    provider_call_t          call = { &settings, NULL, deadline_ms };
    provider_fault_t         fault;
    provider_conversation_t  conversation;

    memset(insight, 0, sizeof(provider_insight_t));
    memset(&conversation, 0, sizeof(provider_conversation_t));
    conversation.wav = wav;
    conversation.language = voice_span_str(language);

    return provider_analysis_find("embedded")->analyse(&call, &conversation,
                                                       insight, &fault);
}


static void
sounds(void)
{
    voice_span_t        wav;
    provider_insight_t  insight;

    wav = speech("It was expensive but worth every penny.");

    ok(hear(wav, "", INT64_MAX, &insight) == PROVIDER_OK,
       "a recording is analysed");
    is(insight.transcription, "it was expensive but worth every penny",
       "it is heard");
    is(insight.method, "pocketsphinx+lexicon-en", "with its method");
    is(insight.sentiment, "positive", "its sentiment is found");
    is(insight.language, "en", "and its language");
    ok(insight.confidence > 0 && insight.confidence < 1
       && insight.unheard_ms == 0, "all of it was heard");
    provider_insight_release(&insight);

    ok(hear(wav, "fi", INT64_MAX, &insight) == PROVIDER_OK
       && insight.transcription[0] == '\0'
       && strcmp(insight.method, "none") == 0,
       "what nobody here understands is not guessed at");
    provider_insight_release(&insight);

    ok(hear(wav, "en", 0, &insight) == PROVIDER_OK
       && insight.transcription[0] == '\0' && insight.unheard_ms > 2000,
       "without time nothing is heard, which is told");
    provider_insight_release(&insight);

    ok(hear(VOICE_SPAN("RIFF"), "en", INT64_MAX, &insight) == PROVIDER_DEAD,
       "what is no WAV file is refused");
    provider_insight_release(&insight);

    free((char *) wav.ptr);
}


int
main(void)
{
    settings.analysis_dir = "conf/analysis";
    settings.call_text_max = 1024 * 1024;
    settings.call_hear_seconds = 60;
    settings.cache_dir = "/nonexistent";

    texts();
    long_text();
    sounds();

    return done_testing();
}
