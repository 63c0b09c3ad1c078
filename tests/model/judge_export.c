/* For judge_policy.py: a policy with random weights, its inputs and what it makes of them, as
 * safetensors. Usage: judge_export DIR */
#include <stdlib.h>
#include <string.h>

#include "core/paths.h"
#include "model/netllm.h"
#include "model/safetensors.h"
#include "tests/model/families.h"

#define WINDOWS 2
#define STEPS   6
#define TOKENS  (3 * STEPS - 1)
#define HIDDEN  16

static enum status export(const char *dir, struct error *err) {
    static float states[WINDOWS * STEPS * 3], actions[WINDOWS * STEPS], returns[WINDOWS * STEPS];
    static float predictions[WINDOWS * STEPS];
    static float embeddings[WINDOWS * TOKENS * HIDDEN], hidden[WINDOWS * TOKENS * HIDDEN];
    static int32_t timesteps[WINDOWS * STEPS]; enum status st; struct policy *p = NULL;
    char path[CCALAB_PATH_MAX]; struct policy_config c = policy_config_default();
    c.backbone = (struct backbone_config){.hidden_size = HIDDEN,
                                          .intermediate_size = 24,
                                          .num_hidden_layers = 3,
                                          .num_attention_heads = 4,
                                          .num_key_value_heads = 2,
                                          .max_position_embeddings = 64,
                                          .embedding_size = HIDDEN,
                                          .norm_eps = 1e-5,
                                          .rope_theta = 1000};
    c.state_dim = 8; c.timestep_rows = STEPS; c.rank = 2;
    if ((st = policy_new(&c, &p, err)) || (st = family_enlarge(p, err))) goto out;

    family_fill(states, WINDOWS *STEPS * 3, 2); family_fill(actions, WINDOWS *STEPS, 1);
    family_fill(returns, WINDOWS *STEPS, 1); family_fill(embeddings, WINDOWS *TOKENS *HIDDEN, 1);
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
