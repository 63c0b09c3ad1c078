/* What a training needs beside the parameters to go on as if it had never stopped: the moments of
 * AdamW, the numbers of steps taken and windows seen. Conventions of model/netllm.h. */
#ifndef CCALAB_MODEL_POLICY_STATE_H
#define CCALAB_MODEL_POLICY_STATE_H

#include "model/netllm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Windows that policy_backward() has had so far: dropout counts by it. */
int64_t policy_windows_seen(const struct policy *p);
void policy_set_windows_seen(struct policy *p, int64_t windows);

/* Optimiser steps taken so far: AdamW corrects its moments by it. */
int64_t policy_steps_taken(const struct policy *p);
void policy_set_steps_taken(struct policy *p, int64_t steps);

/* First and second moment of a parameter, numel values each; zeros before its first step. */
CCALAB_MUST_USE enum status policy_moments_read(const struct policy *p, size_t index, float *first,
                                                float *second, struct error *err);
CCALAB_MUST_USE enum status policy_moments_write(struct policy *p, size_t index, const float *first,
                                                 const float *second, struct error *err);

/* Scale all gradients summed so far to a joint norm of at most `max_norm`, as
 * torch.nn.utils.clip_grad_norm_ does (norm + 1e-6 below the line). *norm (may be NULL) is the norm
 * before. Not needed before policy_step(), which clips by itself. */
CCALAB_MUST_USE enum status policy_clip(struct policy *p, double max_norm, double *norm,
                                        struct error *err);

#ifdef __cplusplus
}
#endif

#endif
