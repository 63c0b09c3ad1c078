/* LoRA as PEFT keeps it: adapter_config.json and adapter_model.safetensors in one folder. */
#ifndef CCALAB_MODEL_ADAPTER_H
#define CCALAB_MODEL_ADAPTER_H

#include <cjson/cJSON.h>

#include "core/error.h"
#include "model/netllm.h"

/* The LoraConfig of PEFT 0.6.2 that describes this policy's LoRA. Caller deletes. */
cJSON *adapter_config_to_json(const struct policy_config *config);
/* Take rank, alpha and dropout of an adapter_config.json into *config, whose backbone is known.
 * Errors: STATUS_IO; STATUS_INPUT naming file and field, also for what this LoRA cannot be (another
 * kind of adapter, other targets, biases, modules saved beside it). */
CCALAB_MUST_USE enum status adapter_config_read(const char *path, struct policy_config *config,
                                                struct error *err);

#endif
