/* When packets came: a BPF program on a TUN device notes the time of each packet that the kernel
 * puts into the device, in a ring shared with this process. So a packet that is read late (the
 * process slept, or had others to read) still has its true time of arrival, and nobody needs a
 * system call to see that nothing has come.
 *
 * Where the kernel does not let us load the program (before Linux 5.12, without CAP_BPF), a packet
 * came when it was read. */
#ifndef CCALAB_TESTBED_LINK_STAMPS_H
#define CCALAB_TESTBED_LINK_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMPS_COUNT 16384u /* a power of two, more than the device queues (tun.c) */

/* What the BPF program writes. */
struct stamps_ring {
    uint64_t head;                /* stamps so far */
    uint64_t at_ns[STAMPS_COUNT]; /* CLOCK_MONOTONIC, of stamp number i at i % STAMPS_COUNT */
};

struct stamps {
    const struct stamps_ring *ring; /* NULL: there are none */
    uint64_t next;                  /* number of the stamp of the next packet to be read */
    uint64_t last_ns;               /* the last one given out: time does not go back */
};

/* Attach the program to a TUN device. False, and *s without a ring, if the kernel refuses. */
bool stamps_open(struct stamps *s, int tun_fd);
/* The program goes with the device. */
void stamps_close(struct stamps *s);

/* Has something come that was not read yet? True without stamps: then only a read can tell. */
bool stamps_pending(const struct stamps *s);
/* A packet has been read at now_ns: when did it come? */
uint64_t stamps_take(struct stamps *s, uint64_t now_ns);
/* The device was found empty at now_ns: stamps that wait are of packets that the kernel dropped
 * behind the program, or are about to follow theirs. */
void stamps_settle(struct stamps *s, uint64_t now_ns);

#endif
