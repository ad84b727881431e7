
/*
 * One row of the tables of settings and how values of its type are read.
 * Private to worker_settings.c and worker_setting.c.
 */

#ifndef WORKER_SETTING_H
#define WORKER_SETTING_H


#include "worker_arena.h"
#include "worker_settings.h"


#define WORKER_SECRET_MAX  4096
#define WORKER_ROWS_MAX    256         /* of a table */


typedef struct worker_setting_s  worker_setting_t;


/* What is being read: the file, the section, the first thing wrong. */
typedef struct {
    worker_settings_t       *settings;
    worker_arena_t          *arena;
    const worker_setting_t  *table;    /* of the section */
    void                    *base;     /* struct that the table fills */
    unsigned char            seen[WORKER_ROWS_MAX];    /* set in this
                                          section, by row */
    unsigned                 line;
    char                    *problem;  /* WORKER_PROBLEM_MAX bytes */
} worker_reader_t;


/* Puts a value into its member; VOICE_OK, or the problem was written. */
typedef voice_rc_t (*worker_set_pt)(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);


struct worker_setting_s {
    const char     *name;
    worker_set_pt   set;
    size_t          offset;
    const char     *fallback;          /* as if written in the file */
    long            min;               /* of the number, or of the length */
    long            max;
    const char     *doc;
};


/* Each ends with a row without a name. */
extern const worker_setting_t  worker_root_table[];
extern const worker_setting_t  worker_profile_table[];

/* By worker_profile_e: word of the section; what is not set. */
extern const char *const  worker_profile_names[];
extern const char *const  worker_profile_providers[];
extern const int          worker_profile_open_ms[];


/* Reads a whole file into reader->settings; the problem is written. */
voice_rc_t worker_settings_load(worker_reader_t *reader, FILE *in);

/* Text of min .. max bytes. */
voice_rc_t worker_set_text(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* The same, a relative path starting at the directory of the file. */
voice_rc_t worker_set_path(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* A list of servers, see voice_endpoint.h; of at least min. */
voice_rc_t worker_set_endpoints(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* A path; the member gets what the file holds, white space at its end cut. */
voice_rc_t worker_set_secret(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* int, int64_t */
voice_rc_t worker_set_number(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
voice_rc_t worker_set_size(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* "yes" or "no" */
voice_rc_t worker_set_flag(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
voice_rc_t worker_set_level(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* "0" or "IP:PORT" into agent_listen and agent_port. */
voice_rc_t worker_set_listen(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
voice_rc_t worker_set_url(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
/* Empty or a path of a URL. */
voice_rc_t worker_set_suffix(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
voice_rc_t worker_set_mode(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
voice_rc_t worker_set_signature(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);

/* Writes "file:line: ..." as the problem; returns VOICE_INVALID. */
voice_rc_t worker_set_wrong(worker_reader_t *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* WORKER_SETTING_H */
