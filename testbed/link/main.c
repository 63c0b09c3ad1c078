/* ccalab-link: the emulated bottleneck of the virtual lab, its own process so that its timing is
 * its own. */
#include <signal.h>
#include <stdlib.h>

#include "core/event.h"
#include "testbed/link/engine.h"

/* On stderr for people, on stdout for whoever follows the events. */
static int fail(const struct error *err)
{
    error_print(stderr, err);
    event_write_error(stdout, err);
    return status_exit_code(err->status);
}

int main(int argc, char **argv)
{
    struct link_options options;
    struct engine *e = NULL;
    struct error err = {0};
    enum status s;

    /* A closed pipe is noticed by its descriptor, and said. */
    signal(SIGPIPE, SIG_IGN);
    if (link_options_parse(argc, argv, &options, &err) != STATUS_OK) {
        return fail(&err);
    }
    if (options.is_help) {
        link_options_help(stdout);
        return 0;
    }
    e = malloc(sizeof(*e));
    if (e == NULL) {
        error_set(&err, STATUS_NOMEM, "link", "out of memory");
        return fail(&err);
    }
    s = engine_open(e, &options, &err);
    if (s == STATUS_OK) {
        s = engine_run(e, &err);
        engine_close(e);
    }
    free(e);
    return s == STATUS_OK ? 0 : fail(&err);
}
