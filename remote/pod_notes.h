/* What is known here, without asking anybody, of the pods that were started here: the notes that
 * lua/prelude/pods.lua keeps in $XDG_STATE_HOME/ccalab/pods. Thread: any. */
#ifndef CCALAB_REMOTE_POD_NOTES_H
#define CCALAB_REMOTE_POD_NOTES_H

struct pod_sum {
    int running;
    double usd_per_h; /* of those that run */
    double spent_usd; /* by those, since they were made */
};

/* At the wall time `now_s`. What cannot be read is left out. */
struct pod_sum pod_notes_sum(double now_s);

#endif
