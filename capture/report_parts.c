#include "capture/report_parts.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

const char *report_proto(const struct ecn_flow *f)
{
    switch (f->flow->proto) {
    case PROTO_TCP:
        return "tcp";
    case PROTO_UDP:
        return "udp";
    default:
        return "sctp";
    }
}

struct endpoint report_endpoint(const struct ecn_flow *f, int side)
{
    struct endpoint e;
    bool is_v4 = f->flow->ip_version == 4;
    inet_ntop(is_v4 ? AF_INET : AF_INET6, f->flow->addr[side], e.addr, sizeof(e.addr));
    snprintf(e.text, sizeof(e.text), is_v4 ? "%s:%u" : "[%s]:%u", e.addr, f->flow->port[side]);
    return e;
}

void report_time(int64_t ns, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64 ".%09" PRId64, ns / NS_PER_S, ns % NS_PER_S);
}

void report_number(double v, char *out, size_t size)
{
    snprintf(out, size, "%.15g", v);
    if (strtod(out, NULL) != v)
        snprintf(out, size, "%.17g", v);
}

bool report_has_other(const struct ecn *e)
{
    return ecn_dir_frames(&e->other) > 0;
}

static int by_bytes(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->index > y->index ? 1 : -1;
}

static int by_index(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    return x->index > y->index ? 1 : -1;
}

struct rank *report_flows(const struct report *r, bool is_by_bytes, uint32_t *n, uint32_t *omitted)
{
    uint32_t count = ecn_flow_count(r->ecn), found = 0;
    struct rank *ranks = malloc(((size_t)count + 1) * sizeof(*ranks));
    *n = *omitted = 0;
    if (ranks == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct ecn_flow *f = ecn_flow_at(r->ecn, i);
        if (f->flow == NULL || ecn_dir_frames(&f->dir[0]) + ecn_dir_frames(&f->dir[1]) == 0)
            continue; /* known by an ICMP error only */
        ranks[found++] = (struct rank){i, ecn_dir_bytes(&f->dir[0]) + ecn_dir_bytes(&f->dir[1])};
    }
    *n = r->max_flows != 0 && found > r->max_flows ? r->max_flows : found;
    *omitted = found - *n;
    if (is_by_bytes || *omitted > 0)
        qsort(ranks, found, sizeof(*ranks), by_bytes);
    if (!is_by_bytes && *omitted > 0)
        qsort(ranks, *n, sizeof(*ranks), by_index);
    return ranks;
}
