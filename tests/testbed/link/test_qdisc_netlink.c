/* What the kernel's answers mean: of the qdiscs that the kernel under this test may lack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <math.h>

#include "testbed/link/qdisc_netlink.h"

/* An answer in the making. */
struct message {
    _Alignas(struct nlmsghdr) uint8_t bytes[1024];
    size_t len;
};

static struct rtattr *put(struct message *m, unsigned short type, const void *data, size_t len)
{
    struct rtattr *a = (struct rtattr *)(m->bytes + m->len);

    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(len);
    if (len != 0) {
        memcpy(RTA_DATA(a), data, len);
    }
    m->len += RTA_ALIGN(a->rta_len);
    return a;
}

static void make(struct message *m, const char *kind, const void *xstats, size_t xstats_size)
{
    struct nlmsghdr *h = (struct nlmsghdr *)m->bytes;
    struct gnet_stats_basic basic = {.bytes = 183254112, .packets = 121804};
    struct gnet_stats_queue queue = {
        .qlen = 20, .backlog = 30280, .drops = 11, .requeues = 3, .overlimits = 77};
    struct rtattr *stats;

    memset(m, 0, sizeof(*m));
    m->len = NLMSG_LENGTH(sizeof(struct tcmsg));
    put(m, TCA_KIND, kind, strlen(kind) + 1);
    stats = put(m, TCA_STATS2, NULL, 0);
    put(m, TCA_STATS_BASIC, &basic, sizeof(basic));
    put(m, TCA_STATS_QUEUE, &queue, sizeof(queue));
    if (xstats_size != 0) {
        put(m, TCA_STATS_APP, xstats, xstats_size);
    }
    stats->rta_len = (unsigned short)(m->bytes + m->len - (uint8_t *)stats);
    h->nlmsg_type = RTM_NEWQDISC;
    h->nlmsg_len = (uint32_t)m->len;
}

static struct qdisc_stats read_one(const char *kind, const void *xstats, size_t size)
{
    struct message m;
    struct qdisc_stats s;

    make(&m, kind, xstats, size);
    assert_true(qdisc_netlink_parse(m.bytes, m.len, &s));
    assert_string_equal(s.kind, kind);
    assert_true(s.bytes == 183254112 && s.packets == 121804 && s.qlen == 20 && s.backlog == 30280);
    assert_true(s.drops == 11 && s.requeues == 3 && s.overlimits == 77);
    return s;
}

static void test_kinds(void **state)
{
    struct tc_codel_xstats codel = {.ecn_mark = 5, .ldelay = 4321};
    struct tc_fq_codel_xstats fq = {.type = TCA_FQ_CODEL_XSTATS_QDISC};
    struct tc_pie_xstats pie = {.prob = UINT64_MAX / 4, .delay = 15000, .maxq = 61, .ecn_mark = 9};
    /* prob, delay_c, delay_l, packets_in_c, packets_in_l, maxq, ecn_mark, step_marks, credit,
     * memory_used, max_memory_used, memory_limit */
    uint32_t dualpi2[12] = {UINT32_MAX / 2, 13580, 410, 28167, 55791, 61, 2632, 1810};
    struct qdisc_stats s;

    (void)state;
    s = read_one("bfifo", NULL, 0);
    assert_true(isnan(s.ecn_mark) && isnan(s.prob) && isnan(s.delay_us) && isnan(s.pkts_in_l));
    s = read_one("codel", &codel, sizeof(codel));
    assert_true(s.ecn_mark == 5 && s.delay_us == 4321 && isnan(s.prob));
    fq.qdisc_stats.ecn_mark = 8;
    s = read_one("fq_codel", &fq, sizeof(fq));
    assert_true(s.ecn_mark == 8 && isnan(s.delay_us));
    s = read_one("pie", &pie, sizeof(pie));
    assert_true(s.ecn_mark == 9 && s.delay_us == 15000 && s.maxq == 61);
    assert_true(fabs(s.prob - 0.25) < 1e-9);
    s = read_one("dualpi2", dualpi2, sizeof(dualpi2));
    assert_true(s.ecn_mark == 2632 && s.step_mark == 1810 && s.maxq == 61);
    assert_true(s.delay_c_us == 13580 && s.delay_l_us == 410);
    assert_true(s.pkts_in_c == 28167 && s.pkts_in_l == 55791 && fabs(s.prob - 0.5) < 1e-9);
    /* One from outside the kernel's tree, whose fields are others. */
    s = read_one("dualpi2", dualpi2, 36);
    assert_true(isnan(s.ecn_mark) && isnan(s.pkts_in_l));
}

static void test_cut(void **state)
{
    struct tc_codel_xstats codel = {.ecn_mark = 5};
    struct message m;
    struct qdisc_stats s;

    (void)state;
    make(&m, "codel", &codel, sizeof(codel));
    for (size_t len = 0; len < m.len; len++) { /* on the heap, so that a sanitizer sees its end */
        uint8_t *cut = malloc(len != 0 ? len : 1);

        assert_non_null(cut);
        memcpy(cut, m.bytes, len);
        assert_false(qdisc_netlink_parse(cut, len, &s)); /* the header says more */
        if (len >= sizeof(struct nlmsghdr)) {
            ((struct nlmsghdr *)cut)->nlmsg_len = (uint32_t)len;
            (void)qdisc_netlink_parse(cut, len, &s);
        }
        free(cut);
    }
    ((struct nlmsghdr *)m.bytes)->nlmsg_type = NLMSG_ERROR;
    assert_false(qdisc_netlink_parse(m.bytes, m.len, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
