#include "model/serve_context.h"

#include <stdlib.h>
#include <string.h>

struct serve_contexts {
    struct policy *policy;
    struct policy_cache *cache; /* NULL: exact */
    size_t steps, slots;        /* w; how many flows */
    size_t features;            /* of a state */
    /* Of each slot its last steps, from the base on: [slots, steps, ...]. */
    float *states, *actions, *returns;
    size_t *lengths;
    int32_t *timesteps; /* [slots, steps] */
    size_t late;
    /* Scratch of one pass: timesteps too. */
    size_t *order, *pass_slots;
    float *pass_states, *pass_actions, *pass_returns, *pass_open, *decisions;
};

const char *serve_mode_name(enum serve_mode mode)
{
    return mode == SERVE_EXACT ? "exact" : "cached";
}

enum status serve_contexts_new(struct policy *p, enum serve_mode mode, size_t steps, size_t slots,
                               struct serve_contexts **out, struct error *err)
{
    enum status st = STATUS_OK;
    size_t rows = steps * slots;
    *out = NULL;
    if (!steps || !slots || steps > POLICY_STEPS_MAX || slots > SIZE_MAX / steps / 64)
        return error_set(err, STATUS_INPUT, "serve", "%zu flows of %zu steps cannot be kept", slots,
                         steps);
    struct serve_contexts *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, STATUS_NOMEM, "serve", "no memory");
    c->policy = p;
    c->steps = steps;
    c->slots = slots;
    c->features = (size_t)policy_get_config(p)->features;
    if (mode == SERVE_CACHED && (st = policy_cache_new(p, slots, steps, &c->cache, err)))
        goto out;
    c->states = calloc(rows, c->features * sizeof *c->states);
    c->actions = calloc(rows, sizeof *c->actions);
    c->returns = calloc(rows, sizeof *c->returns);
    c->lengths = calloc(slots, sizeof *c->lengths);
    c->timesteps = calloc(rows, sizeof *c->timesteps);
    c->order = calloc(slots, sizeof *c->order);
    c->pass_slots = calloc(slots, sizeof *c->pass_slots);
    c->pass_states = calloc(rows, c->features * sizeof *c->pass_states);
    c->pass_actions = calloc(rows, sizeof *c->pass_actions);
    c->pass_returns = calloc(rows, sizeof *c->pass_returns);
    c->pass_open = calloc(slots, sizeof *c->pass_open);
    c->decisions = calloc(slots, sizeof *c->decisions);
    if (!c->states || !c->actions || !c->returns || !c->lengths || !c->timesteps || !c->order ||
        !c->pass_slots || !c->pass_states || !c->pass_actions || !c->pass_returns ||
        !c->pass_open || !c->decisions)
        st = error_set(err, STATUS_NOMEM, "serve", "no memory for %zu flows of %zu steps", slots,
                       steps);
out:
    if (st)
        serve_contexts_free(c);
    else
        *out = c;
    return st;
}

void serve_contexts_free(struct serve_contexts *c)
{
    if (!c)
        return;
    policy_cache_free(c->cache);
    free(c->states);
    free(c->actions);
    free(c->returns);
    free(c->lengths);
    free(c->timesteps);
    free(c->order);
    free(c->pass_slots);
    free(c->pass_states);
    free(c->pass_actions);
    free(c->pass_returns);
    free(c->pass_open);
    free(c->decisions);
    free(c);
}

void serve_contexts_reset(struct serve_contexts *c, size_t slot)
{
    c->lengths[slot] = 0;
    if (c->cache)
        policy_cache_rewind(c->cache, slot, 0);
}

size_t serve_contexts_late(const struct serve_contexts *c)
{
    return c->late;
}

struct policy_batch serve_contexts_view(struct serve_contexts *c, size_t slot)
{
    for (size_t i = 0; i < c->lengths[slot]; i++)
        c->timesteps[i] = (int32_t)i;
    return (struct policy_batch){.windows = 1,
                                 .steps = c->lengths[slot],
                                 .states = c->states + slot * c->steps * c->features,
                                 .actions = c->actions + slot * c->steps,
                                 .returns = c->returns + slot * c->steps,
                                 .timesteps = c->timesteps};
}

/* Keep only the last `keep` steps of a slot. */
static void drop_oldest(struct serve_contexts *c, size_t slot, size_t keep)
{
    size_t first = slot * c->steps, from = first + c->lengths[slot] - keep;
    memmove(c->states + first * c->features, c->states + from * c->features,
            keep * c->features * sizeof *c->states);
    memmove(c->actions + first, c->actions + from, keep * sizeof *c->actions);
    memmove(c->returns + first, c->returns + from, keep * sizeof *c->returns);
    c->lengths[slot] = keep;
}

/* One pass over the last `count` steps of each of the first `windows` of pass_slots: decisions
 * [windows] at the last of these, or none. */
static enum status run_pass(struct serve_contexts *c, size_t windows, size_t count,
                            float *decisions, struct error *err)
{
    for (size_t i = 0; i < windows; i++) {
        size_t from = c->lengths[c->pass_slots[i]] - count;
        size_t row = c->pass_slots[i] * c->steps + from;
        memcpy(c->pass_states + i * count * c->features, c->states + row * c->features,
               count * c->features * sizeof *c->states);
        memcpy(c->pass_actions + i * count, c->actions + row, count * sizeof *c->actions);
        memcpy(c->pass_returns + i * count, c->returns + row, count * sizeof *c->returns);
        c->pass_open[i] = from ? c->actions[row - 1] : 0;
        for (size_t k = 0; k < count; k++)
            c->timesteps[i * count + k] = (int32_t)(from + k);
    }
    const struct policy_batch batch = {.windows = windows,
                                       .steps = count,
                                       .states = c->pass_states,
                                       .actions = c->pass_actions,
                                       .returns = c->pass_returns,
                                       .timesteps = c->timesteps};
    if (!c->cache)
        return policy_decide(c->policy, &batch, decisions, err);
    return policy_forward_cached(c->cache, c->pass_slots, &batch, c->pass_open, decisions, err);
}

/* New bases for the first `windows` of pass_slots: the last half of their steps. */
static enum status rebase(struct serve_contexts *c, size_t windows, struct error *err)
{
    size_t keep = c->steps / 2;
    for (size_t i = 0; i < windows; i++) {
        drop_oldest(c, c->pass_slots[i], keep);
        policy_cache_rewind(c->cache, c->pass_slots[i], 0);
    }
    return keep ? run_pass(c, windows, keep, NULL, err) : STATUS_OK;
}

enum status serve_contexts_rebase(struct serve_contexts *c, size_t max, size_t *done,
                                  struct error *err)
{
    size_t count = 0;
    for (size_t slot = 0; c->cache && slot < c->slots && count < max; slot++)
        if (c->lengths[slot] == c->steps)
            c->pass_slots[count++] = slot;
    *done = count;
    return count ? rebase(c, count, err) : STATUS_OK;
}

/* Room for one more step in each of the slots. */
static enum status make_room(struct serve_contexts *c, const struct serve_step *steps, size_t count,
                             struct error *err)
{
    size_t full = 0;
    for (size_t i = 0; i < count; i++) {
        size_t slot = steps[i].slot;
        if (c->lengths[slot] < c->steps)
            continue;
        if (!c->cache)
            drop_oldest(c, slot, c->steps - 1);
        else
            c->pass_slots[full++] = slot;
    }
    c->late += full;
    return full ? rebase(c, full, err) : STATUS_OK;
}

enum status serve_contexts_decide(struct serve_contexts *c, struct serve_step *steps, size_t count,
                                  struct error *err)
{
    enum status st = make_room(c, steps, count, err);
    for (size_t i = 0; i < count && !st; i++) {
        size_t row = steps[i].slot * c->steps + c->lengths[steps[i].slot]++;
        if (steps[i].has_taken && c->lengths[steps[i].slot] > 1)
            c->actions[row - 1] = steps[i].taken;
        memcpy(c->states + row * c->features, steps[i].state, c->features * sizeof *c->states);
        c->returns[row] = steps[i].target;
    }
    /* Whole contexts share a pass where they are of one length, single steps always. */
    for (size_t length = 1, left = count; left && !st; length++) {
        size_t windows = 0, span = c->cache ? 1 : length;
        for (size_t i = 0; i < count; i++) {
            if (!c->cache && c->lengths[steps[i].slot] != length)
                continue;
            c->order[windows] = i;
            c->pass_slots[windows++] = steps[i].slot;
        }
        if (!windows)
            continue;
        st = run_pass(c, windows, span, c->decisions, err);
        for (size_t k = 0; k < windows && !st; k++) {
            struct serve_step *s = &steps[c->order[k]];
            s->action = c->decisions[k];
            c->actions[s->slot * c->steps + c->lengths[s->slot] - 1] = s->action;
        }
        left -= windows;
    }
    return st;
}
