/* Marks over time: so many ECN-capable packets and so many CE in each second of a flow's direction.
 *
 * Bounded: after MARKS_BINS seconds two bins become one, and so on; all flows together have
 * MARKS_BINS_TOTAL. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_MARKS_H
#define CCALAB_CAPTURE_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#define MARKS_BINS       3600u
#define MARKS_BINS_TOTAL 8000000u

struct marks_bin {
    uint32_t capable, ce; /* ECT(0), ECT(1) and CE; CE alone */
};

struct marks {
    int64_t start_ns; /* of the first bin: a whole second since the epoch */
    uint32_t step_s;  /* 0: nothing was counted */
    uint32_t count, cap;
    struct marks_bin *bins;
    uint32_t bin;   /* the last one, */
    int64_t bin_ns; /* and where it begins */
};

/* Count a packet. *total is the number of bins of all; where there is no more room for this flow,
 * returns false and counts nothing. Times may go back: what is before the first bin counts there.
 */
bool marks_add(struct marks *m, uint32_t *total, int64_t t_ns, bool is_ce);
void marks_done(struct marks *m);

#endif
