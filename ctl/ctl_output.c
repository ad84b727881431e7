
/*
 * What is written.
 */

#include <errno.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl_output.h"
#include "ctl_text.h"


#define OUTPUT_COLUMNS_MAX  10000


static const struct {
    ctl_exit_e   code;
    const char  *name;
} names[] = {
    { CTL_FAILED, "FAILED" },
    { CTL_USAGE, "USAGE" },
    { CTL_REFUSED, "NOT_LOGGED_IN" },
    { CTL_NOT_FOUND, "NOT_FOUND" },
    { CTL_UNREACHABLE, "UNREACHABLE" },
    { CTL_TIMEOUT, "TIMEOUT" },
    { CTL_REJECTED, "REJECTED" },
    { CTL_SERVICE, "SERVICE" },
    { CTL_BUSY, "BUSY" },
    { CTL_LOCAL, "LOCAL" },
    { CTL_INTERRUPTED, "INTERRUPTED" }
};


static int is_other_charset(void);
static char *format_safe(const char *format, va_list args);
static const char *code_name(ctl_exit_e code);


void
ctl_screen_read(ctl_t *ctl, const char *choice)
{
    const char  *term, *no_color;

    term = getenv("TERM");
    no_color = getenv("NO_COLOR");

    ctl->screen.terminal = isatty(STDOUT_FILENO);
    ctl->screen.error_terminal = isatty(STDERR_FILENO);
    ctl->screen.color = ctl->screen.terminal
                        && (no_color == NULL || no_color[0] == '\0')
                        && (term == NULL || strcmp(term, "dumb") != 0);

    if ((ctl->screen.terminal || ctl->screen.error_terminal)
        && is_other_charset())
    {
        ctl_text_ascii_only();
    }

    if (choice != NULL && strcmp(choice, "always") == 0) {
        ctl->screen.color = 1;
    }

    if (choice != NULL && strcmp(choice, "never") == 0) {
        ctl->screen.color = 0;
    }
}


size_t
ctl_columns(const ctl_t *ctl)
{
    long            columns;
    const char     *text;
    struct winsize  size;

    if (!ctl->screen.terminal) {
        return 0;
    }

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }

    text = getenv("COLUMNS");
    columns = text == NULL ? 0 : strtol(text, NULL, 10);

    return columns > 0 && columns < OUTPUT_COLUMNS_MAX ? (size_t) columns
                                                       : 80;
}


ctl_exit_e
ctl_problem(const ctl_t *ctl, ctl_exit_e code, const char *format, ...)
{
    char     *text;
    va_list   args;

    va_start(args, format);
    text = format_safe(format, args);
    va_end(args);

    if (!ctl->json) {
        fprintf(stderr, "voicectl: %s\n", text);
        free(text);
        return code;
    }

    ctl_problem_json(code, json_pack("{s:s, s:s}", "code", code_name(code),
                                     "message", text));
    free(text);

    return code;
}


ctl_exit_e
ctl_problem_json(ctl_exit_e code, json_t *error)
{
    char          *text;
    json_t        *line;
    ctl_buffer_t   safe = { 0 };

    line = json_pack("{s:o, s:i}", "error", error, "exit", (int) code);
    text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    ctl_text_safe_json(&safe, voice_span_str(text));
    fprintf(stderr, "%s\n", ctl_buffer_text(&safe));

    ctl_buffer_release(&safe);
    free(text);
    json_decref(line);

    return code;
}


void
ctl_note(const ctl_t *ctl, const char *format, ...)
{
    char     *text;
    va_list   args;

    if (ctl->quiet || ctl->json) {
        return;
    }

    va_start(args, format);
    text = format_safe(format, args);
    va_end(args);

    fprintf(stderr, "%s\n", text);
    free(text);
}


void
ctl_say(const ctl_t *ctl, const char *format, ...)
{
    char     *text;
    va_list   args;

    if (ctl->quiet || ctl->json) {
        return;
    }

    va_start(args, format);
    text = format_safe(format, args);
    va_end(args);

    printf("%s\n", text);
    free(text);
}


void
ctl_write(const ctl_buffer_t *text)
{
    if (text->len > 0) {
        fwrite(text->data, 1, text->len, stdout);
    }
}


void
ctl_write_json(const ctl_t *ctl, const json_t *value)
{
    char          *text;
    ctl_buffer_t   safe = { 0 };

    text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)
                      | (ctl->screen.terminal ? JSON_INDENT(2)
                                              : JSON_COMPACT));
    if (text == NULL) {
        return;
    }

    ctl_text_safe_json(&safe, voice_span_str(text));
    ctl_buffer_put(&safe, "\n");
    ctl_write(&safe);

    ctl_buffer_release(&safe);
    free(text);
}


ctl_exit_e
ctl_output_close(const ctl_t *ctl, ctl_exit_e code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }

    return ctl_problem(ctl, CTL_LOCAL, "the output cannot be written: %s",
                       strerror(errno));
}


/* Does the locale name one that is not UTF-8?  Most that name none are. */
static int
is_other_charset(void)
{
    size_t       i;
    const char  *value, *charset;

    static const char *const  variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };

    value = NULL;

    for (i = 0; i < VOICE_ARRAY_SIZE(variables)
         && (value == NULL || value[0] == '\0'); i++)
    {
        value = getenv(variables[i]);
    }

    charset = value == NULL ? NULL : strchr(value, '.');

    return charset != NULL && strncasecmp(charset, ".UTF-8", 6) != 0
           && strncasecmp(charset, ".UTF8", 5) != 0;
}


static char *
format_safe(const char *format, va_list args)
{
    char          text[4096];
    ctl_buffer_t  safe = { 0 };

    vsnprintf(text, sizeof(text), format, args);
    ctl_buffer_put(&safe, "");
    ctl_text_safe(&safe, voice_span_str(text), 0);

    return safe.data;
}


static const char *
code_name(ctl_exit_e code)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(names); i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }

    return "OK";
}
