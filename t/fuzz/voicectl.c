
/*
 * Fuzz: what voicectl reads of others.  A byte that chooses: an event stream,
 * which means the same in whatever pieces it comes; a reply, shown as text,
 * as JSON, as a run and as JUnit XML; a file of profiles; a command line.
 * Nothing that is written steers a terminal, and JSON is JSON.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_junit.h"
#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_profile_file.h"
#include "ctl_progress.h"
#include "ctl_request.h"
#include "ctl_show.h"
#include "ctl_stream.h"
#include "ctl_text.h"


#define WORDS_MAX  64


/* What is written, and to where usually. */
typedef struct {
    char    *text;
    size_t   len;
    FILE    *file;
    FILE    *usual;
} capture_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void fuzz_stream(ctl_t *ctl, voice_span_t text);
static void feed(voice_span_t text, size_t piece, ctl_buffer_t *seen);
static void on_event(void *user, const char *event, voice_span_t data);
static void fuzz_reply(ctl_t *ctl, voice_span_t text);
static void show(ctl_t *ctl, const json_t *reply);
static void show_run(ctl_t *ctl, const json_t *run);
static void fuzz_profile(ctl_t *ctl, voice_span_t text);
static void fuzz_words(ctl_t *ctl, voice_span_t text);
static void begin(capture_t *capture, FILE **stream);
static void end(capture_t *capture, FILE **stream, int json);
static void check_safe(const char *text, size_t len);
static void check_json(const char *text, size_t len);


static const ctl_field_t  fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "STATE", .member = "/status", .as = CTL_AS_STATE },
    { .title = "NAME", .member = "/name", .flexible = 1 },
    { .title = "TIME", .member = "/at", .as = CTL_AS_TIME, .spare = 1 },
    { .title = "MS", .member = "/ms", .as = CTL_AS_MS, .spare = 1 },
    { .title = "DONE", .member = "/progress", .as = CTL_AS_PERCENT },
    { .title = NULL }
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            i;
    ctl_t             ctl = { 0 };
    capture_t         out, err;
    ctl_profile_t     profile = { 0 };
    ctl_arguments_t   arguments = { 0 };

    static const struct {
        void (*fuzz)(ctl_t *ctl, voice_span_t text);
        int   json;
    } rows[] = {
        { fuzz_stream, 0 }, { fuzz_reply, 0 }, { fuzz_reply, 1 },
        { fuzz_profile, 0 }, { fuzz_words, 0 }
    };

    if (size == 0) {
        return 0;
    }

    i = data[0] % VOICE_ARRAY_SIZE(rows);
    ctl.arguments = &arguments;
    ctl.profile = &profile;
    ctl.command = ctl_command_next(NULL);
    ctl.json = rows[i].json;

    begin(&out, &stdout);
    begin(&err, &stderr);
    rows[i].fuzz(&ctl, voice_span((const char *) data + 1, size - 1));
    end(&out, &stdout, ctl.json);
    end(&err, &stderr, ctl.json);

    return 0;
}


/* --- streams ------------------------------------------------------------ */

static void
fuzz_stream(ctl_t *ctl, voice_span_t text)
{
    size_t        piece;
    ctl_buffer_t  whole = { 0 }, parts = { 0 };

    (void) ctl;
    feed(text, text.len, &whole);

    for (piece = 1; piece < 8; piece += 3) {
        ctl_buffer_reset(&parts);
        feed(text, piece, &parts);

        if (parts.len != whole.len
            || memcmp(ctl_buffer_text(&parts), ctl_buffer_text(&whole),
                      whole.len) != 0)
        {
            abort();
        }
    }

    ctl_buffer_release(&whole);
    ctl_buffer_release(&parts);
}


static void
feed(voice_span_t text, size_t piece, ctl_buffer_t *seen)
{
    size_t        at, len;
    ctl_stream_t  stream = { .on_event = on_event, .user = seen };

    for (at = 0; at < text.len; at += len) {
        len = text.len - at < piece ? text.len - at : piece;
        ctl_stream_feed(&stream, voice_span(text.ptr + at, len));
    }

    if (strlen(stream.id) >= CTL_STREAM_ID_MAX || stream.retry < 0) {
        abort();
    }

    ctl_buffer_format(seen, "id %s, retry %ld", stream.id, stream.retry);
    ctl_stream_restart(&stream);
    ctl_stream_release(&stream);
}


static void
on_event(void *user, const char *event, voice_span_t data)
{
    if (strpbrk(event, "\r\n") != NULL || data.len > CTL_STREAM_EVENT_MAX) {
        abort();
    }

    ctl_buffer_format(user, "%s: ", event);
    ctl_buffer_add(user, data);
    ctl_buffer_put(user, "\n");
}


/* --- replies ------------------------------------------------------------ */

static void
fuzz_reply(ctl_t *ctl, voice_span_t text)
{
    json_t              *reply;
    voice_json_error_t   error;

    reply = voice_json_parse(text, &error);

    if (reply != NULL) {
        show(ctl, reply);
        ctl_api_refusal(ctl, 422, reply);
        show_run(ctl, reply);
    }

    json_decref(reply);
}


static void
show(ctl_t *ctl, const json_t *reply)
{
    ctl_request_show(ctl, reply);

    if (ctl->json) {
        return;
    }

    for (ctl->screen.terminal = 0; ctl->screen.terminal < 2;
         ctl->screen.terminal++)
    {
        ctl_show_list(ctl, reply, fields);
    }
}


/* The reply is the run, its first test and the list of tests. */
static void
show_run(ctl_t *ctl, const json_t *run)
{
    size_t           i;
    ctl_buffer_t     xml = { 0 };
    ctl_progress_t  *progress;

    for (ctl->screen.terminal = 0; ctl->screen.terminal < 2;
         ctl->screen.terminal++)
    {
        progress = ctl_progress_make(ctl);
        ctl_progress_name(progress, json_string_value(json_object_get(run,
                              "name")) == NULL ? ""
                          : json_string_value(json_object_get(run, "name")));
        ctl_progress_run(progress, run);
        ctl_progress_test(progress, json_is_array(run)
                                    ? json_array_get(run, 0) : run);
        ctl_progress_end(progress, run);
        ctl_progress_destroy(progress);
    }

    ctl_junit_write(&xml, "suite", run, run);

    /* no character of XML 1.0 but the ends of our lines */
    for (i = 0; i < xml.len; i++) {
        if ((unsigned char) xml.data[i] < 0x20 && xml.data[i] != '\n') {
            abort();
        }
    }

    ctl_buffer_release(&xml);
}


/* --- files and words ---------------------------------------------------- */

static void
fuzz_profile(ctl_t *ctl, voice_span_t text)
{
    int             fd, named;
    char            path[64], *copy;
    FILE           *file;
    ctl_profile_t  *profile;

    /* a secret's file would be any of this machine; what has a NUL is no
     * text */
    copy = ctl_copy(text);
    named = strstr(copy, "_file") != NULL || strlen(copy) < text.len;
    free(copy);

    if (named) {
        return;
    }

    file = tmpfile();
    fd = file == NULL ? -1 : fileno(file);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    if (fd == -1 || fchmod(fd, 0600) == -1
        || write(fd, text.ptr, text.len) != (ssize_t) text.len)
    {
        abort();
    }

    profile = ctl_alloc(sizeof(ctl_profile_t));
    profile->file = ctl_copy(voice_span_str(path));
    ctl->profile = profile;

    if (ctl_profile_section(ctl, NULL) == CTL_OK && profile->name == NULL) {
        abort();
    }

    ctl_profile_destroy(profile);
    ctl->profile = NULL;
    fclose(file);
}


/* Each line is a word. */
static void
fuzz_words(ctl_t *ctl, voice_span_t text)
{
    char             *copy, *word, *next, *words[WORDS_MAX + 1];
    size_t            n;
    ctl_arguments_t   arguments;

    copy = ctl_copy(text);
    n = 0;

    for (word = copy; word != NULL && n < WORDS_MAX; word = next) {
        next = strchr(word, '\n');

        if (next != NULL) {
            *next++ = '\0';
        }

        words[n++] = word;
    }

    words[n] = NULL;

    if (ctl_arguments_read(&arguments, words) != VOICE_OK) {
        ctl_problem(ctl, CTL_USAGE, "%s", arguments.problem);

    } else if (arguments.command != NULL) {
        ctl->arguments = &arguments;
        json_decref(ctl_request_members(ctl, CTL_QUERY));
    }

    ctl_arguments_release(&arguments);
    free(copy);
}


/* --- what is written ---------------------------------------------------- */

static void
begin(capture_t *capture, FILE **stream)
{
    memset(capture, 0, sizeof(capture_t));
    capture->usual = *stream;
    capture->file = open_memstream(&capture->text, &capture->len);

    if (capture->file == NULL) {
        abort();
    }

    *stream = capture->file;
}


static void
end(capture_t *capture, FILE **stream, int json)
{
    *stream = capture->usual;
    fclose(capture->file);

    check_safe(capture->text, capture->len);

    if (json) {
        check_json(capture->text, capture->len);
    }

    free(capture->text);
}


/* But for what a bar is drawn with, no character steers a terminal. */
static void
check_safe(const char *text, size_t len)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < len; i++) {
        c = (unsigned char) text[i];

        if (c == '\r' || (c == '\033' && len - i > 2
                          && memcmp(text + i, "\033[K", 3) == 0))
        {
            continue;
        }

        if ((c < 0x20 && c != '\n') || c == 0x7f
            || (c == 0xc2 && i + 1 < len
                && (unsigned char) text[i + 1] < 0xa0
                && (unsigned char) text[i + 1] >= 0x80))
        {
            abort();
        }
    }
}


/* Each line is a text of its own. */
static void
check_json(const char *text, size_t len)
{
    json_t      *value;
    size_t       at, end;
    const char  *newline;

    for (at = 0; at < len; at = end + 1) {
        newline = memchr(text + at, '\n', len - at);

        if (newline == NULL) {
            abort();
        }

        end = (size_t) (newline - text);
        value = json_loadb(text + at, end - at, JSON_DECODE_ANY, NULL);

        if (value == NULL) {
            abort();
        }

        json_decref(value);
    }
}
