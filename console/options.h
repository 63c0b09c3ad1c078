/* The command line of ccalab. Thread: main, before anything else. */
#ifndef CCALAB_CONSOLE_OPTIONS_H
#define CCALAB_CONSOLE_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "core/error.h"
#include "core/log.h"
#include "lua/script.h"

/* X(id, name, help): programs inside ccalab, each with its own command line. */
#define CCALAB_COMMANDS(X)                                                                         \
    X(TESTBED, "testbed", "the virtual lab: up, status, down")                                     \
    X(ECN, "ecn", "count ECN code points in a capture file")                                       \
    X(PACKETS, "packets",                                                                          \
      "show, list or count the packets of a capture file, by a display filter")                    \
    X(CAPTURE, "capture", "capture packets and count their ECN code points live")                  \
    X(TCP_INFO, "tcp-info", "sample the TCP sockets of this machine or namespace")                 \
    X(PROBE, "probe", "measure RTT under load, ECT(1) beside Not-ECT")                             \
    X(KEYS, "keys", "the keys of the console: print them, check your own")

enum command_id {
#define X(id, name, help) COMMAND_##id,
    CCALAB_COMMANDS(X)
#undef X
        COMMAND_COUNT
};

enum options_mode {
    OPTIONS_TUI, /* with file != NULL: watch it */
    OPTIONS_RUN,
    OPTIONS_COMMAND,
    OPTIONS_HELP,
    OPTIONS_VERSION,
};

enum options_plot {
    OPTIONS_PLOT_AUTO,
    OPTIONS_PLOT_BRAILLE,
    OPTIONS_PLOT_BLOCK,
    OPTIONS_PLOT_ASCII
};

struct options {
    enum options_mode mode;
    enum command_id command;
    const char *file;    /* the script, or NULL */
    const char *builtin; /* with OPTIONS_RUN: a name of lua/commands.def, then file is NULL */
    int argc; /* arguments of the script (without its name), or of the command (with it) */
    char **argv;
    const char *events_path; /* or NULL */
    enum options_plot plot;
    const char *theme;     /* its name, or NULL: not said */
    uint64_t memory_bytes; /* of scripts; 0: not said */
    bool is_unsafe, accepts_new_hosts;
    enum log_level log_level;
};

/* Strings are borrowed from argv. Options end at the script's or command's name: what follows is
 * its own. Errors: STATUS_USAGE with a "did you mean" hint. */
CCALAB_MUST_USE enum status options_parse(int argc, char **argv, struct options *out,
                                          struct error *err);
void options_help(FILE *f);

#endif
