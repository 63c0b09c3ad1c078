#include "remote/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event_line.h"
#include "core/netns.h"
#include "core/units.h"

#define SUBSYSTEM       "probe"
#define INTERVAL_MIN_US 10000ull
#define INTERVAL_MAX_US 3600000000ull
#define LABEL_MAX       64
#define SLOTS           1024u /* probes under way: LOST_NS of the shortest interval, and more */
#define LOST_NS         2000000000ull
#define RTTS_MAX        (1u << 24)
#define PAYLOAD_BYTES   48

enum { ECHO_REPLY4 = 0, ECHO4 = 8, ECHO6 = 128, ECHO_REPLY6 = 129 };
enum { NOT_ECT = 0, ECT1 = 1, CE = 3 };

static const char usage[] =
    "usage: ccalab probe --to ADDRESS [--label NAME] [--interval TIME] [--duration TIME]\n"
    "                    [--netns PATH]\n"
    "\n"
    "Measure the round-trip time to a host with ICMP echo, half of the requests marked ECT(1) and\n"
    "half Not-ECT, until SIGINT, SIGTERM or the end of the duration. Speaks events\n"
    "(docs/events.md): a sample of NAME/l or NAME/c for each, the percentiles as the result.\n"
    "\n"
    "      --to ADDRESS      IPv4 or IPv6 address\n"
    "      --label NAME      name of the series (default probe)\n"
    "      --interval TIME   between two of the same mark, 10ms to 3600s (default 100ms)\n"
    "      --duration TIME   stop after it: 90 (seconds), 1.5, 500ms\n"
    "      --netns PATH      in this network namespace, for example /run/netns/NAME\n"
    "      --help            this text\n";

struct slot {
    uint64_t sent_ns; /* monotonic; 0: free */
    double sent_s;    /* epoch */
    uint16_t seq;
};

/* The probes of one mark. */
struct train {
    const char *name; /* "l", "c" */
    int ecn;
    int fd;
    bool is_raw;
    uint16_t id, seq;
    uint64_t next_ns, sent, answered, ce;
    struct slot slots[SLOTS];
    float *rtts_us;
    size_t nrtts, rtts_cap;
};

struct prober {
    const char *to, *label, *netns;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    uint64_t interval_ns, duration_us; /* 0: until a signal */
    struct train trains[2];
    struct buf line;
};

/* --- sockets ---------------------------------------------------------------------------------- */

static bool is_ip6(const struct prober *p)
{
    return p->addr.ss_family == AF_INET6;
}

static enum status parse_address(struct prober *p, struct error *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&p->addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->addr;
    if (inet_pton(AF_INET, p->to, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        p->addr_len = sizeof(*v4);
    } else if (inet_pton(AF_INET6, p->to, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        p->addr_len = sizeof(*v6);
    } else {
        error_set(err, STATUS_USAGE, SUBSYSTEM, "--to %.64s is no IP address", p->to);
        return error_hint(err, "names are not looked up: 10.0.2.2, fd00::2");
    }
    return STATUS_OK;
}

/* A ping socket (icmp(7), ping_group_range) where we may have one, else a raw one. */
static enum status train_open(struct train *t, const struct prober *p, struct error *err)
{
    int family = p->addr.ss_family, proto = is_ip6(p) ? IPPROTO_ICMPV6 : IPPROTO_ICMP, one = 1;
    t->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
    if (t->fd < 0) {
        t->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
        t->is_raw = true;
    }
    if (t->fd < 0) {
        error_sys(err, STATUS_UNAVAILABLE, errno, SUBSYSTEM, "cannot send ICMP here");
        return error_hint(err, "let users ping: sysctl -w net.ipv4.ping_group_range='0 "
                               "2147483647', or run it as root");
    }
    int level = is_ip6(p) ? IPPROTO_IPV6 : IPPROTO_IP;
    if (connect(t->fd, (const struct sockaddr *)&p->addr, p->addr_len) != 0) {
        error_sys(err, STATUS_HOST, errno, SUBSYSTEM, "no way to %s", p->to);
        return error_hint(err, "ip route get %s", p->to);
    }
    if (setsockopt(t->fd, level, is_ip6(p) ? IPV6_TCLASS : IP_TOS, &t->ecn, sizeof(t->ecn)) != 0 ||
        setsockopt(t->fd, level, is_ip6(p) ? IPV6_RECVTCLASS : IP_RECVTOS, &one, sizeof(one)) !=
            0 ||
        setsockopt(t->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) != 0) {
        return error_sys(err, STATUS_UNAVAILABLE, errno, SUBSYSTEM, "cannot set the ECN field");
    }
    return STATUS_OK;
}

static uint16_t checksum(const unsigned char *data, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* --- out and in ------------------------------------------------------------------------------- */

static void say_rtt(struct prober *p, const struct train *t, double sent_s, double rtt_us,
                    double is_ce)
{
    char src[LABEL_MAX + 4];
    struct event_value values[] = {{"rtt_us", rtt_us}, {"ce", is_ce}};
    snprintf(src, sizeof(src), "%s/%s", p->label, t->name);
    event_line_sample(&p->line, sent_s, src, values, 2);
    event_line_flush(&p->line, stdout);
}

static void train_send(struct train *t, struct prober *p)
{
    unsigned char msg[8 + PAYLOAD_BYTES] = {is_ip6(p) ? ECHO6 : ECHO4};
    struct slot *slot = &t->slots[t->seq % SLOTS];
    msg[4] = (unsigned char)(t->id >> 8);
    msg[5] = (unsigned char)t->id;
    msg[6] = (unsigned char)(t->seq >> 8);
    msg[7] = (unsigned char)t->seq;
    if (!is_ip6(p)) { /* the kernel does it for ICMPv6, and for ping sockets again */
        uint16_t sum = checksum(msg, sizeof(msg));
        msg[2] = (unsigned char)(sum >> 8);
        msg[3] = (unsigned char)sum;
    }
    *slot = (struct slot){clock_mono_ns(), clock_wall_s(), t->seq++};
    t->sent++;
    /* What cannot be sent counts as lost: the path may be gone for a while. */
    (void)!send(t->fd, msg, sizeof(msg), 0);
}

/* What came with a message: when the kernel got it, and its ECN field (-1: not told). */
static void read_control(struct msghdr *m, double *arrived_s, int *ecn)
{
    *arrived_s = NAN;
    *ecn = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec ts;
            memcpy(&ts, CMSG_DATA(c), sizeof(ts));
            *arrived_s = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            *ecn = *CMSG_DATA(c) & 3;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int tclass;
            memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
            *ecn = tclass & 3;
        }
    }
}

static void keep_rtt(struct train *t, double rtt_us)
{
    if (t->nrtts == t->rtts_cap && t->rtts_cap < RTTS_MAX) {
        size_t cap = t->rtts_cap ? t->rtts_cap * 2 : 1024;
        float *larger = realloc(t->rtts_us, cap * sizeof(*larger));
        if (larger) {
            t->rtts_us = larger;
            t->rtts_cap = cap;
        }
    }
    if (t->nrtts < t->rtts_cap) {
        t->rtts_us[t->nrtts++] = (float)rtt_us;
    }
}

/* Take an answer, if it is one to us. The kernel's time of arrival counts, as long as the wall
 * clock was not set in between. */
static void train_take(struct train *t, struct prober *p, const unsigned char *msg, size_t len,
                       double arrived_s, int ecn)
{
    uint64_t now_ns = clock_mono_ns();
    if (t->is_raw && !is_ip6(p)) { /* the IP header comes with it */
        size_t head = len > 0 ? (size_t)(msg[0] & 15) * 4 : 0;
        if (head < 20 || head > len) {
            return;
        }
        msg += head;
        len -= head;
    }
    if (len < 8 || msg[0] != (is_ip6(p) ? ECHO_REPLY6 : ECHO_REPLY4) ||
        (t->is_raw && (msg[4] << 8 | msg[5]) != t->id)) {
        return;
    }
    uint16_t seq = (uint16_t)(msg[6] << 8 | msg[7]);
    struct slot *slot = &t->slots[seq % SLOTS];
    if (slot->sent_ns == 0 || slot->seq != seq) {
        return; /* a second answer, or a late one */
    }
    double upper_us = (double)(now_ns - slot->sent_ns) / 1e3;
    double rtt_us = (arrived_s - slot->sent_s) * 1e6;
    if (!(rtt_us > 0 && rtt_us <= upper_us)) {
        rtt_us = upper_us;
    }
    slot->sent_ns = 0;
    t->answered++;
    t->ce += ecn == CE;
    keep_rtt(t, rtt_us);
    say_rtt(p, t, slot->sent_s, rtt_us, ecn < 0 ? (double)NAN : ecn == CE);
}

static void train_read(struct train *t, struct prober *p)
{
    for (;;) {
        unsigned char msg[512];
        union {
            struct cmsghdr align;
            char bytes[256];
        } control;
        struct iovec iov = {msg, sizeof(msg)};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        double arrived_s;
        int ecn;
        ssize_t n = recvmsg(t->fd, &m, 0);
        if (n < 0) {
            return; /* empty, or an ICMP error about a probe: that one is lost */
        }
        read_control(&m, &arrived_s, &ecn);
        train_take(t, p, msg, (size_t)n, arrived_s, ecn);
    }
}

/* Give up what has been under way for too long. */
static void train_expire(struct train *t, struct prober *p, uint64_t now_ns)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &t->slots[(t->seq + i) % SLOTS]; /* oldest first */
        if (slot->sent_ns && now_ns - slot->sent_ns > LOST_NS) {
            slot->sent_ns = 0;
            say_rtt(p, t, slot->sent_s, NAN, NAN);
        }
    }
}

/* --- the result ------------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Nearest rank of a sorted list. */
static double percentile(const struct train *t, double q)
{
    size_t rank = (size_t)ceil(q * (double)t->nrtts);
    return t->nrtts ? (double)t->rtts_us[rank ? rank - 1 : 0] : (double)NAN;
}

static void say_train(struct buf *b, struct train *t)
{
    double sum = 0;
    uint64_t under_way = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        under_way += t->slots[i].sent_ns != 0;
    }
    for (size_t i = 0; i < t->nrtts; i++) {
        sum += (double)t->rtts_us[i];
    }
    if (t->nrtts) {
        qsort(t->rtts_us, t->nrtts, sizeof(*t->rtts_us), compare_floats);
    }
    event_line_open(b, t->name, '{');
    event_line_num(b, "sent", (double)(t->sent - under_way));
    event_line_num(b, "answered", (double)t->answered);
    event_line_num(b, "ce", (double)t->ce);
    event_line_open(b, "rtt_us", '{');
    event_line_num(b, "min", percentile(t, 0));
    event_line_num(b, "mean", t->nrtts ? sum / (double)t->nrtts : (double)NAN);
    event_line_num(b, "p50", percentile(t, 0.5));
    event_line_num(b, "p95", percentile(t, 0.95));
    event_line_num(b, "p99", percentile(t, 0.99));
    event_line_num(b, "max", percentile(t, 1));
    event_line_close(b, '}');
    event_line_close(b, '}');
}

static void say_result(struct prober *p)
{
    event_line_begin(&p->line, -1, "result");
    event_line_open(&p->line, "data", '{');
    event_line_str(&p->line, "state", "down");
    event_line_str(&p->line, "to", p->to);
    for (int i = 0; i < 2; i++) {
        say_train(&p->line, &p->trains[i]);
    }
    event_line_close(&p->line, '}');
    event_line_end(&p->line);
    event_line_flush(&p->line, stdout);
}

/* --- the run ---------------------------------------------------------------------------------- */

static enum status probe_run(struct prober *p, struct error *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* an error of stdout, then */

    struct train *trains = p->trains;
    enum status st = p->netns ? netns_enter(p->netns, NULL, err) : STATUS_OK;
    for (int i = 0; i < 2 && st == STATUS_OK; i++) {
        st = train_open(&trains[i], p, err);
    }
    int told = signalfd(-1, &signals, SFD_CLOEXEC);
    if (st == STATUS_OK && told < 0) {
        st = error_sys(err, STATUS_INTERNAL, errno, SUBSYSTEM, "signalfd");
    }
    if (st != STATUS_OK) {
        goto out;
    }
    event_line_state(&p->line, "up");
    event_line_flush(&p->line, stdout);
    uint64_t start_ns = clock_mono_ns();
    uint64_t end_ns = p->duration_us ? start_ns + p->duration_us * 1000 : UINT64_MAX;
    trains[0].next_ns = start_ns;
    trains[1].next_ns = start_ns + p->interval_ns / 2; /* not behind one another */
    struct pollfd polls[3] = {
        {trains[0].fd, POLLIN, 0}, {trains[1].fd, POLLIN, 0}, {told, POLLIN, 0}};
    for (;;) {
        uint64_t now_ns = clock_mono_ns(), wake_ns = end_ns;
        if (now_ns >= end_ns) {
            break;
        }
        for (int i = 0; i < 2; i++) {
            struct train *t = &trains[i];
            if (now_ns >= t->next_ns) {
                train_expire(t, p, now_ns);
                train_send(t, p);
                /* The next point of the grid; those missed are left out. */
                t->next_ns += p->interval_ns * ((now_ns - t->next_ns) / p->interval_ns + 1);
            }
            wake_ns = t->next_ns < wake_ns ? t->next_ns : wake_ns;
        }
        if (ferror(stdout)) {
            st = error_set(err, STATUS_IO, SUBSYSTEM, "nobody reads the events any more");
            goto out;
        }
        struct timespec ts = clock_until(wake_ns);
        if (ppoll(polls, 3, &ts, NULL) > 0) {
            if (polls[2].revents) {
                break;
            }
            for (int i = 0; i < 2; i++) {
                if (polls[i].revents) {
                    train_read(&trains[i], p);
                }
            }
        }
    }
    say_result(p);
out:
    for (int i = 0; i < 2; i++) {
        if (trains[i].fd >= 0) {
            close(trains[i].fd);
        }
        free(trains[i].rtts_us);
    }
    if (told >= 0) {
        close(told);
    }
    return st;
}

/* --- the command line ------------------------------------------------------------------------- */

static enum status usage_error(struct error *err, const char *message)
{
    error_set(err, STATUS_USAGE, SUBSYSTEM, "%s", message);
    return error_hint(err, "ccalab probe --help");
}

/* *is_done: --help was all that was asked for. */
static enum status parse_options(int argc, char **argv, struct prober *p, bool *is_done,
                                 struct error *err)
{
    static const struct option options[] = {
        {"to", required_argument, NULL, 'a'},
        {"label", required_argument, NULL, 'l'},
        {"interval", required_argument, NULL, 'i'},
        {"duration", required_argument, NULL, 't'},
        {"netns", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    enum status st = STATUS_OK;
    uint64_t number = 0;
    int opt;
    *is_done = false;
    optind = 0; /* glibc: start afresh */
    while (st == STATUS_OK && (opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (opt) {
        case 'a':
            p->to = optarg;
            break;
        case 'l':
            p->label = optarg;
            break;
        case 'i':
            st = parse_time_us(optarg, &number, err);
            if (st == STATUS_OK && (number < INTERVAL_MIN_US || number > INTERVAL_MAX_US)) {
                st = usage_error(err, "--interval takes a time from 10ms to 3600s");
            }
            p->interval_ns = number * 1000;
            break;
        case 't':
            st = parse_duration_us(optarg, &p->duration_us, err);
            break;
        case 'n':
            p->netns = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            *is_done = true;
            return STATUS_OK;
        default:
            return usage_error(err, "the command line was not understood");
        }
    }
    if (st != STATUS_OK) {
        return st;
    }
    if (optind != argc) {
        return usage_error(err, "there are arguments too many");
    }
    if (!p->to) {
        return usage_error(err, "where to? --to ADDRESS");
    }
    if (!*p->label || strlen(p->label) > LABEL_MAX) {
        return usage_error(err, "--label takes at most 64 bytes");
    }
    return parse_address(p, err);
}

int probe_main(int argc, char **argv)
{
    static struct prober p; /* large */
    struct error err = {0};
    bool is_done;
    p = (struct prober){
        .label = "probe",
        .interval_ns = 100000000,
        .trains = {{.name = "l", .ecn = ECT1, .fd = -1, .id = (uint16_t)getpid()},
                   {.name = "c", .ecn = NOT_ECT, .fd = -1, .id = (uint16_t)(getpid() + 0x8000)}},
    };
    buf_init(&p.line, 65536);
    enum status st = parse_options(argc, argv, &p, &is_done, &err);
    if (st == STATUS_OK && !is_done) {
        st = probe_run(&p, &err);
    }
    if (st != STATUS_OK) {
        event_line_error(&p.line, &err);
        event_line_flush(&p.line, stdout);
        error_print(stderr, &err);
    }
    buf_done(&p.line);
    return status_exit_code(st);
}
