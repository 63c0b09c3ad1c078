/* Training end to end on a pool that can be learnt. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "core/json.h"
#include "model/checkpoint.h"
#include "model/evaluate.h"
#include "model/policy_state.h"
#include "model/train.h"

static char dir[] = "/tmp/ccalab-train-XXXXXX";
static char model[64];
static FILE *events;

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir) || policy_engine_start(1, NULL, NULL))
        return 1;
    snprintf(model, sizeof model, "%s/model", dir);
    events = tmpfile();
    return !events;
}

static void remove_model(void)
{
    static const char *const names[] = {"adapter_model.safetensors", "adapter_config.json",
                                        "modules_except_plm.safetensors", "netllm.json",
                                        "training.safetensors"};
    char path[128];
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", model, names[i]);
        unlink(path);
    }
    rmdir(model);
}

static int teardown(void **state)
{
    (void)state;
    remove_model();
    fclose(events);
    return rmdir(dir);
}

/* The action follows from the state: 0.7 of the throughput, less 0.3 of the RTT, both noise. */
static struct pool *learnable(void)
{
    struct pool *p = pool_new("synthetic");
    uint32_t x = 1;
    for (int i = 0; i < 400; i++) {
        double u[2];
        for (int k = 0; k < 2; k++) {
            x = x * 1664525u + 1013904223u;
            u[k] = (x >> 8) / 16777216.0;
        }
        float s[] = {(float)(0.02 + 0.05 * u[0]), 50000, (float)(1e7 * u[1])};
        assert_int_equal(pool_add(p, s, 0.7 * u[1] - 0.3 * u[0], u[1], NULL), STATUS_OK);
    }
    const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    return p;
}

static struct dataset *data_of(const struct pool *p)
{
    struct dataset *d;
    struct error err;
    const struct dataset_opts opts = {.steps = 10, .gamma = 1, .scale = 1000};
    if (dataset_new(p, &opts, NULL, &d, &err))
        fail_msg("%s", err.message);
    return d;
}

static struct train_opts options(int epochs)
{
    struct train_opts o = {.pool_path = "synthetic.safetensors",
                           .model_dir = model,
                           .policy = policy_config_default(),
                           .epochs = epochs,
                           .batch_size = 16,
                           .grad_accum_steps = 4,
                           .lr = 1e-3,
                           .weight_decay = 1e-4,
                           .clip_norm = 0.25,
                           .warmup_steps = -1,
                           .warmup_fraction = 0.1,
                           .eval_per_epoch = 1,
                           .save_per_epoch = 1,
                           .events = events};
    o.policy.timestep_rows = 10;
    o.policy.state_dim = 64;
    return o;
}

static void test_learns(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool), *again;
    struct train_opts opts = options(15);
    cJSON *result;
    if (train_run(&opts, d, &result, &err))
        fail_msg("%s", err.message);
    double valid = json_num(result, "valid_loss", -1);
    assert_true(json_num(result, "train_loss", -1) < 0.02);
    assert_true(json_num(json_get(result, "parameters"), "trainable", 0) > 0);

    /* What was saved is what was best, and what is loaded is what was saved. */
    static struct checkpoint c;
    struct policy *trained, *fresh;
    assert_int_equal(checkpoint_load(model, NULL, &c, &trained, &err), STATUS_OK);
    /* cJSON keeps 15 digits where they come within an ulp: so far may they be off. */
    assert_true(fabs(c.valid_loss - valid) <= 1e-15 * valid);
    assert_int_equal(c.best_epoch, (int)json_num(result, "best_epoch", 0));
    assert_memory_equal(&c.norm, &d->norm, sizeof c.norm);
    assert_int_equal(dataset_new(pool, &c.data, &c.norm, &again, &err), STATUS_OK);
    double loss;
    assert_int_equal(evaluate_windows(trained, again, DATASET_VALID, 16, NULL, &loss, &err),
                     STATUS_OK);
    assert_true(fabs(loss - valid) <= 1e-12 * valid);

    /* On rows it has not seen it beats the baselines, which a fresh policy does not. */
    struct dataset_baselines base = dataset_baselines(again, DATASET_TEST);
    double test, untrained;
    assert_int_equal(evaluate_windows(trained, again, DATASET_TEST, 7, NULL, &test, &err),
                     STATUS_OK);
    assert_int_equal(policy_new(&c.policy, &fresh, &err), STATUS_OK);
    assert_int_equal(evaluate_windows(fresh, again, DATASET_TEST, 7, NULL, &untrained, &err),
                     STATUS_OK);
    print_message("test loss %.5f, constant %.5f, persistence %.5f, untrained %.5f\n", test,
                  base.constant, base.persistence, untrained);
    assert_true(test < 0.5 * base.constant && test < 0.5 * base.persistence);
    assert_true(untrained > base.constant);

    struct evaluate_rollout rollout;
    assert_int_equal(evaluate_rollout(trained, again, DATASET_TEST, 1, NULL, &rollout, &err),
                     STATUS_OK);
    assert_int_equal(rollout.score.count, 60); /* the test segment: 15 % of 400 rows */
    assert_true(rollout.score.mse < 0.5 * base.constant);
    assert_true(rollout.p50_ms > 0 && rollout.p99_ms >= rollout.p50_ms);
    policy_free(fresh);
    policy_free(trained);
    dataset_free(again);
    cJSON_Delete(result);
    dataset_free(d);
    pool_free(pool);
}

/* The recipe loop: what to do follows from ce_share and from rtt / min_rtt alone, and rtt without
 * min_rtt says nothing of it. Small changes, and rare large drops. That is the advice: what was
 * done is off by chance. */
static struct pool *learnable_loop(void)
{
    struct pool *p = pool_new("loop");
    uint32_t x = 7;
    for (int i = 0; i < 800; i++) {
        double u[6];
        for (int k = 0; k < 6; k++) {
            x = x * 1664525u + 1013904223u;
            u[k] = (x >> 8) / 16777216.0;
        }
        double min_rtt = 0.008 * pow(10, u[0]), queue = 0.5 * u[1], ce = fmax(0, u[2] * 4 - 3);
        float s[] = {(float)(min_rtt * exp(queue)),
                     (float)(15000 * pow(20, u[3])),
                     (float)(1e6 * pow(50, u[4])),
                     (float)min_rtt,
                     (float)ce,
                     0};
        double action = 0.02 - 0.08 * queue - 0.7 * ce * ce;
        assert_int_equal(pool_add(p, s, action + 0.2 * (u[5] - 0.5), u[3], NULL), STATUS_OK);
        p->advice[p->rows - 1] = action;
    }
    const struct pool_episode info = {.cwnd_min = NAN, .cwnd_max = NAN};
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    return p;
}

static void test_learns_loop(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable_loop();
    struct dataset_opts data = dataset_opts_default(RECIPE_LOOP, 10);
    struct dataset *d;
    struct train_opts opts = options(12);
    cJSON *result;
    assert_int_equal(dataset_new(pool, &data, NULL, &d, &err), STATUS_OK);
    opts.policy.features = d->features;
    opts.lr = 2e-3;
    if (train_run(&opts, d, &result, &err))
        fail_msg("%s", err.message);
    cJSON_Delete(result);

    static struct checkpoint c;
    struct policy *p;
    assert_int_equal(checkpoint_load(model, NULL, &c, &p, &err), STATUS_OK);
    assert_int_equal(c.policy.features, 6);
    assert_float_equal(c.norm.state_std[POOL_CE_SHARE], d->norm.state_std[POOL_CE_SHARE], 1e-12);
    struct dataset_baselines base = dataset_baselines(d, DATASET_TEST);
    double test;
    assert_int_equal(evaluate_windows(p, d, DATASET_TEST, 16, NULL, &test, &err), STATUS_OK);
    print_message("test loss %.4f, no_op %.4f, constant %.4f, persistence %.4f\n", test, base.no_op,
                  base.constant, base.persistence);
    double least = fmin(base.no_op, fmin(base.constant, base.persistence));
    assert_true(test < 0.05 * least);
    policy_free(p);

    /* Another pool is one whose advice or times are others, too. */
    double *const changed[] = {&pool->advice[3], &pool->t_s[3]};
    opts.is_resumed = true;
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        double was = *changed[i];
        *changed[i] += 0.001;
        assert_int_equal(train_run(&opts, d, &result, &err), STATUS_INPUT);
        assert_non_null(strstr(err.message, "rows of the pool"));
        *changed[i] = was;
    }

    /* One of three numbers does not pass for it. */
    char path[128];
    snprintf(path, sizeof path, "%s/netllm.json", model);
    cJSON *json = json_read_file(path, 1 << 20, &err);
    assert_non_null(json);
    cJSON_DeleteItemFromObject(cJSON_GetObjectItem(json, "policy"), "features");
    assert_int_equal(json_write_file(path, json, &err), STATUS_OK);
    cJSON_Delete(json);
    assert_int_equal(checkpoint_load(model, NULL, &c, &p, &err), STATUS_INPUT);
    assert_null(p);
    dataset_free(d);
    pool_free(pool);
    remove_model();
}

static void test_repeats(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    double losses[3];
    for (int i = 0; i < 3; i++) {
        struct train_opts opts = options(2);
        opts.policy.seed += i == 2;
        cJSON *result;
        assert_int_equal(train_run(&opts, d, &result, &err), STATUS_OK);
        losses[i] = json_num(result, "train_loss", -1);
        cJSON_Delete(result);
    }
    assert_true(losses[0] == losses[1]);
    assert_true(losses[0] != losses[2]);
    dataset_free(d);
    pool_free(pool);
}

/* The batch size is a matter of speed: without dropout it does not change what is learnt. */
static void test_batch_size(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    double losses[2];
    for (int i = 0; i < 2; i++) {
        struct train_opts opts = options(2);
        opts.policy.lora_dropout = 0;
        opts.batch_size = i ? 1 : 3; /* 3 does not divide the group of 4 */
        cJSON *result;
        assert_int_equal(train_run(&opts, d, &result, &err), STATUS_OK);
        losses[i] = json_num(result, "train_loss", -1);
        cJSON_Delete(result);
    }
    assert_true(fabs(losses[0] - losses[1]) < 1e-4 * losses[0]);
    dataset_free(d);
    pool_free(pool);
}

/* A group shorter than asked for is divided by its own size: the gradient of a step is that of the
 * mean loss of its windows. */
static void test_short_group(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    size_t windows = d->windows[DATASET_TRAIN].count;
    struct train_opts opts = options(1);
    opts.policy.lora_dropout = 0;
    opts.grad_accum_steps = 1000;
    opts.events = tmpfile();
    cJSON *result;
    assert_non_null(opts.events);
    assert_int_equal(train_run(&opts, d, &result, &err), STATUS_OK);
    assert_true(json_num(result, "steps", 0) == 1);
    cJSON_Delete(result);
    double norm = -1;
    char line[1024];
    rewind(opts.events);
    while (fgets(line, sizeof line, opts.events)) {
        cJSON *event = cJSON_Parse(line);
        if (strcmp(json_str(event, "src", ""), "train") == 0)
            norm = json_num(json_get(event, "values"), "grad_norm", -1);
        cJSON_Delete(event);
    }
    fclose(opts.events);

    struct policy *p;
    struct dataset_batch b;
    assert_int_equal(policy_new(&opts.policy, &p, &err), STATUS_OK);
    static const float zeros[256];
    assert_int_equal(policy_param_write(p, policy_param_find(p, "6.weight"), zeros, &err), 0);
    assert_int_equal(policy_param_write(p, policy_param_find(p, "6.bias"), zeros, &err), 0);
    assert_int_equal(dataset_batch_init(&b, windows, 10, &err), STATUS_OK);
    size_t *order = calloc(windows, sizeof *order);
    double *losses = calloc(windows, sizeof *losses), expected;
    for (size_t i = 0; i < windows; i++)
        order[i] = i;
    dataset_batch_fill(d, DATASET_TRAIN, order, windows, &b);
    const struct policy_batch view = {windows, 10, b.states, b.actions, b.returns, b.timesteps};
    assert_int_equal(policy_backward(p, &view, b.actions, 1, losses, &err), STATUS_OK);
    const struct policy_step_opts step = {.lr = 0};
    assert_int_equal(policy_step(p, &step, &expected, &err), STATUS_OK);
    assert_true(expected > 0 && fabs(norm - expected) < 1e-4 * expected);
    free(order);
    free(losses);
    dataset_batch_done(&b);
    policy_free(p);
    dataset_free(d);
    pool_free(pool);
}

/* What never gets better ends early, and what was best is kept. */
static void test_patience(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    struct train_opts opts = options(40);
    opts.lr = 0;
    opts.patience = 3;
    cJSON *result;
    assert_int_equal(train_run(&opts, d, &result, &err), STATUS_OK);
    assert_true(json_bool(result, "stopped_early", false));
    assert_int_equal((int)json_num(result, "best_epoch", 0), 1);
    assert_int_equal((int)json_num(result, "epochs", 0), 4);
    cJSON_Delete(result);
    dataset_free(d);
    pool_free(pool);
}

/* The published order of things, from the gradients up: each window's gradient over 4, the sum
 * clipped after each, AdamW with the warm-up's rate, a short last group still over 4, its labels
 * cut to whole numbers. A twin policy does the same with what netllm.h offers. */
static void test_published(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d;
    const struct dataset_opts data = {.steps = 10, .gamma = 1, .scale = 1000, .is_published = true};
    for (size_t i = 0; i < pool->rows; i++)
        pool->actions[i] = fabs(pool->actions[i]) * 3; /* 0, 1 and 2 when cut */
    assert_int_equal(dataset_new(pool, &data, NULL, &d, &err), STATUS_OK);
    size_t windows = d->windows[DATASET_TRAIN].count;
    assert_int_equal(windows, 40);
    assert_int_equal(d->windows[DATASET_VALID].count, 0);
    assert_int_equal(dataset_timestep_rows(pool, &data), 401);
    struct train_opts opts = options(2);
    opts.policy.timestep_rows = 401;
    opts.policy.lora_dropout = 0;
    opts.grad_accum_steps = 12; /* 40 windows: groups of 12, 12, 12 and 4 */
    opts.warmup_steps = 2000;
    cJSON *result;
    assert_int_equal(train_run(&opts, d, &result, &err), STATUS_OK);
    assert_int_equal((int)json_num(result, "steps", 0), 8);
    assert_int_equal((int)json_num(result, "best_epoch", 0), 2);

    struct policy *p;
    struct dataset_batch b;
    assert_int_equal(policy_new(&opts.policy, &p, &err), STATUS_OK);
    assert_int_equal(dataset_batch_init(&b, 1, 10, &err), STATUS_OK);
    uint64_t random = opts.policy.seed;
    size_t order[40], step = 0;
    double sum = 0;
    for (size_t i = 0; i < windows; i++)
        order[i] = i;
    for (int epoch = 0; epoch < 2; epoch++) {
        sum = 0;
        for (size_t i = windows; i > 1; i--) {
            uint64_t x = random += 0x9e3779b97f4a7c15u;
            x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
            x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
            size_t j = (size_t)((x ^ (x >> 31)) % i), swap = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swap;
        }
        for (size_t i = 0; i < windows; i++) {
            double loss, norm;
            dataset_batch_fill(d, DATASET_TRAIN, &order[i], 1, &b);
            for (size_t k = 0; k < 10; k++) {
                size_t row = order[i] * 10 + k;
                assert_true(b.labels[k] == truncf((float)pool->actions[row]));
                assert_true(b.actions[k] == ((float)pool->actions[row] + 1.0f) / 6.0f);
                assert_true(b.states[3 * k + 2] == pool->states[row][2]);
                assert_int_equal(b.timesteps[k], row);
            }
            const struct policy_batch view = {1, 10, b.states, b.actions, b.returns, b.timesteps};
            assert_int_equal(policy_backward(p, &view, b.labels, 1.0 / 12, &loss, &err), 0);
            assert_int_equal(policy_clip(p, 0.25, &norm, &err), STATUS_OK);
            sum += loss;
            if ((i + 1) % 12 && i + 1 < windows)
                continue;
            const struct policy_step_opts o = {.lr = 1e-3 * (double)++step / 2000,
                                               .weight_decay = 1e-4};
            assert_int_equal(policy_step(p, &o, NULL, &err), STATUS_OK);
        }
    }
    assert_true(sum / 40 == json_num(result, "train_loss", 0));
    cJSON_Delete(result);
    dataset_batch_done(&b);
    policy_free(p);
    dataset_free(d);
    pool_free(pool);
}

static void test_nan(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    struct train_opts opts = options(3);
    opts.lr = 1e12;
    opts.warmup_fraction = 0;
    cJSON *result;
    assert_int_equal(train_run(&opts, d, &result, &err), STATUS_FAIL);
    assert_null(result);
    assert_non_null(strstr(err.message, "in epoch 1, window "));
    dataset_free(d);
    pool_free(pool);
}

static void test_stop(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    volatile sig_atomic_t stop = 15;
    struct train_opts opts = options(3);
    opts.stop = &stop;
    cJSON *result;
    assert_int_equal(train_run(&opts, d, &result, &err), STATUS_INTERRUPTED);
    assert_non_null(strstr(err.message, "after step 1"));
    dataset_free(d);
    pool_free(pool);
}

static void test_target(void **state)
{
    (void)state;
    struct error err;
    char path[128];
    /* A directory with something else in it is not ours to replace. */
    snprintf(path, sizeof path, "%s/notes", model);
    mkdir(model, 0755);
    assert_int_equal(checkpoint_check_target(model, &err), STATUS_OK);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(checkpoint_check_target(model, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "notes"));
    unlink(path);
    snprintf(path, sizeof path, "%s/none", dir);
    assert_int_equal(checkpoint_check_target(path, &err), STATUS_OK);
}

/* netllm.json with one field damaged is refused by the field's name. */
static void test_damaged_checkpoint(void **state)
{
    (void)state;
    struct error err;
    struct pool *pool = learnable();
    struct dataset *d = data_of(pool);
    struct train_opts opts = options(1);
    cJSON *result;
    assert_int_equal(train_run(&opts, d, &result, &err), STATUS_OK);
    cJSON_Delete(result);
    static const struct {
        const char *section, *field;
    } cases[] = {{"policy", "backbone"},  {"policy", "seed"},        {"policy", "timestep_rows"},
                 {"data", "w"},           {"data", "scale"},         {"norm", "state_std"},
                 {"norm", "action_span"}, {"training", "best_epoch"}};
    char path[128];
    static struct checkpoint c;
    struct policy *p;
    snprintf(path, sizeof path, "%s/netllm.json", model);
    cJSON *good = json_read_file(path, 1 << 20, &err);
    assert_non_null(good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *bad = cJSON_Duplicate(good, true);
        cJSON_DeleteItemFromObject(cJSON_GetObjectItem(bad, cases[i].section), cases[i].field);
        assert_int_equal(json_write_file(path, bad, &err), STATUS_OK);
        cJSON_Delete(bad);
        assert_int_equal(checkpoint_load(model, NULL, &c, &p, &err), STATUS_INPUT);
        assert_null(p);
        if (strcmp(cases[i].field, "backbone") != 0 && !strstr(err.message, cases[i].field))
            fail_msg("'%s' does not name %s", err.message, cases[i].field);
    }
    assert_int_equal(json_write_file(path, good, &err), STATUS_OK);
    cJSON_Delete(good);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", model);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(checkpoint_load(model, NULL, &c, &p, &err), STATUS_INPUT);
    assert_null(p);
    unlink(path);
    assert_int_equal(checkpoint_load(model, NULL, &c, &p, &err), STATUS_IO);
    dataset_free(d);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_learns_loop),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_batch_size),
        cmocka_unit_test(test_short_group),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_damaged_checkpoint),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
