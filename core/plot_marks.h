/* Moments worth a vertical line in plots: found in the event stream, or set by a script. */
#ifndef CCALAB_CORE_PLOT_MARKS_H
#define CCALAB_CORE_PLOT_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#define PLOT_MARKS_MAX  1024 /* kept; the oldest go first */
#define PLOT_CE_QUIET_S 1.0  /* marks further apart than this are two bursts */

enum plot_mark_kind {
    PLOT_MARK_OTHER,
    PLOT_MARK_CE,         /* a burst of CE marks begins */
    PLOT_MARK_CHECKPOINT, /* a training saved its best policy so far */
    PLOT_MARK_STEP,       /* the bottleneck's rate changed */
};

struct plot_mark {
    double x;
    enum plot_mark_kind kind;
    char label[24];
};

struct plot_marks {
    struct plot_mark *at; /* in the order in which they came */
    size_t n, cap;
    double ce_t; /* of the latest CE mark */
};

/* Add one; false when out of memory. A label that is too long is cut. */
bool plot_marks_add(struct plot_marks *m, double x, enum plot_mark_kind kind, const char *label);
/* CE marks were seen at t: the first after a quiet time begins a burst. */
void plot_marks_ce(struct plot_marks *m, double t);
void plot_marks_done(struct plot_marks *m);

#endif
