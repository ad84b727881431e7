
/*
 * ctl_arguments, ctl_command: the command line.
 */

#include "ctl_arguments.h"
#include "tap.h"


#define WORDS  12


static void commands(void);
static void options(void);
static void refused(void);
static void tables(void);
static int option_is_sane(const ctl_option_t *option);
static int read_line(ctl_arguments_t *arguments, const char *line);


static char  *argv[WORDS + 1];         /* of the line that was read last */
static char   text[256];


int
main(void)
{
    commands();
    options();
    refused();
    tables();

    return done_testing();
}


static void
commands(void)
{
    size_t           i;
    ctl_arguments_t  arguments;

    static const struct {
        const char  *line;
        const char  *name;             /* NULL: none */
        size_t       words;
    } rows[] = {
        { "jobs list", "jobs list", 0 },
        { "jobs dead", "jobs dead list", 0 },
        { "jobs dead --kind x", "jobs dead list", 0 },
        { "jobs dead purge a b c", "jobs dead purge", 3 },
        { "--stack jobs --json show 1", "jobs show", 1 },
        { "jobs -- show", NULL, 0 },
        { "jobs show -- -1", "jobs show", 1 },
        { "runs watch list", "runs watch", 1 },
        { "help runs start", "help", 2 },
        { "queues", "queues list", 0 },
        { "probe", "probe", 0 }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        int  good = read_line(&arguments, rows[i].line);

        ok(rows[i].name == NULL ? !good
           : good && strcmp(arguments.command->name, rows[i].name) == 0
             && arguments.nwords == rows[i].words,
           "\"%s\" is %s", rows[i].line,
           rows[i].name == NULL ? "refused" : rows[i].name);
        ctl_arguments_release(&arguments);
    }
}


static void
options(void)
{
    size_t           at;
    ctl_arguments_t  arguments;

    ok(read_line(&arguments, "runs start --case a --case=b -l en-US -qw "
                 "--timeout 15m --meta x=1=2"), "options are read");
    at = 0;
    is(ctl_option_next(&arguments, "case", &at), "a", "the first of two");
    is(ctl_option_next(&arguments, "case", &at), "b", "the second");
    ok(ctl_option_next(&arguments, "case", &at) == NULL, "and no third");
    is(ctl_option(&arguments, "language"), "en-US", "a short option's value");
    is(ctl_option(&arguments, "wait"), "", "a flag");
    is(ctl_option(&arguments, "quiet"), "", "two flags in one word");
    is(ctl_option(&arguments, "meta"), "x=1=2", "a pair");
    ok(ctl_option(&arguments, "junit") == NULL, "one that is not there");
    ok(ctl_option_number(&arguments, "timeout", 7) == 900,
       "15m are 900 seconds");
    ok(ctl_option_number(&arguments, "priority", 7) == 7,
       "what is not said is as usual");
    ctl_arguments_release(&arguments);

    ok(read_line(&arguments, "jobs list -n5")
       && ctl_option_number(&arguments, "limit", 0) == 5,
       "a value beside its letter");
    ctl_arguments_release(&arguments);

    ok(ctl_seconds("2h") == 7200 && ctl_seconds("1d") == 86400
       && ctl_seconds("3s") == 3 && ctl_seconds("") == -1
       && ctl_seconds("m") == -1 && ctl_seconds("-1") == -1
       && ctl_seconds("1w") == -1 && ctl_seconds("9999999999999") == -1,
       "times are seconds, minutes, hours, days");
}


static void
refused(void)
{
    size_t           i;
    ctl_arguments_t  arguments;

    static const struct {
        const char  *line;
        const char  *problem;
    } rows[] = {
        { "jbos list", "there is no command \"jbos\"; do you mean "
                       "\"jobs\"?" },
        { "jobs lits", "there is no command \"jobs lits\"; do you mean "
                       "\"jobs list\"?" },
        { "fly", "there is no command \"fly\"" },
        { "jobs list x", "jobs list takes no \"x\"" },
        { "jobs show", "jobs show wants JOB" },
        { "jobs show a b", "jobs show takes no \"b\"" },
        { "jobs list --fly", "there is no option \"--fly\" of jobs list" },
        { "jobs list -Z", "there is no option \"-Z\"" },
        { "jobs list --state", "--state wants a value: STATE" },
        { "jobs list --state=", "--state wants a value: STATE" },
        { "jobs list --state asleep", "--state is one of queued|running|done"
                                      "|dead|cancelled" },
        { "jobs list --state queue", "--state is one of queued|running|done"
                                     "|dead|cancelled" },
        { "jobs list --limit 0", "--limit is 1 to 100000" },
        { "jobs list --limit x", "--limit wants a number" },
        { "jobs list --limit 5m", "--limit wants a number" },
        { "jobs list --all=1", "--all takes no value" },
        { "jobs list --kind a --kind b", "--kind is given twice" },
        { "probe --timeout soon", "--timeout wants a time: 90, 90s, 15m or "
                                  "2h" },
        { "probe --timeout 0", "--timeout is 1 to 86400 seconds" },
        { "runs start --meta x", "--meta wants NAME=VALUE" },
        { "runs start --meta =x", "--meta wants NAME=VALUE" },
        { "runs start -l", "-l wants a value: TAG" }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(!read_line(&arguments, rows[i].line), "\"%s\" is refused",
           rows[i].line);
        is(arguments.problem, rows[i].problem, "and said why");
        ctl_arguments_release(&arguments);
    }

    ok(read_line(&arguments, "jobs show --help"),
       "who asks for help needs no words");
    ctl_arguments_release(&arguments);
}


/* What help, completion and the manual page are made of is whole. */
static void
tables(void)
{
    int                   sane;
    const ctl_option_t   *option;
    const ctl_command_t  *command, *parent;

    sane = 1;

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        parent = ctl_command_find(ctl_command_parent(command->name));

        ok(strlen(command->name) < CTL_COMMAND_NAME_MAX
           && command->summary != NULL
           && (strchr(command->name, ' ') == NULL || parent != NULL)
           && (command->run != NULL
               ? command->examples != NULL && command->usual == NULL
               : ctl_command_is_group(command))
           && (command->usual == NULL
               || ctl_command_find(voice_span_str(command->usual)) != NULL),
           "\"%s\" is whole, with an example", command->name);

        for (option = command->options;
             option != NULL && option->name != NULL; option++)
        {
            sane = sane && option_is_sane(option);
        }
    }

    for (option = ctl_global_options; option->name != NULL; option++) {
        sane = sane && option_is_sane(option);
    }

    ok(sane, "every option is told, with what its value is");
}


static int
option_is_sane(const ctl_option_t *option)
{
    return option->help != NULL
           && (option->kind == CTL_FLAG) == (option->value == NULL)
           && (option->kind == CTL_CHOICE) == (option->choices != NULL);
}


/* The words of a line as main() would get them. */
static int
read_line(ctl_arguments_t *arguments, const char *line)
{
    char    *at;
    size_t   count;

    snprintf(text, sizeof(text), "%s", line);
    count = 0;

    for (at = text; at != NULL && count < WORDS; /* void */) {
        argv[count++] = strsep(&at, " ");
    }

    argv[count] = NULL;

    return ctl_arguments_read(arguments, argv) == VOICE_OK;
}
