#include "remote/tcp_reading.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"

static double field_u32(const struct tcp_info *ti, size_t len, size_t offset)
{
    uint32_t v;
    if (offset + sizeof(v) > len) {
        return NAN;
    }
    memcpy(&v, (const char *)ti + offset, sizeof(v));
    return v;
}

static double field_u64(const struct tcp_info *ti, size_t len, size_t offset)
{
    uint64_t v;
    if (offset + sizeof(v) > len) {
        return NAN;
    }
    memcpy(&v, (const char *)ti + offset, sizeof(v));
    return v == UINT64_MAX ? (double)NAN : (double)v; /* ~0: not limited */
}

#define U32(name) field_u32(ti, len, offsetof(struct tcp_info, tcpi_##name))
#define U64(name) field_u64(ti, len, offsetof(struct tcp_info, tcpi_##name))

static void decode_info(const struct tcp_info *ti, size_t len, struct tcp_reading *out)
{
    double srtt = U32(rtt), min_rtt = U32(min_rtt);
    bool has_rtt = srtt > 0; /* 0: no round trip measured yet */
    out->cwnd_pkts = U32(snd_cwnd);
    out->cwnd_bytes = out->cwnd_pkts * U32(snd_mss);
    out->srtt_us = has_rtt ? srtt : (double)NAN;
    out->rttvar_us = has_rtt ? U32(rttvar) : (double)NAN;
    out->min_rtt_us = min_rtt < UINT32_MAX ? min_rtt : (double)NAN; /* ~0: none in the window */
    out->delivery_rate_bps = U64(delivery_rate) * 8;
    out->pacing_rate_bps = U64(pacing_rate) * 8;
    out->bytes_acked = U64(bytes_acked);
    out->bytes_sent = U64(bytes_sent);
    out->retrans = U32(total_retrans);
    out->lost = U32(lost);
    out->delivered = U32(delivered);
    out->delivered_ce = U32(delivered_ce);
}

static void format_end(int family, const void *address, uint16_t port, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    inet_ntop(family, address, text, sizeof(text));
    snprintf(out, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

bool tcp_reading_decode(const void *msg, size_t len, struct tcp_reading *out)
{
    struct inet_diag_msg head;
    bool has_info = false;
    *out = (struct tcp_reading){0};
    if (len < sizeof(head)) {
        return false;
    }
    memcpy(&head, msg, sizeof(head));
    if (head.idiag_family != AF_INET && head.idiag_family != AF_INET6) {
        return false;
    }
    out->cookie = (uint64_t)head.id.idiag_cookie[1] << 32 | head.id.idiag_cookie[0];
    out->local_port = ntohs(head.id.idiag_sport);
    out->remote_port = ntohs(head.id.idiag_dport);
    format_end(head.idiag_family, head.id.idiag_src, out->local_port, out->local,
               sizeof(out->local));
    format_end(head.idiag_family, head.id.idiag_dst, out->remote_port, out->remote,
               sizeof(out->remote));

    size_t at = NLMSG_ALIGN(sizeof(head));
    struct rtattr attr;
    while (at + sizeof(attr) <= len) {
        memcpy(&attr, (const char *)msg + at, sizeof(attr));
        if (attr.rta_len < sizeof(attr) || attr.rta_len > len - at) {
            break;
        }
        const char *data = (const char *)msg + at + RTA_LENGTH(0);
        size_t data_len = attr.rta_len - RTA_LENGTH(0);
        if (attr.rta_type == INET_DIAG_INFO) {
            struct tcp_info ti = {0};
            size_t n = data_len < sizeof(ti) ? data_len : sizeof(ti);
            memcpy(&ti, data, n);
            decode_info(&ti, n, out);
            has_info = true;
        } else if (attr.rta_type == INET_DIAG_CONG) {
            char name[sizeof(out->cc)] = {0};
            memcpy(name, data, data_len < sizeof(name) ? data_len : sizeof(name) - 1);
            log_escape(name, out->cc, sizeof(out->cc));
        }
        at += RTA_ALIGN(attr.rta_len);
    }
    return has_info;
}

bool tcp_reading_has_peer(const struct tcp_reading *r, const char *address)
{
    static const char mapped[] = "[::ffff:";
    const char *peer = r->remote;
    size_t skip = strncmp(peer, mapped, sizeof(mapped) - 1) == 0 && strchr(peer, '.')
                      ? sizeof(mapped) - 1
                      : (size_t)(peer[0] == '[');
    size_t len = strlen(address);
    peer += skip;
    return strncmp(peer, address, len) == 0 && peer[len] == (skip ? ']' : ':');
}
