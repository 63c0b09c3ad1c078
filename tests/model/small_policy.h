/* A small policy and random windows for it, for the tests of model/netllm.h: included by a test
 * program after cmocka. */
#ifndef TESTS_MODEL_SMALL_POLICY_H
#define TESTS_MODEL_SMALL_POLICY_H

#include <math.h>
#include <stdlib.h>

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
static inline float noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (float)(noise_state >> 8) / 8388608.0f - 1;
}

static inline struct input make_input(void)
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

static inline struct policy_batch batch_of(const struct input *in)
{
    return (struct policy_batch){WINDOWS,     STEPS,       in->states,
                                 in->actions, in->returns, in->timesteps};
}

static inline struct policy_config small(void)
{
    struct policy_config c = policy_config_default();
    c.state_dim = 16;
    c.timestep_rows = STEPS;
    c.rank = 4;
    c.lora_dropout = 0;
    return c;
}

static inline struct policy *make(const struct policy_config *c)
{
    struct policy *p;
    struct error err = {0};
    if (policy_new(c, &p, &err))
        fail_msg("%s", err.message);
    return p;
}

static inline void forward(struct policy *p, const struct input *in, float out[N])
{
    struct error err = {0};
    struct policy_batch b = batch_of(in);
    if (policy_forward(p, &b, out, &err))
        fail_msg("%s", err.message);
}

/* LoRA starts with B = 0, which makes it invisible: give it values. */
static inline void fill_lora(struct policy *p)
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

static inline bool is_same(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) < 1e-6f))
            return false;
    return true;
}

static inline int start_engine(void **state)
{
    (void)state;
    return policy_engine_start(1, NULL, NULL);
}

#endif
