#include "testbed/link/qdisc_netlink.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX 8192
#define TIMEOUT_US  200000
#define TICK_NS     64 /* of the packet scheduler's times, whatever the kernel: PSCHED_SHIFT */

/* A message in the making. */
struct request {
    struct nlmsghdr header;
    struct tcmsg tc;
    uint8_t attributes[256];
};

int qdisc_netlink_open(void)
{
    struct timeval timeout = {.tv_usec = TIMEOUT_US};
    struct sockaddr_nl here = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && (bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0)) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* --- statistics ------------------------------------------------------------------------------- */

/* Copy an attribute that may be shorter than what we know of it: the rest is 0. */
static void copy_payload(const struct rtattr *a, void *out, size_t size)
{
    size_t len = RTA_PAYLOAD(a);

    memset(out, 0, size);
    memcpy(out, RTA_DATA(a), len < size ? len : size);
}

/* sch_dualpi2 of Linux 6.17, whose header is newer than Debian 12's. */
struct dualpi2_xstats {
    uint32_t prob, delay_c, delay_l, packets_in_c, packets_in_l, maxq, ecn_mark, step_marks;
    int32_t credit;
    uint32_t memory_used, max_memory_used, memory_limit;
};

static void take_xstats(const struct rtattr *a, struct qdisc_stats *out)
{
    union {
        struct tc_codel_xstats codel;
        struct tc_fq_codel_xstats fq_codel;
        struct tc_pie_xstats pie;
        struct tc_red_xstats red;
        struct dualpi2_xstats dualpi2;
    } x;

    copy_payload(a, &x, sizeof(x));
    if (strcmp(out->kind, "codel") == 0) {
        out->ecn_mark = x.codel.ecn_mark;
        out->delay_us = x.codel.ldelay;
    } else if (strcmp(out->kind, "fq_codel") == 0 && x.fq_codel.type == TCA_FQ_CODEL_XSTATS_QDISC) {
        out->ecn_mark = x.fq_codel.qdisc_stats.ecn_mark;
    } else if (strcmp(out->kind, "pie") == 0) {
        out->ecn_mark = x.pie.ecn_mark;
        out->prob = (double)x.pie.prob / (double)UINT64_MAX;
        out->delay_us = x.pie.delay;
        out->maxq = x.pie.maxq;
    } else if (strcmp(out->kind, "red") == 0) {
        out->ecn_mark = x.red.marked;
    } else if (strcmp(out->kind, "dualpi2") == 0 &&
               RTA_PAYLOAD(a) == sizeof(x.dualpi2)) { /* older ones order it otherwise */
        out->ecn_mark = x.dualpi2.ecn_mark;
        out->step_mark = x.dualpi2.step_marks;
        out->prob = (double)x.dualpi2.prob / (double)UINT32_MAX;
        out->delay_c_us = x.dualpi2.delay_c;
        out->delay_l_us = x.dualpi2.delay_l;
        out->pkts_in_c = x.dualpi2.packets_in_c;
        out->pkts_in_l = x.dualpi2.packets_in_l;
        out->maxq = x.dualpi2.maxq;
    }
}

static void take_stats2(const struct rtattr *nest, struct qdisc_stats *out)
{
    int left = (int)RTA_PAYLOAD(nest);

    for (const struct rtattr *a = RTA_DATA(nest); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        struct gnet_stats_basic basic;
        struct gnet_stats_queue queue;
        uint64_t packets;

        switch (a->rta_type) {
        case TCA_STATS_BASIC:
            copy_payload(a, &basic, sizeof(basic));
            out->bytes = (double)basic.bytes;
            out->packets = isnan(out->packets) ? basic.packets : out->packets;
            break;
        case TCA_STATS_PKT64: /* the same in 64 bits */
            copy_payload(a, &packets, sizeof(packets));
            out->packets = (double)packets;
            break;
        case TCA_STATS_QUEUE:
            copy_payload(a, &queue, sizeof(queue));
            out->qlen = queue.qlen;
            out->backlog = queue.backlog;
            out->drops = queue.drops;
            out->overlimits = queue.overlimits;
            out->requeues = queue.requeues;
            break;
        case TCA_STATS_APP:
            take_xstats(a, out);
            break;
        default:
            break;
        }
    }
}

bool qdisc_netlink_parse(const void *message, size_t len_bytes, struct qdisc_stats *out)
{
    const struct nlmsghdr *h = message;
    const struct rtattr *first, *stats = NULL;
    int left;

    *out = (struct qdisc_stats){.bytes = NAN,
                                .packets = NAN,
                                .backlog = NAN,
                                .qlen = NAN,
                                .drops = NAN,
                                .overlimits = NAN,
                                .requeues = NAN,
                                .ecn_mark = NAN,
                                .step_mark = NAN,
                                .prob = NAN,
                                .delay_us = NAN,
                                .delay_c_us = NAN,
                                .delay_l_us = NAN,
                                .pkts_in_c = NAN,
                                .pkts_in_l = NAN,
                                .maxq = NAN};
    if (!NLMSG_OK(h, len_bytes) || h->nlmsg_type != RTM_NEWQDISC ||
        h->nlmsg_len < NLMSG_LENGTH(sizeof(struct tcmsg))) {
        return false;
    }
    first =
        (const struct rtattr *)((const uint8_t *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct tcmsg)));
    left = (int)(h->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct tcmsg))));
    for (const struct rtattr *a = first; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == TCA_KIND) {
            copy_payload(a, out->kind, sizeof(out->kind) - 1);
        } else if ((a->rta_type & ~NLA_F_NESTED) == TCA_STATS2) {
            stats = a;
        }
    }
    if (stats == NULL || out->kind[0] == '\0') {
        return false;
    }
    take_stats2(stats, out);
    return true;
}

bool qdisc_netlink_get(int fd, int ifindex, uint32_t handle, struct qdisc_stats *out)
{
    static uint32_t sequence;
    struct request r = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)),
                                   .nlmsg_type = RTM_GETQDISC,
                                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ECHO,
                                   .nlmsg_seq = ++sequence},
                        .tc = {.tcm_ifindex = ifindex, .tcm_handle = handle}};
    _Alignas(struct nlmsghdr) uint8_t answer[MESSAGE_MAX];
    ssize_t n = send(fd, &r, r.header.nlmsg_len, 0);

    while (n >= 0 && (n = recv(fd, answer, sizeof(answer), 0)) > 0) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

        if (NLMSG_OK(h, (size_t)n) && h->nlmsg_seq == sequence) { /* else of an earlier request */
            return qdisc_netlink_parse(answer, (size_t)n, out);
        }
    }
    return false;
}

/* --- the rate --------------------------------------------------------------------------------- */

static struct rtattr *add(struct request *r, unsigned short type, const void *data, size_t len)
{
    struct rtattr *a = (struct rtattr *)((uint8_t *)r + NLMSG_ALIGN(r->header.nlmsg_len));

    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(len);
    if (len != 0) {
        memcpy(RTA_DATA(a), data, len);
    }
    r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
    return a;
}

/* The error that acknowledges: 0 is success. */
static int read_ack(int fd, uint32_t sequence)
{
    _Alignas(struct nlmsghdr) uint8_t answer[MESSAGE_MAX];
    ssize_t n;

    while ((n = recv(fd, answer, sizeof(answer), 0)) > 0) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

        if (NLMSG_OK(h, (size_t)n) && h->nlmsg_seq == sequence && h->nlmsg_type == NLMSG_ERROR &&
            h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
            return -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
        }
    }
    return n < 0 ? errno : EIO;
}

enum status qdisc_netlink_set_rate(int fd, int ifindex, uint32_t parent, uint32_t class_id,
                                   uint64_t rate_bps, uint32_t burst_bytes, struct error *err)
{
    static uint32_t sequence = 1u << 31;
    struct tc_htb_opt htb = {.quantum = burst_bytes};
    struct request r = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)),
                   .nlmsg_type = RTM_NEWTCLASS,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                   .nlmsg_seq = ++sequence},
        .tc = {.tcm_ifindex = ifindex, .tcm_parent = parent, .tcm_handle = class_id}};
    struct rtattr *options;
    int failed;

    htb.rate.rate = htb.ceil.rate = (uint32_t)(rate_bps / 8);
    htb.rate.linklayer = htb.ceil.linklayer = TC_LINKLAYER_ETHERNET; /* no rate tables */
    htb.buffer = htb.cbuffer = (uint32_t)((double)burst_bytes * 8e9 / (double)rate_bps / TICK_NS);
    add(&r, TCA_KIND, "htb", sizeof("htb"));
    options = add(&r, TCA_OPTIONS, NULL, 0);
    add(&r, TCA_HTB_PARMS, &htb, sizeof(htb));
    options->rta_len = (unsigned short)((uint8_t *)&r + r.header.nlmsg_len - (uint8_t *)options);
    failed = send(fd, &r, r.header.nlmsg_len, 0) < 0 ? errno : read_ack(fd, sequence);
    if (failed == 0) {
        return STATUS_OK;
    }
    return error_sys(err, STATUS_HOST, failed, "link", "the kernel refuses the rate of %llu bit/s",
                     (unsigned long long)rate_bps);
}
