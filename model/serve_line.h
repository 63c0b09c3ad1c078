/* One line of `netllm serve`'s input: what a flow reports (docs/netllm.md, "netllm serve"). */
#ifndef CCALAB_MODEL_SERVE_LINE_H
#define CCALAB_MODEL_SERVE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "model/pool.h"

#define SERVE_LINE_MAX 4096u /* bytes of a line */
#define SERVE_NAME_MAX 64    /* bytes of a flow's name, with its NUL */

struct serve_line {
    char flow[SERVE_NAME_MAX];
    bool is_done;               /* the flow ends: nothing else counts then */
    float state[POOL_FEATURES]; /* rtt_s, cwnd_bytes, min_rtt_s > 0, the others >= 0; those that
                                   its recipe has not are 0 */
    double reward;              /* of the action before, on the recipe's scale; NaN: not told */
    double target;              /* return wanted from here on, as trained on; NaN: not told */
};

/* Parse a JSON object of `len` bytes, with the first `features` of a state. A number as the flow's
 * name is read as its text. Errors: STATUS_INPUT naming the field. */
CCALAB_MUST_USE enum status serve_line_parse(const char *text, size_t len, int features,
                                             struct serve_line *out, struct error *err);

#endif
