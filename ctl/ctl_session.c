
/*
 * Logins.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "ctl_api.h"
#include "ctl_json.h"
#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_session.h"
#include "ctl_signal.h"


#define SESSION_SPARE  30              /* seconds that a token must have */
#define SESSION_TURN   50              /* ms between looks at a lock */


static int lock(const ctl_t *ctl);
static json_t *load(const ctl_t *ctl);
static ctl_exit_e find_token(ctl_t *ctl, const char *refused);
static ctl_exit_e refresh(ctl_t *ctl, const json_t *session);
static ctl_exit_e ask(ctl_t *ctl, const char *path, const json_t *body,
    const char *email);
static ctl_exit_e keep(ctl_t *ctl, const json_t *data, const char *email);
static void use_token(ctl_t *ctl, const char *token);


ctl_exit_e
ctl_session_token(ctl_t *ctl)
{
    return find_token(ctl, "");
}


int
ctl_session_renew(ctl_t *ctl)
{
    int    good;
    char  *refused;

    if (ctl->profile->session == NULL || ctl->profile->token == NULL) {
        return 0;
    }

    refused = ctl->profile->token;
    ctl->profile->token = NULL;
    good = find_token(ctl, refused) == CTL_OK;

    if (!good) {
        ctl->profile->token = refused;

    } else {
        explicit_bzero(refused, strlen(refused));
        free(refused);
    }

    return good;
}


ctl_exit_e
ctl_session_begin(ctl_t *ctl, const char *email, const char *password,
    const char *tenant)
{
    json_t      *body;
    ctl_exit_e   rc;

    body = json_pack("{s:s, s:s, s:s*}", "email", email, "password",
                     password, "tenant_id", tenant);
    if (body == NULL) {
        return ctl_problem(ctl, CTL_USAGE, "email and password are UTF-8");
    }

    rc = ask(ctl, "/api/v1/auth/login", body, email);
    json_decref(body);

    return rc;
}


ctl_exit_e
ctl_session_end(ctl_t *ctl)
{
    json_t        *session;
    ctl_call_t     call = { .method = "POST",
                            .path = "/api/v1/auth/logout", .calm = 1 };
    ctl_exit_e     rc;
    ctl_answer_t   answer;

    session = load(ctl);

    if (session == NULL) {
        return ctl_problem(ctl, CTL_REFUSED, "nobody is logged in");
    }

    json_decref(session);
    rc = ctl_session_token(ctl);

    if (rc == CTL_OK) {
        rc = ctl_api_call(ctl, &call, &answer);
        ctl_api_release(&answer);
    }

    if (unlink(ctl->profile->session) == -1) {
        return ctl_problem(ctl, CTL_LOCAL, "%s: %s", ctl->profile->session,
                           strerror(errno));
    }

    if (rc != CTL_OK && rc != CTL_REFUSED) {
        ctl_note(ctl, "voicectl: the login is forgotten here, but %s could "
                 "not be told", ctl->profile->url);
    }

    return CTL_OK;
}


/* One that is still good and not the refused one, or a new one. */
static ctl_exit_e
find_token(ctl_t *ctl, const char *refused)
{
    int              fd;
    json_t          *session;
    ctl_exit_e       rc;
    ctl_profile_t   *profile;

    profile = ctl->profile;
    fd = profile->session == NULL ? -1 : lock(ctl);
    session = profile->session == NULL ? NULL : load(ctl);

    if (ctl_interrupted()) {
        rc = CTL_INTERRUPTED;

    } else if (session != NULL
               && strcmp(ctl_json_text(session, "access_token"), refused) != 0
               && json_integer_value(json_object_get(session, "expires_at"))
                  > (json_int_t) time(NULL) + SESSION_SPARE)
    {
        use_token(ctl, ctl_json_text(session, "access_token"));
        rc = CTL_OK;

    } else {
        rc = session == NULL ? CTL_REFUSED : refresh(ctl, session);

        if (rc == CTL_REFUSED && profile->password != NULL) {
            rc = ctl_session_begin(ctl, profile->email, profile->password,
                                   NULL);

        } else if (rc == CTL_REFUSED) {
            ctl_problem(ctl, rc, session == NULL
                        ? "nobody is logged in at %s: voicectl login, or set "
                          "VOICEGATE_API_KEY"
                        : "the login at %s has ended: voicectl login",
                        profile->url);
        }
    }

    json_decref(session);

    if (fd != -1) {
        close(fd);
    }

    return rc;
}


/* -1: without one, as there is no such directory yet, or none for us. */
static int
lock(const ctl_t *ctl)
{
    int    fd;
    char  *path;

    path = ctl_format("%s.lock", ctl->profile->session);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);

    while (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1
           && errno == EWOULDBLOCK && ctl_pause(SESSION_TURN))
    {
        /* void */
    }

    return fd;
}


/* NULL: there is none for this URL. */
static json_t *
load(const ctl_t *ctl)
{
    char    *line;
    json_t  *session;

    if (ctl->profile->session == NULL
        || access(ctl->profile->session, F_OK) == -1)
    {
        return NULL;
    }

    line = ctl_secret_read(ctl, ctl->profile->session, 0077);
    session = line == NULL ? NULL
              : json_loads(line, JSON_REJECT_DUPLICATES, NULL);

    if (line != NULL) {
        explicit_bzero(line, strlen(line));
        free(line);
    }

    if (session != NULL
        && strcmp(ctl_json_text(session, "url"), ctl->profile->url) != 0)
    {
        json_decref(session);
        return NULL;
    }

    return session;
}


static ctl_exit_e
refresh(ctl_t *ctl, const json_t *session)
{
    json_t      *body;
    ctl_exit_e   rc;

    body = json_pack("{s:s}", "refresh_token",
                     ctl_json_text(session, "refresh_token"));
    rc = ask(ctl, "/api/v1/auth/refresh", body,
             ctl_json_text(session, "email"));
    json_decref(body);

    return rc;
}


/* A refresh that is refused is not told: a login may follow. */
static ctl_exit_e
ask(ctl_t *ctl, const char *path, const json_t *body, const char *email)
{
    ctl_call_t     call = { .method = "POST", .path = path, .body = body,
                            .caller = CTL_AS_NOBODY };
    ctl_exit_e     rc;
    ctl_answer_t   answer;

    call.calm = json_object_get(body, "refresh_token") != NULL;
    rc = ctl_api_call(ctl, &call, &answer);

    if (rc == CTL_OK) {
        rc = keep(ctl, answer.data, email);

    } else if (call.calm && rc != CTL_REFUSED) {
        /* 422 is a token of another time */
        rc = answer.status == 422 ? CTL_REFUSED
             : ctl_problem(ctl, rc, "the login at %s could not be renewed",
                           ctl->profile->url);
    }

    ctl_api_release(&answer);

    return rc;
}


static ctl_exit_e
keep(ctl_t *ctl, const json_t *data, const char *email)
{
    char            *line;
    json_t          *session;
    ctl_exit_e       rc;
    const json_t    *tokens;

    tokens = json_object_get(data, "tokens");
    session = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}",
        "url", ctl->profile->url, "email", email,
        "tenant_id", ctl_json_text(json_object_get(data, "tenant"), "id"),
        "access_token", ctl_json_text(tokens, "access_token"),
        "refresh_token", ctl_json_text(tokens, "refresh_token"),
        "expires_at", (json_int_t) time(NULL)
        + json_integer_value(json_object_get(tokens, "expires_in")));
    line = session == NULL ? NULL : json_dumps(session, JSON_COMPACT);

    if (line == NULL || ctl_json_text(tokens, "access_token")[0] == '\0') {
        rc = ctl_problem(ctl, CTL_SERVICE, "a login without a token");

    } else {
        rc = ctl->profile->session == NULL ? CTL_OK
             : ctl_secret_write(ctl, ctl->profile->session, line);
        use_token(ctl, ctl_json_text(tokens, "access_token"));
        explicit_bzero(line, strlen(line));
    }

    free(line);
    json_decref(session);

    return rc;
}


static void
use_token(ctl_t *ctl, const char *token)
{
    free(ctl->profile->token);
    ctl->profile->token = ctl_copy(voice_span_str(token));
}
