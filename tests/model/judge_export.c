/* For judge_policy.py: a policy with random weights, its inputs and what it makes of them, as
 * safetensors. Usage: judge_export DIR */
#include <stdlib.h>
#include <string.h>

#include "core/paths.h"
#include "model/netllm.h"
#include "model/safetensors.h"

#define WINDOWS 2
#define STEPS   6
#define TOKENS  (3 * STEPS - 1)
#define HIDDEN  16

static float noise(void)
{
    static uint32_t x = 99;
    x = x * 1664525u + 1013904223u;
    return (float)(x >> 8) / 8388608.0f - 1;
}

static void fill(float *v, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = scale * noise();
}

/* Values large enough that every term of the model shows in the output: random initial weights are
 * so small that attention hardly matters. */
static enum status enlarge(struct policy *p, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < policy_param_count(p) && !st; i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        float *v = calloc(info.numel, sizeof *v);
        if (!v)
            return STATUS_NOMEM;
        fill(v, info.numel, info.part == POLICY_BACKBONE ? 0.4f : 0.5f);
        if (info.rank == 1)
            for (size_t k = 0; k < info.numel; k++)
                v[k] += 1;
        st = policy_param_write(p, i, v, err);
        free(v);
    }
    return st;
}

static enum status export(const char *dir, struct error *err) {
    static float states[WINDOWS * STEPS * 3], actions[WINDOWS * STEPS], returns[WINDOWS * STEPS];
    static float predictions[WINDOWS * STEPS];
    static float embeddings[WINDOWS * TOKENS * HIDDEN], hidden[WINDOWS * TOKENS * HIDDEN];
    static int32_t timesteps[WINDOWS * STEPS]; enum status st; struct policy *p = NULL;
    char path[CCALAB_PATH_MAX]; struct policy_config c = policy_config_default();
    c.backbone = (struct backbone_config){"llama", HIDDEN, 24, 3, 4, 2, 1e-5, 1000, 64};
    c.state_dim = 8; c.timestep_rows = STEPS; c.rank = 2;
    if ((st = policy_new(&c, &p, err)) || (st = enlarge(p, err))) goto out;

    fill(states, WINDOWS *STEPS * 3, 2); fill(actions, WINDOWS *STEPS, 1);
    fill(returns, WINDOWS *STEPS, 1); fill(embeddings, WINDOWS *TOKENS *HIDDEN, 1);
    for (int i = 0; i < WINDOWS * STEPS; i++) timesteps[i] = i % STEPS;
    const struct policy_batch batch = {WINDOWS, STEPS, states, actions, returns, timesteps};
    if ((st = policy_forward(p, &batch, predictions, err)) ||
        (st = policy_backbone_forward(p, embeddings, WINDOWS, TOKENS, hidden, err))) goto out;

    const struct safetensors_tensor tensors[] =
        {
            {"states", SAFETENSORS_F32, 3, {WINDOWS, STEPS, 3}, states, sizeof states},
            {"actions", SAFETENSORS_F32, 2, {WINDOWS, STEPS}, actions, sizeof actions},
            {"returns", SAFETENSORS_F32, 2, {WINDOWS, STEPS}, returns, sizeof returns},
            {"predictions", SAFETENSORS_F32, 2, {WINDOWS, STEPS}, predictions, sizeof predictions},
            {"embeddings",
             SAFETENSORS_F32,
             3,
             {WINDOWS, TOKENS, HIDDEN},
             embeddings,
             sizeof embeddings},
            {"hidden", SAFETENSORS_F32, 3, {WINDOWS, TOKENS, HIDDEN}, hidden, sizeof hidden},
        };
    static const char *const names[] = {"model.safetensors", "adapter_model.safetensors",
                                        "modules_except_plm.safetensors"};
    for (int part = 0; part < 3 && !st;
         part++){path_join(path, sizeof path, dir, names[part]);
                 st = policy_save(p, (enum policy_part)part, path, err);}
path_join(path, sizeof path, dir, "io.safetensors");
if (!st)
    st = safetensors_write(path, tensors, 6, NULL, err);
out : policy_free(p);
return st;
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    if (argc != 2)
        return 2;
    enum status st = policy_engine_start(1, NULL, &err);
    if (!st)
        st = export(argv[1], &err);
    if (st)
        error_print(stderr, &err);
    return status_exit_code(st);
}
