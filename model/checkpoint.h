/* A checkpoint: a directory with everything that makes a trained policy, written as a whole.
 *
 *   adapter_model.safetensors, adapter_config.json    LoRA, as Python's PEFT reads it
 *   modules_except_plm.safetensors                    encoder, embeddings, head
 *   netllm.json                                       what else it takes (docs/netllm.md)
 *   training.safetensors                              where a training stands (train_state.h)
 *
 * The frozen backbone is not stored: its seed gives random weights again, and those of a Hugging
 * Face folder are read from there again. */
#ifndef CCALAB_MODEL_CHECKPOINT_H
#define CCALAB_MODEL_CHECKPOINT_H

#include <stdint.h>

#include "core/paths.h"
#include "model/dataset.h"
#include "model/netllm.h"

struct checkpoint {
    struct policy_config policy;
    struct dataset_opts data;
    struct dataset_norm norm;
    char pool[CCALAB_PATH_MAX]; /* path of the training pool, as it was given */
    char recipe[32];
    uint64_t pool_rows;
    int best_epoch;                /* epoch these weights are of, from 1 */
    int epochs;                    /* asked for */
    double train_loss, valid_loss; /* of that epoch, of dataset_curve(); valid_loss is
                                      NaN where there is no validation split (published) */
};

#define CHECKPOINT_STATE "training.safetensors"

/* May `dir` be replaced by a checkpoint: absent, empty, or one already (nothing but its files)?
 * Errors: STATUS_USAGE naming what stands in the way. */
CCALAB_MUST_USE enum status checkpoint_check_target(const char *dir, struct error *err);
/* Make `dir` ready for a training: finish what a killed one left half done beside and in it, make
 * it and its parents if they are missing. Errors: STATUS_IO, and those of the check above. */
CCALAB_MUST_USE enum status checkpoint_prepare(const char *dir, struct error *err);
/* Everything of *c as JSON, as netllm.json has it: sections policy, data, norm, training. NULL
 * without memory; caller deletes. */
cJSON *checkpoint_to_json(const struct checkpoint *c);
/* Write to a directory beside `dir`, then exchange the two: whoever looks sees the old checkpoint
 * or the new one. The state of the training stays. Missing parent directories are made.
 * Errors: STATUS_IO, STATUS_NOMEM, STATUS_USAGE. */
CCALAB_MUST_USE enum status checkpoint_save(const char *dir, const struct checkpoint *c,
                                            const struct policy *p, struct error *err);
/* Read netllm.json. Errors: STATUS_IO; STATUS_INPUT naming the field. */
CCALAB_MUST_USE enum status checkpoint_read(const char *dir, struct checkpoint *out,
                                            struct error *err);
/* Read it all and build the policy on `devices` (NULL: the CPU). *out is for policy_free().
 * Errors: those of checkpoint_read(), policy_new() and policy_load(). */
CCALAB_MUST_USE enum status checkpoint_load(const char *dir, const struct device_request *devices,
                                            struct checkpoint *c, struct policy **out,
                                            struct error *err);
/* Its weights alone, into a policy of the same shape. Errors: those of policy_load(). */
CCALAB_MUST_USE enum status checkpoint_load_weights(const char *dir, struct policy *p,
                                                    struct error *err);

#endif
