/* Classes of actions: what a policy trained with `--loss ce` chooses among. */
#ifndef CCALAB_MODEL_BINS_H
#define CCALAB_MODEL_BINS_H

#ifdef __cplusplus
extern "C" {
#endif

#include "model/dataset.h"
#include "model/netllm.h"

/* Up to `count` bins (2 ... POLICY_BINS_MAX) of the labels of the training rows, each of about as
 * many rows, none with a value in two: where there are fewer values, fewer bins. A bin's value is
 * the mean of its labels. Errors: STATUS_INPUT (all labels are one), STATUS_NOMEM. */
CCALAB_MUST_USE enum status bins_fit(const struct dataset *d, int count, struct policy_bins *out,
                                     struct error *err);
/* The bin of a label: the one of the nearest value. */
int bins_of(const struct policy_bins *b, float label);
/* Share of the training rows in each bin. */
void bins_shares(const struct policy_bins *b, const struct dataset *d,
                 double shares[POLICY_BINS_MAX]);

#ifdef __cplusplus
}
#endif

#endif
