/* DualPI2 a second time, straight from the rules of RFC 9332 Appendix A as Linux applies them, on
 * plain arrays and with its own link simulator. It shares no code with testbed/link and is as
 * simple as it can be: the judge of the replay test. */
#ifndef CCALAB_TESTS_TESTBED_LINK_DUALPI2_REFERENCE_H
#define CCALAB_TESTS_TESTBED_LINK_DUALPI2_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ref_fate { REF_QUEUED, REF_SENT, REF_DROP_LIMIT, REF_DROP_AQM };

struct ref_packet {
    uint64_t at_ns; /* arrival */
    uint32_t len_bytes;
    uint8_t ecn; /* on arrival */
    /* filled in by ref_run() */
    enum ref_fate fate;
    uint64_t start_ns; /* onto the link */
    bool is_ce;        /* on departure */
    bool has_step;
};

struct ref_setup {
    uint64_t rate_bps;
    size_t limit_pkts;
    uint64_t memlimit, packet_memory; /* bytes, and what one packet takes of them */
    int64_t target_ns, tupdate_ns, step_ns;
    int64_t alpha, beta; /* probability of 2^32 per 64 ns */
    size_t min_qlen_step;
    uint64_t k;
    int64_t protection; /* percent */
    bool is_any_ect, is_overflow, is_drop_enqueue;
    bool is_step_pkts; /* the step is at step_pkts behind the packet, not at step_ns */
    size_t step_pkts;
    bool is_ramp; /* laqm() of Appendix A.1 instead of the step */
    int64_t min_th_ns, range_ns;
    size_t th_len;
    bool is_tsfifo;
    uint64_t tshift_ns;
    uint32_t (*random)(void *user);
    void *random_user;
};

struct ref_outcome {
    uint32_t *order; /* indices of the packets sent, in order; caller's array, one entry a packet */
    size_t sent;
    uint64_t marks, step_marks, set_ce, in_l, in_c;
    uint32_t prob;
    int64_t credit;
    size_t rolls; /* random numbers used */
};

/* Send the packets (in order of arrival) through the link until it is empty, and on to the end of
 * the last tupdate before `until_ns`. */
void ref_run(const struct ref_setup *setup, struct ref_packet *packets, size_t count,
             uint64_t until_ns, struct ref_outcome *out);

#endif
