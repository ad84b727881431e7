
/*
 * What a command is: a row of a table, from which parsing, help, completion
 * and the manual page are made.
 */

#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H


#include "ctl_table.h"


#define CTL_COMMAND_NAME_MAX  40


/* What an option's value is. */
typedef enum {
    CTL_FLAG = 0,
    CTL_TEXT,
    CTL_NUMBER,                        /* an integer, min to max */
    CTL_SECONDS,                       /* 90, 90s, 15m, 2h: min to max s */
    CTL_CHOICE,                        /* one of choices */
    CTL_PAIR,                          /* NAME=VALUE */
    CTL_JSON,                          /* a text, or @FILE */
    CTL_FILE                           /* a path, for completion */
} ctl_kind_e;


/* Where a value goes. */
typedef enum {
    CTL_HERE = 0,                      /* the command reads it itself */
    CTL_QUERY,
    CTL_BODY
} ctl_place_e;


/* A row without a name ends a list. */
typedef struct {
    const char   *name;                /* without the dashes */
    char          letter;              /* the short form; 0: none */
    ctl_kind_e    kind;
    const char   *value;               /* what help calls it; NULL: flag */
    const char   *help;                /* a sentence without its stop */
    const char   *choices;             /* "a|b"; NULL: any */
    ctl_place_e   place;
    const char   *member;              /* its name in the API; NULL: name */
    long          min;
    long          max;                 /* 0 and 0: no bounds */
    unsigned      repeat:1;            /* may be given several times */
} ctl_option_t;


/* How a member of a reply is shown. */
typedef enum {
    CTL_AS_TEXT = 0,
    CTL_AS_STATE,                      /* coloured by its word */
    CTL_AS_TIME,                       /* UTC, to the second */
    CTL_AS_NUMBER,
    CTL_AS_PERCENT,                    /* of 0 .. 1 */
    CTL_AS_MS,                         /* milliseconds: 340 ms, 2.5 s, 4 m */
    CTL_AS_SECONDS,
    CTL_AS_YES                         /* "yes" or nothing */
} ctl_as_e;


/* A column of a list; a row without a title ends it. */
typedef struct {
    const char  *title;
    const char  *member;               /* a JSON Pointer */
    ctl_as_e     as;
    unsigned     flexible:1;           /* as of ctl_column_t */
    unsigned     spare:1;
} ctl_field_t;


/* What a command asks of the API, where it asks one thing. */
typedef struct {
    const char         *method;
    const char         *path;          /* each {} is the next word */
    const ctl_field_t  *fields;        /* of a list; NULL: it is none */
    const char         *said;          /* "paused": what was done; NULL:
                                          the reply is shown */
    const char         *empty;         /* of a list without anything */
    const char         *confirm;       /* asked on a terminal, else --yes */
    const char         *ids;           /* member that the words go to */
    unsigned            whole:1;       /* the list has no pages */
} ctl_request_t;


typedef ctl_exit_e (*ctl_run_pt)(ctl_t *ctl);


struct ctl_command_s {
    const char            *name;       /* "jobs dead list" */
    const char            *summary;    /* a line, without a stop */
    const char            *words;      /* "JOB..."; NULL: none */
    unsigned               min;        /* words */
    unsigned               max;        /* 0 with words: any number */
    ctl_run_pt             run;        /* NULL: a group */
    const ctl_option_t    *options;    /* NULL: none of its own */
    const ctl_request_t   *request;
    const char            *about;      /* paragraphs; NULL: none */
    const char            *examples;   /* lines: "command  # why" */
    const char            *usual;      /* of a group: what it is alone */
    const char            *completes;  /* its words: "a b"; NULL: any */
    unsigned               platform:1; /* the platform's operators only */
    unsigned               local:1;    /* asks nobody */
};


/* What every command takes; a row without a name ends them. */
extern const ctl_option_t  ctl_global_options[];


/* All commands, in the order of help: the first for NULL; NULL: no more. */
const ctl_command_t *ctl_command_next(const ctl_command_t *command);

/* NULL: there is none of that name. */
const ctl_command_t *ctl_command_find(voice_span_t name);

/* Is there one whose name has this one's words as its beginning? */
int ctl_command_is_group(const ctl_command_t *command);

/* The parent's name: "jobs" of "jobs list", "" of "jobs". */
voice_span_t ctl_command_parent(const char *name);

/* The command that looks most like a wrong name; NULL: none does. */
const ctl_command_t *ctl_command_like(const char *name);


#endif /* CTL_COMMAND_H */
