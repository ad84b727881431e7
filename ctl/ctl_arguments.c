
/*
 * The command line.
 */

#include <errno.h>
#include <stdarg.h>

#include "ctl_arguments.h"


typedef struct {
    ctl_arguments_t  *arguments;
    char            **argv;
    size_t            at;
    int               closed;          /* "--" was seen */
    int               settled;         /* the command is known whole */
    char              name[CTL_COMMAND_NAME_MAX];
} reader_t;


static voice_rc_t read_word(reader_t *reader, const char *word);
static int extend(reader_t *reader, const char *word);
static voice_rc_t unknown(reader_t *reader, const char *word);
static voice_rc_t read_long(reader_t *reader, const char *text);
static voice_rc_t read_short(reader_t *reader, const char *letters);
static voice_rc_t take(reader_t *reader, const ctl_option_t *option,
    const char *value);
static voice_rc_t check_value(reader_t *reader, const ctl_option_t *option,
    const char *value);
static voice_rc_t check_number(reader_t *reader, const ctl_option_t *option,
    const char *value);
static int is_choice(const char *choices, const char *value);
static voice_rc_t check_words(ctl_arguments_t *arguments);
static const ctl_option_t *find_option(const reader_t *reader,
    voice_span_t name, char letter);
static const ctl_option_t *find_in(const ctl_option_t *options,
    voice_span_t name, char letter);
static voice_rc_t wrong(ctl_arguments_t *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


voice_rc_t
ctl_arguments_read(ctl_arguments_t *arguments, char **argv)
{
    size_t       count, letters;
    reader_t     reader;
    voice_rc_t   rc;
    const char  *text;

    letters = 0;

    for (count = 0; argv[count] != NULL; count++) {
        letters += strlen(argv[count]) + 1;
    }

    memset(arguments, 0, sizeof(ctl_arguments_t));
    arguments->given = ctl_alloc(letters * sizeof(ctl_given_t));
    arguments->words = ctl_alloc((count + 1) * sizeof(char *));

    memset(&reader, 0, sizeof(reader_t));
    reader.arguments = arguments;
    reader.argv = argv;
    rc = VOICE_OK;

    while (rc == VOICE_OK && argv[reader.at] != NULL) {
        text = argv[reader.at++];

        if (reader.closed || text[0] != '-' || text[1] == '\0') {
            rc = read_word(&reader, text);

        } else if (text[1] != '-') {
            rc = read_short(&reader, text + 1);

        } else if (text[2] == '\0') {
            reader.closed = 1;
            reader.settled = 1;

        } else {
            rc = read_long(&reader, text + 2);
        }
    }

    return rc == VOICE_OK ? check_words(arguments) : rc;
}


void
ctl_arguments_release(ctl_arguments_t *arguments)
{
    free(arguments->given);
    free(arguments->words);
    memset(arguments, 0, sizeof(ctl_arguments_t));
}


const char *
ctl_option(const ctl_arguments_t *arguments, const char *name)
{
    size_t  i;

    for (i = arguments->ngiven; i > 0; i--) {
        if (strcmp(arguments->given[i - 1].option->name, name) == 0) {
            return arguments->given[i - 1].value == NULL
                   ? "" : arguments->given[i - 1].value;
        }
    }

    return NULL;
}


const char *
ctl_option_next(const ctl_arguments_t *arguments, const char *name,
    size_t *at)
{
    const ctl_given_t  *given;

    while (*at < arguments->ngiven) {
        given = &arguments->given[(*at)++];

        if (strcmp(given->option->name, name) == 0) {
            return given->value;
        }
    }

    return NULL;
}


long
ctl_option_number(const ctl_arguments_t *arguments, const char *name,
    long usual)
{
    const char  *value;

    value = ctl_option(arguments, name);

    return value == NULL ? usual : ctl_seconds(value);
}


long
ctl_seconds(const char *text)
{
    char    *end;
    long     value;
    size_t   i;

    static const struct {
        const char  *unit;
        long         seconds;
    } units[] = {
        { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }
    };

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 12) {
        return -1;
    }

    value = strtol(text, &end, 10);

    for (i = 0; i < VOICE_ARRAY_SIZE(units); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            return value * units[i].seconds;
        }
    }

    return -1;
}


static voice_rc_t
read_word(reader_t *reader, const char *word)
{
    ctl_arguments_t  *arguments;

    arguments = reader->arguments;

    if (!reader->settled && extend(reader, word)) {
        return VOICE_OK;
    }

    if (arguments->command == NULL
        || (arguments->command->run == NULL
            && arguments->command->usual == NULL)
        || (arguments->command->words == NULL
            && ctl_command_is_group(arguments->command)))
    {
        return unknown(reader, word);
    }

    reader->settled = 1;
    arguments->words[arguments->nwords++] = word;

    return VOICE_OK;
}


/* Is the word the next one of a command's name? */
static int
extend(reader_t *reader, const char *word)
{
    char                  name[CTL_COMMAND_NAME_MAX];
    int                   len;
    const ctl_command_t  *command;

    len = snprintf(name, sizeof(name), "%s%s%s", reader->name,
                   reader->name[0] == '\0' ? "" : " ", word);

    if (len < 0 || (size_t) len >= sizeof(name)
        || strchr(word, ' ') != NULL)
    {
        return 0;
    }

    command = ctl_command_find(voice_span_str(name));
    if (command == NULL) {
        return 0;
    }

    memcpy(reader->name, name, sizeof(name));
    reader->arguments->command = command;

    return 1;
}


static voice_rc_t
unknown(reader_t *reader, const char *word)
{
    char                  *name;
    voice_rc_t             rc;
    const ctl_command_t   *like;

    name = ctl_format("%s%s%s", reader->name,
                      reader->name[0] == '\0' ? "" : " ", word);
    like = ctl_command_like(name);

    rc = like == NULL
         ? wrong(reader->arguments, "there is no command \"%s\"", name)
         : wrong(reader->arguments, "there is no command \"%s\"; do you mean "
                 "\"%s\"?", name, like->name);
    free(name);

    return rc;
}


static voice_rc_t
read_long(reader_t *reader, const char *text)
{
    const char          *value;
    voice_span_t         name;
    const ctl_option_t  *option;

    value = strchr(text, '=');
    name = voice_span(text, value == NULL ? strlen(text)
                                          : (size_t) (value - text));
    option = find_option(reader, name, 0);

    if (option == NULL) {
        return wrong(reader->arguments, "there is no option \"--%.*s\"%s%s",
                     (int) name.len, name.ptr,
                     reader->name[0] == '\0' ? "" : " of ", reader->name);
    }

    if (value != NULL) {
        return option->kind == CTL_FLAG
               ? wrong(reader->arguments, "--%s takes no value",
                       option->name)
               : take(reader, option, value + 1);
    }

    if (option->kind == CTL_FLAG) {
        return take(reader, option, NULL);
    }

    if (reader->argv[reader->at] == NULL) {
        return wrong(reader->arguments, "--%s wants a value: %s",
                     option->name, option->value);
    }

    return take(reader, option, reader->argv[reader->at++]);
}


/* "-qv", "-n5", "-n 5". */
static voice_rc_t
read_short(reader_t *reader, const char *letters)
{
    voice_rc_t           rc;
    const ctl_option_t  *option;

    for (/* void */; *letters != '\0'; letters++) {
        option = find_option(reader, voice_span(NULL, 0), *letters);

        if (option == NULL) {
            return wrong(reader->arguments, "there is no option \"-%c\"",
                         *letters);
        }

        if (option->kind != CTL_FLAG) {
            if (letters[1] != '\0') {
                return take(reader, option, letters + 1);
            }

            return reader->argv[reader->at] == NULL
                   ? wrong(reader->arguments, "-%c wants a value: %s",
                           *letters, option->value)
                   : take(reader, option, reader->argv[reader->at++]);
        }

        rc = take(reader, option, NULL);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
take(reader_t *reader, const ctl_option_t *option, const char *value)
{
    ctl_arguments_t  *arguments;

    arguments = reader->arguments;

    if (!option->repeat && option->kind != CTL_FLAG
        && ctl_option(arguments, option->name) != NULL)
    {
        return wrong(arguments, "--%s is given twice", option->name);
    }

    if (value != NULL && check_value(reader, option, value) != VOICE_OK) {
        return VOICE_INVALID;
    }

    arguments->given[arguments->ngiven++] = (ctl_given_t) { option, value };

    return VOICE_OK;
}


static voice_rc_t
check_value(reader_t *reader, const ctl_option_t *option, const char *value)
{
    const char  *equals;

    if (value[0] == '\0') {
        return wrong(reader->arguments, "--%s wants a value: %s",
                     option->name, option->value);
    }

    switch (option->kind) {

    case CTL_NUMBER:
    case CTL_SECONDS:
        return check_number(reader, option, value);

    case CTL_CHOICE:
        return is_choice(option->choices, value)
               ? VOICE_OK
               : wrong(reader->arguments, "--%s is one of %s", option->name,
                       option->choices);

    case CTL_PAIR:
        equals = strchr(value, '=');
        return equals != NULL && equals > value
               ? VOICE_OK
               : wrong(reader->arguments, "--%s wants %s", option->name,
                       option->value);

    default:
        return VOICE_OK;
    }
}


static voice_rc_t
check_number(reader_t *reader, const ctl_option_t *option, const char *value)
{
    long  number;

    number = ctl_seconds(value);

    if (option->kind == CTL_NUMBER
        && value[strspn(value, "0123456789")] != '\0')
    {
        number = -1;
    }

    if (number < 0) {
        return wrong(reader->arguments, option->kind == CTL_NUMBER
                     ? "--%s wants a number"
                     : "--%s wants a time: 90, 90s, 15m or 2h",
                     option->name);
    }

    if (option->max > 0 && (number < option->min || number > option->max)) {
        return wrong(reader->arguments, "--%s is %ld to %ld%s", option->name,
                     option->min, option->max,
                     option->kind == CTL_SECONDS ? " seconds" : "");
    }

    return VOICE_OK;
}


static int
is_choice(const char *choices, const char *value)
{
    size_t       len;
    const char  *at;

    len = strlen(value);

    for (at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';

        if (strncmp(at, value, len) == 0
            && (at[len] == '|' || at[len] == '\0'))
        {
            return 1;
        }
    }

    return 0;
}


static voice_rc_t
check_words(ctl_arguments_t *arguments)
{
    const ctl_command_t  *command;

    command = arguments->command;

    if (command == NULL || ctl_option(arguments, "help") != NULL) {
        return VOICE_OK;
    }

    if (command->usual != NULL) {
        command = ctl_command_find(voice_span_str(command->usual));
        arguments->command = command;
    }

    if (command->run == NULL) {
        return VOICE_OK;
    }

    if (arguments->nwords < command->min) {
        return wrong(arguments, "%s wants %s", command->name,
                     command->words);
    }

    if (command->words == NULL
        || (command->max > 0 && arguments->nwords > command->max))
    {
        return arguments->nwords > command->max
               ? wrong(arguments, "%s takes no \"%s\"", command->name,
                       arguments->words[command->max])
               : VOICE_OK;
    }

    return VOICE_OK;
}


static const ctl_option_t *
find_option(const reader_t *reader, voice_span_t name, char letter)
{
    const ctl_option_t   *option;
    const ctl_command_t  *command;

    command = reader->arguments->command;

    if (command != NULL && command->usual != NULL) {
        command = ctl_command_find(voice_span_str(command->usual));
    }

    option = command == NULL ? NULL
             : find_in(command->options, name, letter);

    return option != NULL ? option
           : find_in(ctl_global_options, name, letter);
}


static const ctl_option_t *
find_in(const ctl_option_t *options, voice_span_t name, char letter)
{
    const ctl_option_t  *option;

    for (option = options; option != NULL && option->name != NULL; option++)
    {
        if (letter != 0 ? option->letter == letter
            : voice_span_eq(voice_span_str(option->name), name))
        {
            return option;
        }
    }

    return NULL;
}


static voice_rc_t
wrong(ctl_arguments_t *arguments, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(arguments->problem, sizeof(arguments->problem), format, args);
    va_end(args);

    return VOICE_INVALID;
}
