/* The shape of a language-model backbone, as Hugging Face's config.json describes it. Families:
 * Llama (Llama-2, TinyLlama), Mistral, GPT-2, OPT. */
#ifndef CCALAB_MODEL_BACKBONE_CONFIG_H
#define CCALAB_MODEL_BACKBONE_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum backbone_family { BACKBONE_LLAMA, BACKBONE_MISTRAL, BACKBONE_GPT2, BACKBONE_OPT };

enum backbone_activation {
    BACKBONE_SILU,
    BACKBONE_RELU,
    BACKBONE_GELU,      /* by the error function */
    BACKBONE_GELU_TANH, /* GPT-2's gelu_new */
};

/* Fields that a family does not have hold what makes them without effect. */
struct backbone_config {
    enum backbone_family family;
    int hidden_size;
    int intermediate_size;
    int num_hidden_layers;
    int num_attention_heads;
    int num_key_value_heads; /* fewer than heads: grouped-query attention */
    int max_position_embeddings;
    int embedding_size; /* width of what goes in and comes out: hidden_size, but for OPT-350m */
    int sliding_window; /* of Mistral: tokens that attention looks back; 0: all */
    bool is_post_norm;  /* OPT-350m: norms after the residual sums, none at the end */
    enum backbone_activation activation;
    double norm_eps;
    double rope_theta;                                             /* of Llama and Mistral */
    double embedding_dropout, attention_dropout, residual_dropout; /* while training */
};

/* The built-in tiny Llama: hidden 64, intermediate 172, 2 layers, 4 heads, 2 key/value heads. */
struct backbone_config backbone_config_tiny(void);
/* Read a config.json. Sizes must be there; other fields that are absent take the defaults of
 * transformers 4.34.1. Errors: STATUS_IO; STATUS_INPUT naming the file and the field. */
CCALAB_MUST_USE enum status backbone_config_read(const char *path, struct backbone_config *out,
                                                 struct error *err);
/* The same from a parsed object; `what` names it in messages. */
CCALAB_MUST_USE enum status backbone_config_from_json(const cJSON *obj, const char *what,
                                                      struct backbone_config *out,
                                                      struct error *err);
/* In the family's own field names. Caller deletes. */
cJSON *backbone_config_to_json(const struct backbone_config *c);
/* "llama", "mistral", "gpt2", "opt": Hugging Face's model_type. */
const char *backbone_config_type(const struct backbone_config *c);
/* What files with a language-model head put before a weight's name: "model." or "transformer.". */
const char *backbone_config_prefix(const struct backbone_config *c);
/* Parameters of the layers, the positions and the final norm (no token embedding, no LM head: the
 * policy feeds embeddings and has its own head). */
uint64_t backbone_config_parameters(const struct backbone_config *c);
/* What LoRA adapts as NetLLM chose it (its names for GPT-2, which GPT-2 does not have, are
 * replaced by PEFT's default), NULL at the end. */
const char *const *backbone_config_targets(const struct backbone_config *c);
/* The last part of the name of every linear layer of a decoder layer, NULL at the end. */
const char *const *backbone_config_projections(const struct backbone_config *c);

#endif
