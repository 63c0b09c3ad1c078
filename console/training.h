/* What the events of a training tell of it (docs/events.md, `netllm adapt`), live or from a file.
 * Thread: main only. */
#ifndef CCALAB_CONSOLE_TRAINING_H
#define CCALAB_CONSOLE_TRAINING_H

#include "core/event.h"

#define TRAINING_BASELINES 6

enum training_value {
    TRAINING_LOSS,
    TRAINING_LR,
    TRAINING_GRAD_NORM,
    TRAINING_STEP,
    TRAINING_EPOCH,
    TRAINING_TOKENS_S,
    TRAINING_RSS_MIB,
    TRAINING_ETA_S,
    TRAINING_VALUES
};

struct training {
    bool is_known;                 /* there was a sample of one */
    char job[96];                  /* its label; "" in a file of its own */
    double value[TRAINING_VALUES]; /* the newest; NaN: not told */
    double valid_loss, best_valid_loss, best_epoch;
    char progress[160]; /* escaped, as `end` */
    double fraction;    /* 0 to 1; -1: unknown */
    char end[160];      /* how it ended; "": not yet */
    bool has_failed;
    struct {
        char name[24];
        double loss;
    } baseline[TRAINING_BASELINES];
    size_t nbaselines;
};

void training_init(struct training *t);
/* Take in an event; false: it says nothing of the training. A sample of another job, or one after
 * the end, begins a new one. */
bool training_event(struct training *t, const struct event *ev);

#endif
