#include "console/options.h"

#include <string.h>
#include <unistd.h>

#include "console/theme.h"
#include "core/suggest.h"
#include "core/units.h"

enum option_id {
    OPT_RUN,
    OPT_WATCH,
    OPT_TEST,
    OPT_EVENTS,
    OPT_PLOT,
    OPT_THEME,
    OPT_MEMORY,
    OPT_UNSAFE,
    OPT_ACCEPT_NEW_HOSTS,
    OPT_LOG_LEVEL,
    OPT_HELP,
    OPT_VERSION
};

static const struct option {
    enum option_id id;
    const char *name; /* with its dashes */
    char letter;
    const char *meta; /* name of its value, NULL: takes none */
    const char *help;
} options[] = {
    {OPT_RUN, "--run", 0, "FILE.lua [ARGS]", "run a script without a terminal, then leave"},
    {OPT_WATCH, "--watch", 0, "FILE.lua [ARGS]", "run a script on the screen, then leave"},
    {OPT_TEST, "--test", 0, "DIR [OPTIONS]", "run the tests of a directory: ccalab test DIR"},
    {OPT_EVENTS, "--events", 0, "FILE", "write the events of all jobs as JSON Lines"},
    {OPT_PLOT, "--plot", 0, "MODE", "braille, block, ascii or auto (what the locale can show)"},
    {OPT_THEME, "--theme", 0, "NAME", THEME_NAMES},
    {OPT_MEMORY, "--memory", 0, "MIB", "what a script may keep in memory, in MiB (2048)"},
    {OPT_UNSAFE, "--unsafe", 0, NULL, "let scripts start commands (os.execute, io.popen)"},
    {OPT_ACCEPT_NEW_HOSTS, "--accept-new-hosts", 0, NULL,
     "trust SSH hosts whose key is not known yet"},
    {OPT_LOG_LEVEL, "--log-level", 0, "LEVEL", "debug, info, warn or error"},
    {OPT_HELP, "--help", 'h', NULL, "print this text"},
    {OPT_VERSION, "--version", 'V', NULL, "print the version and the features of this build"},
};
#define NOPTIONS (sizeof options / sizeof options[0])

/* Those of CCALAB_COMMANDS, in the order of enum command_id, then those written in Lua. */
static const struct command {
    const char *name, *help;
} commands[] = {
#define X(id, name, help) {name, help},
    CCALAB_COMMANDS(X)
#undef X
#define X(name, help) {#name, help},
#include "lua/commands.def"
#undef X
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

static enum status suggest(struct error *err, const char *word, const char *const *names)
{
    const char *name = did_you_mean(word, names);

    if (name)
        return error_hint(err, "did you mean %s?", name);
    return error_hint(err, "see ccalab --help");
}

static enum status unknown_option(const char *word, struct error *err)
{
    const char *names[NOPTIONS + 1] = {0};

    for (size_t i = 0; i < NOPTIONS; i++)
        names[i] = options[i].name;
    error_set(err, STATUS_USAGE, "options", "unknown option %s", word);
    return suggest(err, word, names);
}

static enum status unknown_command(const char *word, struct error *err)
{
    const char *names[NCOMMANDS + 1] = {0};

    for (size_t i = 0; i < NCOMMANDS; i++)
        names[i] = commands[i].name;
    error_set(err, STATUS_USAGE, "options", "%s is neither a script nor a command", word);
    return suggest(err, word, names);
}

static const struct option *find(const char *arg, size_t len)
{
    for (size_t i = 0; i < NOPTIONS; i++) {
        if (strlen(options[i].name) == len && !strncmp(options[i].name, arg, len))
            return &options[i];
        if (options[i].letter && len == 2 && arg[0] == '-' && arg[1] == options[i].letter)
            return &options[i];
    }
    return NULL;
}

/* *index: which of the names the value is. `hint` lists them. */
static enum status choose(const char *option, const char *value, const char *const *names,
                          const char *hint, int *index, struct error *err)
{
    for (int i = 0; names[i]; i++) {
        if (!strcmp(value, names[i])) {
            *index = i;
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_USAGE, "options", "%s cannot be %s", option, value);
    if (did_you_mean(value, names))
        return suggest(err, value, names);
    return error_hint(err, "%s", hint);
}

static enum status set_plot(struct options *o, const char *value, struct error *err)
{
    static const char *const names[] = {"auto", "braille", "block", "ascii", NULL};
    int i = (int)o->plot;
    enum status st = choose("--plot", value, names, "braille, block, ascii or auto", &i, err);

    o->plot = (enum options_plot)i;
    return st;
}

static enum status set_theme(struct options *o, const char *value, struct error *err)
{
    int i = 0;
    enum status st = choose("--theme", value, theme_names, THEME_NAMES, &i, err);

    o->theme = theme_names[i];
    return st;
}

static enum status set_log_level(struct options *o, const char *value, struct error *err)
{
    const char *names[LOG_LEVEL_ERROR + 2] = {0};
    int i = (int)o->log_level;
    enum status st;

    for (int k = LOG_LEVEL_DEBUG; k <= LOG_LEVEL_ERROR; k++)
        names[k] = log_level_name((enum log_level)k);
    st = choose("--log-level", value, names, "debug, info, warn or error", &i, err);
    o->log_level = (enum log_level)i;
    return st;
}

/* A command of C can have words that are written in Lua. */
static const struct subcommand {
    const char *command, *word, *name;
} subcommands[] = {
#define X(command, word) {#command, #word, #command "_" #word},
#include "lua/subcommands.def"
#undef X
};

static const char *find_subcommand(const char *command, const char *word)
{
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (!strcmp(command, subcommands[i].command) && !strcmp(word, subcommands[i].word))
            return subcommands[i].name;
    return NULL;
}

/* What a word that is no option is: a command, or a script to watch. */
static enum status take_word(int argc, char **argv, int at, struct options *o, struct error *err)
{
    const char *word = argv[at];
    const char *dot = strrchr(word, '.');

    o->builtin = at + 1 < argc ? find_subcommand(word, argv[at + 1]) : NULL;
    if (o->builtin) {
        o->mode = OPTIONS_RUN;
        o->argc = argc - at - 2;
        o->argv = argv + at + 2;
        return STATUS_OK;
    }
    for (size_t i = 0; i < NCOMMANDS; i++) {
        if (strcmp(word, commands[i].name))
            continue;
        if (i < COMMAND_COUNT) {
            o->mode = OPTIONS_COMMAND;
            o->command = (enum command_id)i;
            o->argc = argc - at;
            o->argv = argv + at;
        } else {
            o->mode = OPTIONS_RUN;
            o->builtin = commands[i].name;
            o->argc = argc - at - 1;
            o->argv = argv + at + 1;
        }
        return STATUS_OK;
    }
    if (!(dot && !strcmp(dot, ".lua")) && access(word, F_OK))
        return unknown_command(word, err);
    o->file = word;
    o->argc = argc - at - 1;
    o->argv = argv + at + 1;
    return STATUS_OK;
}

enum status options_parse(int argc, char **argv, struct options *o, struct error *err)
{
    enum status st = STATUS_OK;

    *o = (struct options){.log_level = LOG_LEVEL_INFO};
    for (int i = 1; i < argc && st == STATUS_OK; i++) {
        const char *arg = argv[i], *equals, *value = NULL;
        const struct option *opt;

        if (!strcmp(arg, "--"))
            return i + 1 < argc ? take_word(argc, argv, i + 1, o, err) : STATUS_OK;
        if (arg[0] != '-' || !arg[1])
            return take_word(argc, argv, i, o, err);
        equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
        opt = find(arg, equals ? (size_t)(equals - arg) : strlen(arg));
        if (!opt)
            return unknown_option(arg, err);
        if (opt->meta) {
            value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (!value || !*value) {
                error_set(err, STATUS_USAGE, "options", "%s needs a value", opt->name);
                return error_hint(err, "%s %s", opt->name, opt->meta);
            }
        } else if (equals) {
            return error_set(err, STATUS_USAGE, "options", "%s takes no value", opt->name);
        }
        switch (opt->id) {
        case OPT_RUN:
        case OPT_WATCH:
            o->mode = opt->id == OPT_RUN ? OPTIONS_RUN : OPTIONS_TUI;
            o->file = value;
            o->argc = argc - i - 1;
            o->argv = argv + i + 1;
            return STATUS_OK;
        case OPT_TEST:
            o->mode = OPTIONS_RUN;
            o->builtin = "test";
            argv[i] = (char *)value; /* the command's first word */
            o->argc = argc - i;
            o->argv = argv + i;
            return STATUS_OK;
        case OPT_EVENTS:
            o->events_path = value;
            break;
        case OPT_PLOT:
            st = set_plot(o, value, err);
            break;
        case OPT_THEME:
            st = set_theme(o, value, err);
            break;
        case OPT_MEMORY:
            st = parse_count(value, "--memory", 16, 1 << 20, &o->memory_bytes, err);
            o->memory_bytes <<= 20;
            break;
        case OPT_UNSAFE:
            o->is_unsafe = true;
            break;
        case OPT_ACCEPT_NEW_HOSTS:
            o->accepts_new_hosts = true;
            break;
        case OPT_LOG_LEVEL:
            st = set_log_level(o, value, err);
            break;
        case OPT_HELP:
            o->mode = OPTIONS_HELP;
            return STATUS_OK;
        case OPT_VERSION:
            o->mode = OPTIONS_VERSION;
            return STATUS_OK;
        }
    }
    return st;
}

void options_help(FILE *f)
{
    fputs("ccalab: a congestion-control laboratory in the terminal\n\n"
          "  ccalab [OPTIONS]                           open the console\n"
          "  ccalab [OPTIONS] FILE.lua [ARGS]           watch a script in the console\n"
          "  ccalab [OPTIONS] --run FILE.lua [ARGS]     run a script without a terminal\n",
          f);
    for (size_t i = 0; i < NCOMMANDS; i++)
        fprintf(f, "  ccalab %-35s %s\n", commands[i].name, commands[i].help);
    fputs("\nOptions\n", f);
    for (size_t i = 0; i < NOPTIONS; i++) {
        char left[48];

        snprintf(left, sizeof left, "%c%c%s%s%s%s", options[i].letter ? '-' : ' ',
                 options[i].letter ? options[i].letter : ' ', options[i].letter ? ", " : "  ",
                 options[i].name, options[i].meta ? " " : "",
                 options[i].meta ? options[i].meta : "");
        fprintf(f, "  %-32s %s\n", left, options[i].help);
    }
    fputs("\nExit codes\n", f);
    for (int s = 0; s < STATUS_COUNT; s++)
        fprintf(f, "  %3d  %s\n", status_exit_code((enum status)s), status_text((enum status)s));
}
