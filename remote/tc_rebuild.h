/* From what tc says of a device's queue to the tc commands that build it again. */
#ifndef CCALAB_REMOTE_TC_REBUILD_H
#define CCALAB_REMOTE_TC_REBUILD_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/error.h"

/* The commands that give `dev` the queue that it has in `qdiscs` (of tc_qdisc_parse(), for that
 * device): an array for cJSON_Delete() of {"argv":["tc","qdisc","del",...],"may_fail":true}, to be
 * run in order; what may fail is the removal of a queue that is not there. A queue that the kernel
 * gave the device by itself (handle 0:) comes back when the other one is removed.
 *
 * Only what these commands rebuild exactly is accepted: pfifo, bfifo, pfifo_fast, fq, fq_codel,
 * codel, pie, dualpi2, mq without children of its own. ingress and clsact are left alone. Errors:
 * STATUS_UNAVAILABLE naming what cannot be rebuilt (another kind, classes or children, an option
 * that is not known here, a tc that does not tell the options). */
CCALAB_MUST_USE enum status tc_rebuild(const cJSON *qdiscs, const char *dev, cJSON **steps,
                                       struct error *err);
/* Do both lists describe the same queues, apart from counters, reference counts and handles that
 * the kernel chose? Times may differ by a microsecond, by which the kernel rounds. */
bool tc_is_same(const cJSON *a, const cJSON *b);

#endif
