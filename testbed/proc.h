/* Processes that may have died since we wrote down their pid.
 *
 * A pid alone is no identity: it is reused. With the start time (proc_pid_stat(5), field 22) it
 * is, within one boot; and a pidfd taken before the check keeps it so until the signal is sent. */
#ifndef CCALAB_TESTBED_PROC_H
#define CCALAB_TESTBED_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_id {
    pid_t pid;      /* 0: none */
    uint64_t start; /* clock ticks since boot */
};

/* Identity of a running (or unreaped) process. False if there is none. */
bool proc_id_of(pid_t pid, struct proc_id *out);
/* A pidfd (caller closes) if this very process still runs, else -1. A zombie has ended. */
int proc_open(const struct proc_id *id);
bool proc_is_alive(const struct proc_id *id);
/* Signal through a pidfd. */
bool proc_signal(int pidfd, int signum);
/* Wait for its end. False after timeout_ms. */
bool proc_wait(int pidfd, int timeout_ms);
/* SIGKILL this very process and wait up to a second. True if it was running. */
bool proc_kill(const struct proc_id *id);
/* Identifies this boot, 36 characters; "" if the kernel does not say. */
const char *proc_boot_id(void);

#endif
