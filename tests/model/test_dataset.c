/* Splits, windows, constants, returns and baselines, by hand on small pools. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/dataset.h"
#include "model/score.h"

/* Episodes of the given lengths; action = row, reward = row % 3, rtt = row. */
static struct pool *ramp(const char *recipe, const int *lengths, int episodes)
{
    struct pool *p = pool_new(recipe);
    int row = 0;
    for (int e = 0; e < episodes; e++) {
        for (int i = 0; i < lengths[e]; i++, row++) {
            float s[] = {(float)row, 5, (float)(row * 1000)};
            assert_int_equal(pool_add(p, s, row, row % 3, NULL), STATUS_OK);
        }
        const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
        assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    }
    return p;
}

static const struct dataset_opts OPTS = {.steps = 3, .gamma = 1, .scale = 10};

static void test_split(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    struct pool *p = ramp("x", (int[]){20, 40}, 2);
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_OK);
    size_t begin, end;
    dataset_segment(&p->episodes[1], DATASET_VALID, &begin, &end);
    assert_int_equal(begin, 20 + 28);
    assert_int_equal(end, 20 + 34);
    for (int s = 0; s < DATASET_SPLITS; s++) {
        assert_true(d->windows[s].count > 0);
        for (size_t i = 0; i < d->windows[s].count; i++) {
            const struct dataset_window *w = &d->windows[s].at[i];
            dataset_segment(&p->episodes[w->episode], s, &begin, &end);
            assert_true(w->row >= begin && w->row + 3 <= end);
        }
    }
    /* 14 and 28 training rows: stride 3 gives 4 + 9 windows, stride 1 gives 12 + 26. */
    assert_int_equal(d->windows[DATASET_TRAIN].sample_step, 1);
    assert_int_equal(d->windows[DATASET_TRAIN].count, 38);
    dataset_free(d);

    struct dataset_opts fixed = OPTS;
    fixed.sample_step = 3;
    assert_int_equal(dataset_new(p, &fixed, NULL, &d, &err), STATUS_OK);
    assert_int_equal(d->windows[DATASET_TRAIN].count, 4 + 9);
    dataset_free(d);
    pool_free(p);
}

static void test_too_short(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    size_t need = dataset_rows_needed(3);
    struct pool *p = ramp("x", (int[]){(int)need}, 1);
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_OK);
    dataset_free(d);
    pool_free(p);

    p = ramp("x", (int[]){(int)need - 1}, 1);
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_INPUT);
    assert_null(d);
    char rows[32];
    snprintf(rows, sizeof rows, "needs %zu rows", need);
    assert_non_null(strstr(err.hint, rows));
    pool_free(p);
    /* 131 rows: training to 91, validation to 111, so 20 and 20 rows; 130 leave 19 (91 to 110). */
    assert_int_equal(dataset_rows_needed(20), 131);
    for (int steps = 1; steps <= 50; steps++) {
        for (size_t n = dataset_rows_needed(steps); n < (size_t)steps * 9; n++) {
            const struct pool_episode e = {.begin = 0, .end = n};
            for (int s = 0; s < DATASET_SPLITS; s++) {
                size_t begin, end;
                dataset_segment(&e, s, &begin, &end);
                assert_true(end - begin >= (size_t)steps);
            }
        }
    }
}

static void test_constants(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    struct pool *p = ramp("x", (int[]){20}, 1); /* training rows 0 to 13 */
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_OK);
    const struct dataset_norm *n = &d->norm;
    assert_true(fabs(n->state_mean[0] - 6.5) < 1e-12);
    assert_true(fabs(n->state_std[0] - sqrt((14 * 14 - 1) / 12.0)) < 1e-9);
    assert_true(n->state_mean[1] == 5 && n->state_std[1] == 1); /* constant: not divided by 0 */
    assert_true(n->action_offset == 0 && n->action_span == 13 && n->action_mean == 6.5);
    assert_true(n->reward_min == 0 && n->reward_max == 2);
    assert_true(fabs(dataset_state(d, 19)[0] - (19 - 6.5) / n->state_std[0]) < 1e-5);
    assert_true(fabs(d->actions[19] - 19 / 13.0) < 1e-6);

    /* Training rewards 0 1 2 0 1 2 0 1 2 0 1 2 0 1, normalised by 2, sum 6.5, scale 10. */
    assert_true(fabs(d->returns[0] - 0.65) < 1e-6);
    assert_true(fabs(d->returns[13] - 0.05) < 1e-6);
    assert_true(fabs(n->max_return - 0.65) < 1e-6);
    /* Rows 17 to 19 are the test segment: rewards 2, 0, 1. */
    assert_true(fabs(d->returns[17] - 0.15) < 1e-6);
    assert_true(fabs(dataset_reward(d, 9) - 0.1) < 1e-12); /* clamped to 1 */

    /* Constants that are given are used, not fitted. */
    struct dataset *other;
    struct dataset_norm given = *n;
    given.action_span = 26;
    assert_int_equal(dataset_new(p, &OPTS, &given, &other, &err), STATUS_OK);
    assert_true(fabs(other->actions[13] - 0.5) < 1e-6);
    dataset_free(other);
    dataset_free(d);
    pool_free(p);
}

static void test_gamma(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    struct dataset_opts opts = OPTS;
    opts.gamma = 0.5;
    struct pool *p = ramp("x", (int[]){20}, 1);
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    /* Rows 17 to 19: 1 + 0.5 * (0 + 0.5 * 0.5) = 1.125. */
    assert_true(fabs(d->returns[17] - 0.1125) < 1e-6);
    dataset_free(d);
    pool_free(p);
}

/* The default recipe: logarithms, standardised actions, returns over a horizon, and the window left
 * alone as a baseline. */
static void test_lab(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    struct dataset_opts opts = dataset_opts_default(RECIPE_LAB, 3);
    struct pool *p = pool_new("lab");
    for (int i = 0; i < 20; i++) {
        float s[] = {0.1f, (float)exp(i), i % 2 ? 0 : 1e6f};
        assert_int_equal(pool_add(p, s, i % 2 ? 0.5 : -0.5, i % 3, NULL), STATUS_OK);
    }
    const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    assert_int_equal(opts.horizon, 3);
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    /* 14 training rows. ln(cwnd) is 0 to 13; ln(1 + 0) is 0 for each second rate. */
    assert_true(fabs(d->norm.state_mean[POOL_CWND_BYTES] - 6.5) < 1e-6);
    assert_true(fabs(d->norm.state_mean[POOL_THROUGHPUT_BPS] - log1p(1e6) / 2) < 1e-9);
    assert_true(fabs(d->norm.action_offset) < 1e-12 && fabs(d->norm.action_span - 0.5) < 1e-12);
    assert_true(fabs(d->actions[0] + 1) < 1e-6 && fabs(d->actions[1] - 1) < 1e-6);
    /* Rewards 0 1 2 0 ... over 2: the mean of any three is 0.5; of the last two of the segment
     * (rows 12 and 13: 0 and 1) 0.25, of the last 0.5. */
    assert_true(fabs(d->returns[0] - 0.5) < 1e-6);
    assert_true(fabs(d->returns[12] - 0.25) < 1e-6 && fabs(d->returns[13] - 0.5) < 1e-6);
    struct dataset_baselines b = dataset_baselines(d, DATASET_TEST);
    assert_true(fabs(b.no_op - 0.25) < 1e-12 && fabs(b.constant - 0.25) < 1e-12);
    assert_true(fabs(b.persistence - 1) < 1e-12 && isnan(b.copy_input));
    dataset_free(d);
    pool_free(p);
}

static void expect_features(const float s[POOL_FEATURES], const double want[POOL_FEATURES])
{
    const struct dataset_norm plain = {.state_std = {1, 1, 1, 1, 1, 1}};
    float got[POOL_FEATURES];
    dataset_features(RECIPE_LOOP, &plain, s, got);
    for (int k = 0; k < POOL_FEATURES; k++)
        assert_float_equal(got[k], want[k], 1e-5);
}

/* The recipe loop: relative features, a scale of actions on which a percent counts. */
static void test_loop(void **state)
{
    (void)state;
    /* 20 Mbit/s over 20 ms are 50 kB: half as much again in the window, as in the round trip. */
    expect_features((float[]){0.03f, 75000, 20e6f, 0.02f, 0.25f, 0.04f},
                    (double[]){log(1.5), log(75000), log(1.5), log(0.02), 0.5, 0.2});
    /* Below its least an RTT is none, nothing delivered is not infinite, a share is at most 1. */
    expect_features((float[]){0.019f, 75000, 0, 0.02f, 0, 4},
                    (double[]){0, log(75000), 3, log(0.02), 0, 1});
    expect_features((float[]){0.02f, 1500, 1e9f, 0.02f, 1, 0},
                    (double[]){0, log(1500), -3, log(0.02), 1, 0});

    struct error err;
    struct dataset *d;
    struct dataset_batch batch;
    struct dataset_opts opts = dataset_opts_default(RECIPE_LOOP, 3);
    struct pool *p = pool_new("loop");
    for (int i = 0; i < 20; i++) {
        float s[] = {0.03f, 75000, 2e7f, 0.02f, (float)(i % 2), 0};
        assert_int_equal(pool_add(p, s, i % 2 ? -log(2) : 0.01, i % 3, NULL), STATUS_OK);
    }
    const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    assert_int_equal(d->features, 6);
    /* Standardised over the 14 training rows: a share of 0 and 1 by turns. */
    assert_float_equal(dataset_state(d, 0)[POOL_CE_SHARE], -1, 1e-6);
    assert_float_equal(dataset_state(d, 1)[POOL_CE_SHARE], 1, 1e-6);
    /* So are the actions. A percent and a halving are asinh(0.5) and asinh(-34.66). */
    double up = asinh(0.5), down = asinh(-log(2) / 0.02);
    assert_float_equal(d->norm.action_offset, (up + down) / 2, 1e-9);
    assert_float_equal(d->norm.action_span, (up - down) / 2, 1e-9);
    for (double a = -3; a < 3; a += 0.25) {
        double scaled = dataset_scaled(RECIPE_LOOP, &d->norm, a);
        assert_float_equal(dataset_unscaled(RECIPE_LOOP, &d->norm, scaled), a, 1e-9);
    }
    assert_float_equal(dataset_action(d, d->actions[0]), 0.01, 1e-6);
    assert_float_equal(dataset_action(d, d->actions[1]), -log(2), 1e-6);
    /* Errors are those of asinh(a / 0.02): row 18 adds a percent, 19 halves. Row 17, the first of a
     * window in the middle of a flow, does not count. */
    struct dataset_baselines b = dataset_baselines(d, DATASET_TEST);
    assert_float_equal(b.no_op, (down * down + up * up) / 2, 1e-9);
    assert_float_equal(b.constant, (up - down) * (up - down) / 4, 1e-9);
    assert_float_equal(b.persistence, (up - down) * (up - down), 1e-9);
    /* A batch is dense. */
    assert_int_equal(dataset_batch_init(&batch, 1, 3, &err), STATUS_OK);
    dataset_batch_fill(d, DATASET_TEST, (size_t[]){0}, 1, &batch);
    assert_memory_equal(batch.states, dataset_state(d, 17), 3 * 6 * sizeof *batch.states);
    dataset_batch_done(&batch);
    dataset_free(d);

    opts.is_published = true;
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "three numbers"));
    pool_free(p);
}

/* What is to be learned is the advice; what is told of the row before, and what returns are of, is
 * what was done. */
static void test_advice(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d, *plain;
    struct dataset_batch batch;
    struct dataset_opts opts = dataset_opts_default(RECIPE_LOOP, 3);
    const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
    struct pool *p = pool_new("loop");
    for (int i = 0; i < 20; i++) {
        float s[] = {0.03f, 75000, 2e7f, 0.02f, 0, 0};
        assert_int_equal(pool_add(p, s, 0.3 - 0.02 * i, i % 3, NULL), STATUS_OK);
    }
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    assert_int_equal(dataset_new(p, &opts, NULL, &plain, &err), STATUS_OK);
    assert_memory_equal(plain->labels, plain->actions, 20 * sizeof *d->labels);
    for (int i = 0; i < 20; i++)
        p->advice[i] = i % 2 ? 0.01 : -0.03;
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    /* On the scale of the advice, half of which is -0.03 and half 0.01. */
    double up = asinh(0.5), down = asinh(-1.5), middle = (up + down) / 2, span = (up - down) / 2;
    assert_float_equal(d->norm.action_offset, middle, 1e-9);
    assert_float_equal(d->norm.action_span, span, 1e-9);
    assert_float_equal(dataset_curve(RECIPE_LOOP, d->norm.action_mean), middle, 1e-9);
    assert_float_equal(d->labels[6], -1, 1e-6);
    assert_float_equal(d->labels[7], 1, 1e-6);
    assert_float_equal(d->actions[5], (asinh(10) - middle) / span, 1e-5);
    assert_memory_equal(d->returns, plain->returns, 20 * sizeof *d->returns);
    assert_int_equal(dataset_batch_init(&batch, 1, 3, &err), STATUS_OK);
    dataset_batch_fill(d, DATASET_TEST, (size_t[]){0}, 1, &batch); /* rows 17 to 19 */
    assert_memory_equal(batch.actions, d->actions + 17, 3 * sizeof *d->actions);
    assert_true(isnan(batch.labels[0])); /* what it would know when driving is not known here */
    assert_memory_equal(batch.labels + 1, d->labels + 18, 2 * sizeof *d->labels);
    dataset_batch_fill(d, DATASET_TRAIN, (size_t[]){0}, 1, &batch); /* where the flow begins */
    assert_memory_equal(batch.labels, d->labels, 3 * sizeof *d->labels);
    dataset_batch_done(&batch);

    struct dataset_baselines b = dataset_baselines(d, DATASET_TEST);
    assert_float_equal(b.no_op, (up * up + down * down) / 2, 1e-9);
    assert_float_equal(b.constant, span * span, 1e-9);
    double squares = 0; /* of the advice from what was done before it */
    for (int i = 18; i < 20; i++)
        squares += pow((i % 2 ? up : down) - asinh((0.3 - 0.02 * (i - 1)) / 0.02), 2);
    assert_float_equal(b.persistence, squares / 2, 1e-6);
    struct score s = score_windows(d, DATASET_TEST, (double[]){1, 0.01, 0.01});
    assert_int_equal(s.count, 2);
    assert_float_equal(s.loss, (up - down) * (up - down) / 2, 1e-9);
    s = (struct score){0};
    score_add(&s, d, 17, 0.01);
    score_add(&s, d, 18, 0.01);
    score_finish(&s);
    assert_float_equal(s.loss, (up - down) * (up - down) / 2, 1e-9);
    assert_float_equal(s.mse, 0.04 * 0.04 / 2, 1e-9);
    assert_float_equal(s.mae_log, 0.02, 1e-9);
    dataset_free(d);
    dataset_free(plain);
    pool_free(p);
}

static void test_baselines(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    struct pool *p = ramp("x", (int[]){20}, 1);
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_OK);
    /* One test window, rows 17 to 19; the training mean is 6.5. */
    assert_int_equal(d->windows[DATASET_TEST].count, 1);
    struct dataset_baselines b = dataset_baselines(d, DATASET_TEST);
    assert_true(fabs(b.constant - (10.5 * 10.5 + 11.5 * 11.5 + 12.5 * 12.5) / 3) < 1e-9);
    assert_true(fabs(b.persistence - 1) < 1e-12); /* also at the first row of the window */
    assert_true(isnan(b.copy_input));
    dataset_free(d);
    pool_free(p);

    /* With the tutorial's recipe the state token gives the action away. */
    p = pool_new("tutorial");
    for (int i = 0; i < 40; i++) {
        double cwnd = 1000 * (i * 7 % 11);
        float s[] = {0.1f, (float)cwnd, 1e6f};
        assert_int_equal(pool_add(p, s, recipe_tutorial_action(cwnd, 0, 10000), 1, NULL),
                         STATUS_OK);
    }
    const struct pool_episode info = {.cwnd_min = 0, .cwnd_max = 10000};
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_OK);
    b = dataset_baselines(d, DATASET_TEST);
    assert_true(b.copy_input == 0 && b.persistence > 0);
    dataset_free(d);
    pool_free(p);
}

static void test_batch(void **state)
{
    (void)state;
    struct error err;
    struct dataset *d;
    struct dataset_batch b;
    struct pool *p = ramp("x", (int[]){20, 20}, 2);
    assert_int_equal(dataset_new(p, &OPTS, NULL, &d, &err), STATUS_OK);
    assert_int_equal(dataset_batch_init(&b, 2, 3, &err), STATUS_OK);
    dataset_batch_fill(d, DATASET_TEST, (size_t[]){1, 0}, 2, &b);
    assert_int_equal(b.windows, 2);
    assert_true(b.actions[0] == d->actions[37] && b.actions[3] == d->actions[17]);
    assert_memory_equal(b.states, dataset_state(d, 37), 3 * 3 * sizeof *d->states);
    assert_true(b.returns[5] == d->returns[19]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(b.timesteps[i], i % 3);
    dataset_batch_done(&b);
    dataset_free(d);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),     cmocka_unit_test(test_too_short),
        cmocka_unit_test(test_constants), cmocka_unit_test(test_gamma),
        cmocka_unit_test(test_lab),       cmocka_unit_test(test_baselines),
        cmocka_unit_test(test_loop),      cmocka_unit_test(test_advice),
        cmocka_unit_test(test_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
