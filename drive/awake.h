/* A processor that sleeps takes tens of microseconds to wake up for a sample. The kernel's PM QoS
 * (Documentation/power/pm_qos_interface.rst) lets none of them sleep while it is asked to, by a
 * request that goes with its file descriptor, however this process ends. It costs power, and a
 * virtual machine's host the time of its processors; the CPU time of processes is not touched. */
#ifndef CCALAB_DRIVE_AWAKE_H
#define CCALAB_DRIVE_AWAKE_H

#include <stdbool.h>

struct awake {
    int fd; /* -1: not open */
    bool is_held;
};

/* Needs root and CONFIG_CPU_IDLE; see awake_is_open(). */
void awake_open(struct awake *a);
bool awake_is_open(const struct awake *a);
/* From now on no processor sleeps, or all may again. Does nothing where it is so already, or not
 * open. */
void awake_hold(struct awake *a, bool is_held);
/* All may sleep again. */
void awake_close(struct awake *a);

#endif
