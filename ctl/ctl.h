
/*
 * voicectl: what every file of ctl/ shares.
 */

#ifndef CTL_H
#define CTL_H


#include <stdio.h>
#include <stdlib.h>

#include "voice_base.h"


#define CTL_VERSION  "1.1.0"


/*
 * Exit codes, for scripts and CI.  Once given they stay; their sentences
 * stand in ctl_help.c.
 */
typedef enum {
    CTL_OK = 0,
    CTL_FAILED = 1,                    /* the run or the probe failed */
    CTL_USAGE = 2,                     /* wrong words, options, settings */
    CTL_REFUSED = 3,                   /* 401, 403, or no credential */
    CTL_NOT_FOUND = 4,
    CTL_UNREACHABLE = 5,               /* no connection, TLS, no such host */
    CTL_TIMEOUT = 6,
    CTL_REJECTED = 7,                  /* 409, 412, 422: values or state */
    CTL_SERVICE = 8,                   /* 5xx, or a reply that is none */
    CTL_BUSY = 9,                      /* still 429 or 503 after waiting */
    CTL_LOCAL = 10,                    /* output, files, memory of ours */
    CTL_INTERRUPTED = 130
} ctl_exit_e;


typedef struct ctl_s            ctl_t;
typedef struct ctl_command_s    ctl_command_t;
typedef struct ctl_arguments_s  ctl_arguments_t;
typedef struct ctl_profile_s    ctl_profile_t;
typedef struct ctl_http_s       ctl_http_t;


/* What stdout is. */
typedef struct {
    int  terminal;
    int  color;
    int  error_terminal;               /* is stderr one? */
} ctl_screen_t;


struct ctl_s {
    const ctl_command_t  *command;
    ctl_arguments_t      *arguments;
    ctl_profile_t        *profile;
    ctl_http_t           *http;
    ctl_screen_t          screen;
    int64_t               deadline;    /* ctl_now() of its end; 0: none */
    int                   json;        /* --json */
    int                   quiet;
    int                   verbose;
};


#endif /* CTL_H */
