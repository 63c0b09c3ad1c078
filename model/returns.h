/* Returns: what a row of an experience pool was followed by, the number that a policy is asked for.
 * Three definitions, by the options of the data set and the recipe of its pool:
 *
 *   horizon 0   the sum of all rewards to the end of the row's segment, each counting gamma times
 *               as much as the one before; min-max normalised rewards. As published.
 *   horizon N   the mean of the next N rewards, weighted the same way: a sum would tell how near
 *               the end is, not how good the rows are. Recipe lab.
 *   loop        rows are as far apart as a round trip, so that the horizon is a time, in
 *               milliseconds, and gamma the weight of a reward a second later. Of that mean the
 *               mean at this time in this scenario is taken off: of all episodes of the scenario in
 *               the same half second of the run, each counting once. So a return tells whether a
 *               flow did better than the others here and now, and not that its link was fast. Where
 *               no other episode is to be compared with, the mean of the episode's own segment is
 *               taken off. In units of the training returns' standard deviation.
 *
 * Divided by `scale` at the end. Nothing is counted across the end of a segment, and a split is
 * compared with itself. Thread: any, one at a time. */
#ifndef CCALAB_MODEL_RETURNS_H
#define CCALAB_MODEL_RETURNS_H

#include "model/dataset.h"

/* A reward by the range of the training rewards, from 0 to 1. */
double returns_reward(const struct dataset_norm *norm, double reward);
/* Fill d->returns by d->norm. `is_fit`: set norm.return_std, and norm.max_return, which driving
 * aims at: the largest training return; for loop the 90th percentile, as its largest is a stroke of
 * luck, and at least 0. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status returns_fill(struct dataset *d, bool is_fit, struct error *err);

#endif
