/* What must hold for training with any weights: gradients, how they add up, the optimiser's first
 * step, dropout, passes and workers, and the losses of bins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "tests/model/small_policy.h"

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

/* Steps without a label teach nothing, and do not dilute what the others of their window do. */
static void test_no_label(void **state)
{
    (void)state;
    struct policy_config c = small();
    struct policy *p = make(&c);
    size_t bias = policy_param_find(p, "6.bias");
    struct input in = make_input();
    struct policy_batch b = batch_of(&in);
    float out[N], labels[N], grad;
    double losses[WINDOWS], loss = 0, slope = 0;
    forward(p, &in, out);
    for (int i = 0; i < N; i++) {
        bool is_known = i >= STEPS || i >= STEPS / 2; /* in the first window only the second half */
        labels[i] = is_known ? noise() : NAN;
        double off = is_known ? (double)out[i] - (double)labels[i] : 0;
        double count = i < STEPS ? STEPS - STEPS / 2 : STEPS;
        loss += i < STEPS ? off * off / count : 0;
        slope += 2 * off / count / WINDOWS;
    }
    assert_int_equal(policy_backward(p, &b, labels, 1, losses, NULL), STATUS_OK);
    assert_true(fabs(losses[0] - loss) < 1e-5);
    assert_int_equal(policy_grad_read(p, bias, &grad, NULL), STATUS_OK);
    assert_true(fabs((double)grad - slope) < 1e-4);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),          cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_first_step),         cmocka_unit_test(test_dropout_only_in_training),
        cmocka_unit_test(test_passes_and_workers), cmocka_unit_test(test_bins),
        cmocka_unit_test(test_no_label),
    };
    return cmocka_run_group_tests(tests, start_engine, NULL);
}
