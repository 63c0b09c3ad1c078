/* The shape of a language-model backbone, as Hugging Face's config.json describes it. */
#ifndef CCALAB_MODEL_BACKBONE_CONFIG_H
#define CCALAB_MODEL_BACKBONE_CONFIG_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "core/error.h"

struct backbone_config {
    char model_type[16]; /* "llama" is the only one built yet */
    int hidden_size;
    int intermediate_size;
    int num_hidden_layers;
    int num_attention_heads;
    int num_key_value_heads; /* fewer than heads: grouped-query attention */
    double rms_norm_eps;
    double rope_theta;
    int max_position_embeddings;
};

/* The built-in tiny Llama: hidden 64, intermediate 172, 2 layers, 4 heads, 2 key/value heads. */
struct backbone_config backbone_config_tiny(void);
/* Read a config.json. Absent optional fields take the defaults of transformers' LlamaConfig.
 * Errors: STATUS_IO; STATUS_INPUT naming the file and the field. */
CCALAB_MUST_USE enum status backbone_config_read(const char *path, struct backbone_config *out,
                                                 struct error *err);
/* The same from a parsed object; `what` names it in messages. */
CCALAB_MUST_USE enum status backbone_config_from_json(const cJSON *obj, const char *what,
                                                      struct backbone_config *out,
                                                      struct error *err);
/* Caller deletes. */
cJSON *backbone_config_to_json(const struct backbone_config *c);
/* Parameters of the layers and the final norm (no token embedding, no LM head: the policy feeds
 * embeddings and has its own head). */
uint64_t backbone_config_parameters(const struct backbone_config *c);

#endif
