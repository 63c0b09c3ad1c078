/* In place of agent.c where libbpf or clang was missing at build time. */
#include "testbed/agent.h"

enum status agent_start(const struct agent_opts *opts, const struct agent_handlers *h, void *user,
                        struct agent **out, struct error *err)
{
    (void)opts, (void)h, (void)user;
    *out = NULL;
    error_set(err, STATUS_UNAVAILABLE, "agent", "this program was built without BPF");
    error_hint(err, "install the packages libbpf-dev and clang, then build again");
    return STATUS_UNAVAILABLE;
}

void agent_stop(struct agent *a)
{
    (void)a;
}

int agent_fd(const struct agent *a)
{
    (void)a;
    return -1;
}

size_t agent_take(struct agent *a)
{
    (void)a;
    return 0;
}

bool agent_decide(struct agent *a, uint32_t slot, double cwnd, double pacing_bps)
{
    (void)a, (void)slot, (void)cwnd, (void)pacing_bps;
    return false;
}

const struct agent_flows *agent_get_flows(const struct agent *a)
{
    (void)a;
    return NULL;
}

uint64_t agent_dropped(const struct agent *a)
{
    (void)a;
    return 0;
}
