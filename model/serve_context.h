/* What the policy remembers of each flow it decides for: a slot a flow.
 *
 *   exact    the published sliding window: every decision computes the last w steps anew
 *   cached   keys and values of the steps since a base are kept, a decision computes its own
 *            tokens only. When w steps are in, the last w / 2 become the new base, computed anew
 *            in between decisions.
 *
 * A cache cannot slide: deeper layers of the remaining tokens would still know the dropped ones.
 * So the context of a cached decision has w / 2 to w steps, and the decision is what
 * policy_forward() gives for these. Thread: that of the policy. */
#ifndef CCALAB_MODEL_SERVE_CONTEXT_H
#define CCALAB_MODEL_SERVE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/netllm.h"

enum serve_mode { SERVE_CACHED, SERVE_EXACT };
const char *serve_mode_name(enum serve_mode mode);

struct serve_contexts;

/* Room for `slots` flows and windows of `steps` steps. The policy is borrowed. *out is for
 * serve_contexts_free(). Errors: STATUS_INPUT (steps the policy cannot take), STATUS_NOMEM. */
CCALAB_MUST_USE enum status serve_contexts_new(struct policy *p, enum serve_mode mode, size_t steps,
                                               size_t slots, struct serve_contexts **out,
                                               struct error *err);
/* NULL is allowed. */
void serve_contexts_free(struct serve_contexts *c);

/* One step of one flow, on the scales of model/dataset.h. */
struct serve_step {
    size_t slot;
    float state[POLICY_FEATURES_MAX]; /* of which the policy has policy_config.features */
    float target;                     /* return-to-go */
    /* What became of the slot's step before, where that is known better than by its decision. */
    bool has_taken;
    float taken;
    float action; /* out: the decision; the next step of the slot builds on it */
};

/* Decide for `count` flows, of distinct slots, in as few passes as can be. After an error the
 * slots concerned must be reset. */
CCALAB_MUST_USE enum status serve_contexts_decide(struct serve_contexts *c,
                                                  struct serve_step *steps, size_t count,
                                                  struct error *err);
/* Forget a slot's steps. */
void serve_contexts_reset(struct serve_contexts *c, size_t slot);

/* Give up to `max` full contexts their new base. *done: how many there were; 0: none is left.
 * Whoever never calls this has it done when the next decision of the slot is due. */
CCALAB_MUST_USE enum status serve_contexts_rebase(struct serve_contexts *c, size_t max,
                                                  size_t *done, struct error *err);
/* Decisions so far that had to wait for their new base. */
size_t serve_contexts_late(const struct serve_contexts *c);

/* The steps that the slot's last decision was made from, for a recomputation: views into *c, valid
 * until its next use. The last action is the decision itself. */
struct policy_batch serve_contexts_view(struct serve_contexts *c, size_t slot);

#endif
