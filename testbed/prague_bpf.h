/* Registration of our BPF congestion controls (bpf/) with the kernel. Two implementations: with
 * libbpf, and one for builds without it that only says so. */
#ifndef CCALAB_TESTBED_PRAGUE_BPF_H
#define CCALAB_TESTBED_PRAGUE_BPF_H

#include <stdbool.h>

#include "core/error.h"

struct btf; /* libbpf's */
struct bpf_object;

/* What a kernel's BTF says of its congestion controls. */
struct prague_kernel {
    bool has_link;             /* registration by BPF link, Linux 6.4; else only for good */
    bool has_old_cong_control; /* cong_control(sk, rs), before Linux 6.10 */
};

/* Read it off. Errors: STATUS_UNAVAILABLE with a hint: an operation that our programs have is not
 * there, or takes other parameters than we know of; such a kernel must not get a program that takes
 * one parameter for another. Only where libbpf is. */
CCALAB_MUST_USE enum status prague_bpf_look(const struct btf *btf, struct prague_kernel *kernel,
                                            struct error *err);

/* May this process load one, and what is the running kernel like? Errors: STATUS_UNAVAILABLE (no
 * root, no BTF, operations that we do not know), with a hint. Only where libbpf is. */
CCALAB_MUST_USE enum status prague_bpf_prepare(struct prague_kernel *kernel, struct error *err);

/* The kernel's hold on a program; zeroed is none. */
struct prague_bpf {
    bool is_registered, has_link;
    int fd;       /* BPF link, or the map of operations where there are no links */
    int owner_fd; /* without links: what tells other processes that this one lives */
};

/* Load a program, "bpf_prague", "bpf_prague_fb" or "bpf_dctcp", and register it. By a link where
 * the kernel has them: then it goes with this process, however that ends. Else it stays until
 * prague_bpf_unregister() or prague_bpf_sweep(). `kernel` NULL: as the running kernel's BTF says.
 * Errors: STATUS_UNAVAILABLE (not built, no root, no BTF, operations that we do not know, the
 * kernel's own reason), each with a hint; *b is then none. */
CCALAB_MUST_USE enum status prague_bpf_register(const char *name,
                                                const struct prague_kernel *kernel,
                                                struct prague_bpf *b, struct error *err);
/* The two steps of it, for who needs the object's other maps: load the opened object, and register
 * its operations `name`. The object stays the caller's. Only where libbpf is. */
CCALAB_MUST_USE enum status prague_bpf_load(struct bpf_object *obj, const char *name,
                                            const struct prague_kernel *kernel, struct error *err);
CCALAB_MUST_USE enum status prague_bpf_attach(struct bpf_object *obj, const char *name,
                                              const struct prague_kernel *kernel,
                                              struct prague_bpf *b, struct error *err);
/* Take it back; nothing if there is none. Sockets that use it live on until they close. */
void prague_bpf_unregister(struct prague_bpf *b);
/* Take back what a process that has ended registered without a link. True if there was such a
 * registration and it is gone; what a living process holds is never touched. */
bool prague_bpf_sweep(const char *name);

#endif
