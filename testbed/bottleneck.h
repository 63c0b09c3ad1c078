/* One ccalab-link as the keeper holds it: its start, its events, its end. Thread: main, the loop.
 */
#ifndef CCALAB_TESTBED_BOTTLENECK_H
#define CCALAB_TESTBED_BOTTLENECK_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/error.h"
#include "core/event.h"
#include "core/loop.h"
#include "testbed/options.h"

struct bottleneck {
    const char *router;  /* its name; borrowed from the topology */
    bool is_first;       /* its samples keep their names; those of the others get the router's */
    struct child *child; /* NULL before its start and after its end */
    struct event_reader reader;
    int wait_status;
    cJSON *up, *down;      /* data of its two results, NULL before */
    struct error error;    /* of its error event; STATUS_OK if there was none */
    char stderr_tail[256]; /* the last it said */
};

/* Does the installed ccalab-link know --control? Asks it once. Errors: those of spawn_run(). */
CCALAB_MUST_USE enum status bottleneck_has_control(bool *out, struct error *err);

/* Start ccalab-link for router number `router` of the lab that `o` describes. Its progress, sample
 * and log lines go to stdout; a sample of a router but the first is called "link.<router>/down"
 * instead of "link/down". `control` is the path of the socket to listen on, NULL for none. *b must
 * not move. Errors: those of child_start(). */
CCALAB_MUST_USE enum status bottleneck_start(struct bottleneck *b, uv_loop_t *loop,
                                             const struct testbed_options *o, int router,
                                             const char *control, struct error *err);
/* Fill *err with why it ended by itself. Returns its status. */
enum status bottleneck_why_ended(const struct bottleneck *b, struct error *err);
/* After its end: free the results. */
void bottleneck_done(struct bottleneck *b);

#endif
