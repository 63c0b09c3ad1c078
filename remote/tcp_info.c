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
#include "core/event_line.h"
#include "core/netns.h"
#include "core/units.h"
#include "remote/tcp_flows.h"

#define SUBSYSTEM       "tcp-info"
#define INTERVAL_MIN_US 10000ull
#define INTERVAL_MAX_US 3600000000ull
#define ANSWER_TIME_S   2
#define LINE_MAX_BYTES  (4u << 20) /* of an event */

/* enum of the kernel's include/net/tcp_states.h; <netinet/tcp.h> has it too, but cannot be included
 * together with <linux/tcp.h>. The states in which sent data may still be unacknowledged. */
enum { ESTABLISHED = 1, FIN_WAIT1 = 4, CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11 };
#define STATES                                                                                     \
    (1u << ESTABLISHED | 1u << FIN_WAIT1 | 1u << CLOSE_WAIT | 1u << LAST_ACK | 1u << CLOSING)

static const char usage[] =
    "usage: ccalab tcp-info --label NAME (--dport PORT | --sport PORT) [--peer ADDRESS]\n"
    "                       [--interval TIME] [--duration TIME] [--netns PATH]\n"
    "\n"
    "Read cwnd, RTT, rates and ECN feedback of the TCP flows that this host sends, until SIGINT,\n"
    "SIGTERM or the end of the duration. Speaks events (docs/events.md): a sample for each flow "
    "in\n"
    "every interval, the flows seen as the result.\n"
    "\n"
    "      --label NAME      name of the series; further flows are NAME#2, NAME#3, ...\n"
    "      --dport PORT      flows to this remote port (a client)\n"
    "      --sport PORT      flows from this local port (a server)\n"
    "      --peer ADDRESS    only those whose other end has this address\n"
    "      --interval TIME   10ms to 3600s (default 100ms)\n"
    "      --duration TIME   stop after it: 90 (seconds), 1.5, 500ms\n"
    "      --netns PATH      in this network namespace, for example /run/netns/NAME\n"
    "      --help            this text\n";

struct sampler {
    const char *netns;
    struct tcp_flows flows;
    uint64_t interval_ns;
    uint64_t duration_us; /* 0: until a signal */
    int fd;
    uint32_t seq;
    bool has_warned; /* of too many flows */
    struct buf line;
};

/* --- asking it -------------------------------------------------------------------------------- */

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
                 .id = {.idiag_sport = htons(s->flows.sport),
                        .idiag_dport = htons(s->flows.dport)}},
    };
    if (send(s->fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask)) {
        return error_sys(err, STATUS_HOST, errno, SUBSYSTEM, "cannot ask for the sockets");
    }
    return STATUS_OK;
}

static void sampler_take(struct sampler *s, const struct tcp_reading *r, double t, uint64_t now_ns)
{
    struct event_value values[TCP_VALUES];
    const struct tcp_flow *flow = tcp_flows_take(&s->flows, r, now_ns, values);
    if (flow) {
        event_line_sample(&s->line, t, flow->src, values, TCP_VALUES);
        event_line_flush(&s->line, stdout);
    } else if (s->flows.is_full && !s->has_warned) {
        event_line_log(&s->line, "warn", "too many flows: the rest is not sampled");
        event_line_flush(&s->line, stdout);
        s->has_warned = true;
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
            event_line_state(&s->line, "up");
            event_line_flush(&s->line, stdout);
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
        tcp_flows_result(&s->flows, &s->line);
        event_line_flush(&s->line, stdout);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
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
        {"label", required_argument, NULL, 'l'},
        {"dport", required_argument, NULL, 'd'},
        {"sport", required_argument, NULL, 's'},
        {"interval", required_argument, NULL, 'i'},
        {"duration", required_argument, NULL, 't'},
        {"netns", required_argument, NULL, 'n'},
        {"peer", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    enum status st;
    uint64_t number = 0;
    int opt;
    *is_done = false;
    optind = 0; /* glibc: start afresh */
    while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (opt) {
        case 'l':
            s->flows.label = optarg;
            break;
        case 'd':
        case 's':
            st = parse_count(optarg, opt == 'd' ? "--dport" : "--sport", 1, 65535, &number, err);
            if (st != STATUS_OK) {
                return st;
            }
            *(opt == 'd' ? &s->flows.dport : &s->flows.sport) = (uint16_t)number;
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
        case 'p':
            s->flows.peer = optarg;
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
    if (!s->flows.label || !*s->flows.label || strlen(s->flows.label) > TCP_LABEL_MAX) {
        return usage_error(err, "name the series: --label NAME, at most 64 bytes");
    }
    if (!s->flows.dport == !s->flows.sport) {
        return usage_error(err, "which flows? Either --dport PORT or --sport PORT");
    }
    return STATUS_OK;
}

int tcp_info_main(int argc, char **argv)
{
    struct sampler s = {.fd = -1, .interval_ns = 100000000};
    struct error err = {0};
    bool is_done;
    buf_init(&s.line, LINE_MAX_BYTES);
    enum status st = parse_options(argc, argv, &s, &is_done, &err);
    if (st == STATUS_OK && !is_done) {
        st = sampler_run(&s, &err);
    }
    if (st != STATUS_OK) {
        event_line_error(&s.line, &err);
        event_line_flush(&s.line, stdout);
        error_print(stderr, &err);
    }
    tcp_flows_done(&s.flows);
    buf_done(&s.line);
    return status_exit_code(st);
}
