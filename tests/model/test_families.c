/* What must hold for every family of backbones: causality, early stop, LoRA, and that a context
 * kept between decisions gives what the whole of it computed at once gives. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "tests/model/families.h"

#define FLOWS 3
#define STEPS 12
#define N     (FLOWS * STEPS)

static struct policy_config config_of(const struct family *f)
{
    struct policy_config c = policy_config_default();
    struct error err = {0};
    if (family_config(f, &c.backbone, &err))
        fail_msg("%s", err.message);
    c.state_dim = 8;
    c.timestep_rows = STEPS;
    c.rank = 2;
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

static float largest_difference(const float *a, const float *b, size_t n)
{
    float worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmaxf(worst, isfinite(a[i]) ? fabsf(a[i] - b[i]) : INFINITY);
    return worst;
}

static void test_causality(void **state)
{
    (void)state;
    enum { T = 11 };
    for (size_t f = 0; f < FAMILIES; f++) {
        struct policy_config c = config_of(&families[f]);
        size_t width = (size_t)c.backbone.embedding_size;
        struct policy *p = make(&c);
        assert_int_equal(family_enlarge(p, NULL), STATUS_OK);
        static float x[T * 32], before[T * 32], after[T * 32];
        family_fill(x, T * width, 1);
        assert_int_equal(policy_backbone_forward(p, x, 1, T, before, NULL), STATUS_OK);
        for (size_t j = 0; j < T; j++) {
            float keep = x[j * width + 3];
            x[j * width + 3] += 1;
            assert_int_equal(policy_backbone_forward(p, x, 1, T, after, NULL), STATUS_OK);
            x[j * width + 3] = keep;
            assert_true(largest_difference(before, after, j * width) < 1e-6f);
            for (size_t k = j; k < T; k++) {
                float d = largest_difference(before + k * width, after + k * width, width);
                /* Three layers of a window of 5 beside itself reach 15 tokens: all of them. */
                if (!(d > 1e-6f))
                    fail_msg("%s: token %zu does not see token %zu", families[f].name, k, j);
            }
        }
        policy_free(p);
    }
}

/* One layer of Mistral sees five tokens beside its own, and no more. */
static void test_sliding_window(void **state)
{
    (void)state;
    enum { T = 11, WIDTH = 32 };
    struct policy_config c = config_of(&families[2]);
    assert_int_equal(c.backbone.sliding_window, 5);
    c.which_layer = 0;
    struct policy *p = make(&c);
    assert_int_equal(family_enlarge(p, NULL), STATUS_OK);
    static float x[T * WIDTH], before[T * WIDTH], after[T * WIDTH];
    family_fill(x, T * WIDTH, 1);
    assert_int_equal(policy_backbone_forward(p, x, 1, T, before, NULL), STATUS_OK);
    x[2 * WIDTH] += 1;
    assert_int_equal(policy_backbone_forward(p, x, 1, T, after, NULL), STATUS_OK);
    for (size_t k = 0; k < T; k++) {
        bool is_seen = largest_difference(before + k * WIDTH, after + k * WIDTH, WIDTH) > 1e-6f;
        assert_int_equal(is_seen, k >= 2 && k <= 7);
    }
    policy_free(p);
}

struct input {
    float states[N * 3], actions[N], returns[N];
    int32_t timesteps[N];
};

static void fill_input(struct input *in)
{
    family_fill(in->states, N * 3, 1);
    family_fill(in->actions, N, 1);
    family_fill(in->returns, N, 1);
    for (int i = 0; i < N; i++)
        in->timesteps[i] = i % STEPS;
}

/* Steps [first, first + steps) of some flows, laid out as a batch of their own. */
struct piece {
    struct input in;
    float open[FLOWS], predictions[N];
    struct policy_batch batch;
};

static void cut(const struct input *in, const size_t *flows, size_t count, const size_t *first,
                size_t steps, struct piece *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t from = flows[i] * STEPS + first[i], to = i * steps;
        memcpy(out->in.states + 3 * to, in->states + 3 * from, 3 * steps * sizeof(float));
        memcpy(out->in.actions + to, in->actions + from, steps * sizeof(float));
        memcpy(out->in.returns + to, in->returns + from, steps * sizeof(float));
        memcpy(out->in.timesteps + to, in->timesteps + from, steps * sizeof(int32_t));
        out->open[i] = first[i] ? in->actions[from - 1] : NAN;
        out->in.actions[to + steps - 1] = NAN; /* never to be read */
    }
    out->batch = (struct policy_batch){count,           steps,           out->in.states,
                                       out->in.actions, out->in.returns, out->in.timesteps};
}

/* Append `steps` steps to the flows' slots and compare with the whole computed at once. */
static void grow(struct policy_cache *c, const struct input *in, const float *whole,
                 const size_t *flows, const size_t *slots, size_t count, size_t steps)
{
    static struct piece piece;
    size_t first[FLOWS];
    struct error err = {0};
    for (size_t i = 0; i < count; i++)
        first[i] = policy_cache_steps(c, slots[i]);
    cut(in, flows, count, first, steps, &piece);
    if (policy_forward_cached(c, slots, &piece.batch, piece.open, piece.predictions, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(policy_cache_steps(c, slots[i]), first[i] + steps);
        float d = largest_difference(piece.predictions + i * steps,
                                     whole + flows[i] * STEPS + first[i], steps);
        if (!(d < 1e-4f))
            fail_msg("flow %zu, steps %zu to %zu: off by %g", flows[i], first[i],
                     first[i] + steps - 1, (double)d);
    }
}

static void test_cache_is_recomputation(void **state)
{
    (void)state;
    for (size_t f = 0; f < FAMILIES; f++) {
        struct policy_config config = config_of(&families[f]);
        struct policy *p = make(&config);
        struct policy_cache *c;
        static struct input in;
        static float whole[N];
        assert_int_equal(family_enlarge(p, NULL), STATUS_OK);
        fill_input(&in);
        const struct policy_batch all = {FLOWS,      STEPS,      in.states,
                                         in.actions, in.returns, in.timesteps};
        assert_int_equal(policy_forward(p, &all, whole, NULL), STATUS_OK);
        assert_true(fabsf(whole[1] - whole[2]) > 1e-3f);

        assert_int_equal(policy_cache_new(p, FLOWS + 1, STEPS, &c, NULL), STATUS_OK);
        const size_t flows[] = {0, 1, 2}, even[] = {1, 2, 3};
        const size_t others[] = {0, 2, 1}, mixed[] = {3, 0, 2};
        grow(c, &in, whole, flows, even, 3, 4); /* all begin together */
        for (int i = 0; i < 3; i++)
            grow(c, &in, whole, flows, even, 3, 1);
        policy_cache_rewind(c, 2, 5); /* a flow goes back, and comes again */
        grow(c, &in, whole, flows, even, 3, 1);
        policy_cache_rewind(c, 3, 0);
        policy_cache_rewind(c, 1, 3);
        policy_cache_rewind(c, 2, 1);
        grow(c, &in, whole, others, mixed, 3, 2); /* of three lengths, some empty */
        for (int i = 0; i < 8; i++)
            grow(c, &in, whole, others, mixed, 3, 1);
        policy_cache_rewind(c, 2, 99);
        assert_int_equal(policy_cache_steps(c, 2), 11);
        assert_int_equal(policy_cache_steps(c, 1), 3);
        policy_cache_free(c);
        policy_free(p);
    }
}

/* Decisions are computed by code of their own (model/decoder.hpp), which must be the function that
 * training computes by libtorch's: the same losses, with LoRA beside the weights and in them. */
static void check_losses(const struct policy_config *c, double tolerance, const char *name)
{
    static struct input in;
    float predictions[N], labels[N], decisions[FLOWS];
    double losses[FLOWS];
    struct error err = {0};
    struct policy *p = make(c);
    assert_int_equal(family_enlarge(p, NULL), STATUS_OK);
    fill_input(&in);
    family_fill(labels, N, 1);
    const struct policy_batch batch = {FLOWS,      STEPS,      in.states,
                                       in.actions, in.returns, in.timesteps};
    assert_int_equal(policy_backward(p, &batch, labels, 1, losses, &err), STATUS_OK);
    for (int is_merged = 0; is_merged < 2; is_merged++) {
        if (is_merged)
            assert_int_equal(policy_merge(p, &err), STATUS_OK);
        assert_int_equal(policy_forward(p, &batch, predictions, &err), STATUS_OK);
        assert_int_equal(policy_decide(p, &batch, decisions, &err), STATUS_OK);
        for (int i = 0; i < FLOWS; i++) {
            double loss = 0;
            for (int k = i * STEPS; k < (i + 1) * STEPS; k++) {
                double d = (double)predictions[k] - (double)labels[k];
                loss += d * d / STEPS;
            }
            if (!(fabs(loss - losses[i]) < tolerance * losses[i]))
                fail_msg("%s: a loss of %g instead of %g", name, loss, losses[i]);
            assert_float_equal(decisions[i], predictions[(i + 1) * STEPS - 1], tolerance);
        }
    }
    policy_free(p);
}

static void test_decisions_are_what_is_trained(void **state)
{
    (void)state;
    for (size_t f = 0; f < FAMILIES; f++) {
        struct policy_config c = config_of(&families[f]);
        check_losses(&c, 1e-5, families[f].name);
        c.backbone.sliding_window = 0;
        check_losses(&c, 1e-5, families[f].name);
        c.base_dtype = POLICY_BF16;
        struct policy *p;
        struct error err;
        if (policy_new(&c, &p, &err))
            continue; /* no such arithmetic here */
        policy_free(p);
        check_losses(&c, 0.05, families[f].name);
    }
}

/* Steps that only fill a context need no predictions, and leave the same context. */
static void test_cache_without_predictions(void **state)
{
    (void)state;
    for (size_t f = 0; f < FAMILIES; f++) {
        static struct input in;
        float all[STEPS], last, open;
        size_t slot = 0;
        struct error err = {0};
        struct policy_cache *cache;
        struct policy_config c = config_of(&families[f]);
        struct policy *p = make(&c);
        assert_int_equal(family_enlarge(p, NULL), STATUS_OK);
        fill_input(&in);
        struct policy_batch batch = {1, STEPS, in.states, in.actions, in.returns, in.timesteps};
        assert_int_equal(policy_forward(p, &batch, all, &err), STATUS_OK);
        assert_int_equal(policy_cache_new(p, 1, STEPS, &cache, &err), STATUS_OK);
        batch.steps = STEPS - 1;
        assert_int_equal(policy_forward_cached(cache, &slot, &batch, NULL, NULL, &err), STATUS_OK);
        open = in.actions[STEPS - 2];
        batch = (struct policy_batch){1,
                                      1,
                                      in.states + 3 * (STEPS - 1),
                                      in.actions,
                                      in.returns + STEPS - 1,
                                      in.timesteps + STEPS - 1};
        assert_int_equal(policy_forward_cached(cache, &slot, &batch, &open, &last, &err),
                         STATUS_OK);
        if (!(fabsf(last - all[STEPS - 1]) < 1e-4f))
            fail_msg("%s: %g instead of %g", families[f].name, (double)last,
                     (double)all[STEPS - 1]);
        policy_cache_free(cache);
        policy_free(p);
    }
}

static void test_cache_refuses(void **state)
{
    (void)state;
    struct policy_config config = config_of(&families[0]);
    struct policy *p = make(&config);
    struct policy_cache *c;
    struct error err;
    static struct input in;
    static struct piece piece;
    const size_t flows[] = {0, 1}, first[] = {0, 0};
    assert_int_equal(policy_cache_new(p, 0, 4, &c, &err), STATUS_INPUT);
    assert_int_equal(policy_cache_new(p, 2, 22, &c, &err), STATUS_INPUT); /* 65 tokens of 64 */
    assert_int_equal(policy_cache_new(p, 2, 4, &c, &err), STATUS_OK);
    fill_input(&in);
    cut(&in, flows, 2, first, 3, &piece);
    assert_int_equal(policy_forward_cached(c, (size_t[]){0, 0}, &piece.batch, piece.open,
                                           piece.predictions, &err),
                     STATUS_INPUT);
    assert_non_null(strstr(err.message, "twice"));
    assert_int_equal(policy_forward_cached(c, (size_t[]){0, 2}, &piece.batch, piece.open,
                                           piece.predictions, &err),
                     STATUS_INPUT);
    assert_int_equal(policy_forward_cached(c, (size_t[]){0, 1}, &piece.batch, piece.open,
                                           piece.predictions, &err),
                     STATUS_OK);
    assert_int_equal(policy_forward_cached(c, (size_t[]){0, 1}, &piece.batch, piece.open,
                                           piece.predictions, &err),
                     STATUS_INPUT);
    assert_non_null(strstr(err.message, "no room"));
    assert_int_equal(policy_cache_steps(c, 0), 3);
    assert_int_equal(policy_cache_bytes(c), 3 * 2 * 2 * 4 * 11 * 8 * sizeof(float));
    policy_cache_free(c);
    policy_free(p);
}

static void test_early_stop(void **state)
{
    (void)state;
    enum { T = 7 };
    for (size_t f = 0; f < FAMILIES; f++) {
        static float x[T * 32], stopped[T * 32], shorter[T * 32], full[T * 32];
        struct policy_config c = config_of(&families[f]);
        struct policy *p = make(&c);
        family_fill(x, T * (size_t)c.backbone.embedding_size, 1);
        size_t n = T * (size_t)c.backbone.embedding_size;
        assert_int_equal(policy_backbone_forward(p, x, 1, T, full, NULL), STATUS_OK);
        policy_free(p);
        c.which_layer = 1;
        p = make(&c);
        assert_int_equal(policy_backbone_forward(p, x, 1, T, stopped, NULL), STATUS_OK);
        policy_free(p);
        c.which_layer = -1;
        c.backbone.num_hidden_layers = 2;
        p = make(&c);
        assert_int_equal(policy_backbone_forward(p, x, 1, T, shorter, NULL), STATUS_OK);
        policy_free(p);
        assert_memory_equal(stopped, shorter, n * sizeof *x);
        assert_true(largest_difference(stopped, full, n) > 1e-4f);
    }
}

/* LoRA is on every target of the family and nowhere else. */
static void test_lora_names(void **state)
{
    (void)state;
    static const struct {
        size_t family, count;
        const char *a, *b;
        int64_t b_rows;
    } expected[] = {
        {1, 12, "layers.2.self_attn.v_proj.lora_A.weight",
         "layers.2.self_attn.v_proj.lora_B.weight", 16},
        {2, 12, "layers.0.self_attn.q_proj.lora_A.weight",
         "layers.0.self_attn.q_proj.lora_B.weight", 32},
        {3, 6, "h.1.attn.c_attn.lora_A.weight", "h.1.attn.c_attn.lora_B.weight", 96},
        {5, 12, "decoder.layers.1.self_attn.q_proj.lora_A.weight",
         "decoder.layers.1.self_attn.q_proj.lora_B.weight", 32},
    };
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
        struct policy_config c = config_of(&families[expected[e].family]);
        struct policy *p = make(&c);
        struct policy_param info;
        char name[128];
        size_t count = 0, backbone = 0;
        for (size_t i = 0; i < policy_param_count(p); i++) {
            policy_param_info(p, i, &info);
            count += info.part == POLICY_LORA;
            backbone += info.part == POLICY_BACKBONE ? info.numel : 0;
        }
        assert_int_equal(count, expected[e].count);
        assert_int_equal(backbone, backbone_config_parameters(&c.backbone));
        snprintf(name, sizeof name, "base_model.model.%s", expected[e].a);
        policy_param_info(p, policy_param_find(p, name), &info);
        assert_int_equal(info.shape[0], 2);
        assert_int_equal(info.shape[1], 32);
        snprintf(name, sizeof name, "base_model.model.%s", expected[e].b);
        policy_param_info(p, policy_param_find(p, name), &info);
        assert_int_equal(info.shape[0], expected[e].b_rows);
        assert_int_equal(info.shape[1], 2);
        policy_free(p);
    }
}

int main(void)
{
    struct error err;
    if (policy_engine_start(1, NULL, &err))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_causality),
        cmocka_unit_test(test_sliding_window),
        cmocka_unit_test(test_cache_is_recomputation),
        cmocka_unit_test(test_decisions_are_what_is_trained),
        cmocka_unit_test(test_cache_without_predictions),
        cmocka_unit_test(test_cache_refuses),
        cmocka_unit_test(test_early_stop),
        cmocka_unit_test(test_lora_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
