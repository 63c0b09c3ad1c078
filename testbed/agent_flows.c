#include "testbed/agent_flows.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PACING_MAX_BPS 1e12

static void write_address(char out[AGENT_ADDRESS_MAX], uint16_t family, const uint8_t *address,
                          uint16_t port)
{
    /* An IPv4 connection of an IPv6 socket, ::ffff:a.b.c.d, is shown as what it is on the wire. */
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    bool is_v6 = family == AF_INET6;

    if (is_v6 && memcmp(address, mapped, sizeof mapped) == 0) {
        is_v6 = false;
        address += sizeof mapped;
    }
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, address, text, sizeof text);
    snprintf(out, AGENT_ADDRESS_MAX, is_v6 ? "[%s]:%u" : "%s:%u", text, port);
}

static void close_flow(struct agent_flows *t, struct agent_flow *f, const struct agent_sample *last,
                       const struct agent_handlers *h, void *user)
{
    if (h->close)
        h->close(user, f, last);
    *f = (struct agent_flow){0};
    t->open--;
}

static void open_flow(struct agent_flows *t, struct agent_flow *f, const struct agent_open *o,
                      const struct agent_handlers *h, void *user)
{
    if (f->is_open)
        close_flow(t, f, NULL, h, user);
    *f = (struct agent_flow){
        .is_open = true, .slot = o->h.slot, .generation = o->h.generation, .netns = o->netns};
    write_address(f->local, o->family, o->local, o->local_port);
    write_address(f->remote, o->family, o->remote, o->remote_port);
    t->open++;
    if (h->open)
        h->open(user, f);
}

void agent_flows_take(struct agent_flows *t, const void *record, size_t len,
                      const struct agent_handlers *h, void *user)
{
    const struct agent_header *head = record;

    if (len < sizeof *head || head->slot >= AGENT_SLOTS) {
        t->strange++;
        return;
    }
    struct agent_flow *f = &t->at[head->slot];
    bool is_known = f->is_open && f->generation == head->generation;
    if (head->kind == AGENT_OPEN && len >= sizeof(struct agent_open) && !is_known)
        open_flow(t, f, record, h, user);
    else if (head->kind == AGENT_SAMPLE && len >= sizeof(struct agent_sample) && is_known) {
        if (h->sample)
            h->sample(user, f, record);
    } else if (head->kind == AGENT_CLOSE && len >= sizeof(struct agent_sample) && is_known)
        close_flow(t, f, record, h, user);
    else
        t->strange++;
}

bool agent_decision_from(double cwnd, double pacing_bps, struct agent_decision *out)
{
    if (isnan(cwnd) || isnan(pacing_bps))
        return false;
    *out = (struct agent_decision){
        .cwnd = (uint32_t)fmin(fmax(round(cwnd), 0), UINT32_MAX),
        .pacing_rate = (uint64_t)ceil(fmin(fmax(pacing_bps, 0), PACING_MAX_BPS) / 8)};
    return true;
}
