/* What must hold for any weights: causality, where the head looks, LoRA, early stop, and files. */
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

#include "tests/model/small_policy.h"

/* --- the function ----------------------------------------------------------------------------- */

static void test_backbone_is_causal(void **state)
{
    (void)state;
    enum { T = 9, H = 64 };
    static float x[2 * T * H], before[2 * T * H], after[2 * T * H];
    struct policy_config c = small();
    struct policy *p = make(&c);
    fill_lora(p);
    for (size_t i = 0; i < 2 * T * H; i++)
        x[i] = noise();
    assert_int_equal(policy_backbone_forward(p, x, 2, T, before, NULL), STATUS_OK);
    for (int j = 0; j < T; j++) {
        float keep = x[j * H + 7];
        x[j * H + 7] += 1;
        assert_int_equal(policy_backbone_forward(p, x, 2, T, after, NULL), STATUS_OK);
        x[j * H + 7] = keep;
        assert_true(is_same(before, after, j * H));                          /* earlier tokens */
        assert_false(is_same(before + j * H, after + j * H, H));             /* the token itself */
        assert_false(is_same(before + (T - 1) * H, after + (T - 1) * H, H)); /* the last one */
        assert_true(is_same(before + T * H, after + T * H, T * H));          /* the other window */
    }
    policy_free(p);
}

static void test_head_positions(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct policy *p = make(&c);
    fill_lora(p);
    struct input in = make_input();
    float before[N], after[N];
    forward(p, &in, before);
    for (int i = 0; i < STEPS; i++) {
        struct input changed = in;
        changed.actions[i] += 1; /* seen by later predictions only */
        forward(p, &changed, after);
        assert_true(is_same(before, after, i + 1));
        for (int k = i + 1; k < STEPS; k++)
            assert_false(is_same(before + k, after + k, 1));

        changed = in;
        changed.states[3 * i + 1] += 1; /* seen from its own step on */
        forward(p, &changed, after);
        assert_true(is_same(before, after, i));
        assert_false(is_same(before + i, after + i, 1));

        changed = in;
        changed.returns[i] += 1;
        forward(p, &changed, after);
        assert_true(is_same(before, after, i));
        assert_false(is_same(before + i, after + i, 1));
    }
    /* Where time is written matters, and other windows never do. */
    struct input changed = in;
    changed.timesteps[2] = 0;
    forward(p, &changed, after);
    assert_true(is_same(before, after, 2));
    assert_false(is_same(before + 2, after + 2, 1));
    assert_true(is_same(before + STEPS, after + STEPS, N - STEPS));
    policy_free(p);
}

static void test_batch_is_windows(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct policy *p = make(&c);
    fill_lora(p);
    struct input in = make_input();
    float together[N], alone[STEPS];
    forward(p, &in, together);
    for (int w = 0; w < WINDOWS; w++) {
        struct policy_batch b = {1,
                                 STEPS,
                                 in.states + 3 * STEPS * w,
                                 in.actions + STEPS * w,
                                 in.returns + STEPS * w,
                                 in.timesteps + STEPS * w};
        assert_int_equal(policy_forward(p, &b, alone, NULL), STATUS_OK);
        for (int i = 0; i < STEPS; i++)
            assert_true(fabsf(alone[i] - together[STEPS * w + i]) < 1e-5f);
    }
    policy_free(p);
}

static void test_lora(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct policy *p = make(&c);
    c.rank = 0;
    struct policy *base = make(&c);
    struct input in = make_input();
    float with[N], without[N];
    forward(p, &in, with);
    forward(base, &in, without);
    assert_memory_equal(with, without, sizeof with);
    fill_lora(p);
    forward(p, &in, with);
    assert_false(is_same(with, without, N));
    policy_free(p);
    policy_free(base);
}

static void test_early_stop(void **state)
{
    (void)state;
    struct input in = make_input();
    float stopped[N], shorter[N], full[N];
    struct policy_config c = small();
    c.backbone.num_hidden_layers = 3;
    struct policy *p = make(&c);
    forward(p, &in, full);
    policy_free(p);
    for (int k = 0; k < 3; k++) {
        c.backbone.num_hidden_layers = k + 1;
        c.which_layer = -1;
        p = make(&c);
        forward(p, &in, shorter);
        policy_free(p);
        c.backbone.num_hidden_layers = 3;
        for (int layer = k; layer >= k - 3; layer -= 3) { /* 0 and -3 are the same layer */
            c.which_layer = layer;
            p = make(&c);
            forward(p, &in, stopped);
            policy_free(p);
            assert_memory_equal(stopped, shorter, sizeof stopped);
        }
        assert_int_equal(is_same(stopped, full, N), k == 2);
    }
}

static void test_seeds(void **state)
{
    (void)state;
    struct input in = make_input();
    float a[N], b[N];
    struct policy_config c = small();
    struct policy *p = make(&c);
    forward(p, &in, a);
    policy_free(p);
    p = make(&c);
    forward(p, &in, b);
    policy_free(p);
    assert_memory_equal(a, b, sizeof a);
    c.backbone_seed++;
    p = make(&c);
    forward(p, &in, b);
    policy_free(p);
    assert_false(is_same(a, b, N));
    c.backbone_seed--;
    c.seed++;
    p = make(&c);
    forward(p, &in, b);
    policy_free(p);
    assert_false(is_same(a, b, N));
}

/* A state of six numbers: each is seen from its own step on, and training sees what deciding does.
 */
static void test_six_features(void **state)
{
    (void)state;
    struct error err = {0};
    struct policy_config c = small();
    struct policy *p;
    c.features = 7;
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "features"));
    c.features = 6;
    p = make(&c);
    struct policy_param info;
    policy_param_info(p, policy_param_find(p, "0.fc_final.weight"), &info);
    assert_int_equal(info.shape[1], 6 * 16);
    assert_true(policy_param_find(p, "0.lost_fc.bias") != SIZE_MAX);

    struct input in = make_input();
    float states[N * 6], before[N], after[N];
    double losses[WINDOWS], sum = 0;
    struct policy_batch b = batch_of(&in);
    b.states = states;
    for (size_t i = 0; i < N * 6; i++)
        states[i] = noise();
    assert_int_equal(policy_forward(p, &b, before, &err), STATUS_OK);
    for (int k = 0; k < 6; k++) {
        states[6 * 2 + k] += 1;
        assert_int_equal(policy_forward(p, &b, after, &err), STATUS_OK);
        states[6 * 2 + k] -= 1;
        assert_true(is_same(before, after, 2) && !is_same(before + 2, after + 2, 1));
        assert_true(is_same(before + STEPS, after + STEPS, N - STEPS)); /* the other windows */
    }
    assert_int_equal(policy_backward(p, &b, in.returns, 1, losses, &err), STATUS_OK);
    for (int i = 0; i < N; i++)
        sum += pow((double)before[i] - (double)in.returns[i], 2) / STEPS;
    for (int w = 0; w < WINDOWS; w++)
        sum -= losses[w];
    assert_true(fabs(sum) < 1e-5);
    policy_free(p);
}

/* First values: ranges and moments of torch's and PEFT's defaults. */
static void test_initial_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double min, max, sd;
    } expected[] = {
        {"0.rtt_fc.weight", -1, 1, 0.577},
        {"0.fc_final.weight", -0.0361, 0.0361, 0.02083}, /* 1 / sqrt(768) */
        {"1.weight", -6, 6, 1},
        {"4.weight", 1, 1, 0},
        {"4.bias", 0, 0, 0},
        {"base_model.model.layers.1.self_attn.v_proj.lora_A.weight", -0.125, 0.125, 0.0722},
        {"base_model.model.layers.1.self_attn.v_proj.lora_B.weight", 0, 0, 0},
        {"model.layers.1.mlp.up_proj.weight", -0.12, 0.12, 0.02},
        {"model.norm.weight", 1, 1, 0},
    };
    struct policy_config c = policy_config_default();
    struct policy *p = make(&c);
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
        size_t i = policy_param_find(p, expected[e].name);
        assert_true(i != SIZE_MAX);
        struct policy_param info;
        policy_param_info(p, i, &info);
        assert_int_equal(info.is_trained, strncmp(info.name, "model.", 6) != 0);
        float *v = calloc(info.numel, sizeof *v);
        assert_int_equal(policy_param_read(p, i, v, NULL), STATUS_OK);
        double sum = 0, squares = 0;
        for (size_t k = 0; k < info.numel; k++) {
            assert_true(v[k] >= expected[e].min && v[k] <= expected[e].max);
            sum += v[k];
            squares += (double)v[k] * v[k];
        }
        double mean = sum / (double)info.numel;
        double sd = sqrt(fmax(0, squares / (double)info.numel - mean * mean));
        /* Sampling error of an sd is sd / sqrt(2 n): four of them. */
        assert_true(fabs(sd - expected[e].sd) <= 3 * expected[e].sd / sqrt((double)info.numel));
        free(v);
    }
    assert_true(policy_param_find(p, "nothing") == SIZE_MAX);
    policy_free(p);
}

static void test_lora_targets(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct error err;
    struct policy *p;
    snprintf(c.lora_targets, sizeof c.lora_targets, "down_proj,o_proj");
    p = make(&c);
    static const char *const there[] = {"self_attn.o_proj", "mlp.down_proj"},
                             *const absent[] = {"self_attn.q_proj", "mlp.up_proj"};
    for (int i = 0; i < 2; i++) {
        char name[128];
        snprintf(name, sizeof name, "base_model.model.layers.1.%s.lora_A.weight", there[i]);
        assert_true(policy_param_find(p, name) != SIZE_MAX);
        snprintf(name, sizeof name, "base_model.model.layers.1.%s.lora_A.weight", absent[i]);
        assert_true(policy_param_find(p, name) == SIZE_MAX);
    }
    policy_free(p);
    snprintf(c.lora_targets, sizeof c.lora_targets, "q_proj,c_attn");
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "c_attn"));
    assert_non_null(strstr(err.hint, "down_proj"));
    snprintf(c.lora_targets, sizeof c.lora_targets, "q_proj,q_proj");
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "twice"));
}

/* --- arguments and files ---------------------------------------------------------------------- */

static void test_bad_arguments(void **state)
{
    (void)state;
    struct error err;
    struct policy *p;
    struct policy_config c = small();
    c.which_layer = 2;
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
    assert_null(p);
    c = small();
    c.backbone.num_attention_heads = 3;
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
    c = small();
    c.rank = 65;
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
    c = small();
    c.backbone.hidden_size = c.backbone.embedding_size = 65536;
    c.backbone.intermediate_size = 262144;
    c.backbone.num_hidden_layers = 1000;
    c.backbone.num_attention_heads = c.backbone.num_key_value_heads = 64;
    assert_int_equal(policy_new(&c, &p, &err), STATUS_NOMEM);

    c = small();
    p = make(&c);
    struct input in = make_input();
    struct policy_batch b = batch_of(&in);
    float out[N];
    in.timesteps[4] = STEPS;
    assert_int_equal(policy_forward(p, &b, out, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "timestep"));
    in.timesteps[4] = 4;
    b.steps = 1000;
    assert_int_equal(policy_forward(p, &b, out, &err), STATUS_INPUT);
    b.steps = 0;
    assert_int_equal(policy_forward(p, &b, out, &err), STATUS_INPUT);
    policy_free(p);
    policy_free(NULL);
}

static void test_files(void **state)
{
    (void)state;
    char lora[] = "/tmp/ccalab-lora-XXXXXX", rest[] = "/tmp/ccalab-rest-XXXXXX";
    close(mkstemp(lora));
    close(mkstemp(rest));
    struct error err = {0};
    struct policy_config c = small();
    struct policy *p = make(&c), *q;
    fill_lora(p);
    assert_int_equal(policy_save(p, POLICY_LORA, lora, &err), STATUS_OK);
    assert_int_equal(policy_save(p, POLICY_MODULES, rest, &err), STATUS_OK);

    c.seed++; /* everything trained differs until it is loaded */
    q = make(&c);
    struct input in = make_input();
    float a[N], b[N];
    forward(p, &in, a);
    forward(q, &in, b);
    assert_false(is_same(a, b, N));
    assert_int_equal(policy_load(q, POLICY_LORA, lora, &err), STATUS_OK);
    assert_int_equal(policy_load(q, POLICY_MODULES, rest, &err), STATUS_OK);
    forward(q, &in, b);
    assert_memory_equal(a, b, sizeof a);
    /* The wrong part, or another shape, is refused by name. */
    assert_int_equal(policy_load(q, POLICY_LORA, rest, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "lora_A"));
    policy_free(q);
    c.rank = 8;
    q = make(&c);
    assert_int_equal(policy_load(q, POLICY_LORA, lora, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "is not F32 [8, 64]"));
    policy_free(q);
    policy_free(p);
    unlink(lora);
    unlink(rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backbone_is_causal),
        cmocka_unit_test(test_head_positions),
        cmocka_unit_test(test_batch_is_windows),
        cmocka_unit_test(test_lora),
        cmocka_unit_test(test_early_stop),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_six_features),
        cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_lora_targets),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, start_engine, NULL);
}
