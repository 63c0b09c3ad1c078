/* CoDel, PIE, FQ-CoDel and PI2 a second time, written straight down from their rules on plain
 * arrays of packets: the judges of test_aqm_replay. They share no code with testbed/link. */
#ifndef CCALAB_TESTS_TESTBED_LINK_AQM_REFERENCE_H
#define CCALAB_TESTS_TESTBED_LINK_AQM_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aqm_ref_packet {
    uint64_t at_ns; /* arrival */
    uint32_t len_bytes;
    uint8_t ecn;       /* on arrival */
    uint8_t tuple[13]; /* source, destination, protocol, ports, as they are hashed */
    bool is_ce;        /* now */
    int32_t next;      /* in its queue, -1 */
};

struct aqm_ref_setup {
    uint64_t limit_pkts;
    bool is_ecn;
    uint64_t target_ns;
    uint32_t (*random)(void *user);
    void *random_user;
    /* CoDel, FQ-CoDel */
    uint64_t interval_ns, ce_threshold_ns; /* UINT64_MAX: off */
    uint64_t flows, quantum, memory_pkts, batch;
    /* PIE: gains in 1/16 Hz; PI2: probability of 2^32 per 64 ns */
    uint64_t tupdate_ns;
    int64_t alpha, beta;
    bool is_bytemode, is_rate;
    int64_t k;
    bool is_scalable;
};

struct aqm_ref;

/* The AQM "codel", "pie", "fq_codel" or "pi2" over these packets. aqm_ref_free() it. */
struct aqm_ref *aqm_ref_new(const char *kind, const struct aqm_ref_setup *setup,
                            struct aqm_ref_packet *packets);
void aqm_ref_free(struct aqm_ref *x);

/* Packet i arrives; false if it was dropped. */
bool aqm_ref_arrive(void *ref, uint32_t i, uint64_t now);
/* The packet that leaves, or -1. */
int64_t aqm_ref_depart(void *ref, uint64_t now);
uint64_t aqm_ref_next_update(void *ref);
void aqm_ref_update(void *ref, uint64_t now);

struct aqm_ref_counters {
    uint64_t marks, limit_drops, aqm_drops, ce_marks;
    double prob;
};
struct aqm_ref_counters aqm_ref_counters(const struct aqm_ref *x);

#endif
