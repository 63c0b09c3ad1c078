/* Registration of BPF Prague (bpf/prague.bpf.c) with the kernel. Two implementations: with libbpf,
 * and one for builds without it that only says so. */
#ifndef CCALAB_TESTBED_PRAGUE_BPF_H
#define CCALAB_TESTBED_PRAGUE_BPF_H

#include "core/error.h"

/* Load the program and register it through a BPF link: *link_fd (caller closes) is the only thing
 * that keeps it alive. Errors: STATUS_UNAVAILABLE (not built, no root, no BTF, kernel too old, the
 * kernel's own reason), each with a hint. */
CCALAB_MUST_USE enum status prague_bpf_register(int *link_fd, struct error *err);

#endif
