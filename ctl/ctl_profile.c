
/*
 * Whom we speak to and as whom.
 */

#include <ctype.h>

#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_profile_file.h"
#include "voice_json.h"


#define PROFILE_PATH_MAX  4096


static ctl_exit_e read_stack(ctl_t *ctl);
static char *stack_directory(const ctl_t *ctl);
static ctl_exit_e read_environment(ctl_t *ctl, int named);
static ctl_exit_e read_options(ctl_t *ctl);
static void use_url(ctl_profile_t *profile, const char *url);
static void drop_credentials(ctl_profile_t *profile);
static ctl_exit_e check(ctl_t *ctl);
static char *without_slash(const char *url);
static int is_loopback(const char *url);
static char *member(const json_t *object, const char *name);
static const char *environment(const char *name);


ctl_exit_e
ctl_profile_read(ctl_t *ctl)
{
    int          named;
    ctl_exit_e   rc;
    const char  *name;

    ctl->profile = ctl_alloc(sizeof(ctl_profile_t));
    ctl->profile->file = ctl_profile_path(ctl);

    if (ctl_option(ctl->arguments, "stack") != NULL
        || ctl_option(ctl->arguments, "stack-dir") != NULL)
    {
        rc = read_stack(ctl);

        return rc == CTL_OK ? check(ctl) : rc;
    }

    name = ctl_option(ctl->arguments, "profile");
    named = name != NULL;
    name = named ? name : environment("VOICEGATE_PROFILE");

    rc = ctl_profile_section(ctl, name);

    if (rc == CTL_OK) {
        rc = read_environment(ctl, named);
    }

    if (rc == CTL_OK) {
        rc = read_options(ctl);
    }

    return rc == CTL_OK ? check(ctl) : rc;
}


void
ctl_profile_destroy(ctl_profile_t *profile)
{
    if (profile == NULL) {
        return;
    }

    drop_credentials(profile);
    free(profile->name);
    free(profile->file);
    free(profile->url);
    free(profile->session);
    free(profile->ca_file);
    free(profile);
}


const char *
ctl_profile_credential(const ctl_profile_t *profile)
{
    return profile->api_key != NULL ? "API key"
           : profile->token != NULL ? "token"
           : profile->session != NULL ? "login" : NULL;
}


/* What bin/demo has written of the private stack. */
static ctl_exit_e
read_stack(ctl_t *ctl)
{
    int             platform;
    char           *path, *directory;
    json_t         *demo;
    const char     *url;
    ctl_profile_t  *profile;

    profile = ctl->profile;
    directory = stack_directory(ctl);
    path = ctl_format("%s/demo.json", directory);
    demo = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(demo)) {
        ctl_problem(ctl, CTL_USAGE, "there is no stack that \"make run\" "
                    "has started: %s cannot be read", path);
        json_decref(demo);
        free(path);
        free(directory);
        return CTL_USAGE;
    }

    url = json_string_value(json_object_get(demo, "base_url"));
    use_url(profile, url == NULL ? "" : url);
    free(profile->name);
    profile->name = ctl_copy(VOICE_SPAN("stack"));
    profile->stack = 1;
    platform = (ctl->command->platform
                || ctl_option(ctl->arguments, "tenant") != NULL)
               && json_object_get(demo, "platform_email") != NULL;
    profile->email = member(demo, platform ? "platform_email" : "email");
    profile->password = member(demo, platform ? "platform_password"
                                              : "password");
    profile->session = ctl_format("%s/%s.session", directory,
                                  platform ? "platform" : "voicectl");

    json_decref(demo);
    free(path);
    free(directory);

    return CTL_OK;
}


/* Named, or ./run, or run beside the directory that we stand in. */
static char *
stack_directory(const ctl_t *ctl)
{
    char         self[PROFILE_PATH_MAX];
    FILE        *file;
    char        *slash;
    ssize_t      len;
    const char  *named;

    named = ctl_option(ctl->arguments, "stack-dir");
    if (named != NULL) {
        return ctl_copy(voice_span_str(named));
    }

    file = fopen("run/demo.json", "re");
    if (file != NULL) {
        fclose(file);
        return ctl_copy(VOICE_SPAN("run"));
    }

    len = ctl_self(self, sizeof(self));
    slash = len > 0 ? strrchr(self, '/') : NULL;

    if (slash == NULL) {
        return ctl_copy(VOICE_SPAN("run"));
    }

    *slash = '\0';

    return ctl_format("%s/../run", self);
}


/* A profile that was named by an option is not mixed with it. */
static ctl_exit_e
read_environment(ctl_t *ctl, int named)
{
    const char     *url, *key, *token, *ca_file;
    ctl_profile_t  *profile;

    if (named) {
        return CTL_OK;
    }

    profile = ctl->profile;
    url = environment("VOICEGATE_URL");
    key = environment("VOICEGATE_API_KEY");
    token = environment("VOICEGATE_TOKEN");
    ca_file = environment("VOICEGATE_CA_FILE");

    if (key != NULL && token != NULL) {
        return ctl_problem(ctl, CTL_USAGE, "VOICEGATE_API_KEY and "
                           "VOICEGATE_TOKEN are both set: choose one");
    }

    if (url != NULL) {
        use_url(profile, url);
    }

    if (key != NULL || token != NULL) {
        drop_credentials(profile);
        free(profile->session);
        profile->session = NULL;
        profile->api_key = key == NULL ? NULL
                                       : ctl_copy(voice_span_str(key));
        profile->token = token == NULL ? NULL
                                       : ctl_copy(voice_span_str(token));
    }

    if (ca_file != NULL) {
        free(profile->ca_file);
        profile->ca_file = ctl_copy(voice_span_str(ca_file));
    }

    return CTL_OK;
}


static ctl_exit_e
read_options(ctl_t *ctl)
{
    char           *key;
    const char     *value;
    ctl_profile_t  *profile;

    profile = ctl->profile;

    value = ctl_option(ctl->arguments, "url");
    if (value != NULL) {
        use_url(profile, value);
    }

    value = ctl_option(ctl->arguments, "ca-file");
    if (value != NULL) {
        free(profile->ca_file);
        profile->ca_file = ctl_copy(voice_span_str(value));
    }

    value = ctl_option(ctl->arguments, "key-file");
    if (value == NULL) {
        return CTL_OK;
    }

    key = ctl_secret_read(ctl, value, 0007);
    if (key == NULL) {
        return CTL_USAGE;
    }

    drop_credentials(profile);
    profile->api_key = key;

    return CTL_OK;
}


/* A profile's credentials and its plain_http are for its own URL only. */
static void
use_url(ctl_profile_t *profile, const char *url)
{
    char  *clean;

    clean = without_slash(url);

    if (profile->url == NULL || strcmp(profile->url, clean) != 0) {
        drop_credentials(profile);
        free(profile->session);
        profile->session = NULL;
        profile->plain_http = 0;
    }

    free(profile->url);
    profile->url = clean;
}


static char *
without_slash(const char *url)
{
    size_t  len;

    len = strlen(url);

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }

    return ctl_copy(voice_span(url, len));
}


static void
drop_credentials(ctl_profile_t *profile)
{
    size_t  i;
    char  **secrets[] = { &profile->api_key, &profile->token,
                          &profile->password, &profile->email };

    for (i = 0; i < VOICE_ARRAY_SIZE(secrets); i++) {
        if (*secrets[i] != NULL) {
            explicit_bzero(*secrets[i], strlen(*secrets[i]));
            free(*secrets[i]);
            *secrets[i] = NULL;
        }
    }
}


static ctl_exit_e
check(ctl_t *ctl)
{
    char           *clean;
    const char     *text;
    ctl_profile_t  *profile;

    profile = ctl->profile;

    if (profile->url == NULL) {
        return ctl_problem(ctl, CTL_USAGE, "no URL: give --url, set "
                           "VOICEGATE_URL, use \"voicectl login\", or "
                           "--stack for the stack of \"make run\"");
    }

    clean = without_slash(profile->url);
    free(profile->url);
    profile->url = clean;

    if (strncmp(profile->url, "https://", 8) != 0
        && strncmp(profile->url, "http://", 7) != 0)
    {
        return ctl_problem(ctl, CTL_USAGE, "\"%s\" is no http or https URL",
                           profile->url);
    }

    for (text = profile->url; *text != '\0'; text++) {
        if (!isgraph((unsigned char) *text) || strchr("@?#", *text) != NULL)
        {
            return ctl_problem(ctl, CTL_USAGE, "a URL here is a scheme, a "
                               "host, maybe a port and a path");
        }
    }

    if (profile->url[4] != 's' && !is_loopback(profile->url)
        && !profile->plain_http)
    {
        return ctl_problem(ctl, CTL_USAGE, "%s is not encrypted: use https, "
                           "or say \"plain_http = yes\" in a profile",
                           profile->url);
    }

    return CTL_OK;
}


static int
is_loopback(const char *url)
{
    size_t       i, len;
    const char  *host;

    static const char *const  hosts[] = { "127.0.0.1", "[::1]",
                                          "localhost" };

    host = strstr(url, "://") + 3;

    for (i = 0; i < VOICE_ARRAY_SIZE(hosts); i++) {
        len = strlen(hosts[i]);

        if (strncmp(host, hosts[i], len) == 0
            && (host[len] == '\0' || host[len] == ':' || host[len] == '/'))
        {
            return 1;
        }
    }

    return 0;
}


static char *
member(const json_t *object, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(object, name));

    return text == NULL ? NULL : ctl_copy(voice_span_str(text));
}


/* NULL also where it is empty. */
static const char *
environment(const char *name)
{
    const char  *value;

    value = getenv(name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}
