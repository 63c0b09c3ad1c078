/* Registration of our BPF congestion controls (bpf/) with the kernel. Two implementations: with
 * libbpf, and one for builds without it that only says so. */
#ifndef CCALAB_TESTBED_PRAGUE_BPF_H
#define CCALAB_TESTBED_PRAGUE_BPF_H

#include "core/error.h"

/* Load a program, "bpf_prague" or "bpf_dctcp", and register it through a BPF link: *link_fd (caller
 * closes) is the only thing that keeps it alive. Errors: STATUS_UNAVAILABLE (not built, no root, no
 * BTF, kernel too old or its operations not those we know, the kernel's own reason), each with a
 * hint; *link_fd is then -1. */
CCALAB_MUST_USE enum status prague_bpf_register(const char *name, int *link_fd, struct error *err);

#endif
