/* Time series for live plots: append-only, with a pyramid of extremes (blocks of SERIES_BLOCK
 * samples, then blocks of SERIES_FAN blocks, and so on), so that a plot of any width is read in
 * O(columns * log(samples)) and never loses a spike.
 *
 * 12 bytes a sample, 0.6 bytes more for the pyramid, and at most half as much again as room to grow
 * (address space that is not touched). NaN marks a gap. Thread: main only. */
#ifndef CCALAB_CORE_SERIES_H
#define CCALAB_CORE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/plot_marks.h"

#define SERIES_BLOCK    32
#define SERIES_FAN      8
#define SERIES_LEVELS   7 /* the topmost: SERIES_BLOCK * SERIES_FAN^6, half of SERIES_LEN_MAX */
#define SERIES_LEN_MAX  (1u << 24) /* samples; a longer series is a stream gone wild */
#define SERIES_NAME_MAX 96

/* Extremes of one complete block. count == 0: only gaps. */
struct series_block {
    float min, max, last; /* last: the latest value that is not a gap */
    uint32_t count;       /* values that are not gaps */
};

struct series_level {
    struct series_block *at; /* the complete blocks */
    size_t n, cap;
};

struct series {
    char name[SERIES_NAME_MAX]; /* "client_x/cwnd_bytes" */
    double *t;                  /* non-decreasing, seconds */
    float *v;
    size_t len, cap;
    struct series_level level[SERIES_LEVELS];
    struct series *next; /* in its series_set */
};

/* One column of a plot. count == 0: no value there; if then starts_gap, a gap was measured. */
struct series_col {
    float min, max, last;
    size_t count;
    bool starts_gap, ends_gap; /* the column's first, last sample is a gap */
};

/* Append; a time before the last one (clocks jump), or one that is no number, is clamped to it.
 * A value that is not finite, or that a float cannot hold, becomes a gap. False when out of memory
 * or at SERIES_LEN_MAX; the series is unchanged then. */
bool series_append(struct series *s, double t, double v);
/* Extremes of n equal columns over [t0, t1). Column i ends where column i + 1 begins, at
 * t0 + (t1 - t0) * (i + 1) / n. `cols` has n entries. A range with t0 >= t1 has no samples. */
void series_columns(const struct series *s, double t0, double t1, size_t n,
                    struct series_col *cols);
/* First index with t >= `t`. */
size_t series_lower_bound(const struct series *s, double t);
/* Index of the value (no gap) nearest to `t` within [t0, t1]; s->len if there is none. */
size_t series_nearest(const struct series *s, double t, double t0, double t1);
/* Free the samples of a series that is in no set; it is empty then, its name stays. */
void series_done(struct series *s);

/* A named collection; series live until the set is freed. */
struct series_set {
    struct series *first, *last;
    size_t count;
    size_t max; /* refuse to create more: a hostile event stream must not eat memory */
    struct plot_marks marks;
};

void series_set_init(struct series_set *set, size_t max);
void series_set_done(struct series_set *set);
/* Find; NULL if absent. */
struct series *series_set_find(const struct series_set *set, const char *name);
/* Find or create; NULL when the set is full, the name is too long or memory is out. */
struct series *series_set_get(struct series_set *set, const char *name);

/* Append a value to "<src>/<key>" (just "<key>" for an empty src), made where it is new; NaN is a
 * gap. Where that fails (the set is full, memory is out) nothing happens.
 *
 * Marks are set where a counter of CE marks ("ce", "ecn_mark", "delivered_ce") grows after a quiet
 * time, where the loss of a validation ("valid/loss") is the best so far, upon which a checkpoint
 * is saved, and where a bottleneck's "link_rate_bps" changes (docs/events.md). */
void series_set_add(struct series_set *set, const char *src, const char *key, double t, double v);

struct event;
/* Add every number of a sample event (its `src` alone names the job's part). null becomes a gap.
 * Other events, and values of other types, are ignored. */
void series_set_add_event(struct series_set *set, const struct event *ev);

#endif
