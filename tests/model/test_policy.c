/* What must hold for any weights: causality, where the head looks, LoRA, early stop, gradients,
 * the optimiser's first step, and files. */
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

#include "model/netllm.h"

#define WINDOWS 3
#define STEPS   5
#define N       (WINDOWS * STEPS)

struct input {
    float states[N * 3], actions[N], returns[N];
    int32_t timesteps[N];
};

static uint32_t noise_state = 12345;

/* In (-1, 1), the same in every run. */
static float noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (float)(noise_state >> 8) / 8388608.0f - 1;
}

static struct input make_input(void)
{
    struct input in;
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 3; k++)
            in.states[3 * i + k] = noise();
        in.actions[i] = noise();
        in.returns[i] = noise();
        in.timesteps[i] = i % STEPS;
    }
    return in;
}

static struct policy_batch batch_of(const struct input *in)
{
    return (struct policy_batch){WINDOWS,     STEPS,       in->states,
                                 in->actions, in->returns, in->timesteps};
}

static struct policy_config small(void)
{
    struct policy_config c = policy_config_default();
    c.state_dim = 16;
    c.timestep_rows = STEPS;
    c.rank = 4;
    c.lora_dropout = 0;
    return c;
}

static struct policy *make(const struct policy_config *c)
{
    struct policy *p;
    struct error err = {0};
    if (policy_new(c, &p, &err))
        fail_msg("%s", err.message);
    return p;
}

static void forward(struct policy *p, const struct input *in, float out[N])
{
    struct error err = {0};
    struct policy_batch b = batch_of(in);
    if (policy_forward(p, &b, out, &err))
        fail_msg("%s", err.message);
}

/* LoRA starts with B = 0, which makes it invisible: give it values. */
static void fill_lora(struct policy *p)
{
    for (size_t i = 0; i < policy_param_count(p); i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        if (info.part != POLICY_LORA)
            continue;
        float *v = calloc(info.numel, sizeof *v);
        for (size_t k = 0; k < info.numel; k++)
            v[k] = 0.3f * noise();
        assert_int_equal(policy_param_write(p, i, v, NULL), STATUS_OK);
        free(v);
    }
}

static bool is_same(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) < 1e-6f))
            return false;
    return true;
}

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

/* --- learning --------------------------------------------------------------------------------- */

static double loss_of(struct policy *p, const struct input *in, const float labels[N])
{
    float out[N];
    double sum = 0;
    forward(p, in, out);
    for (int i = 0; i < N; i++)
        sum += ((double)out[i] - labels[i]) * ((double)out[i] - labels[i]);
    return sum / N;
}

static void test_gradients(void **state)
{
    (void)state;
    /* Parameters the loss depends on smoothly: those behind a ReLU may sit on its corner. */
    static const char *const names[] = {
        "6.bias",
        "6.weight",
        "4.weight",
        "3.weight",
        "2.bias",
        "1.weight",
        "5.weight",
        "base_model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "base_model.model.layers.0.self_attn.v_proj.lora_B.weight",
        "base_model.model.layers.1.self_attn.q_proj.lora_B.weight",
    };
    struct policy_config c = small();
    struct policy *p = make(&c);
    fill_lora(p);
    struct input in = make_input();
    struct policy_batch b = batch_of(&in);
    float labels[N];
    double window_losses[WINDOWS];
    for (int i = 0; i < N; i++)
        labels[i] = noise();
    assert_int_equal(policy_backward(p, &b, labels, 1, window_losses, NULL), STATUS_OK);
    assert_true(fabs((window_losses[0] + window_losses[1] + window_losses[2]) / 3 -
                     loss_of(p, &in, labels)) < 1e-6);

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        size_t i = policy_param_find(p, names[k]);
        struct policy_param info;
        policy_param_info(p, i, &info);
        float *grad = calloc(info.numel, sizeof *grad), *v = calloc(info.numel, sizeof *v);
        assert_int_equal(policy_grad_read(p, i, grad, NULL), STATUS_OK);
        assert_int_equal(policy_param_read(p, i, v, NULL), STATUS_OK);
        size_t at = 0; /* the entry with the largest gradient: the clearest to measure */
        for (size_t j = 0; j < info.numel; j++)
            at = fabsf(grad[j]) > fabsf(grad[at]) ? j : at;
        const float eps = 5e-3f, keep = v[at];
        v[at] = keep + eps;
        assert_int_equal(policy_param_write(p, i, v, NULL), STATUS_OK);
        double up = loss_of(p, &in, labels);
        v[at] = keep - eps;
        assert_int_equal(policy_param_write(p, i, v, NULL), STATUS_OK);
        double down = loss_of(p, &in, labels);
        v[at] = keep;
        assert_int_equal(policy_param_write(p, i, v, NULL), STATUS_OK);
        double slope = (up - down) / (2 * (double)eps);
        if (!(fabs(slope - grad[at]) < 0.02 * fabs(slope) + 2e-5))
            fail_msg("%s: slope %g, gradient %g", names[k], slope, (double)grad[at]);
        free(grad);
        free(v);
    }

    /* Frozen weights have no gradient. */
    size_t i = policy_param_find(p, "model.layers.0.mlp.up_proj.weight");
    static float frozen[172 * 64];
    assert_int_equal(policy_grad_read(p, i, frozen, NULL), STATUS_OK);
    for (size_t j = 0; j < 172 * 64; j++)
        assert_true(frozen[j] == 0);
    policy_free(p);
}

/* Gradients of parts add up to those of the whole: accumulation is exact, also for a short last
 * group. */
static void test_accumulation(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct policy *p = make(&c);
    struct input in = make_input();
    struct policy_batch whole = batch_of(&in);
    double losses[WINDOWS];
    float at_once[64], in_parts[64];
    size_t i = policy_param_find(p, "6.weight");
    assert_int_equal(policy_backward(p, &whole, in.returns, 1, losses, NULL), STATUS_OK);
    assert_int_equal(policy_grad_read(p, i, at_once, NULL), STATUS_OK);
    policy_free(p);

    p = make(&c);
    struct policy_batch two = whole, one = whole;
    two.windows = 2;
    one.windows = 1;
    one.states += 2 * STEPS * 3;
    one.actions += 2 * STEPS;
    one.returns += 2 * STEPS;
    one.timesteps += 2 * STEPS;
    assert_int_equal(policy_backward(p, &two, in.returns, 2.0 / 3, losses, NULL), STATUS_OK);
    assert_int_equal(policy_backward(p, &one, in.returns + 2 * STEPS, 1.0 / 3, losses + 2, NULL),
                     STATUS_OK);
    assert_int_equal(policy_grad_read(p, i, in_parts, NULL), STATUS_OK);
    assert_true(is_same(at_once, in_parts, 64));
    policy_free(p);
}

/* AdamW's first step is known: m / sqrt(v) is the sign of the gradient, up to eps. */
static void test_first_step(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct policy *p = make(&c);
    struct input in = make_input();
    struct policy_batch b = batch_of(&in);
    double losses[WINDOWS], norm;
    float before[64], grad[64], after[64], frozen[64], frozen_after[64];
    size_t i = policy_param_find(p, "6.weight");
    size_t f = policy_param_find(p, "model.norm.weight");
    assert_int_equal(policy_backward(p, &b, in.returns, 1, losses, NULL), STATUS_OK);
    assert_int_equal(policy_param_read(p, i, before, NULL), STATUS_OK);
    assert_int_equal(policy_param_read(p, f, frozen, NULL), STATUS_OK);
    assert_int_equal(policy_grad_read(p, i, grad, NULL), STATUS_OK);
    double clip = 1e-6;
    const struct policy_step_opts step = {.lr = 0.01, .weight_decay = 0.1, .clip_norm = clip};
    assert_int_equal(policy_step(p, &step, &norm, NULL), STATUS_OK);
    assert_int_equal(policy_param_read(p, i, after, NULL), STATUS_OK);
    assert_int_equal(policy_param_read(p, f, frozen_after, NULL), STATUS_OK);
    assert_true(norm > clip);
    for (int k = 0; k < 64; k++) {
        double g = grad[k] * clip / (norm + 1e-6);
        double expected = before[k] * (1 - 0.01 * 0.1) - 0.01 * g / (fabs(g) + 1e-8);
        assert_true(fabs(after[k] - expected) < 1e-5);
    }
    assert_memory_equal(frozen, frozen_after, sizeof frozen);
    /* The gradients are gone, and a step without any changes nothing but the decay. */
    assert_int_equal(policy_grad_read(p, i, grad, NULL), STATUS_OK);
    assert_true(grad[0] == 0 && grad[63] == 0);
    policy_free(p);
}

static void test_dropout_only_in_training(void **state)
{
    (void)state;
    struct policy_config c = small();
    c.lora_dropout = 0.5;
    struct policy *p = make(&c);
    fill_lora(p);
    struct input in = make_input();
    struct policy_batch b = batch_of(&in);
    float first[N], second[N];
    double once[WINDOWS], twice[WINDOWS];
    forward(p, &in, first);
    forward(p, &in, second);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(policy_backward(p, &b, in.returns, 1, once, NULL), STATUS_OK);
    assert_int_equal(policy_backward(p, &b, in.returns, 1, twice, NULL), STATUS_OK);
    assert_true(fabs(once[0] - twice[0]) > 1e-7);
    policy_free(p);
}

/* Gradients of three windows for a way to compute them; `grads` of one module and one of LoRA. */
static void gradients_by(int workers, size_t windows, double dropout, float grads[64 + 4 * 64],
                         double losses[WINDOWS])
{
    static const char *const names[] = {"6.weight",
                                        "base_model.model.layers.0.self_attn.q_proj.lora_A.weight"};
    struct policy_config c = small();
    c.lora_dropout = dropout;
    struct policy *p = make(&c);
    uint32_t kept = noise_state;
    noise_state = 99;
    fill_lora(p);
    struct input in = make_input();
    noise_state = kept;
    struct policy_batch b = batch_of(&in);
    assert_int_equal(policy_set_passes(p, workers, windows, NULL), STATUS_OK);
    assert_int_equal(policy_backward(p, &b, in.returns, 1, losses, NULL), STATUS_OK);
    assert_int_equal(policy_grad_read(p, policy_param_find(p, names[0]), grads, NULL), STATUS_OK);
    assert_int_equal(policy_grad_read(p, policy_param_find(p, names[1]), grads + 64, NULL),
                     STATUS_OK);
    policy_free(p);
}

/* Neither the passes nor the threads that they run on change what is learnt, not even where dropout
 * leaves things out. */
static void test_passes_and_workers(void **state)
{
    (void)state;
    enum { GRADS = 64 + 4 * 64 };
    for (int i = 0; i < 2; i++) {
        double dropout = i ? 0.3 : 0, whole_losses[WINDOWS], losses[WINDOWS];
        float whole[GRADS], single[GRADS], parallel[GRADS];
        gradients_by(1, 100, dropout, whole, whole_losses);
        gradients_by(1, 1, dropout, single, losses);
        for (int k = 0; k < GRADS; k++)
            assert_true(fabsf(whole[k] - single[k]) < 1e-6f + 1e-5f * fabsf(whole[k]));
        for (int k = 0; k < WINDOWS; k++)
            assert_true(fabs(whole_losses[k] - losses[k]) < 1e-6);
        for (int workers = 2; workers <= 4; workers++) {
            gradients_by(workers, 1, dropout, parallel, losses);
            assert_memory_equal(parallel, single, sizeof parallel);
        }
    }
    float with[GRADS], without[GRADS];
    double losses[WINDOWS];
    gradients_by(1, 100, 0.3, with, losses);
    gradients_by(1, 100, 0, without, losses);
    assert_false(is_same(with, without, GRADS)); /* there was dropout to compare */
}

/* With bins: the mean of their values, or the most probable one; the loss is the cross-entropy. */
static void test_bins(void **state)
{
    (void)state;
    struct policy_config c = small();
    c.bins = (struct policy_bins){.count = 3, .value = {-1, 0.5f, 2}};
    struct policy *p = make(&c);
    struct policy_param info;
    size_t weight = policy_param_find(p, "6.weight"), bias = policy_param_find(p, "6.bias");
    policy_param_info(p, weight, &info);
    assert_int_equal(info.shape[0], 3);
    static const float zeros[3 * 64];
    const float logits[3] = {logf(0.2f), logf(0.5f), logf(0.3f)};
    assert_int_equal(policy_param_write(p, weight, zeros, NULL), STATUS_OK);
    assert_int_equal(policy_param_write(p, bias, logits, NULL), STATUS_OK);
    struct input in = make_input();
    struct policy_batch b = batch_of(&in);
    float out[N], labels[N];
    forward(p, &in, out);
    for (int i = 0; i < N; i++) {
        assert_true(fabsf(out[i] - (-0.2f + 0.25f + 0.6f)) < 1e-6f);
        labels[i] = (float[]){-9, 0.6f, 1.2f}[i % 3]; /* nearest: -1, 0.5, 0.5 */
    }
    double losses[WINDOWS], expected = 0;
    assert_int_equal(policy_backward(p, &b, labels, 1, losses, NULL), STATUS_OK);
    for (int i = 0; i < STEPS; i++)
        expected -= log(i % 3 ? 0.5 : 0.2) / STEPS;
    assert_true(fabs(losses[0] - expected) < 1e-6);
    float grad[3];
    double by_hand[3] = {0};
    assert_int_equal(policy_grad_read(p, bias, grad, NULL), STATUS_OK);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 3; k++)
            by_hand[k] += (exp((double)logits[k]) - (k == (i % 3 ? 1 : 0))) / N;
    for (int k = 0; k < 3; k++)
        assert_true(fabs(grad[k] - by_hand[k]) < 1e-6);
    policy_free(p);

    c.bins.is_mode = true;
    p = make(&c);
    assert_int_equal(policy_param_write(p, weight, zeros, NULL), STATUS_OK);
    assert_int_equal(policy_param_write(p, bias, logits, NULL), STATUS_OK);
    forward(p, &in, out);
    for (int i = 0; i < N; i++)
        assert_true(out[i] == 0.5f);
    policy_free(p);

    struct error err;
    c.bins.value[1] = -2;
    assert_int_equal(policy_new(&c, &p, &err), STATUS_INPUT);
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

static int setup(void **state)
{
    (void)state;
    return policy_engine_start(1, NULL, NULL);
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
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_first_step),
        cmocka_unit_test(test_dropout_only_in_training),
        cmocka_unit_test(test_passes_and_workers),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_lora_targets),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
