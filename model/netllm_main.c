/* netllm: the policy worker. Speaks the events of docs/events.md on stdout; stderr is for people.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/event.h"
#include "core/version.h"
#include "model/cmd.h"

static volatile sig_atomic_t stop_signal;

static void on_signal(int signum)
{
    stop_signal = signum;
}

#ifndef CCALAB_HAVE_TORCH
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
    const char *what;
} commands[] = {
    {"pool", cmd_pool, true, "build an experience pool from iperf3 JSON"},
    {"adapt", cmd_adapt, true, "train a policy on a pool"},
    {"test", cmd_test, true, "score a trained policy on the held-out rows of a pool"},
    {"serve", cmd_serve, true, "decide for flows whose states come on stdin"},
    {"distill", cmd_distill, true, "teach a small network to answer as a policy does"},
#ifndef CCALAB_ONLY_NETLLM /* it needs a lab */
    {"drive", cmd_drive, true, "decide for live TCP flows: the congestion control netllm"},
#endif
    {"info", cmd_info, false, "what this build, a pool or a checkpoint is"},
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
    int code = run(argc, argv);
#ifdef CCALAB_HAVE_TORCH
    /* The destructors of libtorch take a tenth of a second, and have nothing to put away. */
    fflush(NULL);
    _exit(code);
#else
    return code;
#endif
}
