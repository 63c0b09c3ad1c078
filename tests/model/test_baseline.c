/* Baselines and scores against what can be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/baseline.h"
#include "model/score.h"

static double unit(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return (*x >> 8) / 16777216.0;
}

/* Two episodes of a lab pool whose action is `f` of its state and the action before. */
static struct pool *make(double (*f)(const double u[3], double last))
{
    struct pool *p = pool_new("lab");
    uint32_t x = 7;
    for (int e = 0; e < 2; e++) {
        double last = 0;
        for (int i = 0; i < 500; i++) {
            double u[3] = {unit(&x), unit(&x), unit(&x)};
            float s[] = {(float)exp(u[0] - 3), (float)exp(9 + u[1]), (float)expm1(14 + u[2])};
            last = f(u, last);
            assert_int_equal(pool_add(p, s, last, unit(&x), NULL), STATUS_OK);
        }
        const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
        assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    }
    return p;
}

static double straight(const double u[3], double last)
{
    return 0.3 * u[0] - 0.2 * u[1] + 0.1 * u[2] + 0.5 * last;
}

static double bent(const double u[3], double last)
{
    (void)last;
    return fabs(u[0] - 0.5) < 0.25 ? 0.4 : -0.4;
}

static struct score score_of(enum baseline which, const struct pool *p, int steps, uint64_t seed)
{
    struct dataset *d;
    struct error err;
    const struct dataset_opts opts = {.steps = steps, .gamma = 1, .scale = 1, .horizon = steps};
    if (dataset_new(p, &opts, NULL, &d, &err))
        fail_msg("%s", err.message);
    double *answers = calloc(d->windows[DATASET_TEST].count * (size_t)steps, sizeof *answers);
    assert_int_equal(baseline_answers(which, d, DATASET_TEST, seed, NULL, answers, &err),
                     STATUS_OK);
    struct score s = score_windows(d, DATASET_TEST, answers);
    struct dataset_baselines base = dataset_baselines(d, DATASET_TEST);
    const double known[] = {base.constant, base.persistence, base.copy_input, base.no_op};
    if (which < 4 && isfinite(known[which]))
        assert_true(fabs(s.mse - known[which]) < 1e-12);
    free(answers);
    dataset_free(d);
    return s;
}

static void test_ridge(void **state)
{
    (void)state;
    struct pool *p = make(straight);
    double constant = score_of(BASELINE_CONSTANT, p, 10, 1).mse;
    double ridge = score_of(BASELINE_RIDGE, p, 10, 1).mse;
    print_message("constant %g, ridge %g\n", constant, ridge);
    assert_true(constant > 0.01 && ridge < 1e-3 * constant);
    assert_true(score_of(BASELINE_PERSISTENCE, p, 10, 1).mse > ridge);
    assert_true(isnan(score_of(BASELINE_COPY_INPUT, p, 10, 1).mse));
    pool_free(p);
}

static void test_mlp(void **state)
{
    (void)state;
    struct pool *p = make(bent);
    double ridge = score_of(BASELINE_RIDGE, p, 2, 1).mse;
    struct score a = score_of(BASELINE_MLP, p, 2, 1), b = score_of(BASELINE_MLP, p, 2, 1);
    assert_true(a.mse == b.mse);
    assert_true(a.mse != score_of(BASELINE_MLP, p, 2, 2).mse);
    /* A straight line cannot: it stays at the variance. */
    print_message("ridge %.4f, perceptron %.4f\n", ridge, a.mse);
    assert_true(ridge > 0.14 && a.mse < 0.8 * ridge);
    pool_free(p);
}

static void test_score(void **state)
{
    (void)state;
    struct pool *p = make(straight);
    struct dataset *d;
    const struct dataset_opts opts = {.steps = 10, .gamma = 1, .scale = 1, .horizon = 10};
    assert_int_equal(dataset_new(p, &opts, NULL, &d, NULL), STATUS_OK);
    struct score s = {0};
    double window = p->states[3][POOL_CWND_BYTES] * exp(p->actions[3]);
    score_add(&s, d, 3, p->actions[3] + log(1.04)); /* 4 % too much, 6 % too little */
    score_add(&s, d, 3, p->actions[3] + log(0.94));
    score_finish(&s);
    assert_int_equal(s.count, 2);
    assert_true(s.within_5_percent == 0.5);
    assert_true(fabs(s.mae_bytes - 0.05 * window) < 1e-6 * window);
    assert_true(fabs(s.mse_bytes - (0.04 * 0.04 + 0.06 * 0.06) / 2 * window * window) <
                1e-6 * window * window);
    assert_true(fabs(s.mae_log - (log(1.04) - log(0.94)) / 2) < 1e-9);
    assert_true(fabs(s.mae - s.mae_log) < 1e-12);
    dataset_free(d);

    /* A recipe that says nothing of windows has no such scores. */
    snprintf(p->recipe, sizeof p->recipe, "imported");
    assert_int_equal(dataset_new(p, &opts, NULL, &d, NULL), STATUS_OK);
    s = (struct score){0};
    score_add(&s, d, 3, 1);
    score_finish(&s);
    assert_true(isfinite(s.mse) && isnan(s.mse_bytes) && isnan(s.within_5_percent));
    dataset_free(d);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ridge), cmocka_unit_test(test_mlp),
                                       cmocka_unit_test(test_score)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
