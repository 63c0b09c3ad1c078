#include "testbed/agent.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/embed.h"
#include "testbed/prague.h"

EMBED_DECLARE(ccalab_netllm_bpf);
EMBED_DECLARE(ccalab_netllm_bpf_old);

#define DECISIONS_BYTES (AGENT_SLOTS * sizeof(struct agent_decision))

struct agent {
    struct agent_flows flows;
    const struct agent_handlers *handlers;
    void *user;
    struct bpf_object *object;
    struct prague_bpf registration;
    struct ring_buffer *ring;
    struct agent_decision *decisions; /* mapped: the kernel's own memory */
    int events_fd, dropped_fd;
};

static enum status failed(struct error *err, int sys_errno, const char *what)
{
    return error_sys(err, STATUS_UNAVAILABLE, sys_errno, "agent", "%s", what);
}

static int map_fd(const struct agent *a, const char *name)
{
    return bpf_object__find_map_fd_by_name(a->object, name);
}

static int on_record(void *ctx, void *data, size_t len)
{
    struct agent *a = ctx;
    agent_flows_take(&a->flows, data, len, a->handlers, a->user);
    return 0;
}

static enum status open_maps(struct agent *a, const struct agent_opts *opts, struct error *err)
{
    struct agent_settings settings = {.interval_us = opts->interval_us, .ect = opts->ect};
    uint32_t zero = 0;

    if (bpf_map_update_elem(map_fd(a, "settings"), &zero, &settings, 0) != 0)
        return failed(err, errno, "the BPF program's settings cannot be written");
    void *mapped =
        mmap(NULL, DECISIONS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(a, "decisions"), 0);
    if (mapped == MAP_FAILED)
        return failed(err, errno, "the array of decisions cannot be mapped");
    a->decisions = mapped;
    a->events_fd = map_fd(a, "events");
    a->ring = ring_buffer__new(a->events_fd, on_record, a, NULL);
    if (!a->ring)
        return failed(err, errno, "the ring buffer cannot be mapped");
    a->dropped_fd = map_fd(a, "dropped");
    return STATUS_OK;
}

enum status agent_start(const struct agent_opts *opts, const struct agent_handlers *h, void *user,
                        struct agent **out, struct error *err)
{
    struct prague_kernel kernel;
    enum status st;

    *out = NULL;
    if ((st = prague_bpf_prepare(&kernel, err)))
        return st;
    if (!kernel.has_link) {
        error_set(err, STATUS_UNAVAILABLE, "agent",
                  "this kernel has no BPF links for congestion controls");
        error_hint(err, "driving flows needs Linux 6.4 or newer; for Debian 12 bookworm-backports "
                        "has it: linux-image-amd64");
        return STATUS_UNAVAILABLE;
    }
    if (prague_is_available(AGENT_CC)) {
        error_set(err, STATUS_UNAVAILABLE, "agent",
                  "a congestion control '%s' is registered already", AGENT_CC);
        error_hint(err, "another `netllm drive` runs on this machine: end it first");
        return STATUS_UNAVAILABLE;
    }
    struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return error_set(err, STATUS_NOMEM, "agent", "no memory");
    a->handlers = h;
    a->user = user;
    const char *ops = opts->ect == AGENT_NOT_ECT ? "netllm_no_ecn" : "netllm_ecn";
    a->object =
        kernel.has_old_cong_control
            ? bpf_object__open_mem(ccalab_netllm_bpf_old_data, ccalab_netllm_bpf_old_size, NULL)
            : bpf_object__open_mem(ccalab_netllm_bpf_data, ccalab_netllm_bpf_size, NULL);
    if ((st = prague_bpf_load(a->object, ops, &kernel, err)) || (st = open_maps(a, opts, err)) ||
        (st = prague_bpf_attach(a->object, ops, &kernel, &a->registration, err)))
        agent_stop(a);
    else
        *out = a;
    if (st == STATUS_UNAVAILABLE && err)
        error_hint(err, "driving flows needs root and Linux 6.4 or newer, with CONFIG_BPF_JIT and "
                        "CONFIG_DEBUG_INFO_BTF");
    return st;
}

void agent_stop(struct agent *a)
{
    if (!a)
        return;
    prague_bpf_unregister(&a->registration);
    ring_buffer__free(a->ring);
    if (a->decisions)
        munmap(a->decisions, DECISIONS_BYTES);
    bpf_object__close(a->object);
    free(a);
}

int agent_fd(const struct agent *a)
{
    return a->events_fd;
}

size_t agent_take(struct agent *a)
{
    int n = ring_buffer__consume(a->ring);
    return n > 0 ? (size_t)n : 0;
}

bool agent_decide(struct agent *a, uint32_t slot, double cwnd, double pacing_bps)
{
    struct agent_flow *f = &a->flows.at[slot];
    struct agent_decision *d = &a->decisions[slot], wanted;

    if (!f->is_open || !agent_decision_from(cwnd, pacing_bps, &wanted))
        return false;
    f->seq = f->seq == UINT32_MAX ? 1 : f->seq + 1;
    __atomic_store_n(&d->cwnd, wanted.cwnd, __ATOMIC_RELAXED);
    __atomic_store_n(&d->pacing_rate, wanted.pacing_rate, __ATOMIC_RELAXED);
    __atomic_store_n(&d->t_ns, clock_mono_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&d->stamp, (uint64_t)f->generation << 32 | f->seq, __ATOMIC_RELEASE);
    return true;
}

const struct agent_flows *agent_get_flows(const struct agent *a)
{
    return &a->flows;
}

uint64_t agent_dropped(const struct agent *a)
{
    uint32_t zero = 0;
    uint64_t count = 0;
    return bpf_map_lookup_elem(a->dropped_fd, &zero, &count) == 0 ? count : 0;
}
