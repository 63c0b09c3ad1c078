/* One training at a time in a directory: a lock that dies with its process. */
#ifndef CCALAB_MODEL_TRAIN_LOCK_H
#define CCALAB_MODEL_TRAIN_LOCK_H

#include "core/error.h"
#include "core/paths.h"

struct train_lock {
    int fd; /* -1: not held */
    char path[CCALAB_PATH_MAX];
};

/* Take the lock of the directory `dir`: the file DIR.netllm-lock beside it, which holds the
 * process's id. What a killed training left is taken over. Errors: STATUS_USAGE naming the process
 * that trains there; STATUS_IO. */
CCALAB_MUST_USE enum status train_lock_take(struct train_lock *l, const char *dir,
                                            struct error *err);
/* Give it back and remove the file. Nothing if it is not held. */
void train_lock_release(struct train_lock *l);

#endif
