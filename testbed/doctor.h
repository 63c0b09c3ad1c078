/* Is this machine fit to be a laboratory? What it is made of, and how late its timers are.
 *
 * A bottleneck emulated by a process is as exact as the moments at which the kernel lets that
 * process run: cores, clock, timer slack, what a hypervisor takes away, real-time scheduling. */
#ifndef CCALAB_TESTBED_DOCTOR_H
#define CCALAB_TESTBED_DOCTOR_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Facts and verdicts as one object, of docs/bench.md; the caller deletes it. NULL without memory.
 * What cannot be told is null. `is_quick` leaves out what takes time (steal, load and the timer
 * probes: about one second); else it blocks that long, and for a part of it the calling thread runs
 * under SCHED_FIFO where that is permitted. */
cJSON *doctor_examine(bool is_quick);
/* `ccalab testbed doctor [--json] [--quick]`: argv[0] is "doctor". Needs no root. Returns the exit
 * code: that of STATUS_OK also where something is wrong with the machine. */
int doctor_main(int argc, char **argv);

#endif
