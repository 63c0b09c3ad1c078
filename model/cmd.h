/* The subcommands of netllm, and what they share. */
#ifndef CCALAB_MODEL_CMD_H
#define CCALAB_MODEL_CMD_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/error.h"
#include "model/devices.h"

/* Each takes its own argv (argv[0] is the subcommand) and the signal flag; events and results go
 * to stdout, the caller reports the error. */
enum status cmd_pool(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err);
enum status cmd_adapt(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err);
enum status cmd_test(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err);
enum status cmd_distill(int argc, char *argv[], const volatile sig_atomic_t *stop,
                        struct error *err);
enum status cmd_serve(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err);
/* Of drive/: it needs the testbed too. */
enum status cmd_drive(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err);
enum status cmd_info(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err);
/* Name and engine, a few lines; for --version and `info` without arguments. */
void cmd_print_engine(FILE *f);

#define CMD_TORCH_HINT                                                                             \
    "install libtorch-dev and libopenblas0-openmp, then configure and build again"
/* Of netllm alone: go on as netllm-torch, which lies beside it (execv(3): the same process,
 * arguments and files). Nothing may have been written to stdout. Returns where there is none. */
void cmd_become_torch(void);
/* STATUS_UNAVAILABLE for a command that needs libtorch in a build without it. */
enum status cmd_no_torch(const char *command, struct error *err);
/* STATUS_USAGE for an argument getopt_long(3) did not take: `c` is its return value. */
enum status cmd_bad_option(int c, char *argv[], struct error *err);
/* Parse all of `text` as a number in [min, max]. Errors: STATUS_USAGE naming the option. */
CCALAB_MUST_USE enum status cmd_parse_int(const char *option, const char *text, long long min,
                                          long long max, long long *out, struct error *err);
CCALAB_MUST_USE enum status cmd_parse_num(const char *option, const char *text, double min,
                                          double max, double *out, struct error *err);
/* One of CMD_DEVICE_OPTIONS; the last of --device... and --devices wins.
 * Errors: STATUS_USAGE naming the option. */
CCALAB_MUST_USE enum status cmd_set_device(const char *option, const char *text,
                                           struct device_request *r, struct error *err);
/* For getopt_long(3), all with the same value. */
#define CMD_DEVICE_OPTIONS(value)                                                                  \
    {"device", required_argument, NULL, value}, {"device-mid", required_argument, NULL, value},    \
        {"device-out", required_argument, NULL, value},                                            \
    {                                                                                              \
        "devices", required_argument, NULL, value                                                  \
    }
#define CMD_DEVICE_HELP                                                                            \
    "  --device D              cpu (default), cuda:0, ...: the policy, or its first layers\n"      \
    "  --device-mid D, --device-out D  the layers in the middle, and the last ones\n"              \
    "  --devices auto          share the layers among all CUDA devices by their free memory\n"

#endif
