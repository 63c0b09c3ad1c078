/* The returns of recipe loop by hand, by the plain double sum, and in no time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "core/rng.h"
#include "model/dataset.h"
#include "model/returns.h"

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-6 * fmax(1, fabs(b))))
        fail_msg("%.9g is not %.9g", a, b);
}

static void add_episode(struct pool *p, const char *scenario, double step_s,
                        double (*reward)(int row))
{
    struct pool_episode e = {.cwnd_min = NAN, .cwnd_max = NAN, .seed = NAN};
    struct error err;
    snprintf(e.scenario, sizeof e.scenario, "%s", scenario);
    for (int i = 0; i < 20; i++) {
        const float s[POOL_FEATURES] = {0.02f, 1000, 1e6f, 0.02f, 0, 0};
        assert_int_equal(pool_add(p, s, 0.01 * i, reward(i), &err), STATUS_OK);
        p->t_s[p->rows - 1] = i * step_s;
    }
    assert_int_equal(pool_end_episode(p, &e, &err), STATUS_OK);
}

static double two(int row)
{
    return row < 17 ? 2 : 50; /* the test rows are the last three: nothing of them is to show */
}

static double one(int row)
{
    return row < 17 ? 1 : -50;
}

static double late(int row)
{
    return row < 7 ? 0 : 4;
}

static double ten(int row)
{
    (void)row;
    return 10;
}

static void returns_compare_with_others(void **state)
{
    (void)state;
    struct pool *p = pool_new("loop");
    struct dataset_opts opts = dataset_opts_default(RECIPE_LOOP, 2);
    struct dataset *d, *again;
    struct error err;
    assert_true(opts.scale == 1 && opts.horizon == 1000 && opts.gamma > 0 && opts.gamma < 1);
    add_episode(p, "a", 0.1, two); /* 0: training rows up to 1.3 s */
    add_episode(p, "a", 0.2, one); /* 20: up to 2.6 s, fewer rows in a bin, no fewer votes */
    add_episode(p, "", 0.1, late); /* 40 */
    add_episode(p, "b", 0.1, ten); /* 60: nobody to compare with */
    opts.gamma = 1;
    opts.horizon = 150; /* ms: a row and the next, of the second episode the row alone */
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    /* Off their means: 14 of 1/2, 8 of -1/2 and 6 of 0 (alone there), 20 of 0, and the third
     * episode's, whose values are 0 but 2 at row 6 and 4 from row 7 on, around their mean 15/7. */
    const double mean = 15.0 / 7, sum = 14 * 0.5 - 8 * 0.5;
    double squares = 22 * 0.25 + 6 * mean * mean + (2 - mean) * (2 - mean);
    squares += 7 * (4 - mean) * (4 - mean) - sum * sum / 56;
    const double std = sqrt(squares / 56);
    assert_near(d->norm.return_std, std);
    for (int i = 0; i < 14; i++) {
        assert_near(d->returns[i], 0.5 / std);
        assert_near(d->returns[20 + i], i < 8 ? -0.5 / std : 0);
        assert_near(d->returns[40 + i], ((i < 6 ? 0 : i == 6 ? 2 : 4) - mean) / std);
        assert_near(d->returns[60 + i], 0);
    }
    /* Of 56 in order the 50th: the first of the seven largest. */
    assert_near(d->norm.max_return, (4 - mean) / std);

    /* With the constants of a checkpoint nothing is fitted. */
    struct dataset_norm norm = d->norm;
    norm.return_std *= 2;
    assert_int_equal(dataset_new(p, &opts, &norm, &again, &err), STATUS_OK);
    assert_near(again->returns[0], 0.25 / std);
    assert_near(again->norm.max_return, norm.max_return);
    dataset_free(again);
    dataset_free(d);

    /* gamma is of a second: what comes then counts a quarter. */
    opts.gamma = 0.25;
    opts.horizon = 1001;
    for (size_t i = 0; i < p->rows; i++)
        p->rewards[i] = 0;
    p->rewards[60 + 10] = 1; /* at 1 s */
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    double weights = 0;
    for (int i = 0; i <= 10; i++)
        weights += pow(0.25, 0.1 * i);
    /* Rows 0 to 10 are in the first one's second; the last training row comes after it all. */
    assert_near((d->returns[60] - d->returns[60 + 13]) * d->norm.return_std, 0.25 / weights);
    dataset_free(d);
    pool_free(p);
}

/* A pool of one episode, whose row i is at t_s[i] and has the reward rewards[i]. */
static struct pool *pool_of(size_t rows, const double *t_s, const double *rewards)
{
    const struct pool_episode e = {.cwnd_min = NAN, .cwnd_max = NAN, .seed = NAN};
    const float state[POOL_FEATURES] = {0.02f, 1000, 1e6f, 0.02f, 0, 0};
    struct pool *p = pool_new("loop");
    struct error err;

    for (size_t i = 0; i < rows; i++) {
        assert_int_equal(pool_add(p, state, 0.01 * (double)(i % 3), rewards[i], &err), STATUS_OK);
        p->t_s[i] = t_s[i];
    }
    assert_int_equal(pool_end_episode(p, &e, &err), STATUS_OK);
    return p;
}

static double plain_mean(const struct dataset *d, size_t i, size_t end)
{
    const double *t = d->pool->t_s;
    double sum = 0, weights = 0;

    for (size_t k = i; k < end && (k == i || t[k] - t[i] < d->opts.horizon / 1e3); k++) {
        double weight = pow(d->opts.gamma, t[k] - t[i]);
        sum += weight * d->pool->rewards[k];
        weights += weight;
    }
    return sum / weights;
}

/* Rows in bursts and with gaps, horizons of less than a row and of more than all, in each split. */
static void returns_are_the_plain_mean(void **state)
{
    enum { ROWS = 400 };
    static const double gammas[] = {1, 0.25, 0};
    static const int horizons_ms[] = {1, 30, 700, 1000000};
    double t_s[ROWS], rewards[ROWS], now_s = 0;
    struct rng rng = {7};

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        double x = rng_unit(&rng);
        now_s += x < 0.4 ? 0 : x < 0.95 ? 0.02 * x : x;
        t_s[i] = now_s;
        rewards[i] = 10 * rng_unit(&rng) - 5;
    }
    struct pool *p = pool_of(ROWS, t_s, rewards);
    for (size_t g = 0; g < sizeof gammas / sizeof *gammas; g++) {
        for (size_t h = 0; h < sizeof horizons_ms / sizeof *horizons_ms; h++) {
            struct dataset_opts opts = dataset_opts_default(RECIPE_LOOP, 4);
            struct dataset *d;
            struct error err;
            opts.gamma = gammas[g];
            opts.horizon = horizons_ms[h];
            assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
            for (int s = 0; s < DATASET_SPLITS; s++) {
                size_t begin, end;
                dataset_part(d, 0, s, &begin, &end);
                assert_true(end - begin > 10);
                for (size_t i = begin; i < end; i++) /* its segment's mean is off */
                    assert_near((d->returns[i] - d->returns[begin]) * d->norm.return_std,
                                plain_mean(d, i, end) - plain_mean(d, begin, end));
            }
            dataset_free(d);
        }
    }
    pool_free(p);
}

/* A pool from anywhere may have all its rows at once. */
static void equal_times_take_no_longer(void **state)
{
    enum { ROWS = 100000 };
    double *t_s = calloc(ROWS, sizeof *t_s), *rewards = calloc(ROWS, sizeof *rewards);
    struct dataset_opts opts = dataset_opts_default(RECIPE_LOOP, 12);
    struct dataset *d;
    struct error err;

    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        rewards[i] = (double)(i % 7);
    struct pool *p = pool_of(ROWS, t_s, rewards);
    clock_t begin = clock(); /* of this process: a busy machine does not matter */
    assert_int_equal(dataset_new(p, &opts, NULL, &d, &err), STATUS_OK);
    double took_s = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (took_s > 1)
        fail_msg("%d rows of one time took %.2f s", ROWS, took_s);
    dataset_free(d);
    pool_free(p);
    free(t_s);
    free(rewards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_compare_with_others),
        cmocka_unit_test(returns_are_the_plain_mean),
        cmocka_unit_test(equal_times_take_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
