#include "remote/tcp_info.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/netns.h"
#include "core/units.h"

#define SUBSYSTEM       "tcp-info"
#define INTERVAL_MIN_US 10000ull
#define INTERVAL_MAX_US 3600000000ull
#define LABEL_MAX       64
#define FLOWS_MAX       1024
#define ANSWER_TIME_S   2
/* A flow is shown once it has sent this much. iperf3 opens a control connection to the same port,
 * which carries its parameters and results: a few hundred bytes a stream. */
#define DATA_BYTES 32768

/* enum of the kernel's include/net/tcp_states.h; <netinet/tcp.h> has it too, but cannot be included
 * together with <linux/tcp.h>. The states in which sent data may still be unacknowledged. */
enum { ESTABLISHED = 1, FIN_WAIT1 = 4, CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11 };
#define STATES                                                                                     \
    (1u << ESTABLISHED | 1u << FIN_WAIT1 | 1u << CLOSE_WAIT | 1u << LAST_ACK | 1u << CLOSING)

static const char usage[] =
    "usage: ccalab tcp-info --label NAME (--dport PORT | --sport PORT) [--interval TIME]\n"
    "                       [--duration TIME] [--netns PATH]\n"
    "\n"
    "Read cwnd, RTT, rates and ECN feedback of the TCP flows that this host sends, until SIGINT,\n"
    "SIGTERM or the end of the duration. Speaks events (docs/events.md): a sample for each flow "
    "in\n"
    "every interval, the flows seen as the result.\n"
    "\n"
    "      --label NAME      name of the series; further flows are NAME#2, NAME#3, ...\n"
    "      --dport PORT      flows to this remote port (a client)\n"
    "      --sport PORT      flows from this local port (a server)\n"
    "      --interval TIME   10ms to 3600s (default 100ms)\n"
    "      --duration TIME   stop after it: 90 (seconds), 1.5, 500ms\n"
    "      --netns PATH      in this network namespace, for example /run/netns/NAME\n"
    "      --help            this text\n";

/* --- reading the kernel's answer -------------------------------------------------------------- */

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

/* --- asking it -------------------------------------------------------------------------------- */

struct flow {
    uint64_t cookie;
    char src[LABEL_MAX + 16];
    struct tcp_reading last;
    uint64_t last_ns; /* monotonic time of that reading */
    uint64_t samples;
};

struct sampler {
    const char *label, *netns;
    uint16_t dport, sport; /* one of them is 0 */
    uint64_t interval_ns;
    uint64_t duration_us; /* 0: until a signal */
    int fd;
    uint32_t seq;
    struct flow *flows;
    size_t nflows, flows_cap;
    bool has_dropped; /* there were more than FLOWS_MAX */
    uint64_t samples;
};

static enum status diag_open(struct sampler *s, struct error *err)
{
    struct timeval limit = {.tv_sec = ANSWER_TIME_S};
    s->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) {
        error_sys(err, STATUS_UNAVAILABLE, errno, SUBSYSTEM, "no NETLINK_SOCK_DIAG socket");
        return error_hint(err, "the kernel needs CONFIG_INET_DIAG (module inet_diag)");
    }
    return STATUS_OK;
}

/* The kernel compares the ports before it sends anything (inet_diag.c, dump): no bytecode needed.
 */
static enum status diag_ask(struct sampler *s, int family, struct error *err)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } ask = {
        .head = {.nlmsg_len = sizeof(ask),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = ++s->seq},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1),
                 .idiag_states = STATES,
                 .id = {.idiag_sport = htons(s->sport), .idiag_dport = htons(s->dport)}},
    };
    if (send(s->fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask)) {
        return error_sys(err, STATUS_HOST, errno, SUBSYSTEM, "cannot ask for the sockets");
    }
    return STATUS_OK;
}

static struct flow *flow_find(struct sampler *s, uint64_t cookie)
{
    for (size_t i = 0; i < s->nflows; i++) {
        if (s->flows[i].cookie == cookie) {
            return &s->flows[i];
        }
    }
    return NULL;
}

/* NULL when there are too many. */
static struct flow *flow_add(struct sampler *s, uint64_t cookie)
{
    if (s->nflows == s->flows_cap && s->flows_cap < FLOWS_MAX) {
        size_t cap = s->flows_cap ? s->flows_cap * 2 : 8;
        struct flow *larger = realloc(s->flows, cap * sizeof(*larger));
        if (larger) {
            s->flows = larger;
            s->flows_cap = cap;
        }
    }
    if (s->nflows == s->flows_cap) {
        if (!s->has_dropped) {
            event_write_log(stdout, LOG_LEVEL_WARN, "more than %zu flows: the rest is not sampled",
                            s->nflows);
        }
        s->has_dropped = true;
        return NULL;
    }
    struct flow *f = &s->flows[s->nflows++];
    *f = (struct flow){.cookie = cookie};
    if (s->nflows == 1) {
        snprintf(f->src, sizeof(f->src), "%s", s->label);
    } else {
        snprintf(f->src, sizeof(f->src), "%s#%zu", s->label, s->nflows);
    }
    return f;
}

static void say_sample(struct flow *f, const struct tcp_reading *r, double t, uint64_t now_ns)
{
    double throughput = NAN;
    if (f->samples > 0 && now_ns > f->last_ns && r->bytes_acked >= f->last.bytes_acked) {
        throughput =
            (r->bytes_acked - f->last.bytes_acked) * 8 * 1e9 / (double)(now_ns - f->last_ns);
    }
    cJSON *v = cJSON_CreateObject();
    json_add_num(v, "cwnd_bytes", r->cwnd_bytes);
    json_add_num(v, "cwnd_pkts", r->cwnd_pkts);
    json_add_num(v, "srtt_us", r->srtt_us);
    json_add_num(v, "min_rtt_us", r->min_rtt_us);
    json_add_num(v, "rttvar_us", r->rttvar_us);
    json_add_num(v, "delivery_rate_bps", r->delivery_rate_bps);
    json_add_num(v, "pacing_rate_bps", r->pacing_rate_bps);
    json_add_num(v, "throughput_bps", throughput);
    json_add_num(v, "bytes_acked", r->bytes_acked);
    json_add_num(v, "retrans", r->retrans);
    json_add_num(v, "lost", r->lost);
    json_add_num(v, "delivered", r->delivered);
    json_add_num(v, "delivered_ce", r->delivered_ce);
    event_write_sample(stdout, t, f->src, v);
}

static void sampler_take(struct sampler *s, const struct tcp_reading *r, double t, uint64_t now_ns)
{
    if ((s->dport && r->remote_port != s->dport) || (s->sport && r->local_port != s->sport)) {
        return;
    }
    struct flow *f = flow_find(s, r->cookie);
    double sent = isnan(r->bytes_sent) ? r->bytes_acked : r->bytes_sent; /* Linux < 4.19 */
    if (!f && sent >= DATA_BYTES) {
        f = flow_add(s, r->cookie);
    }
    if (f) {
        say_sample(f, r, t, now_ns);
        f->last = *r;
        f->last_ns = now_ns;
        f->samples++;
        s->samples++;
    }
}

/* Take the answers to the last question, up to its end. */
static enum status diag_read(struct sampler *s, double t, uint64_t now_ns, struct error *err)
{
    static union {
        struct nlmsghdr align;
        char bytes[65536]; /* the kernel fills at most 32 KiB at once */
    } buf;
    for (;;) {
        ssize_t got = recv(s->fd, &buf, sizeof(buf), 0);
        if (got < 0) {
            return error_sys(err, STATUS_HOST, errno, SUBSYSTEM, "no answer about the sockets");
        }
        int left = (int)got; /* NLMSG_NEXT may take it below 0 */
        for (struct nlmsghdr *h = &buf.align; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_seq != s->seq) {
                continue; /* of a question given up */
            }
            if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
                int code = 0;
                if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(code))) {
                    memcpy(&code, NLMSG_DATA(h), sizeof(code));
                }
                if (code < 0) {
                    error_sys(err, STATUS_UNAVAILABLE, -code, SUBSYSTEM,
                              "the kernel does not list TCP sockets");
                    return error_hint(err, "it needs CONFIG_INET_TCP_DIAG (module tcp_diag)");
                }
                return STATUS_OK;
            }
            struct tcp_reading r;
            if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
                tcp_reading_decode(NLMSG_DATA(h), h->nlmsg_len - NLMSG_LENGTH(0), &r)) {
                sampler_take(s, &r, t, now_ns);
            }
        }
    }
}

static enum status sampler_tick(struct sampler *s, struct error *err)
{
    static const int families[] = {AF_INET, AF_INET6};
    double t = clock_wall_s();
    uint64_t now_ns = clock_mono_ns();
    for (int i = 0; i < 2; i++) {
        enum status st = diag_ask(s, families[i], err);
        st = st == STATUS_OK ? diag_read(s, t, now_ns, err) : st;
        if (st != STATUS_OK) {
            return st;
        }
    }
    return ferror(stdout) ? error_set(err, STATUS_IO, SUBSYSTEM, "nobody reads the events any more")
                          : STATUS_OK;
}

static void say_result(const struct sampler *s)
{
    cJSON *data = cJSON_CreateObject();
    cJSON_AddStringToObject(data, "state", "down");
    cJSON_AddNumberToObject(data, "samples", (double)s->samples);
    cJSON *flows = cJSON_AddArrayToObject(data, "flows");
    for (size_t i = 0; i < s->nflows; i++) {
        const struct flow *f = &s->flows[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "src", f->src);
        cJSON_AddStringToObject(o, "local", f->last.local);
        cJSON_AddStringToObject(o, "remote", f->last.remote);
        cJSON_AddStringToObject(o, "cc", f->last.cc);
        json_add_num(o, "samples", (double)f->samples);
        json_add_num(o, "bytes_acked", f->last.bytes_acked);
        cJSON_AddItemToArray(flows, o);
    }
    event_write_result(stdout, data);
}

/* --- the run ---------------------------------------------------------------------------------- */

/* Sleep until a point of monotonic time. True if one of the signals came. */
static bool wait_until(uint64_t until_ns, const sigset_t *signals)
{
    for (;;) {
        struct timespec ts = clock_until(until_ns);
        if (sigtimedwait(signals, NULL, &ts) > 0) {
            return true;
        }
        if (errno == EAGAIN) {
            return false;
        }
    }
}

static enum status sampler_run(struct sampler *s, struct error *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* an error of stdout, then */

    enum status st = s->netns ? netns_enter(s->netns, NULL, err) : STATUS_OK;
    if (st == STATUS_OK) {
        st = diag_open(s, err);
    }
    uint64_t next_ns = clock_mono_ns();
    uint64_t end_ns = s->duration_us > 0 ? next_ns + s->duration_us * 1000 : UINT64_MAX;
    bool is_told = false;
    for (bool is_first = true; st == STATUS_OK && !is_told; is_first = false) {
        st = sampler_tick(s, err);
        if (st == STATUS_OK && is_first) {
            cJSON *data = cJSON_CreateObject();
            cJSON_AddStringToObject(data, "state", "up");
            event_write_result(stdout, data);
        }
        /* The next point of the grid; those missed while we were kept from running are left out. */
        uint64_t now_ns = clock_mono_ns();
        next_ns +=
            s->interval_ns * (now_ns > next_ns ? (now_ns - next_ns) / s->interval_ns + 1 : 1);
        if (st == STATUS_OK && next_ns >= end_ns) {
            (void)wait_until(end_ns, &signals);
            break;
        }
        is_told = st == STATUS_OK && wait_until(next_ns, &signals);
    }
    if (st == STATUS_OK) {
        say_result(s);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    free(s->flows);
    return st;
}

/* --- the command line ------------------------------------------------------------------------- */

static enum status usage_error(struct error *err, const char *message)
{
    error_set(err, STATUS_USAGE, SUBSYSTEM, "%s", message);
    return error_hint(err, "ccalab tcp-info --help");
}

/* *is_done: --help was all that was asked for. */
static enum status parse_options(int argc, char **argv, struct sampler *s, bool *is_done,
                                 struct error *err)
{
    static const struct option options[] = {
        {"label", required_argument, NULL, 'l'},    {"dport", required_argument, NULL, 'd'},
        {"sport", required_argument, NULL, 's'},    {"interval", required_argument, NULL, 'i'},
        {"duration", required_argument, NULL, 't'}, {"netns", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},           {0},
    };
    enum status st;
    uint64_t number = 0;
    int opt;
    *is_done = false;
    optind = 0; /* glibc: start afresh */
    while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (opt) {
        case 'l':
            s->label = optarg;
            break;
        case 'd':
        case 's':
            st = parse_count(optarg, opt == 'd' ? "--dport" : "--sport", 1, 65535, &number, err);
            if (st != STATUS_OK) {
                return st;
            }
            *(opt == 'd' ? &s->dport : &s->sport) = (uint16_t)number;
            break;
        case 'i':
            st = parse_time_us(optarg, &number, err);
            if (st != STATUS_OK) {
                return st;
            }
            if (number < INTERVAL_MIN_US || number > INTERVAL_MAX_US) {
                return usage_error(err, "--interval takes a time from 10ms to 3600s");
            }
            s->interval_ns = number * 1000;
            break;
        case 't':
            st = parse_duration_us(optarg, &s->duration_us, err);
            if (st != STATUS_OK) {
                return st;
            }
            break;
        case 'n':
            s->netns = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            *is_done = true;
            return STATUS_OK;
        default:
            return usage_error(err, "the command line was not understood");
        }
    }
    if (optind != argc) {
        return usage_error(err, "there are arguments too many");
    }
    if (!s->label || !*s->label || strlen(s->label) > LABEL_MAX) {
        return usage_error(err, "name the series: --label NAME, at most 64 bytes");
    }
    if (!s->dport == !s->sport) {
        return usage_error(err, "which flows? Either --dport PORT or --sport PORT");
    }
    return STATUS_OK;
}

int tcp_info_main(int argc, char **argv)
{
    struct sampler s = {.fd = -1, .interval_ns = 100000000};
    struct error err = {0};
    bool is_done;
    enum status st = parse_options(argc, argv, &s, &is_done, &err);
    if (st == STATUS_OK && !is_done) {
        st = sampler_run(&s, &err);
    }
    if (st != STATUS_OK) {
        event_write_error(stdout, &err);
        error_print(stderr, &err);
    }
    return status_exit_code(st);
}
