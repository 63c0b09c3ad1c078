/* The keeper: the process that is the lab. It builds it, holds what must not outlive it (the BPF
 * link, ccalab-link), speaks events on stdout, and takes everything down at its end. */
#ifndef CCALAB_TESTBED_KEEPER_H
#define CCALAB_TESTBED_KEEPER_H

#include "core/error.h"
#include "testbed/options.h"

/* `ccalab testbed keep`: returns when the lab is gone again. STATUS_OK after SIGTERM, SIGINT,
 * SIGHUP or the end of the owner; else why it failed (the error event is then written). */
CCALAB_MUST_USE enum status keeper_run(const struct testbed_options *o, struct error *err);

#endif
