/* Tiny backbones of every family and layout, for tests and judges. */
#ifndef TESTS_MODEL_FAMILIES_H
#define TESTS_MODEL_FAMILIES_H

#include <string.h>

#include "model/netllm.h"

static const struct family {
    const char *name;
    const char *config; /* config.json */
} families[] = {
    {"llama", "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":48,"
              "\"num_hidden_layers\":3,\"num_attention_heads\":4,\"num_key_value_heads\":4,"
              "\"rms_norm_eps\":1e-5,\"rope_theta\":1000.0,\"max_position_embeddings\":64,"
              "\"vocab_size\":8}"},
    {"llama_gqa", "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":48,"
                  "\"num_hidden_layers\":3,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                  "\"rms_norm_eps\":1e-6,\"rope_theta\":500000.0,\"max_position_embeddings\":64,"
                  "\"vocab_size\":8}"},
    /* A window of 5 tokens, so that it shows. */
    {"mistral", "{\"model_type\":\"mistral\",\"hidden_size\":32,\"intermediate_size\":48,"
                "\"num_hidden_layers\":3,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                "\"rms_norm_eps\":1e-5,\"sliding_window\":5,\"max_position_embeddings\":64,"
                "\"vocab_size\":8}"},
    {"gpt2", "{\"model_type\":\"gpt2\",\"n_embd\":32,\"n_layer\":3,\"n_head\":4,"
             "\"n_positions\":64,\"embd_pdrop\":0.0,\"attn_pdrop\":0.0,\"resid_pdrop\":0.0,"
             "\"vocab_size\":8}"},
    {"opt", "{\"model_type\":\"opt\",\"hidden_size\":32,\"ffn_dim\":48,\"num_hidden_layers\":3,"
            "\"num_attention_heads\":4,\"max_position_embeddings\":64,\"dropout\":0.0,"
            "\"vocab_size\":8}"},
    /* The layout of the 350m. */
    {"opt_350m", "{\"model_type\":\"opt\",\"hidden_size\":32,\"ffn_dim\":48,"
                 "\"num_hidden_layers\":3,\"num_attention_heads\":4,"
                 "\"max_position_embeddings\":64,\"word_embed_proj_dim\":16,"
                 "\"do_layer_norm_before\":false,\"dropout\":0.0,\"vocab_size\":8}"},
};

#define FAMILIES (sizeof families / sizeof *families)

static inline enum status family_config(const struct family *f, struct backbone_config *out,
                                        struct error *err)
{
    cJSON *o = cJSON_Parse(f->config);
    enum status st = backbone_config_from_json(o, f->name, out, err);
    cJSON_Delete(o);
    return st;
}

/* In [-1, 1), the same in every run. */
static inline float family_noise(void)
{
    static uint32_t x = 99;
    x = x * 1664525u + 1013904223u;
    return (float)(x >> 8) / 8388608.0f - 1;
}

static inline void family_fill(float *v, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = scale * family_noise();
}

/* Values large enough that every term of the model shows in the output: random initial weights are
 * so small that attention hardly matters, and LoRA starts without effect. */
static inline enum status family_enlarge(struct policy *p, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < policy_param_count(p) && !st; i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        float *v = calloc(info.numel, sizeof *v);
        if (!v)
            return STATUS_NOMEM;
        family_fill(v, info.numel,
                    info.part == POLICY_BACKBONE ? 0.3f
                    : info.part == POLICY_LORA   ? 0.15f
                                                 : 0.4f);
        if (info.rank == 1 && strstr(info.name, "weight")) /* of a norm */
            for (size_t k = 0; k < info.numel; k++)
                v[k] += 1;
        st = policy_param_write(p, i, v, err);
        free(v);
    }
    return st;
}

#endif
