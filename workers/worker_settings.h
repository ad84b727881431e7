
/*
 * The settings of the pool: read once from conf/workers.conf, checked whole,
 * then never changed.  The tables in worker_settings.c are the only list of
 * keys; `voicegate-worker --settings` prints them (docs/workers.md).
 */

#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H


#include <stdio.h>

#include "voice_endpoint.h"
#include "worker.h"


#define WORKER_QUEUES_MAX    16
#define WORKER_CHILDREN_MAX  256       /* of all queues, and a few beside */
#define WORKER_PROFILES_MAX  64        /* sections of all kinds together */
#define WORKER_PROBLEM_MAX   512


typedef struct {
    char  name[40];                    /* of core.job's kind's queue */
    int   children;                    /* 1 .. 64: there are at least */
    int   children_max;                /* as many as work.heartbeat() asks
                                          for, up to so many */
} worker_queue_t;


typedef enum {
    WORKER_PROFILE_AGENT = 0,          /* [agent NAME]: voice agent to test */
    WORKER_PROFILE_ASR,                /* [asr NAME]: speech to text */
    WORKER_PROFILE_EMBEDDINGS,         /* [embeddings NAME] */
    WORKER_PROFILE_ANALYSIS,           /* [analysis NAME]: of calls */
    WORKER_PROFILE_COUNT
} worker_profile_e;


/* A provider as a section of the file configures it. */
typedef struct {
    worker_profile_e  kind;
    const char       *name;            /* of the section */
    const char       *provider;        /* "houndify", "http", "openai", ...;
                                          the kind's default if not set */
    const char       *base_url;        /* http:// or https://, no slash at
                                          the end; "" if not set */
    const char       *path;            /* "/v1/text": added to base_url for
                                          text; "" if not set */
    const char       *audio_path;      /* the same for audio; "" */
    const char       *mode;            /* "audio" or "text": what we send */
    const char       *client_id;       /* "" if not set */
    const char       *client_key;      /* secret, from client_key_file; "" */
    const char       *api_key;         /* secret, from api_key_file; "" */
    const char       *signature;       /* "both", "public" or "document":
                                          Houndify's header schemes */
    const char       *model;           /* that an endpoint is asked for; ""
                                          if not set */
    const char       *audio_model;     /* the same for audio; "" */
    const char       *text_pointer;    /* JSON Pointer to the text of a
                                          reply; "" = provider's default */
    const char       *audio_pointer;   /* JSON Pointer to base64 audio */
    int               connect_ms;      /* 1 .. 60000 */
    int               timeout_ms;      /* of one attempt, 1 .. 600000 */
    int               retries;         /* after the first, 0 .. 10; not of
                                          an analysis: its jobs retry */
    int               open_ms;         /* how long a host that failed is
                                          left alone */
    int64_t           max_response;    /* bytes of a reply that we read */
    int               allow_private;   /* bool: private and loopback
                                          addresses may be called */
} worker_profile_t;


struct worker_settings_s {
    const char        *file;           /* where this was read from */
    const char        *worker_name;    /* default "<host>:<pid>" */

    voice_endpoints_t  postgres;       /* postgres_host, each with a port */
    int                postgres_port;
    const char        *postgres_dbname;
    const char        *postgres_user;
    const char        *postgres_password;      /* secret; "" none */
    int                postgres_connect_seconds;
    int                postgres_statement_ms;
    int                postgres_wait_seconds;  /* at start, for it to be up */

    const char        *shard;          /* name of the database at the edge,
                                          "" = the main one */

    voice_endpoints_t  redis;          /* redis_host, each with a port */
    voice_endpoints_t  sentinels;      /* asked instead; n 0: none */
    const char        *redis_master;   /* that Sentinels are asked for */
    const char        *sentinel_user;  /* "" = default */
    const char        *sentinel_password;      /* secret; "" none */
    int                redis_port;
    const char        *redis_user;     /* ACL user, "" = default */
    const char        *redis_password; /* secret; "" none */
    int                redis_timeout_ms;

    const char        *publish_socket; /* nginx's internal publisher; "" = no
                                          relay */
    const char        *object_dir;     /* worker_object.h */
    const char        *speech_dir;     /* domain files */
    const char        *analysis_dir;   /* lexicons, words of languages */
    const char        *cache_dir;      /* spoken inputs, by content hash */
    const char        *log_file;       /* "" = standard error */
    const char        *pid_file;       /* "" = none */
    int                log_level;      /* worker_log.h */

    const char        *agent_listen;   /* address of the built-in voice
                                          agent; "" = off */
    int                agent_port;     /* 0 = off */

    const char        *default_agent;  /* profile for what names none */
    const char        *default_asr;
    const char        *default_embeddings;     /* "" = lexical measure */
    int                call_hear_seconds;      /* of a recording */
    int64_t            recording_max;  /* bytes of a call's WAV file */
    const char        *default_analysis;       /* "" = embedded */
    int64_t            call_text_max;  /* bytes of a call's text */

    int                grace_seconds;  /* graceful stop, then kill */
    int                beat_ms;
    int                keeper_ms;
    int                purge_seconds;
    int                packet_days;    /* that packets are kept */
    int                relay_ms;
    int                relay_batch;
    int                poll_ms;        /* claim without Redis */
    int                block_ms;       /* XREADGROUP BLOCK */
    int                child_jobs;     /* then a child makes place */
    int                lease_ms;       /* without a beat that was answered */
    int                guard_cpu;      /* percent; 0 = off */
    int                guard_memory_mb;        /* 0 = off */

    worker_queue_t     queues[WORKER_QUEUES_MAX];
    unsigned           nqueues;
    worker_profile_t  *profiles;
    unsigned           nprofiles;

    void              *memory;         /* private: owns all strings */
};


/*
 * Reads and checks a file.  NULL on failure: problem holds one line, made as
 * "file:line: reason".  The caller destroys the result.
 */
worker_settings_t *worker_settings_read(const char *file,
    char problem[WORKER_PROBLEM_MAX]) VOICE_MUST_CHECK;
void worker_settings_destroy(worker_settings_t *settings);

/*
 * The profile of a kind with that name; an empty or NULL name asks for the
 * kind's default.  Borrowed; NULL if there is none.
 */
const worker_profile_t *worker_settings_profile(
    const worker_settings_t *settings, worker_profile_e kind,
    const char *name);

/* Prints the reference of all keys as Markdown. */
void worker_settings_print(FILE *out);


#endif /* WORKER_SETTINGS_H */
