/* Serving: what is kept of a context changes nothing, lines in and events out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "core/event.h"
#include "core/json.h"
#include "model/serve_line.h"
#include "model/serve_replay.h"

#define W         6
#define TOLERANCE 1e-4

static struct policy *policy;
static struct checkpoint checkpoint;
static struct error err;

/* LoRA's B is zero at first: give it something to say. */
static void shake(struct policy *p)
{
    for (size_t i = 0; i < policy_param_count(p); i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        float *values = malloc(info.numel * sizeof *values);
        for (size_t k = 0; k < info.numel; k++)
            values[k] = 0.1f * sinf((float)(k + i));
        if (strstr(info.name, "lora_B"))
            assert_int_equal(policy_param_write(p, i, values, &err), STATUS_OK);
        free(values);
    }
}

static int setup(void **state)
{
    (void)state;
    struct policy_config config = policy_config_default();
    config.timestep_rows = W;
    config.state_dim = 16;
    if (policy_engine_start(1, NULL, &err) || policy_new(&config, &policy, &err))
        return 1;
    shake(policy);
    checkpoint.policy = config;
    checkpoint.data = dataset_opts_default(RECIPE_LAB, W);
    checkpoint.norm = (struct dataset_norm){
        .state_mean = {-3, 10, 15}, .state_std = {1, 1, 1}, .action_span = 0.5, .max_return = 1};
    strcpy(checkpoint.recipe, "lab");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    policy_free(policy);
    return 0;
}

static struct serve_step step_of(size_t slot, int i)
{
    struct serve_step s = {.slot = slot, .target = 0.5f + 0.1f * (float)(i % 3)};
    for (int k = 0; k < POLICY_STATE_FEATURES; k++)
        s.state[k] = sinf((float)(7 * (int)slot + 3 * i + k));
    return s;
}

static float recompute(struct serve_contexts *c, size_t slot, size_t *steps)
{
    float predictions[W];
    struct policy_batch batch = serve_contexts_view(c, slot);
    *steps = batch.steps;
    assert_in_range(batch.steps, 1, W);
    assert_int_equal(policy_forward(policy, &batch, predictions, &err), STATUS_OK);
    return predictions[batch.steps - 1];
}

/* Three flows that start at different times, decided together, beside the whole context computed
 * anew; with and without new bases in between. */
static void check_mode(enum serve_mode mode, bool is_rebased)
{
    struct serve_contexts *c;
    size_t seen[W + 1] = {0}, done, all = 0;
    float size = 0;
    assert_int_equal(serve_contexts_new(policy, mode, W, 4, &c, &err), STATUS_OK);
    for (int i = 0; i < 4 * W; i++) {
        struct serve_step steps[3];
        size_t count = i < 2 ? 1 : i < 3 ? 2 : 3, length;
        for (size_t k = 0; k < count; k++)
            steps[k] = step_of(3 - k, i); /* not in order of slots */
        assert_int_equal(serve_contexts_decide(c, steps, count, &err), STATUS_OK);
        for (size_t k = 0; k < count; k++) {
            float expected = recompute(c, steps[k].slot, &length);
            assert_float_equal(steps[k].action, expected, TOLERANCE);
            size = fmaxf(size, fabsf(expected));
            seen[length]++;
        }
        assert_int_equal(serve_contexts_rebase(c, 8, &done, &err), STATUS_OK);
        all += done;
        if (!is_rebased && done)
            fail_msg("an exact context has no base");
    }
    assert_true(size > 0.01f);
    assert_true(seen[W] > 0);
    assert_int_equal(serve_contexts_late(c), 0);
    assert_true(is_rebased == (all > 0));
    serve_contexts_free(c);
}

static void test_cached(void **state)
{
    (void)state;
    check_mode(SERVE_CACHED, true);
}

static void test_exact(void **state)
{
    (void)state;
    check_mode(SERVE_EXACT, false);
}

/* Nobody asks for new bases: they are made when they are due, and the decisions are the same. */
static void test_late(void **state)
{
    (void)state;
    struct serve_contexts *eager, *late;
    size_t done;
    assert_int_equal(serve_contexts_new(policy, SERVE_CACHED, W, 1, &eager, &err), STATUS_OK);
    assert_int_equal(serve_contexts_new(policy, SERVE_CACHED, W, 1, &late, &err), STATUS_OK);
    for (int i = 0; i < 3 * W; i++) {
        struct serve_step a = step_of(0, i), b = a;
        assert_int_equal(serve_contexts_decide(eager, &a, 1, &err), STATUS_OK);
        assert_int_equal(serve_contexts_rebase(eager, 1, &done, &err), STATUS_OK);
        assert_int_equal(serve_contexts_decide(late, &b, 1, &err), STATUS_OK);
        assert_float_equal(a.action, b.action, TOLERANCE);
    }
    assert_int_equal(serve_contexts_late(eager), 0);
    /* Full after 6, then after every 3 more. */
    assert_int_equal(serve_contexts_late(late), 4);
    serve_contexts_free(eager);
    serve_contexts_free(late);
}

/* What became of the step before replaces what was decided, in the slot's own past alone. */
static void check_taken(enum serve_mode mode)
{
    struct serve_contexts *c, *own;
    size_t length, done;
    float moved = 0;
    assert_int_equal(serve_contexts_new(policy, mode, W, 2, &c, &err), STATUS_OK);
    assert_int_equal(serve_contexts_new(policy, mode, W, 2, &own, &err), STATUS_OK);
    for (int i = 0; i < 3 * W; i++) {
        struct serve_step s = step_of(0, i), plain = s;
        s.has_taken = true; /* at the first step there is nothing that it could be of */
        s.taken = 3 * cosf((float)i);
        assert_int_equal(serve_contexts_decide(c, &s, 1, &err), STATUS_OK);
        assert_int_equal(serve_contexts_decide(own, &plain, 1, &err), STATUS_OK);
        assert_float_equal(s.action, recompute(c, 0, &length), TOLERANCE);
        const struct policy_batch batch = serve_contexts_view(c, 0);
        assert_float_equal(batch.actions[length - 1], s.action, 0);
        for (size_t k = 1; k < length; k++)
            assert_float_equal(batch.actions[length - 1 - k], 3 * cosf((float)(i + 1 - (int)k)), 0);
        moved = fmaxf(moved, fabsf(s.action - plain.action));
        if (i == W - 1) { /* slot 0 is full: behind it the other one's first step is not its past */
            struct serve_step other = step_of(1, 0);
            other.has_taken = true;
            other.taken = 9;
            assert_int_equal(serve_contexts_decide(c, &other, 1, &err), STATUS_OK);
            assert_float_equal(serve_contexts_view(c, 0).actions[W - 1], s.action, 0);
        }
        if (i % 2) /* new bases in time, and some that are late */
            assert_int_equal(serve_contexts_rebase(c, 1, &done, &err), STATUS_OK);
    }
    assert_true(moved > 10 * TOLERANCE);
    serve_contexts_free(c);
    serve_contexts_free(own);
}

static void test_taken(void **state)
{
    (void)state;
    check_taken(SERVE_CACHED);
    check_taken(SERVE_EXACT);
}

static void test_one_step(void **state)
{
    (void)state;
    for (enum serve_mode mode = SERVE_CACHED; mode <= SERVE_EXACT; mode++) {
        struct serve_contexts *c;
        size_t length;
        assert_int_equal(serve_contexts_new(policy, mode, 1, 1, &c, &err), STATUS_OK);
        for (int i = 0; i < 3; i++) {
            struct serve_step s = step_of(0, i);
            assert_int_equal(serve_contexts_decide(c, &s, 1, &err), STATUS_OK);
            assert_float_equal(s.action, recompute(c, 0, &length), TOLERANCE);
        }
        serve_contexts_free(c);
    }
    struct serve_contexts *none;
    assert_int_equal(serve_contexts_new(policy, SERVE_EXACT, 0, 1, &none, &err), STATUS_INPUT);
    assert_null(none);
}

static void forward_noise(struct policy *p, float predictions[W])
{
    float states[W * POLICY_STATE_FEATURES], rest[W];
    int32_t timesteps[W];
    for (int i = 0; i < W; i++) {
        for (int k = 0; k < POLICY_STATE_FEATURES; k++)
            states[i * POLICY_STATE_FEATURES + k] = sinf((float)(3 * i + k));
        rest[i] = cosf((float)i);
        timesteps[i] = i;
    }
    const struct policy_batch batch = {1, W, states, rest, rest, timesteps};
    assert_int_equal(policy_forward(p, &batch, predictions, &err), STATUS_OK);
    double loss;
    enum status st = policy_backward(p, &batch, rest, 1, &loss, &err);
    assert_true(st == STATUS_OK || strstr(err.message, "is merged"));
}

/* In the weights LoRA says what it said beside them, for weights of either orientation. */
static void test_merge(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct policy *p;
        float plain[W], shaken[W], merged[W], moved = 0;
        struct policy_config config = policy_config_default();
        config.timestep_rows = W;
        if (i) {
            cJSON *o = cJSON_Parse("{\"model_type\":\"gpt2\",\"n_embd\":32,\"n_layer\":2,"
                                   "\"n_head\":2,\"n_positions\":64}");
            assert_int_equal(backbone_config_from_json(o, "gpt2", &config.backbone, &err),
                             STATUS_OK);
            cJSON_Delete(o);
        }
        assert_int_equal(policy_new(&config, &p, &err), STATUS_OK);
        forward_noise(p, plain);
        shake(p);
        forward_noise(p, shaken);
        assert_int_equal(policy_merge(p, &err), STATUS_OK);
        assert_int_equal(policy_merge(p, &err), STATUS_OK);
        forward_noise(p, merged);
        assert_non_null(strstr(err.message, "is merged"));
        for (int k = 0; k < W; k++) {
            moved = fmaxf(moved, fabsf(shaken[k] - plain[k]));
            assert_float_equal(merged[k], shaken[k], 2e-5);
        }
        assert_true(moved > 1e-3f);
        policy_free(p);
    }
}

/* --- lines in, events out --------------------------------------------------------------------- */

static cJSON *serve(const char *input, struct serve_opts opts)
{
    FILE *in = tmpfile(), *out = tmpfile();
    fputs(input, in);
    fflush(in);
    assert_int_equal(lseek(fileno(in), 0, SEEK_SET), 0);
    opts.policy = policy;
    opts.checkpoint = &checkpoint;
    opts.input_fd = fileno(in);
    opts.events = out;
    assert_int_equal(serve_run(&opts, &err), STATUS_OK);
    rewind(out);
    cJSON *events = cJSON_CreateArray();
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, out) > 0) {
        cJSON *e = cJSON_Parse(line);
        assert_non_null(e);
        cJSON_AddItemToArray(events, e);
    }
    free(line);
    fclose(in);
    fclose(out);
    return events;
}

static double last(const cJSON *events, const char *field)
{
    const cJSON *e = cJSON_GetArrayItem(events, cJSON_GetArraySize(events) - 1);
    const cJSON *data = json_get(e, "data");
    assert_string_equal(json_str(data, "state", ""), "down");
    return json_num(data, field, -1);
}

/* The n-th event of a type, from 0. */
static const cJSON *nth(const cJSON *events, const char *type, int n)
{
    const cJSON *e;
    cJSON_ArrayForEach(e, events)
    {
        if (strcmp(json_str(e, "type", ""), type) == 0 && !n--)
            return e;
    }
    fail_msg("no such %s", type);
    return NULL;
}

#define A "\"rtt_s\":0.05,\"cwnd_bytes\":20000,\"throughput_bps\":4e6"
#define B "\"rtt_s\":0.07,\"cwnd_bytes\":30000,\"throughput_bps\":3e6"

static void test_lines(void **state)
{
    (void)state;
    char longest[SERVE_LINE_MAX + 64];
    memset(longest, 'x', sizeof longest);
    strcpy(longest + SERVE_LINE_MAX + 10, "\n");
    char input[3 * SERVE_LINE_MAX];
    snprintf(input, sizeof input,
             "{\"flow\":\"a\"," A "}\n{\"flow\":\"b\"," B "}\n{\"flow\":\"a\"," B "}\n"
             "nonsense\n\n%s"
             "{\"flow\":\"c\"," A "}\n" /* a third flow */
             "{\"flow\":\"a\",\"done\":true}\n{\"flow\":\"c\"," A "}\n"
             "{\"flow\":\"nobody\",\"done\":true}\n{\"flow\":\"c\"," B ",\"return\":0.25}",
             longest);
    cJSON *events = serve(input, (struct serve_opts){.flows = 2, .target_scale = 1});
    assert_string_equal(json_str(json_get(nth(events, "result", 0), "data"), "state", ""), "up");

    static const char *const order[] = {"serve/a", "serve/b", "serve/a", "serve/c", "serve/c"};
    for (int i = 0; i < 5; i++) {
        const cJSON *e = nth(events, "sample", i), *v = json_get(e, "values");
        double cwnd = i == 0 || i == 3 ? 20000 : 30000, action = json_num(v, "action", NAN);
        assert_string_equal(json_str(e, "src", ""), order[i]);
        assert_float_equal(json_num(v, "cwnd_bytes", NAN), cwnd * exp(action), 1e-3);
        assert_true(json_num(v, "latency_ms", -1) >= 0);
    }
    /* a and c begin alike, then differ in what is wanted. */
    double a[2], c[2];
    for (int i = 0; i < 2; i++) {
        a[i] = json_num(json_get(nth(events, "sample", 2 * i), "values"), "action", NAN);
        c[i] = json_num(json_get(nth(events, "sample", 3 + i), "values"), "action", NAN);
    }
    assert_float_equal(a[0], c[0], TOLERANCE);
    assert_true(fabs(a[1] - c[1]) > 1e-6);

    const char *const said[] = {"line 4: ", "bytes of lines longer", "flow c is one too many"};
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(json_str(nth(events, "log", i), "text", ""), said[i]));
    assert_float_equal(last(events, "decisions"), 5, 0);
    assert_float_equal(last(events, "bad_lines"), 3, 0);
    assert_float_equal(last(events, "flows"), 3, 0);
    assert_float_equal(last(events, "largest_batch"), 2, 0);
    cJSON_Delete(events);
}

static void test_too_many_flows(void **state)
{
    (void)state;
    cJSON *events = serve("{\"flow\":\"a\"," A "}\n{\"flow\":\"b\"," A "}\n",
                          (struct serve_opts){.flows = 1, .target_scale = 1});
    const char *text = json_str(nth(events, "log", 0), "text", "");
    assert_non_null(strstr(text, "line 2: flow b is one too many: 1 are open"));
    assert_non_null(strstr(text, "--max-flows"));
    assert_float_equal(last(events, "decisions"), 1, 0);
    cJSON_Delete(events);
}

/* Rewards are taken off the return-to-go, as in training without a horizon. */
static void test_rewards(void **state)
{
    (void)state;
    struct dataset scales = {.norm = {.reward_min = 1, .reward_max = 3}, .opts = {.gamma = 0.5}};
    scales.opts.scale = 10;
    assert_float_equal(serve_next_target(&scales, 0.5, 2), (0.5 - 0.05) / 0.5, 1e-12);
    scales.opts.horizon = 4;
    assert_float_equal(serve_next_target(&scales, 0.5, 2), 0.5, 0);
}

static void test_windows_of_actions(void **state)
{
    (void)state;
    struct checkpoint c = {.recipe = "published"};
    struct serve_opts opts = {.checkpoint = &c, .cwnd_min = 1000, .cwnd_max = 3000};
    assert_float_equal(serve_cwnd(&opts, 1, 0.25), 1500, 1e-9);
    strcpy(c.recipe, "tutorial");
    assert_float_equal(serve_cwnd(&opts, 1, 2), 2000, 1e-9);
    opts.cwnd_min = NAN;
    assert_true(isnan(serve_cwnd(&opts, 1, 2)));
    strcpy(c.recipe, "imported");
    assert_true(isnan(serve_cwnd(&opts, 1, 2)));
}

/* A state far beyond what any policy can take gives an error for its line, and no more. */
static void test_not_finite(void **state)
{
    (void)state;
    strcpy(checkpoint.recipe, "imported"); /* no logarithms */
    cJSON *events = serve("{\"flow\":\"a\",\"rtt_s\":3e38,\"cwnd_bytes\":3e38,"
                          "\"throughput_bps\":3e38}\n{\"flow\":\"b\"," A "}\n",
                          (struct serve_opts){.flows = 2, .target_scale = 1, .cwnd_min = NAN});
    strcpy(checkpoint.recipe, "lab");
    assert_non_null(strstr(json_str(nth(events, "log", 0), "text", ""), "flow a is not finite"));
    assert_float_equal(last(events, "decisions"), 1, 0);
    assert_true(cJSON_IsNull(json_get(json_get(nth(events, "sample", 0), "values"), "cwnd_bytes")));
    cJSON_Delete(events);
}

/* --- replay ----------------------------------------------------------------------------------- */

static void test_replay(void **state)
{
    (void)state;
    struct pool *pool = pool_new("lab");
    struct dataset *d;
    cJSON *result;
    for (int i = 0; i < 200; i++) {
        const float s[POOL_FEATURES] = {0.05f + 0.01f * sinf((float)i), 20000 + 100.0f * (float)i,
                                        4e6f};
        assert_int_equal(pool_add(pool, s, 0.1 * cos(i), 8 + sin(i), &err), STATUS_OK);
    }
    assert_int_equal(pool_end_episode(pool, &(struct pool_episode){.source = ""}, &err), STATUS_OK);
    assert_int_equal(dataset_new(pool, &checkpoint.data, NULL, &d, &err), STATUS_OK);
    const struct serve_opts opts = {.policy = policy, .checkpoint = &checkpoint, .target_scale = 1};
    assert_int_equal(serve_replay(&opts, d, &result, &err), STATUS_OK);
    assert_float_equal(json_num(result, "decisions", 0), 30, 0);
    double exact = json_num(json_get(result, "exact"), "loss", NAN);
    double cached = json_num(json_get(result, "cached"), "loss", NAN);
    assert_true(exact > 0 && cached > 0 && exact != cached);
    assert_float_equal(json_num(json_get(result, "exact"), "rebased", -1), 0, 0);
    /* Full at the 6th decision, then at every third. */
    assert_float_equal(json_num(json_get(result, "cached"), "rebased", -1), 9, 0);
    cJSON_Delete(result);

    /* The loss is to what was advised: of a parabola 0.5 to both sides. */
    double sum = 0;
    for (int side = -1; side <= 1; side += 2) {
        for (size_t i = 0; i < pool->rows; i++)
            pool->advice[i] = pool->actions[i] + 0.5 * side;
        assert_int_equal(serve_replay(&opts, d, &result, &err), STATUS_OK);
        sum += json_num(json_get(result, "exact"), "loss", NAN);
        cJSON_Delete(result);
    }
    assert_float_equal(sum, 2 * exact + 2 * 0.25, 1e-6);
    dataset_free(d);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cached),     cmocka_unit_test(test_exact),
        cmocka_unit_test(test_late),       cmocka_unit_test(test_taken),
        cmocka_unit_test(test_one_step),   cmocka_unit_test(test_merge),
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_too_many_flows),
        cmocka_unit_test(test_rewards),    cmocka_unit_test(test_windows_of_actions),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
