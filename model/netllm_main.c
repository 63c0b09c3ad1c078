/* netllm: the policy worker. Speaks the events of docs/events.md on stdout; stderr is for people.
 *
 * Two programs are made of this file. Loading libtorch takes half a second, so `netllm` is without
 * it; what computes with the policy it leaves to `netllm-torch`, which can do everything. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/event.h"
#include "core/paths.h"
#include "core/version.h"
#include "model/cmd.h"

static volatile sig_atomic_t stop_signal;

static void on_signal(int signum)
{
    stop_signal = signum;
}

#ifndef CCALAB_HAVE_TORCH
/* These are asked only where there is no netllm-torch. */
enum status cmd_adapt(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    (void)argc, (void)argv, (void)stop;
    return cmd_no_torch("adapt", err);
}

enum status cmd_test(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    (void)argc, (void)argv, (void)stop;
    return cmd_no_torch("test", err);
}

enum status cmd_distill(int argc, char *argv[], const volatile sig_atomic_t *stop,
                        struct error *err)
{
    (void)argc, (void)argv, (void)stop;
    return cmd_no_torch("distill", err);
}

enum status cmd_serve(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    (void)argc, (void)argv, (void)stop;
    return cmd_no_torch("serve", err);
}
#endif

static const struct {
    const char *name;
    enum status (*run)(int, char *[], const volatile sig_atomic_t *, struct error *);
    bool has_events;
    /* It is for netllm-torch where this is a part of an argument; "": always; NULL: never, or it
     * knows best itself. Once too often does no harm. */
    const char *torch_word;
    const char *what;
} commands[] = {
    {"pool", cmd_pool, true, NULL, "build an experience pool from iperf3 JSON"},
    {"adapt", cmd_adapt, true, "", "train a policy on a pool"},
    {"test", cmd_test, true, "", "score a trained policy on the held-out rows of a pool"},
    {"serve", cmd_serve, true, "", "decide for flows whose states come on stdin"},
    {"distill", cmd_distill, true, "", "teach a small network to answer as a policy does"},
#ifndef CCALAB_ONLY_NETLLM /* it needs a lab */
    {"drive", cmd_drive, true,
     "model:", "decide for live TCP flows: the congestion control netllm"},
#endif
    {"info", cmd_info, false, NULL, "what this build, a pool or a checkpoint is"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *f)
{
    fputs("usage: netllm COMMAND [OPTIONS]\n\n", f);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(f, "  %-7s %s\n", commands[i].name, commands[i].what);
    fputs("\nnetllm COMMAND --help lists the options. netllm --version names the engine.\n"
          "Events go to stdout as JSON Lines, messages to stderr. Manual: docs/netllm.md\n",
          f);
}

/* --- shared by the commands ------------------------------------------------------------------- */

enum status cmd_no_torch(const char *command, struct error *err)
{
    error_set(err, STATUS_UNAVAILABLE, "netllm", "%s needs libtorch, which this build lacks",
              command);
    error_hint(err, "%s", CMD_TORCH_HINT);
    return STATUS_UNAVAILABLE;
}

enum status cmd_bad_option(int c, char *argv[], struct error *err)
{
    error_set(err, STATUS_USAGE, "netllm", c == ':' ? "%s needs a value" : "unknown option %s",
              argv[optind - 1]);
    error_hint(err, "see: netllm %s --help", argv[0]);
    return STATUS_USAGE;
}

enum status cmd_parse_int(const char *option, const char *text, long long min, long long max,
                          long long *out, struct error *err)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text && !*end && !errno && *out >= min && *out <= max)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "netllm", "--%s '%s' is no whole number from %lld to %lld",
                     option, text, min, max);
}

enum status cmd_parse_num(const char *option, const char *text, double min, double max, double *out,
                          struct error *err)
{
    char *end;
    *out = strtod(text, &end);
    if (*text && !*end && *out >= min && *out <= max)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "netllm", "--%s '%s' is no number from %g to %g", option,
                     text, min, max);
}

enum status cmd_set_device(const char *option, const char *text, struct device_request *r,
                           struct error *err)
{
    if (strcmp(option, "devices") == 0) {
        if (strcmp(text, "auto") != 0)
            return error_set(err, STATUS_USAGE, "netllm", "--devices '%s' is not auto", text);
        *r = (struct device_request){.is_auto = true};
        return STATUS_OK;
    }
    r->is_auto = false;
    return device_parse(option, text,
                        strcmp(option, "device-mid") == 0   ? &r->mid
                        : strcmp(option, "device-out") == 0 ? &r->out
                                                            : &r->device,
                        err);
}

#ifndef CCALAB_HAVE_TORCH
static char **arguments; /* of main(), in the order that getopt_long(3) has made of them */

void cmd_become_torch(void)
{
    char dir[CCALAB_PATH_MAX], path[CCALAB_PATH_MAX];
    /* Beside this program only: one found elsewhere could be of another version. */
    if (!paths_self_dir(dir, sizeof dir) || !path_join(path, sizeof path, dir, "netllm-torch"))
        return;
    execv(path, arguments);
    if (errno != ENOENT)
        fprintf(stderr, "netllm: cannot start %s: %s\n", path, strerror(errno));
}

static bool has_word(int argc, char *argv[], const char *word)
{
    for (int i = 1; i < argc; i++)
        if (strstr(argv[i], word))
            return true;
    return false;
}
#endif

static int run(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        cmd_print_engine(stdout);
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
#ifndef CCALAB_HAVE_TORCH
        /* Before the signals have handlers: one that came between would be forgotten. */
        if (commands[i].torch_word && has_word(argc, argv, commands[i].torch_word))
            cmd_become_torch();
#endif
        if (commands[i].has_events) {
            struct sigaction action = {.sa_handler = on_signal};
            sigaction(SIGINT, &action, NULL);
            sigaction(SIGTERM, &action, NULL);
        }
        struct error err = {0};
        enum status st = commands[i].run(argc - 1, argv + 1, &stop_signal, &err);
        if (st) {
            err.status = st;
            if (commands[i].has_events)
                event_write_error(stdout, &err);
            error_print(stderr, &err);
        }
        return status_exit_code(st);
    }
    if (*name)
        fprintf(stderr, "netllm: unknown command '%s'\n", name);
    print_help(stderr);
    return status_exit_code(STATUS_USAGE);
}

int main(int argc, char *argv[])
{
#ifdef CCALAB_HAVE_TORCH
    int code = run(argc, argv);
    /* The destructors of libtorch take a tenth of a second, and have nothing to put away. */
    fflush(NULL);
    _exit(code);
#else
    arguments = argv;
    return run(argc, argv);
#endif
}
