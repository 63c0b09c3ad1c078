/* What model/mlp.h promises: it learns, a file gives the same answers again, and what is no such
 * file is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/rng.h"
#include "model/mlp.h"

#define ROWS   2
#define INPUTS (ROWS * 5)

static struct mlp_rows lessons(size_t count, uint64_t seed)
{
    struct rng rng = {seed};
    struct mlp_rows r = {
        .x = calloc(count * INPUTS, sizeof *r.x), .y = calloc(count, sizeof *r.y), .count = count};
    for (size_t i = 0; i < count; i++) {
        float *x = r.x + i * INPUTS;
        for (size_t k = 0; k < INPUTS; k++)
            x[k] = (float)rng_uniform(&rng, 1);
        r.y[i] = sinf(2 * x[0]) + x[1] * x[INPUTS - 1];
    }
    return r;
}

static struct mlp *learn(uint64_t seed, struct mlp_fitted *fitted)
{
    struct mlp_rows train = lessons(4000, 1), valid = lessons(500, 2);
    struct mlp_fit opts = {.epochs = 30, .patience = 8, .rate = 2e-3, .seed = seed};
    struct error err = {0};
    struct mlp *m;
    assert_int_equal(mlp_new("lab", ROWS, 32, &m, &err), STATUS_OK);
    assert_int_equal(mlp_train(m, &train, &valid, &opts, NULL, fitted, &err), STATUS_OK);
    m->data = (struct dataset_opts){.steps = 20, .gamma = 1, .scale = 1, .horizon = 20};
    m->norm = (struct dataset_norm){
        .state_std = {1, 2, 3}, .action_span = 0.1, .reward_max = 9, .max_return = 0.75};
    free(train.x);
    free(train.y);
    free(valid.x);
    free(valid.y);
    return m;
}

static void it_learns(void **state)
{
    (void)state;
    struct mlp_fitted fitted, again;
    struct mlp *m = learn(3, &fitted), *same = learn(3, &again);
    struct mlp_rows unseen = lessons(500, 4);
    double sum = 0, spread = 0;
    for (size_t i = 0; i < unseen.count; i++) {
        double off = mlp_answer(m, unseen.x + i * INPUTS) - unseen.y[i];
        sum += off * off;
        spread += (double)unseen.y[i] * unseen.y[i];
    }
    assert_true(sum < 0.05 * spread);
    assert_true(fitted.best_epoch >= 1 && fitted.best_epoch <= fitted.epochs);
    assert_memory_equal(m->values, same->values, mlp_count(m) * sizeof *m->values);
    free(unseen.x);
    free(unseen.y);
    mlp_free(m);
    mlp_free(same);
}

static void a_file_gives_the_same_answers(void **state)
{
    (void)state;
    char path[] = "/tmp/ccalab-mlp-XXXXXX";
    struct mlp_fitted fitted;
    struct error err = {0};
    struct mlp *m = learn(5, &fitted), *read;
    struct mlp_rows unseen = lessons(20, 6);
    close(mkstemp(path));
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    assert_int_equal(mlp_load(path, &read, &err), STATUS_OK);
    for (size_t i = 0; i < unseen.count; i++)
        assert_true(mlp_answer(m, unseen.x + i * INPUTS) ==
                    mlp_answer(read, unseen.x + i * INPUTS));
    assert_string_equal(read->recipe, "lab");
    assert_memory_equal(&read->norm, &m->norm, sizeof m->norm);
    assert_int_equal(read->data.horizon, 20);
    mlp_free(read);

    /* Values that no training gives. */
    m->values[7] = NAN;
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    assert_int_equal(mlp_load(path, &read, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "finite"));
    m->values[7] = 0;
    m->norm.state_std[1] = 0;
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    assert_int_equal(mlp_load(path, &read, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "constants"));
    m->norm.state_std[1] = 2;
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    assert_int_equal(truncate(path, 2000), 0);
    assert_int_equal(mlp_load(path, &read, &err), STATUS_INPUT);
    assert_null(read);
    unlink(path);
    assert_int_equal(mlp_load(path, &read, &err), STATUS_IO);
    free(unseen.x);
    free(unseen.y);
    mlp_free(m);
}

/* A byte of the file, after the only place where `text` stands. */
static void patch(const char *path, const char *text, char byte)
{
    static char bytes[1 << 16];
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    char *at = memmem(bytes, len, text, strlen(text));
    assert_non_null(at);
    assert_int_equal(fseek(f, at - bytes + (long)strlen(text), SEEK_SET), 0);
    assert_int_equal(fputc(byte, f), byte);
    fclose(f);
}

/* Three numbers a state or six, by the recipe; a file from before there were six says nothing. */
static void states_have_a_size(void **state)
{
    (void)state;
    char path[] = "/tmp/ccalab-mlp-XXXXXX";
    struct mlp_fitted fitted;
    struct error err = {0};
    struct mlp *m = learn(5, &fitted), *read;
    close(mkstemp(path));
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    patch(path, "\"feature", 'z'); /* no such field any more */
    assert_int_equal(mlp_load(path, &read, &err), STATUS_OK);
    assert_memory_equal(&read->norm, &m->norm, sizeof m->norm);
    mlp_free(read);
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    patch(path, "\"features\":\"", '6');
    assert_int_equal(mlp_load(path, &read, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "not those of recipe lab"));
    mlp_free(m);

    assert_int_equal(mlp_new("loop", 2, 4, &m, &err), STATUS_OK);
    assert_int_equal(m->inputs, 2 * (6 + 2));
    m->data = (struct dataset_opts){.steps = 20, .gamma = 1, .scale = 1, .horizon = 20};
    m->norm = (struct dataset_norm){.state_mean = {1, 2, 3, 4, 5, 6},
                                    .state_std = {1, 2, 3, 4, 5, 6},
                                    .action_span = 0.1,
                                    .max_return = 0.75};
    for (size_t i = 0; i < mlp_count(m); i++)
        m->values[i] = 0.01f * (float)i;
    assert_int_equal(mlp_save(m, path, &err), STATUS_OK);
    assert_int_equal(mlp_load(path, &read, &err), STATUS_OK);
    assert_int_equal(read->features, 6);
    assert_int_equal(read->rows, 2);
    assert_memory_equal(&read->norm, &m->norm, sizeof m->norm);
    assert_memory_equal(read->values, m->values, mlp_count(m) * sizeof *m->values);
    mlp_free(read);
    mlp_free(m);
    unlink(path);
}

static void sizes_have_bounds(void **state)
{
    (void)state;
    struct error err = {0};
    struct mlp *m;
    assert_int_equal(mlp_new("lab", 0, 8, &m, &err), STATUS_INPUT);
    assert_int_equal(mlp_new("lab", MLP_ROWS_MAX + 1, 8, &m, &err), STATUS_INPUT);
    assert_int_equal(mlp_new("lab", 1, MLP_HIDDEN_MAX + 1, &m, &err), STATUS_INPUT);
    assert_int_equal(mlp_new("lab", 1, 1, &m, &err), STATUS_OK);
    struct mlp_rows none = {0};
    struct mlp_fitted fitted;
    assert_int_equal(
        mlp_train(m, &none, &none, &(struct mlp_fit){.epochs = 1}, NULL, &fitted, &err),
        STATUS_INPUT);
    mlp_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns),
        cmocka_unit_test(a_file_gives_the_same_answers),
        cmocka_unit_test(states_have_a_size),
        cmocka_unit_test(sizes_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
