#include "model/recipe.h"

#include <math.h>
#include <string.h>

/* Rewards of the published pools agree to 1.4e-8: their states were rounded to float32. */
#define SAME_REWARD 1e-6
#define FLOOR_RTT   1e-6
/* The reward of loop. Half of ln(rtt): twice the reward is then ln(r^2 / d), the judge's power. */
#define LOOP_DELAY 0.5
/* A percent of loss costs as much as 5 % of the rate: who fills a tail-drop queue to its end pays
 * for it beyond the delay, and a single loss does not drown the rest. */
#define LOOP_LOSS 5.0
/* Marks are how an L4S queue is kept short, and harm nobody: all packets marked cost as much as 5 %
 * of the rate, enough to choose between ways that are equal otherwise. */
#define LOOP_CE 0.05

const char *recipe_name(enum recipe recipe)
{
    static const char *const names[] = {
#define X(id, name) name,
        RECIPES(X)
#undef X
    };

    return names[recipe];
}

enum recipe recipe_of(const char *name)
{
    for (int r = 0; r < RECIPE_COUNT; r++)
        if (!strcmp(name, recipe_name((enum recipe)r)))
            return (enum recipe)r;
    return RECIPE_IMPORTED;
}

int recipe_features(enum recipe recipe)
{
    return recipe == RECIPE_LOOP ? POOL_FEATURES : POOL_THROUGHPUT_BPS + 1;
}

bool recipe_is_ratio(enum recipe recipe)
{
    return recipe == RECIPE_LAB || recipe == RECIPE_LOOP;
}

double recipe_tutorial_action(double cwnd_bytes, double cwnd_min, double cwnd_max)
{
    if (!(cwnd_max > cwnd_min))
        return 1;
    return trunc(2 * (cwnd_bytes - cwnd_min) / (cwnd_max - cwnd_min)) + 1;
}

double recipe_tutorial_reward(double throughput_bps, double rtt_s)
{
    return throughput_bps > 0 && rtt_s > 0 ? log10(throughput_bps / rtt_s) : 0.1;
}

static double min_max(double v, double min, double max)
{
    return max > min ? (v - min) / (max - min) : 0;
}

double recipe_copy(enum recipe recipe, double cwnd_bytes, const struct pool_episode *e)
{
    if (!(e->cwnd_min <= e->cwnd_max))
        return NAN;
    if (recipe == RECIPE_TUTORIAL)
        return recipe_tutorial_action(cwnd_bytes, e->cwnd_min, e->cwnd_max);
    if (recipe == RECIPE_PUBLISHED)
        return min_max(cwnd_bytes, e->cwnd_min, e->cwnd_max);
    return NAN;
}

void recipe_state(const struct trace_row *r, float state[POOL_FEATURES])
{
    state[POOL_RTT_S] = (float)r->rtt_s;
    state[POOL_CWND_BYTES] = (float)r->cwnd_bytes;
    state[POOL_THROUGHPUT_BPS] = (float)r->throughput_bps;
    state[POOL_MIN_RTT_S] = (float)r->min_rtt_s;
    state[POOL_CE_SHARE] = (float)r->ce_share;
    state[POOL_LOST_SHARE] = (float)r->lost_share;
}

bool recipe_is_whole(enum recipe recipe, const struct trace_row *r)
{
    if (isnan(r->rtt_s) || isnan(r->cwnd_bytes) || isnan(r->throughput_bps))
        return false;
    return recipe != RECIPE_LOOP ||
           (r->min_rtt_s > 0 && !isnan(r->ce_share) && !isnan(r->lost_share));
}

static double loop_reward(const struct trace_row *r)
{
    double ln_bps = log(fmax(r->throughput_bps, TRACE_FLOOR_BPS)) + r->others_ln_bps;
    double queue = fmax(r->rtt_s, FLOOR_RTT) / fmax(r->min_rtt_s, FLOOR_RTT);

    return ln_bps / (1 + r->others) - LOOP_DELAY * log(fmax(queue, 1)) -
           LOOP_LOSS * fmin(r->lost_share, 1) - LOOP_CE * r->ce_share;
}

double recipe_reward(enum recipe recipe, const struct trace_row *r)
{
    if (recipe == RECIPE_LOOP)
        return loop_reward(r);
    if (recipe == RECIPE_LAB)
        return log10(fmax(r->throughput_bps, TRACE_FLOOR_BPS) / fmax(r->rtt_s, FLOOR_RTT));
    return recipe_tutorial_reward(r->throughput_bps, r->rtt_s);
}

double recipe_cwnd(enum recipe recipe, double action, double cwnd_bytes, double cwnd_min,
                   double cwnd_max)
{
    double span = cwnd_max - cwnd_min;
    switch (recipe) {
    case RECIPE_LAB:
    case RECIPE_LOOP:
        return cwnd_bytes * exp(action);
    case RECIPE_PUBLISHED:
        return cwnd_min + action * span;
    case RECIPE_TUTORIAL: /* 1 at the smallest, 3 at the largest */
        return cwnd_min + (action - 1) / 2 * span;
    default:
        return NAN;
    }
}

/* --- building --------------------------------------------------------------------------------- */

/* What the recipes need to know of a whole flow. */
struct flow_facts {
    double cwnd_min, cwnd_max;
    /* A flow that begins behind a full queue takes that for the path: by what it knows at the
     * moment, it would be punished for draining it. */
    double least_rtt_s;
};

static struct flow_facts facts_of(const struct trace *t)
{
    struct flow_facts f = {INFINITY, -INFINITY, INFINITY};

    for (size_t i = 0; i < t->count; i++) { /* fmin() passes NaN over */
        f.cwnd_min = fmin(f.cwnd_min, t->rows[i].cwnd_bytes);
        f.cwnd_max = fmax(f.cwnd_max, t->rows[i].cwnd_bytes);
        f.least_rtt_s = fmin(f.least_rtt_s, t->rows[i].min_rtt_s);
    }
    return f;
}

/* Row `i` of the trace, as the recipe has it; without the constants that need the whole pool.
 * False: the recipe makes no row of it. */
static bool row_of(enum recipe recipe, const struct trace *t, size_t i, const struct flow_facts *f,
                   double *action, double *advice, double *reward)
{
    const struct trace_row *r = &t->rows[i], *next = i + 1 < t->count ? r + 1 : NULL;

    if (recipe == RECIPE_LOOP && r->has_outcome) {
        *action = r->action;
        *advice = r->advice;
        *reward = r->reward;
        return true;
    }
    if (recipe_is_ratio(recipe)) {
        if (!next || !recipe_is_whole(recipe, next) || !(r->cwnd_bytes > 0) ||
            !(next->cwnd_bytes > 0))
            return false;
        *action = *advice = log(next->cwnd_bytes / r->cwnd_bytes);
        if (r->advised_bytes > 0)
            *advice = log(r->advised_bytes / r->cwnd_bytes);
        struct trace_row got = *next;
        got.min_rtt_s = f->least_rtt_s;
        *reward = recipe_reward(recipe, &got);
        return true;
    }
    *action = recipe == RECIPE_TUTORIAL
                  ? recipe_tutorial_action(r->cwnd_bytes, f->cwnd_min, f->cwnd_max)
                  : r->cwnd_bytes;
    *advice = *action;
    *reward = recipe_reward(recipe, r);
    return true;
}

static enum status add_trace(struct pool *p, enum recipe recipe, const struct trace *t,
                             struct error *err)
{
    const struct flow_facts facts = facts_of(t);
    struct pool_episode e = {.source = t->source,
                             .stream = t->stream,
                             .cwnd_min = facts.cwnd_min,
                             .cwnd_max = facts.cwnd_max,
                             .seed = t->seed};
    enum status st = STATUS_OK;

    memcpy(e.cc, t->cc, sizeof e.cc);
    memcpy(e.scenario, t->scenario, sizeof e.scenario);
    for (size_t i = 0; i < t->count && st == STATUS_OK; i++) {
        const struct trace_row *r = &t->rows[i];
        float state[POOL_FEATURES];
        double action, advice, reward;
        recipe_state(r, state);
        if (!recipe_is_whole(recipe, r) ||
            !row_of(recipe, t, i, &facts, &action, &advice, &reward)) {
            st = pool_end_episode(p, &e, err);
            continue;
        }
        st = pool_add(p, state, action, reward, err);
        if (st == STATUS_OK) {
            p->advice[p->rows - 1] = advice;
            p->t_s[p->rows - 1] = r->t_s;
        }
    }
    return st == STATUS_OK ? pool_end_episode(p, &e, err) : st;
}

/* Mean and population standard deviation of the rewards. */
static void reward_moments(const struct pool *p, double *mean, double *std)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < p->rows; i++)
        sum += p->rewards[i];
    *mean = sum / (double)p->rows;
    for (size_t i = 0; i < p->rows; i++)
        squares += (p->rewards[i] - *mean) * (p->rewards[i] - *mean);
    *std = sqrt(squares / (double)p->rows);
}

/* The actions are still windows, the rewards still the tutorial's. */
static void finish_published(struct pool *p)
{
    double mean, std, min = INFINITY, max = -INFINITY;

    reward_moments(p, &mean, &std);
    for (size_t i = 0; i < p->rows; i++) {
        min = fmin(min, p->actions[i]);
        max = fmax(max, p->actions[i]);
    }
    for (size_t i = 0; i < p->rows; i++) {
        p->actions[i] = p->advice[i] = min_max(p->actions[i], min, max);
        p->rewards[i] = std > 0 ? (p->rewards[i] - mean) / std : 0;
    }
    for (size_t e = 0; e < p->episode_count; e++) {
        p->episodes[e].cwnd_min = min;
        p->episodes[e].cwnd_max = max;
    }
    p->reward_mean = mean;
    p->reward_std = std;
}

enum status recipe_build(enum recipe recipe, const struct trace_set *traces, struct pool **out,
                         struct error *err)
{
    struct pool *p;
    enum status st = STATUS_OK;

    *out = NULL;
    if (recipe == RECIPE_IMPORTED)
        return error_set(err, STATUS_USAGE, "recipe", "no pool can be built as 'imported'");
    p = pool_new(recipe_name(recipe));
    if (!p)
        return error_set(err, STATUS_NOMEM, "recipe", "no memory for the pool");
    for (size_t i = 0; i < traces->count && st == STATUS_OK; i++)
        st = add_trace(p, recipe, &traces->at[i], err);
    if (st == STATUS_OK && !p->rows) {
        error_set(err, STATUS_INPUT, "recipe", "no row comes of these %zu flows by the recipe %s",
                  traces->count, p->recipe);
        st = error_hint(err,
                        recipe == RECIPE_LOOP
                            ? "it needs the counters of a run directory's samples/, or pools of "
                              "this recipe"
                        : recipe == RECIPE_LAB ? "it needs two samples in a row of each flow"
                                               : "they have no complete samples");
    }
    if (st == STATUS_OK && recipe == RECIPE_PUBLISHED)
        finish_published(p);
    if (st == STATUS_OK)
        *out = p;
    else
        pool_free(p);
    return st;
}

/* --- recognising ------------------------------------------------------------------------------ */

static bool is_same(const struct pool *a, const struct pool *b)
{
    if (a->rows != b->rows)
        return false;
    for (size_t i = 0; i < a->rows; i++)
        if (a->actions[i] != b->actions[i] || fabs(a->rewards[i] - b->rewards[i]) > SAME_REWARD)
            return false;
    return true;
}

enum status recipe_recognise(struct pool *p, struct error *err)
{
    static const enum recipe candidates[] = {RECIPE_PUBLISHED, RECIPE_TUTORIAL};
    struct trace_set traces;
    enum status st;

    trace_set_init(&traces);
    st = trace_add_pool(&traces, p, "", err);
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates && st == STATUS_OK; i++) {
        struct pool *again;
        st = recipe_build(candidates[i], &traces, &again, err);
        if (st != STATUS_OK)
            break;
        if (is_same(p, again)) {
            memcpy(p->recipe, again->recipe, sizeof p->recipe);
            p->reward_mean = again->reward_mean;
            p->reward_std = again->reward_std;
            for (size_t e = 0; e < p->episode_count; e++) {
                p->episodes[e].cwnd_min = again->episodes[e].cwnd_min;
                p->episodes[e].cwnd_max = again->episodes[e].cwnd_max;
            }
        }
        pool_free(again);
    }
    trace_set_done(&traces);
    return st;
}
