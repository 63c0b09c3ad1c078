#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "capture/capture.h"
#include "console/headless.h"
#include "console/keymap.h"
#include "console/options.h"
#include "console/packets_tui.h"
#include "console/tui.h"
#include "console/version.h"
#include "remote/probe.h"
#include "remote/tcp_info.h"
#include "testbed/testbed.h"

/* With one of the descriptors 0 to 2 closed, the next file opened would take its place and be
 * read from or printed into. Standard output is replaced by something that cannot be written:
 * printing into it must fail, not vanish. */
static void open_standard_descriptors(void)
{
    static const int how[] = {O_RDONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", how[fd]) != fd)
            _exit(status_exit_code(STATUS_IO));
}

static int run_command(const struct options *o)
{
    switch (o->command) {
    case COMMAND_TESTBED:
        return testbed_main(o->argc, o->argv);
    case COMMAND_ECN:
        return ecn_main(o->argc, o->argv);
    case COMMAND_PACKETS:
        return packets_main(o->argc, o->argv, packets_tui);
    case COMMAND_CAPTURE:
        return capture_main(o->argc, o->argv);
    case COMMAND_TCP_INFO:
        return tcp_info_main(o->argc, o->argv);
    case COMMAND_PROBE:
        return probe_main(o->argc, o->argv);
    case COMMAND_KEYS:
        return keymap_main(o->argc, o->argv);
    case COMMAND_COUNT:
        break;
    }
    return status_exit_code(STATUS_INTERNAL);
}

int main(int argc, char **argv)
{
    struct options o;
    struct error err;
    int code = 0;

    open_standard_descriptors();
    if (options_parse(argc, argv, &o, &err) != STATUS_OK) {
        error_print(stderr, &err);
        return status_exit_code(err.status);
    }
    log_set_level(o.log_level);
    if (o.mode != OPTIONS_COMMAND) {
        setlocale(LC_CTYPE, "");  /* only that: numbers are written with a point */
        signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(2), with an exit code */
    }
    switch (o.mode) {
    case OPTIONS_TUI:
        return tui_main(&o);
    case OPTIONS_RUN:
        return headless_main(&o);
    case OPTIONS_COMMAND:
        return run_command(&o);
    case OPTIONS_HELP:
        options_help(stdout);
        break;
    case OPTIONS_VERSION:
        version_print(stdout);
        break;
    }
    if (fflush(stdout)) {
        error_sys(&err, STATUS_IO, errno, "console", "standard output");
        if (err.sys_errno != EPIPE)
            error_print(stderr, &err);
        code = status_exit_code(err.status);
    }
    return code;
}
