/* Both ways of serving on rows the policy was not trained on, side by side. */
#ifndef CCALAB_MODEL_SERVE_REPLAY_H
#define CCALAB_MODEL_SERVE_REPLAY_H

#include "model/serve.h"

/* Walk through the test segments of `d` as one flow after the other: the recorded states, the
 * policy's own actions, the return-to-go falling by the recorded rewards. *result (caller deletes):
 * `decisions`, and for `exact` and `cached` the mean squared error of dataset_curve() to what was
 * advised (`loss`), the median and 99th percentile of a decision's time (`decision_ms`), and the
 * number of new bases (`rebased`), which are made in between. `opts` gives policy, checkpoint,
 * target_scale and stop. Errors: STATUS_NOMEM, STATUS_INTERRUPTED, those of the policy. */
CCALAB_MUST_USE enum status serve_replay(const struct serve_opts *opts, const struct dataset *d,
                                         cJSON **result, struct error *err);

#endif
