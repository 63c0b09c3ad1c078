/* The logs that the published code writes: for every epoch custom_logs_epoch_train_E.json (or
 * ..._test_E.json, E from 0), and all losses in train_losses.txt (test_losses.txt), one "%.6f" a
 * line. The same keys; what is not measured here (GPU, disk) is null. docs/netllm.md lists them.
 * Thread: any, one at a time. */
#ifndef CCALAB_MODEL_PUBLISH_H
#define CCALAB_MODEL_PUBLISH_H

#include <stdbool.h>

#include "model/dataset.h"

struct publish;

/* Write into `dir`, made if missing; *out is for publish_free(). Errors: STATUS_IO, STATUS_NOMEM.
 */
CCALAB_MUST_USE enum status publish_new(const char *dir, bool is_test, int features,
                                        struct publish **out, struct error *err);
/* NULL is allowed. */
void publish_free(struct publish *p);

/* A step each for the windows of a batch. losses: [windows]; as published, "train_loss" is the loss
 * over grad_accum_steps, the lines of train_losses.txt are not. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status publish_train(struct publish *p, const struct dataset_batch *b,
                                          const double *losses, int grad_accum_steps,
                                          struct error *err);
/* The same of a test: predictions are [windows, steps], losses against the labels. */
CCALAB_MUST_USE enum status publish_test(struct publish *p, const struct dataset_batch *b,
                                         const float *predictions, struct error *err);
/* Write the steps since the last call as those of `epoch` (from 0), after the losses of the epochs
 * before it, `windows` each: what a killed training wrote too much is replaced. Errors: STATUS_IO,
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status publish_epoch(struct publish *p, int epoch, size_t windows,
                                          struct error *err);

#endif
