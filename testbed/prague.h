/* The scalable congestion controls of the lab, TCP Prague and DCTCP: the kernel's own where it has
 * them, else our BPF programs, else a refusal that says what to do. */
#ifndef CCALAB_TESTBED_PRAGUE_H
#define CCALAB_TESTBED_PRAGUE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/error.h"
#include "testbed/prague_bpf.h"

enum prague_kind {
    PRAGUE_KIND_PRAGUE,
    PRAGUE_KIND_FALLBACK, /* Prague that falls back behind classic ECN queues; only as BPF */
    PRAGUE_KIND_DCTCP,
    PRAGUE_KINDS
};
enum prague_source { PRAGUE_SOURCE_NONE, PRAGUE_SOURCE_KERNEL, PRAGUE_SOURCE_BPF };

struct prague {
    struct {
        enum prague_source source;
        struct error refusal;  /* why there is none, if source is NONE */
        bool is_borrowed;      /* registered by another lab's keeper; gone when that one ends */
        struct prague_bpf bpf; /* our own registration; only if BPF and not borrowed */
    } cc[PRAGUE_KINDS];
};

/* Find them or register ours. Always fills *p (zeroed is a valid state too: nothing started);
 * having none is no failure, the lab is useful without. Registration is machine-wide
 * (tcp_available_congestion_control of every namespace). The kernel takes it back when this process
 * ends, however it ends; before Linux 6.4 only prague_stop() does, or the next prague_start() or
 * prague_sweep() if this process was killed. */
void prague_start(struct prague *p);
/* To be called now and then: register ourselves what was borrowed from a lab that has ended. True
 * if anything changed, whether it worked or not: then prague_json() says what there is now. Reads
 * one file of /proc if something is borrowed, else does nothing. */
bool prague_retry(struct prague *p);
/* Take the registrations back. Sockets that use them live on until they close. */
void prague_stop(struct prague *p);

/* Take back what a killed keeper has left registered, on kernels where that stays. True if there
 * was any. Registrations of living labs are not touched. */
bool prague_sweep(void);

/* Why there is no TCP Prague; NULL if there is. */
const struct error *prague_refusal(const struct prague *p);
/* TCP Prague: {"cc","label","source"} and, where they apply, "note" or "reason" and "hint". `cc`
 * (the name for TCP_CONGESTION) and the others are null if there is none. Caller deletes. */
cJSON *prague_json(const struct prague *p);
/* All there are, as a list of the same objects, without those that there are not. */
cJSON *prague_ccs_json(const struct prague *p);

/* Is `name` among the words of tcp_available_congestion_control? */
bool prague_is_available(const char *name);
/* Was this program built with the BPF programs? */
bool prague_is_built(void);

#endif
