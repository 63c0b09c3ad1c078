/* What decides: one interface for the trained policy, for the baselines beside it and for a
 * student's Lua. A policy decides for many flows at once and knows nothing of the kernel. Thread:
 * one. */
#ifndef CCALAB_DRIVE_POLICY_H
#define CCALAB_DRIVE_POLICY_H

#include "core/error.h"
#include "drive/seen.h"

struct drive_answer {
    bool is_none;      /* on purpose: too early, or why was told by event_write_log() */
    double cwnd;       /* packets; any number, NaN counts as refused */
    double pacing_bps; /* 0: what suits the window */
    /* What it is to bring, as the policy was told: return to go, in the reward's unit. NaN: no
     * return is aimed at. */
    double target_return;
};

struct drive_policy;

/* All but decide and free may be NULL. */
struct drive_policy_ops {
    void (*open)(struct drive_policy *p, const struct agent_flow *flow);
    void (*close)(struct drive_policy *p, const struct agent_flow *flow);
    /* `count` intervals of distinct flows; the answers are zeroed, but for the target, which is
     * NaN. An error ends the driving. */
    enum status (*decide)(struct drive_policy *p, const struct drive_seen *seen,
                          struct drive_answer *answers, size_t count, struct error *err);
    /* The return to aim at from here on, as a share of the largest of the training. */
    void (*set_target)(struct drive_policy *p, double scale);
    /* Work that can wait until nothing else is to be done, a piece of it. False: there is none. */
    enum status (*idle)(struct drive_policy *p, bool *has_more, struct error *err);
    void (*free)(struct drive_policy *p);
};

struct drive_policy {
    const struct drive_policy_ops *ops;
};

struct drive_policy_opts {
    double target_scale;
    size_t flows;              /* at most, at a time; of the trained policy */
    int threads;               /* libtorch's; 0: as it likes */
    double cwnd_min, cwnd_max; /* bytes, for the recipes published and tutorial; NaN: unknown */
    uint64_t lua_budget;       /* instructions a decision */
    bool is_advisor;           /* nobody does what it answers: for its messages */
};

/* The policy that a text names (docs/drive.md): "constant:40", "bdp:50mbit:20ms", "copy-last",
 * "random:7", "lua:FILE", "distilled:FILE", "model:DIR". *out is for drive_policy_free().
 * Errors: STATUS_USAGE naming what is meant, perhaps; those of the policy's own file. */
CCALAB_MUST_USE enum status drive_policy_new(const char *spec, const struct drive_policy_opts *opts,
                                             struct drive_policy **out, struct error *err);
/* NULL is allowed. */
void drive_policy_free(struct drive_policy *p);

/* The single ones; `argument` is what follows the colon. */
typedef enum status drive_policy_fn(const char *argument, const struct drive_policy_opts *opts,
                                    struct drive_policy **out, struct error *err);
drive_policy_fn drive_constant_new, drive_bdp_new, drive_copy_last_new, drive_random_new,
    drive_lua_new, drive_mlp_new, drive_model_new;

#endif
