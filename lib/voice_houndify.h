
/*
 * Houndify's protocol: both ways to sign a request, the request's JSON, the
 * answer's objects.  Clocks, ids and sockets are the caller's.
 *
 * Scheme R (the public service): headers
 *     Hound-Request-Authentication: UserID;RequestID
 *     Hound-Client-Authentication: ClientID;Timestamp;Signature
 * Scheme S (the source documents): headers
 *     Hound-Client-ID, Hound-Request-ID, Hound-Request-Timestamp,
 *     Hound-Request-Signature
 *
 * A client sends both; R is left out if the key is not valid base64url.
 */

#ifndef VOICE_HOUNDIFY_H
#define VOICE_HOUNDIFY_H


#include <jansson.h>

#include "voice_base.h"


#define VOICE_HOUNDIFY_SIGNATURE  44   /* bytes of a signature */
#define VOICE_HOUNDIFY_STALE      300  /* seconds a timestamp may be off */
#define VOICE_HOUNDIFY_ID_MAX     128  /* bytes of an id */
#define VOICE_HOUNDIFY_KEY_MAX    256  /* bytes of a client key, as text */
#define VOICE_HOUNDIFY_ANSWER_MAX (16u * 1024 * 1024)  /* bytes */


/* Who asks. */
typedef struct {
    voice_span_t  client_id;
    voice_span_t  client_key;          /* secret: base64url for R, raw for S */
} voice_houndify_client_t;


/* What is signed. */
typedef struct {
    voice_span_t  user_id;             /* scheme R only */
    voice_span_t  request_id;
    int64_t       timestamp;           /* unix seconds */
} voice_houndify_stamp_t;


/*
 * Signatures, NUL terminated: R is padded base64url, S padded base64.
 * VOICE_INVALID: an id is empty, too long or holds ";" or a control
 * character, or the key is not base64url (R).
 */
voice_rc_t voice_houndify_sign_r(const voice_houndify_client_t *client,
    const voice_houndify_stamp_t *stamp,
    char out[VOICE_HOUNDIFY_SIGNATURE + 1]) VOICE_MUST_CHECK;
voice_rc_t voice_houndify_sign_s(const voice_houndify_client_t *client,
    const voice_houndify_stamp_t *stamp,
    char out[VOICE_HOUNDIFY_SIGNATURE + 1]) VOICE_MUST_CHECK;


typedef enum {
    VOICE_HOUNDIFY_VALID = 0,
    VOICE_HOUNDIFY_MISSING,            /* none of the headers: 401 */
    VOICE_HOUNDIFY_MALFORMED,          /* 400 */
    VOICE_HOUNDIFY_UNKNOWN,            /* another client id: 401 */
    VOICE_HOUNDIFY_STALE_TIME,         /* 403 */
    VOICE_HOUNDIFY_WRONG               /* the signature: 403 */
} voice_houndify_auth_e;


/* Values of a request's headers as received; empty spans if absent. */
typedef struct {
    voice_span_t  request_authentication;      /* R */
    voice_span_t  client_authentication;       /* R */
    voice_span_t  client_id;                   /* S */
    voice_span_t  request_id;                  /* S */
    voice_span_t  timestamp;                   /* S */
    voice_span_t  signature;                   /* S */
} voice_houndify_headers_t;


/*
 * A server's check: whichever scheme is there must hold, both if both are.
 * stamp, if not NULL, gets the ids on VOICE_HOUNDIFY_VALID, pointing into
 * the headers.  Compares in constant time.
 */
voice_houndify_auth_e voice_houndify_verify(
    const voice_houndify_client_t *client,
    const voice_houndify_headers_t *headers, int64_t now,
    voice_houndify_stamp_t *stamp) VOICE_MUST_CHECK;

/* A result as a sentence and as the HTTP status of a refusal. */
const char *voice_houndify_reason(voice_houndify_auth_e result);
unsigned voice_houndify_status(voice_houndify_auth_e result);


/* What RequestInfo is built from; empty spans and NULLs are left out. */
typedef struct {
    voice_span_t   client_id;
    voice_span_t   user_id;
    voice_span_t   request_id;
    int64_t        timestamp;          /* unix seconds, 0: left out */
    voice_span_t   language_tag;       /* "en-US" */
    voice_span_t   language_name;      /* "English" */
    voice_span_t   time_zone;
    const json_t  *conversation_state; /* of the answer before */
    const json_t  *conversation_time;  /* its ConversationStateTime */
    int            partials;           /* wish partial transcripts */
    int            response_audio;     /* wish spoken answer as WAV */
} voice_houndify_info_t;


/* RequestInfo as a JSON object that the caller owns; NULL: no memory. */
json_t *voice_houndify_request_info(const voice_houndify_info_t *info)
    VOICE_MUST_CHECK;


typedef enum {
    VOICE_HOUNDIFY_NOTHING = 0,
    VOICE_HOUNDIFY_PARTIAL,
    VOICE_HOUNDIFY_FINAL
} voice_houndify_object_e;


/*
 * An answer as it grows.  Spans and borrowed values point into objects that
 * the answer holds; start with all zero, end with
 * voice_houndify_answer_release().
 */
typedef struct {
    unsigned       partials;           /* how many were read */
    voice_span_t   partial;            /* last partial transcript */
    int            safe_to_stop;       /* server wants no more audio */
    int            final;              /* the final object was read */
    int            ok;                 /* its Status is "OK" */
    voice_span_t   error;              /* ErrorMessage */
    voice_span_t   transcription;
    double         confidence;         /* of the transcription, 0..1,
                                          negative: not told */
    voice_span_t   command_kind;
    voice_span_t   spoken;             /* SpokenResponse */
    voice_span_t   written;            /* WrittenResponse */
    voice_span_t   intent;             /* NativeData.Intent or .intent */
    const json_t  *entities;           /* NativeData.Entities or .entities */
    const json_t  *native;             /* NativeData, borrowed */
    const json_t  *conversation_state; /* borrowed, NULL: none */
    const json_t  *conversation_time;
    voice_span_t   audio;              /* ResponseAudioBytes: base64 text */
    json_t        *last_partial;       /* private */
    json_t        *last_final;         /* private */
} voice_houndify_answer_t;


/*
 * Reads one object (a line of the answer).  *kind says what it was; blank
 * lines and lengths (ObjectByteCountPrefixes) are VOICE_HOUNDIFY_NOTHING, as
 * are objects of an unknown Format.  A member of another type than expected
 * is as good as absent.  VOICE_INVALID: not JSON, no object, a final object
 * without "Status", or a second final; VOICE_LIMIT: over
 * VOICE_HOUNDIFY_ANSWER_MAX.
 */
voice_rc_t voice_houndify_read(voice_houndify_answer_t *answer,
    voice_span_t line, voice_houndify_object_e *kind) VOICE_MUST_CHECK;

/*
 * Reads a whole body into an answer that holds nothing yet; VOICE_INVALID
 * also if no final object is in it.
 */
voice_rc_t voice_houndify_read_all(voice_houndify_answer_t *answer,
    voice_span_t body) VOICE_MUST_CHECK;

void voice_houndify_answer_release(voice_houndify_answer_t *answer);


#endif /* VOICE_HOUNDIFY_H */
