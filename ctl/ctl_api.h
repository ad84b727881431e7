
/*
 * Calls of the API: credentials, safe repetition, envelopes, problems.
 */

#ifndef CTL_API_H
#define CTL_API_H


#include "ctl_http.h"
#include "voice_json.h"


#define CTL_API_PAGE  100              /* items that the API gives at once */


/* Whom a call is made as. */
typedef enum {
    CTL_AS_CALLER = 0,
    CTL_AS_NOBODY                      /* login: no credential, no key */
} ctl_caller_e;


typedef struct {
    const char    *method;
    const char    *path;               /* with its ids, escaped */
    const json_t  *query;              /* texts by name; NULL: none */
    const json_t  *body;               /* NULL: none */
    ctl_caller_e   caller;
    int            calm;               /* a problem is not told */
    int            whole;              /* a list that has no pages */
} ctl_call_t;


typedef struct {
    int       status;
    json_t   *reply;                   /* the whole; owned */
    json_t   *data;                    /* borrowed of it; NULL: none */
} ctl_answer_t;


/*
 * Makes a call: waits for 429, 503 and broken connections as long as
 * --patience lets it, logs in anew once where a login ran out.  What is no
 * 2xx is told, unless the call is calm, and gives its exit code.  Release
 * the answer in all cases.
 */
ctl_exit_e ctl_api_call(ctl_t *ctl, const ctl_call_t *call,
    ctl_answer_t *answer);
void ctl_api_release(ctl_answer_t *answer);

/*
 * The items of a list, page by page, up to limit (0: all): a new array, to
 * be released; NULL with *rc set.  *total: how many there are.
 */
json_t *ctl_api_list(ctl_t *ctl, const ctl_call_t *call, size_t limit,
    size_t *total, ctl_exit_e *rc);

/* A path with its {} replaced, each by the next word; owned. */
char *ctl_api_path(const char *pattern, const char *const *words);

/* Whole URL of a path and query; owned. */
char *ctl_api_url(const ctl_t *ctl, const char *path, const json_t *query);

/*
 * Adds the header of the credential, logging in if need be.  *headers is
 * NULL or a list, which may move.
 */
ctl_exit_e ctl_api_credential(ctl_t *ctl, struct curl_slist **headers);

/* Tells a refusal as the API words it, and gives its exit code. */
ctl_exit_e ctl_api_refusal(const ctl_t *ctl, int status,
    const json_t *reply);
ctl_exit_e ctl_api_code(int status);

/* A random UUID (version 4), 36 characters and a NUL. */
void ctl_api_uuid(char out[37]);


#endif /* CTL_API_H */
