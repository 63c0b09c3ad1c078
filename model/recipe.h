/* Recipes: how what was measured of a flow becomes states, actions and rewards.
 *
 *   tutorial   the published builder script: action 1, 2 or 3 from the window's place between its
 *              minimum and maximum, reward log10(throughput / rtt)
 *   published  what the published pools contain: action (cwnd - min) / (max - min), reward the
 *              tutorial's, standardised; all constants over the whole pool
 *   lab        the default of netllm pool: action ln(next cwnd / cwnd), so that nothing in the
 *              state gives it away; reward log10(throughput / rtt) of the interval that followed
 *   loop       for driving: rows of counters as far apart as decisions are (snapshot.h), states
 *              with min_rtt_s, ce_share and lost_share too; actions as lab's, and beside each the
 *              advice, ln(window advised / cwnd), where a driven flow's samples tell it; reward
 *
 *                ln(throughput) - 0.5 ln(rtt / min_rtt) - 5 lost_share - 0.05 ce_share
 *
 *              of the interval that followed, min_rtt being the flow's least of all. Twice the
 *              first two are ln(r^2 / d) up to a constant of the path, the judge's power. Where
 *              other flows shared the way then, ln(throughput) is the mean over all of them:
 *              largest at equal shares (proportional fairness: F. Kelly, A. Maulloo, D. Tan, "Rate
 *              control for communication networks", 1998)
 *
 * docs/netllm.md ("Recipes") tells why. In all others a row's state is (rtt_s, cwnd_bytes,
 * throughput_bps). A sample that was not measured is left out and ends the episode. */
#ifndef CCALAB_MODEL_RECIPE_H
#define CCALAB_MODEL_RECIPE_H

#include <stdbool.h>

#include "core/error.h"
#include "model/pool.h"
#include "model/trace.h"

/* X(id, name) */
#define RECIPES(X)                                                                                 \
    X(TUTORIAL, "tutorial")                                                                        \
    X(PUBLISHED, "published")                                                                      \
    X(LAB, "lab")                                                                                  \
    X(LOOP, "loop")                                                                                \
    X(IMPORTED, "imported") /* actions and rewards as someone else made them */

enum recipe {
#define X(id, name) RECIPE_##id,
    RECIPES(X)
#undef X
        RECIPE_COUNT
};

const char *recipe_name(enum recipe recipe);
/* The recipe of that name; RECIPE_IMPORTED for one that is not ours. */
enum recipe recipe_of(const char *name);
/* How many of enum pool_feature its states have: 3, of loop 6. */
int recipe_features(enum recipe recipe);
/* Is its action ln(next window / window), that of lab and loop? */
bool recipe_is_ratio(enum recipe recipe);

/* The tutorial's action: 1, 2, or 3 (only at the maximum); 1 where the window never changes. */
double recipe_tutorial_action(double cwnd_bytes, double cwnd_min, double cwnd_max);
/* The tutorial's reward: log10(throughput / rtt) in bit/s and s; 0.1 where either is not positive.
 */
double recipe_tutorial_reward(double throughput_bps, double rtt_s);
/* A row as the state that the policy sees, all six: what training and driving share,
 * dataset_features() being the other half of it. */
void recipe_state(const struct trace_row *r, float state[POOL_FEATURES]);
/* Has a row all that a state of the recipe is made of? A flow's first one has not: there is no
 * interval before it. No training has such a row, and no policy decides at one. */
bool recipe_is_whole(enum recipe recipe, const struct trace_row *r);
/* The reward that the interval which ends at this row is worth; for recipe lab it is that of the
 * action before, for the others that of the row itself. */
double recipe_reward(enum recipe recipe, const struct trace_row *r);
/* The window that an action asks for, in bytes, from one of `cwnd_bytes`; of the recipes published
 * and tutorial between the constants cwnd_min and cwnd_max. NaN where that cannot be told. */
double recipe_cwnd(enum recipe recipe, double action, double cwnd_bytes, double cwnd_min,
                   double cwnd_max);
/* What the same row's window says the action is, for the recipes where it does; NaN otherwise. */
double recipe_copy(enum recipe recipe, double cwnd_bytes, const struct pool_episode *e);

/* Build a pool from traces; *out is for pool_free().
 * Errors: STATUS_USAGE (RECIPE_IMPORTED cannot be built), STATUS_INPUT (no row comes of it),
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status recipe_build(enum recipe recipe, const struct trace_set *traces,
                                         struct pool **out, struct error *err);
/* If the actions and rewards of an imported pool are what tutorial or published would have made of
 * its states, name that recipe and its constants in it. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status recipe_recognise(struct pool *p, struct error *err);

#endif
