
/*
 * The file of profiles, and files of secrets.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_output.h"
#include "ctl_profile_file.h"
#include "ctl_run.h"


#define FILE_MAX     (256 * 1024)
#define FILE_STRICT  0077              /* what others may not */


typedef struct {
    ctl_t       *ctl;
    const char  *name;                 /* of the profile looked for */
    int          usual;                /* it was not named */
    int          found;
    char         section[64];
    unsigned     line;
} reader_t;


static char *read_whole(const ctl_t *ctl, const char *path,
    unsigned forbidden);
static ctl_exit_e read_line(reader_t *reader, char *line);
static ctl_exit_e read_pair(reader_t *reader, const char *name,
    const char *value);
static ctl_exit_e set_text(reader_t *reader, size_t offset,
    const char *value);
static ctl_exit_e set_secret(reader_t *reader, size_t offset,
    const char *value);
static ctl_exit_e set_yes(reader_t *reader, size_t offset,
    const char *value);
static char *trim(char *text);
static char *directory(void);
static int make_directories(const char *path);


static const struct {
    const char  *name;
    ctl_exit_e (*set)(reader_t *reader, size_t offset, const char *value);
    size_t       offset;
} keys[] = {
    { "url", set_text, offsetof(ctl_profile_t, url) },
    { "api_key", set_text, offsetof(ctl_profile_t, api_key) },
    { "api_key_file", set_secret, offsetof(ctl_profile_t, api_key) },
    { "token_file", set_secret, offsetof(ctl_profile_t, token) },
    { "ca_file", set_text, offsetof(ctl_profile_t, ca_file) },
    { "plain_http", set_yes, offsetof(ctl_profile_t, plain_http) }
};


char *
ctl_profile_path(const ctl_t *ctl)
{
    char        *path, *home;
    const char  *given;

    given = ctl_option(ctl->arguments, "config");
    if (given != NULL) {
        return ctl_copy(voice_span_str(given));
    }

    home = directory();
    path = ctl_format("%s/voicectl.conf", home);
    free(home);

    return path;
}


ctl_exit_e
ctl_profile_section(ctl_t *ctl, const char *name)
{
    char        *text, *line, *rest;
    reader_t     reader;
    ctl_exit_e   rc;

    memset(&reader, 0, sizeof(reader_t));
    reader.ctl = ctl;
    reader.usual = name == NULL;
    reader.name = name == NULL ? CTL_PROFILE_USUAL : name;
    rc = CTL_OK;
    text = NULL;

    if (access(ctl->profile->file, F_OK) == 0
        || ctl_option(ctl->arguments, "config") != NULL)
    {
        text = read_whole(ctl, ctl->profile->file, FILE_STRICT);

        if (text == NULL) {
            return CTL_USAGE;
        }
    }

    for (line = text; rc == CTL_OK && line != NULL; line = rest) {
        rest = strchr(line, '\n');

        if (rest != NULL) {
            *rest++ = '\0';
        }

        reader.line++;
        rc = read_line(&reader, trim(line));
    }

    ctl->profile->missing = !reader.found;

    if (rc == CTL_OK && !reader.found && name != NULL
        && ctl->command->run != ctl_run_login)
    {
        rc = ctl_problem(ctl, CTL_USAGE, "there is no profile \"%s\" in %s",
                         name, ctl->profile->file);
    }

    ctl->profile->name = ctl_copy(voice_span_str(reader.name));
    ctl->profile->session = ctl_profile_session(ctl, reader.name);

    if (text != NULL) {
        explicit_bzero(text, FILE_MAX);
    }

    free(text);

    return rc;
}


ctl_exit_e
ctl_profile_add(const ctl_t *ctl, const char *name, const char *url)
{
    char          *text;
    ctl_exit_e     rc;
    ctl_buffer_t   out = { 0 };

    if (access(ctl->profile->file, F_OK) == 0) {
        text = read_whole(ctl, ctl->profile->file, FILE_STRICT);

        if (text == NULL) {
            return CTL_USAGE;
        }

        ctl_buffer_put(&out, text);
        free(text);
    }

    if (out.len > 0) {
        ctl_buffer_put(&out, out.data[out.len - 1] == '\n' ? "\n" : "\n\n");
    }

    ctl_buffer_format(&out, "[%s]\nurl = %s\n", name, url);
    rc = ctl_secret_write(ctl, ctl->profile->file, ctl_buffer_text(&out));
    ctl_buffer_release(&out);

    return rc;
}


char *
ctl_profile_session(const ctl_t *ctl, const char *name)
{
    const char  *slash, *file;

    file = ctl->profile->file;
    slash = strrchr(file, '/');

    return ctl_format("%.*s%s.session",
                      slash == NULL ? 0 : (int) (slash - file + 1), file,
                      name);
}


char *
ctl_secret_read(const ctl_t *ctl, const char *path, unsigned forbidden)
{
    char  *text, *clean;

    text = read_whole(ctl, path, forbidden);
    if (text == NULL) {
        return NULL;
    }

    clean = ctl_copy(voice_span_str(trim(text)));
    explicit_bzero(text, strlen(text));
    free(text);

    if (clean[0] == '\0' || clean[strcspn(clean, "\r\n")] != '\0') {
        ctl_problem(ctl, CTL_USAGE, "%s holds no secret of one line", path);
        free(clean);
        return NULL;
    }

    return clean;
}


ctl_exit_e
ctl_secret_write(const ctl_t *ctl, const char *path, const char *text)
{
    int     fd, good;
    char   *new;
    size_t  len;

    len = strlen(text);
    new = ctl_format("%s.%ld", path, (long) getpid());
    good = make_directories(path);
    fd = good ? open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
                     | O_NOFOLLOW, 0600) : -1;

    good = fd != -1 && fchmod(fd, 0600) == 0
           && write(fd, text, len) == (ssize_t) len && fsync(fd) == 0;

    if (fd != -1 && close(fd) == -1) {
        good = 0;
    }

    if (!good || rename(new, path) == -1) {
        ctl_problem(ctl, CTL_LOCAL, "%s cannot be written: %s", path,
                    strerror(errno));
        unlink(new);
        free(new);
        return CTL_LOCAL;
    }

    free(new);

    return CTL_OK;
}


ssize_t
ctl_self(char *path, size_t size)
{
    ssize_t  len;

    len = readlink("/proc/self/exe", path, size - 1);

    if (len >= 0) {
        path[len] = '\0';
    }

    return len;
}


/* NULL after it has said why. */
static char *
read_whole(const ctl_t *ctl, const char *path, unsigned forbidden)
{
    int           fd;
    char         *text;
    size_t        len;
    ssize_t       n;
    struct stat   file;

    fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
                                : open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1 || fstat(fd, &file) == -1) {
        ctl_problem(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
        return NULL;
    }

    if (S_ISREG(file.st_mode) && (file.st_mode & forbidden) != 0) {
        ctl_problem(ctl, CTL_USAGE, "%s may be read or written by others "
                    "(mode %04o): chmod %s it", path,
                    (unsigned) file.st_mode & 07777,
                    forbidden == FILE_STRICT ? "600" : "o=");
        close(fd);
        return NULL;
    }

    text = ctl_alloc(FILE_MAX + 1);
    len = 0;

    do {
        n = read(fd, text + len, FILE_MAX - len);
        len += n > 0 ? (size_t) n : 0;
    } while (n > 0 && len < FILE_MAX);

    close(fd);

    if (n < 0 || len == FILE_MAX || memchr(text, '\0', len) != NULL) {
        ctl_problem(ctl, CTL_USAGE, "%s: %s", path,
                    n < 0 ? strerror(errno) : "too long, or no text");
        free(text);
        return NULL;
    }

    return text;
}


static ctl_exit_e
read_line(reader_t *reader, char *line)
{
    char    *value;
    size_t   len;

    if (line[0] == '\0' || line[0] == '#') {
        return CTL_OK;
    }

    len = strlen(line);

    if (line[0] == '[' && line[len - 1] == ']' && len > 2
        && len - 2 < sizeof(reader->section))
    {
        snprintf(reader->section, sizeof(reader->section), "%.*s",
                 (int) len - 2, line + 1);
        reader->found |= strcmp(reader->section, reader->name) == 0;

        return CTL_OK;
    }

    value = strchr(line, '=');

    if (value == NULL) {
        return ctl_problem(reader->ctl, CTL_USAGE, "%s, line %u: neither "
                           "[profile] nor name = value",
                           reader->ctl->profile->file, reader->line);
    }

    *value++ = '\0';

    return read_pair(reader, trim(line), trim(value));
}


static ctl_exit_e
read_pair(reader_t *reader, const char *name, const char *value)
{
    size_t  i;

    if (reader->section[0] == '\0' && strcmp(name, "profile") == 0) {
        reader->name = reader->usual ? value : reader->name;

        return CTL_OK;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return strcmp(reader->section, reader->name) == 0
                   ? keys[i].set(reader, keys[i].offset, value) : CTL_OK;
        }
    }

    return ctl_problem(reader->ctl, CTL_USAGE, "%s, line %u: there is no "
                       "setting \"%s\"", reader->ctl->profile->file,
                       reader->line, name);
}


static ctl_exit_e
set_text(reader_t *reader, size_t offset, const char *value)
{
    char  **text;

    text = (char **) ((char *) reader->ctl->profile + offset);
    free(*text);
    *text = ctl_copy(voice_span_str(value));

    return CTL_OK;
}


static ctl_exit_e
set_secret(reader_t *reader, size_t offset, const char *value)
{
    char        *path, *secret;
    char       **text;
    const char  *home;

    home = getenv("HOME");
    path = strncmp(value, "~/", 2) == 0 && home != NULL
           ? ctl_format("%s%s", home, value + 1)
           : ctl_copy(voice_span_str(value));
    secret = ctl_secret_read(reader->ctl, path, 0007);
    free(path);

    if (secret == NULL) {
        return CTL_USAGE;
    }

    text = (char **) ((char *) reader->ctl->profile + offset);
    free(*text);
    *text = secret;

    return CTL_OK;
}


static ctl_exit_e
set_yes(reader_t *reader, size_t offset, const char *value)
{
    int  *flag;

    flag = (int *) (void *) ((char *) reader->ctl->profile + offset);
    *flag = strcmp(value, "yes") == 0;

    return *flag || strcmp(value, "no") == 0
           ? CTL_OK
           : ctl_problem(reader->ctl, CTL_USAGE, "%s, line %u: \"yes\" or "
                         "\"no\"", reader->ctl->profile->file,
                         reader->line);
}


/* Within the text itself. */
static char *
trim(char *text)
{
    size_t  len;

    while (isspace((unsigned char) *text)) {
        text++;
    }

    len = strlen(text);

    while (len > 0 && isspace((unsigned char) text[len - 1])) {
        text[--len] = '\0';
    }

    return text;
}


static char *
directory(void)
{
    const char  *base, *home;

    base = getenv("XDG_CONFIG_HOME");
    home = getenv("HOME");

    return base != NULL && base[0] == '/'
           ? ctl_format("%s/voicegate", base)
           : ctl_format("%s/.config/voicegate", home == NULL ? "" : home);
}


/* Those above a file, as far as they are not there. */
static int
make_directories(const char *path)
{
    int    good;
    char  *part, *slash;

    part = ctl_copy(voice_span_str(path));
    good = 1;

    for (slash = strchr(part + 1, '/'); slash != NULL && good;
         slash = strchr(slash + 1, '/'))
    {
        *slash = '\0';
        good = mkdir(part, 0700) == 0 || errno == EEXIST;
        *slash = '/';
    }

    free(part);

    return good;
}
