/* LoRA as PEFT keeps it: adapter_config.json and adapter_model.safetensors in one folder. */
#ifndef CCALAB_MODEL_ADAPTER_H
#define CCALAB_MODEL_ADAPTER_H

#include <cjson/cJSON.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "core/error.h"
#include "model/netllm.h"

/* The LoraConfig of PEFT 0.6.2 that describes this policy's LoRA. Caller deletes. */
cJSON *adapter_config_to_json(const struct policy_config *config);
/* Take rank, alpha, dropout and targets of an adapter_config.json into *config, whose backbone is
 * known. Errors: STATUS_IO; STATUS_INPUT naming file and field, also for what this LoRA cannot be
 * (another kind of adapter, no linear layers, biases, modules saved beside it). */
CCALAB_MUST_USE enum status adapter_config_read(const char *path, struct policy_config *config,
                                                struct error *err);

/* Does LoRA adapt the linear layer of this name ("layers.0.self_attn.q_proj")? */
bool adapter_is_target(const struct policy_config *config, const char *name);
/* Is each of config->lora_targets a linear layer of the backbone, none twice? Errors: STATUS_INPUT
 * naming it and those that there are. */
CCALAB_MUST_USE enum status adapter_check_targets(const struct policy_config *config,
                                                  struct error *err);

#ifdef __cplusplus
}
#endif

#endif
