
/*
 * The outside that the jobs need, each kind of it behind one small struct:
 * text to speech, speech to text, voice agents under test, embeddings,
 * analysis of calls.  A new provider is one file and a row in the table of
 * provider.c.
 */

#ifndef PROVIDER_H
#define PROVIDER_H


#include <jansson.h>

#include "../lib/voice_audio.h"
#include "worker.h"
#include "worker_http.h"
#include "worker_settings.h"


#define PROVIDER_REASON_MAX  200
#define PROVIDER_TEXT_MAX    (64 * 1024)       /* bytes of a text */
#define PROVIDER_JSON_MAX    (256 * 1024)      /* bytes of JSON that we keep */
#define PROVIDER_AUDIO_MAX   (16u * 1024 * 1024)       /* bytes of a WAV */


typedef enum {
    PROVIDER_OK = 0,
    PROVIDER_UNSUPPORTED,              /* not in this language or voice */
    PROVIDER_RETRY,                    /* passing fault */
    PROVIDER_OPEN,                     /* not asked: its circuit is open */
    PROVIDER_DEAD                      /* will never work */
} provider_e;


/* Why it did not work. */
typedef struct {
    char  reason[PROVIDER_REASON_MAX]; /* a sentence without any secret */
    int   retry_after;                 /* seconds, 0: not told */
    int   garbage;                     /* bool: an answer, and no good one */
} provider_fault_t;


/* Who calls, for whom. */
typedef struct {
    const worker_settings_t  *settings;        /* NULL: tts keeps nothing */
    const worker_profile_t   *profile;         /* NULL: embedded */
    int64_t                   deadline_ms;     /* worker_now_ms() */
} provider_call_t;


/* --- text to speech ------------------------------------------------------ */

typedef struct {
    voice_span_t  text;
    voice_span_t  language;            /* BCP 47 */
    voice_span_t  voice;               /* empty: the engine's first */
} provider_utterance_t;


typedef struct {
    const char  *name;                 /* "flite" */

    /* A WAV file, 16 kHz mono, that the caller frees. */
    provider_e (*speak)(const provider_call_t *call,
        const provider_utterance_t *utterance, char **wav, size_t *len,
        provider_fault_t *fault);
} provider_tts_t;


/* --- speech to text ------------------------------------------------------ */

typedef struct {
    voice_span_t  wav;
    voice_span_t  language;
    const char   *domain;              /* whose answers these are */
} provider_recording_t;


typedef struct {
    char    *text;                     /* "" if nothing was understood; the
                                          caller frees it */
    double   confidence;               /* 0..1; negative: not told */
    char     method[64];               /* "pocketsphinx-grammar" */
    char     verdict[16];              /* "heard", "silence", "noise",
                                          "foreign"; others have "heard" */
} provider_transcript_t;


typedef struct {
    const char  *name;                 /* "pocketsphinx" */

    provider_e (*transcribe)(const provider_call_t *call,
        const provider_recording_t *recording,
        provider_transcript_t *transcript, provider_fault_t *fault);
} provider_asr_t;


/* --- voice agents under test --------------------------------------------- */

typedef struct {
    voice_span_t   text;               /* what is said */
    voice_span_t   wav;                /* the same, spoken */
    voice_span_t   language;
    voice_span_t   conversation_id;
    voice_span_t   voice;              /* we speak with */
    const char    *domain;             /* may be NULL */
    const json_t  *context;            /* of the test; may be NULL */
    const json_t  *conversation_state; /* of the turn before; NULL: none */
} provider_turn_t;


/* What an agent answered; provider_answer_release() frees it. */
typedef struct {
    int        audio_sent;             /* we spoke, else we wrote */
    char      *response_text;          /* what it says; NULL: nothing */
    char      *written_response;       /* NULL: nothing */
    char      *transcript;             /* what it heard; NULL: not told */
    char      *intent;                 /* NULL: not told */
    char      *command_kind;           /* NULL: not told */
    json_t    *entities;               /* object; NULL: not told */
    json_t    *conversation_state;     /* NULL: not told */
    double     asr_confidence;         /* 0..1; negative: not told */
    unsigned   partials;
    char      *wav;                    /* spoken answer; NULL: none */
    size_t     wav_len;
    int64_t    first_byte_ms;          /* from the start of the request */
    int64_t    final_result_ms;
    int64_t    network_ms;             /* connecting, TLS and sending */
} provider_answer_t;


typedef struct provider_agent_s  provider_agent_t;

struct provider_agent_s {
    const char  *name;                 /* "houndify" */

    /* One turn of a conversation. */
    provider_e (*converse)(const provider_call_t *call,
        const provider_turn_t *turn, provider_answer_t *answer,
        provider_fault_t *fault);
};


void provider_answer_release(provider_answer_t *answer);

/*
 * Is an answer small enough to be kept and measured?  A confidence that is
 * none becomes one that was not told.  PROVIDER_OK or PROVIDER_DEAD.
 */
provider_e provider_answer_check(provider_answer_t *answer,
    provider_fault_t *fault) VOICE_MUST_CHECK;


/* --- embeddings ---------------------------------------------------------- */

typedef struct {
    const char  *name;                 /* "openai" */

    /* Cosine of the two texts' embeddings, 0..1. */
    provider_e (*similarity)(const provider_call_t *call, voice_span_t a,
        voice_span_t b, double *similarity, provider_fault_t *fault);
} provider_embeddings_t;


/* --- analysis of calls --------------------------------------------------- */

/* A call as it was recorded: a text or a WAV file, the other one is empty. */
typedef struct {
    voice_span_t  call_id;             /* external id */
    voice_span_t  text;                /* UTF-8, packets joined by spaces */
    voice_span_t  wav;                 /* 16 bit mono, 8 to 48 kHz; a mapped
                                          file of any length */
    voice_span_t  language;            /* BCP 47; empty: to be detected */
    int64_t       packets;             /* that there are */
    int64_t       missing;             /* that never came */
} provider_conversation_t;


/* What came of it; provider_insight_release() frees it. */
typedef struct {
    char    *transcription;            /* never NULL after PROVIDER_OK */
    int64_t  cut;                      /* bytes of it left out */
    int64_t  unheard_ms;               /* of a recording, for which there
                                          was no time */
    char    *summary;                  /* NULL: not told */
    char     sentiment[16];            /* "positive", "negative", "neutral" */
    double   score;                    /* -1..1; NAN: not told */
    double   confidence;               /* 0..1; negative: not told */
    char     method[64];               /* "lexicon", "openai:gpt-4o-mini" */
    char     language[36];             /* BCP 47; "": not told */
} provider_insight_t;


typedef struct {
    const char  *name;                 /* "http" */

    /* *insight is zero before; released by the caller whatever came. */
    provider_e (*analyse)(const provider_call_t *call,
        const provider_conversation_t *conversation,
        provider_insight_t *insight, provider_fault_t *fault);
} provider_analysis_t;


void provider_insight_release(provider_insight_t *insight);

/* Language and summary by our own measures, where none were told. */
voice_rc_t provider_insight_complete(const provider_call_t *call,
    voice_span_t language, provider_insight_t *insight) VOICE_MUST_CHECK;

/*
 * Is it well formed?  Texts over max bytes are cut, which is counted for the
 * transcription.  PROVIDER_OK, or PROVIDER_RETRY: what made it may do better
 * the next time.
 */
provider_e provider_insight_check(provider_insight_t *insight, size_t max,
    provider_fault_t *fault) VOICE_MUST_CHECK;


/* --- tables -------------------------------------------------------------- */

/* By name; NULL if unknown. */
const provider_agent_t *provider_agent_find(const char *name);
const provider_asr_t *provider_asr_find(const char *name);
const provider_embeddings_t *provider_embeddings_find(const char *name);
const provider_analysis_t *provider_analysis_find(const char *name);

extern const provider_tts_t         provider_tts_flite;
extern const provider_asr_t         provider_asr_pocketsphinx;
extern const provider_asr_t         provider_asr_openai;
extern const provider_agent_t       provider_agent_houndify;
extern const provider_agent_t       provider_agent_http;
extern const provider_embeddings_t  provider_embeddings_openai;
extern const provider_analysis_t    provider_analysis_embedded;
extern const provider_analysis_t    provider_analysis_http;
extern const provider_analysis_t    provider_analysis_openai;

/* Writes a fault; returns its kind. */
provider_e provider_fail(provider_fault_t *fault, provider_e kind,
    const char *reason, ...) __attribute__((format(printf, 3, 4)));

/* What a failed call means: who is named first in the reason. */
provider_e provider_http_fault(const char *who,
    const worker_http_reply_t *reply, provider_fault_t *fault);

/* A copy of text at a JSON Pointer; NULL: none there. */
char *provider_text_at(const json_t *root, const char *pointer);
/* A copy that the caller frees; NULL for an empty span. */
char *provider_copy(voice_span_t text);

/* Decodes base64 into memory that the caller frees; NULL: not base64. */
char *provider_base64(voice_span_t text, size_t *len);


#endif /* PROVIDER_H */
