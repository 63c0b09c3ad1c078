/* The commands of this room; docs/capture.md is their manual. */
#ifndef CCALAB_CAPTURE_CAPTURE_H
#define CCALAB_CAPTURE_CAPTURE_H

#include <stdbool.h>

/* `ccalab ecn FILE [--json|--csv]`: count the ECN codepoints of a capture file.
 * argv[0] is "ecn". Returns the exit code, one of status_exit_code(). */
int ecn_main(int argc, char **argv);

/* What a screen is to show. Borrowed from the command line. */
struct packets_screen {
    const char *path;   /* "-": standard input */
    const char *filter; /* or NULL; it compiles */
    bool is_followed;   /* wait at the file's end for more */
};

/* `ccalab packets FILE [-Y FILTER] ...`: show the packets of a capture file on a terminal, or list,
 * count or print the fields of those that pass a display filter. argv[0] is "packets". `screen`
 * shows them and returns the exit code. Returns the exit code. */
int packets_main(int argc, char **argv, int (*screen)(const struct packets_screen *opts));

/* `ccalab capture -i IFACE ...`: count them on an interface, as events on standard output, until
 * SIGINT, SIGTERM, SIGHUP or the end of --duration, which are all a proper end (exit code 0).
 * These signals are blocked while it runs, SIGPIPE is ignored from then on. argv[0] is "capture".
 * Returns the exit code, one of status_exit_code(). */
int capture_main(int argc, char **argv);

#endif
