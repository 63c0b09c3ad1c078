/* The NetLLM policy for congestion control: a frozen language model with LoRA, fed with embedded
 * returns, states and actions, that predicts the action at each state token.
 *
 *   state (rtt, cwnd, ...)        -> encoder -> embed_state1 |
 *   return-to-go                  -> embed_return            | + embed_timestep -> (R0 S0 A0 R1 ..)
 *   action                        -> embed_action            |
 *   -> embed_ln -> backbone (causal) -> action_head at every S token
 *
 * after D. Wu et al., "NetLLM: Adapting Large Language Models for Networking" (SIGCOMM 2024) and
 * Chen et al., "Decision Transformer" (2021); the backbone is a Llama, Mistral, GPT-2 or OPT with
 * LoRA (Hu et al., 2021) on its attention. Values are on the scales of model/dataset.h.
 *
 * Nothing of C++ or libtorch leaks through here. All values are float32 in the memory of the CPU,
 * whatever devices compute. In a build without libtorch these functions do not exist
 * (CCALAB_HAVE_TORCH is undefined). Every function that returns a status fills *err: STATUS_INPUT
 * for arguments the model cannot take, STATUS_NOMEM, STATUS_INTERNAL with libtorch's own words
 * otherwise. Thread: one policy, one thread at a time. */
#ifndef CCALAB_MODEL_NETLLM_H
#define CCALAB_MODEL_NETLLM_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "core/error.h"
#include "model/backbone_config.h"
#include "model/devices.h"

#define POLICY_STATE_FEATURES 3    /* rtt, cwnd, throughput: those of policy_config_default() */
#define POLICY_FEATURES_MAX   6    /* min_rtt, ce and lost with them */
#define POLICY_STEPS_MAX      4096 /* of a window: attention takes its square */
#define POLICY_PATH_MAX       4096
#define POLICY_TARGETS_MAX    128

#define POLICY_BINS_MAX 256

/* Classes of scaled actions, in rising order of their values. A policy with bins has a head of one
 * output for each, trained with the cross-entropy; it answers with the mean of the values by their
 * probabilities, or with the value of the most probable one. */
struct policy_bins {
    int count; /* 0: a head of one output, the scaled action itself */
    bool is_mode;
    float value[POLICY_BINS_MAX];
};

enum policy_dtype { POLICY_FP32, POLICY_BF16 };

struct policy_config {
    struct backbone_config backbone;
    char plm_path[POLICY_PATH_MAX]; /* Hugging Face folder of the frozen weights; "": random ones */
    uint64_t backbone_seed;         /* random weights of the frozen part */
    /* Of the frozen matrices in memory; all else is float32. POLICY_BF16 halves their size, and is
     * taken only where the device multiplies it: CUDA, or a processor with AVX512_BF16 or AMX. On
     * others libtorch would take a hundred times as long. */
    enum policy_dtype base_dtype;
    struct device_request devices;
    uint64_t seed; /* everything that is trained, and dropout */
    int features;  /* of a state: the first so many of rtt, cwnd, throughput, min_rtt, ce, lost */
    int state_dim; /* width of the state encoder (state_feature_dim), 256 as published */
    int timestep_rows;   /* rows of the timestep table: timesteps are 0 ... rows - 1 */
    int rank;            /* of LoRA; 0: no LoRA */
    double lora_alpha;   /* the update is scaled by alpha / rank */
    double lora_dropout; /* on LoRA's input while training */
    char lora_targets[POLICY_TARGETS_MAX]; /* last parts of the names of the linear layers that LoRA
                                              adapts, with commas; "": those of the family */
    struct policy_bins bins;
    int which_layer; /* stop after this layer (the final norm still applies); -1: the last,
                        -2: the one before, as NetLLM's early stop */
};

/* The published sizes on the tiny backbone, w = 20 rows of timesteps, seed 100003. */
struct policy_config policy_config_default(void);

struct policy;

/* Take the backbone of a Hugging Face folder: its config.json into config->backbone, and its path.
 * Errors: STATUS_IO, STATUS_INPUT naming file and field. */
CCALAB_MUST_USE enum status policy_config_set_plm(struct policy_config *config, const char *dir,
                                                  struct error *err);

/* Bytes that the weights of such a policy take, those of the optimiser included. */
uint64_t policy_config_bytes(const struct policy_config *config);

/* A policy. The backbone's weights come from config->plm_path, or are random and depend on
 * backbone_seed alone (normal, sd 0.02); all others depend on seed alone, each as torch and PEFT
 * initialise them by default; the same on every machine, device and thread count. *out is for
 * policy_free(). Errors: STATUS_INPUT (a field of the configuration, by name; a tensor of a file);
 * STATUS_IO; STATUS_NOMEM before anything is loaded that would not fit into the memory that is
 * free now on its device; STATUS_UNAVAILABLE (a device that is not there, bfloat16 on this
 * processor). */
CCALAB_MUST_USE enum status policy_new(const struct policy_config *config, struct policy **out,
                                       struct error *err);
/* NULL is allowed. */
void policy_free(struct policy *p);
const struct policy_config *policy_get_config(const struct policy *p);
/* Where its layers lie. */
const struct device_plan *policy_get_devices(const struct policy *p);

/* Windows of consecutive steps, row-major, borrowed for the call. The last action of each window
 * is never read: it comes after every prediction. */
struct policy_batch {
    size_t windows, steps;
    const float *states;      /* [windows, steps, features], standardised */
    const float *actions;     /* [windows, steps], scaled */
    const float *returns;     /* [windows, steps], scaled returns-to-go */
    const int32_t *timesteps; /* [windows, steps] */
};

/* Evaluation: no dropout, no gradients. predictions: [windows, steps], scaled actions. Step i sees
 * returns and states up to i and actions up to i - 1. */
CCALAB_MUST_USE enum status policy_forward(struct policy *p, const struct policy_batch *batch,
                                           float *predictions, struct error *err);

/* The same for the last step of each window alone: decisions: [windows]. */
CCALAB_MUST_USE enum status policy_decide(struct policy *p, const struct policy_batch *batch,
                                          float *decisions, struct error *err);

/* Training: add `weight` times the gradient of the batch's mean squared error to the gradients.
 * labels: [windows, steps], scaled; NaN: nothing is learned at this step. window_losses: [windows],
 * the mean squared error of each window's other steps before weighting. With bins both are the mean
 * cross-entropy of the labels' bins, in nats. With dropout. */
CCALAB_MUST_USE enum status policy_backward(struct policy *p, const struct policy_batch *batch,
                                            const float *labels, double weight,
                                            double *window_losses, struct error *err);

/* How policy_backward() goes about a batch: `windows` of them in one pass, `workers` such passes
 * side by side, each on a thread of its own and on nothing else (where all layers are on the CPU;
 * 1: on the caller's, with the engine's threads). Gradients of the passes are added in the order of
 * the windows, so the number of workers from 2 on changes nothing, and that of windows the rounding
 * only. At first: 1 worker, all windows at once. Errors: STATUS_NOMEM, STATUS_INTERNAL (no thread).
 */
CCALAB_MUST_USE enum status policy_set_passes(struct policy *p, int workers, size_t windows,
                                              struct error *err);
/* Windows of `steps` steps in a pass that are hardly slower than more, by the shape alone: what
 * the gradient keeps of them is 24 MB, but 2 to 8 of them; on CUDA 32. */
size_t policy_pass_windows(const struct policy_config *config, size_t steps);

struct policy_step_opts {
    double lr;
    double weight_decay; /* decoupled, on every trained parameter */
    double clip_norm;    /* of all gradients together, before the step; 0: do not clip */
};

/* One step of AdamW (Loshchilov and Hutter, 2019; betas 0.9 and 0.999, eps 1e-8) with the summed
 * gradients, then zero them. *grad_norm (may be NULL) is the norm before clipping.
 * Errors: STATUS_FAIL if the norm is not finite; nothing is changed then but the gradients. */
CCALAB_MUST_USE enum status policy_step(struct policy *p, const struct policy_step_opts *opts,
                                        double *grad_norm, struct error *err);

/* The backbone alone, for tests and comparisons: embeddings [windows, tokens, hidden] in, hidden
 * states after the final norm out, same shape. Evaluation mode, LoRA on. */
CCALAB_MUST_USE enum status policy_backbone_forward(struct policy *p, const float *embeddings,
                                                    size_t windows, size_t tokens, float *hidden,
                                                    struct error *err);

/* Make LoRA a part of the frozen weights, for a policy that only decides from here on: a third of
 * the products of a small decision are LoRA's. Predictions stay, to the rounding of float32; the
 * backbone's weights are no longer those that the seed gives, so do not save them. Frozen weights
 * of less than float32 are left as they are: they could not hold the difference. policy_backward()
 * is refused afterwards (STATUS_INPUT). */
CCALAB_MUST_USE enum status policy_merge(struct policy *p, struct error *err);

/* --- contexts kept between decisions ---------------------------------------------------------
 *
 * A decision over a context that has grown by one step need not read the earlier steps again: their
 * keys and values are kept. Since a token is computed from what was there when it came, a kept
 * context starts at a fixed step, its base, and can only grow or be cut at its end; for a later
 * base fill another slot from there. What a kept context predicts is what policy_forward() predicts
 * for a batch of the same steps from its base on, to the rounding of float32. */

struct policy_cache;

/* Contexts of up to `slots` flows, `steps` steps each, all empty; borrows p. *out is for
 * policy_cache_free(), before policy_free(). Errors: STATUS_INPUT, STATUS_NOMEM. */
CCALAB_MUST_USE enum status policy_cache_new(struct policy *p, size_t slots, size_t steps,
                                             struct policy_cache **out, struct error *err);
/* NULL is allowed. */
void policy_cache_free(struct policy_cache *c);
/* Steps that a slot holds. */
size_t policy_cache_steps(const struct policy_cache *c, size_t slot);
/* Keep the first `steps` steps of a slot, or all where it holds fewer; 0 empties it. */
void policy_cache_rewind(struct policy_cache *c, size_t slot, size_t steps);
/* Bytes of keys and values. */
size_t policy_cache_bytes(const struct policy_cache *c);

/* Append batch->steps steps to each of the slots (batch->windows of them, none twice) and predict
 * at each new step, like policy_forward(). The last step of a context is open: its action is
 * decided only after its prediction, and is given when the next step comes. So open_actions[i] is
 * the action of the last step that slots[i] holds (not read where it is empty), and of
 * batch->actions the last of each window is not read.
 * predictions: [windows, steps]; NULL: none is needed, which is faster. Errors: STATUS_INPUT (a
 * slot, a timestep, no room left); the slots are unchanged then.
 */
CCALAB_MUST_USE enum status policy_forward_cached(struct policy_cache *c, const size_t *slots,
                                                  const struct policy_batch *batch,
                                                  const float *open_actions, float *predictions,
                                                  struct error *err);

/* --- parameters ------------------------------------------------------------------------------- */

enum policy_part {
    POLICY_BACKBONE, /* frozen; Hugging Face names: model.layers.0.self_attn.q_proj.weight */
    POLICY_LORA,     /* PEFT names: base_model.model.layers.0.self_attn.q_proj.lora_A.weight */
    POLICY_MODULES, /* the rest, as NetLLM names it: 0.rtt_fc.weight (state encoder; more than three
                       features add 0.min_rtt_fc, 0.ce_fc, 0.lost_fc),
                       1 embed_timestep, 2 embed_return, 3 embed_action, 4 embed_ln,
                       5 embed_state1, 6 action_head */
};

struct policy_param {
    const char *name;
    enum policy_part part;
    bool is_trained;
    int rank;
    int64_t shape[2];
    size_t numel;
};

size_t policy_param_count(const struct policy *p);
/* `info->name` is valid until policy_free(). */
void policy_param_info(const struct policy *p, size_t index, struct policy_param *info);
/* Index of a name, or SIZE_MAX. */
size_t policy_param_find(const struct policy *p, const char *name);
/* Copy all values of a parameter; `values` has numel entries. */
CCALAB_MUST_USE enum status policy_param_read(const struct policy *p, size_t index, float *values,
                                              struct error *err);
CCALAB_MUST_USE enum status policy_param_write(struct policy *p, size_t index, const float *values,
                                               struct error *err);
/* Its summed gradient; zeros if there is none. */
CCALAB_MUST_USE enum status policy_grad_read(const struct policy *p, size_t index, float *values,
                                             struct error *err);

/* Write the parameters of one part as safetensors, atomically. POLICY_BACKBONE gives a file that
 * transformers reads as model.safetensors. Errors: STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status policy_save(const struct policy *p, enum policy_part part,
                                        const char *path, struct error *err);
/* Read them back: exactly the same names, shapes and float32, all finite.
 * Errors: STATUS_IO; STATUS_INPUT naming the tensor, the policy being unusable then. */
CCALAB_MUST_USE enum status policy_load(struct policy *p, enum policy_part part, const char *path,
                                        struct error *err);

/* --- the engine ------------------------------------------------------------------------------- */

struct policy_engine {
    char torch_version[32];
    int threads;
    int cores;        /* this process may use */
    int cuda_devices; /* that libtorch can compute on */
};

/* Set the threads of all tensor work and tune the allocator. Call once, before the first forward
 * pass. threads 0: one per core this process may use, but a single one where `shape` (may be NULL)
 * is narrower than 256: its steps are too short to share, and threads that wait for each other by
 * spinning make them several times slower on a machine that has other work. */
CCALAB_MUST_USE enum status policy_engine_start(int threads, const struct backbone_config *shape,
                                                struct error *err);
CCALAB_MUST_USE enum status policy_engine_info(struct policy_engine *out, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
