/* The commands of this room; docs/capture.md is their manual. */
#ifndef CCALAB_CAPTURE_CAPTURE_H
#define CCALAB_CAPTURE_CAPTURE_H

/* `ccalab ecn FILE [--json|--csv]`: count the ECN codepoints of a capture file.
 * argv[0] is "ecn". Returns the exit code, one of status_exit_code(). */
int ecn_main(int argc, char **argv);

/* `ccalab packets FILE [-Y FILTER] ...`: list, count or print the fields of the packets of a
 * capture file that pass a display filter. argv[0] is "packets". Returns the exit code. */
int packets_main(int argc, char **argv);

/* `ccalab capture -i IFACE ...`: count them on an interface, as events on standard output, until
 * SIGINT, SIGTERM, SIGHUP or the end of --duration, which are all a proper end (exit code 0).
 * These signals are blocked while it runs, SIGPIPE is ignored from then on. argv[0] is "capture".
 * Returns the exit code, one of status_exit_code(). */
int capture_main(int argc, char **argv);

#endif
