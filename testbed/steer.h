/* Steering a running ccalab-link: one JSON object a line, on its Unix stream socket (docs/link.md).
 */
#ifndef CCALAB_TESTBED_STEER_H
#define CCALAB_TESTBED_STEER_H

#include <cjson/cJSON.h>

#include "core/error.h"
#include "testbed/lab.h"
#include "testbed/options.h"

/* Send a request and wait up to 2 s for the answer. Returns it if it says "ok":true (caller
 * deletes); else NULL with *err: the error of the answer, or STATUS_HOST (nobody listens, or does
 * not answer), STATUS_INPUT (the answer is no answer). */
cJSON *steer_ask(const char *path, const cJSON *request, struct error *err);
/* {"cmd":"get"}, the same way. */
cJSON *steer_get(const char *path, struct error *err);

/* `ccalab testbed set` and `get`: ask the bottleneck of o->router. `get` prints the answer, `set`
 * that of a `get` after it. Errors: STATUS_FAIL (no such lab or router), STATUS_USAGE (a key that
 * there is not), those of steer_ask(). */
CCALAB_MUST_USE enum status steer_set(const struct testbed_options *o, struct error *err);
CCALAB_MUST_USE enum status steer_print(const struct testbed_options *o, struct error *err);

#endif
