/* Decoding of the kernel's answers, made by hand here: whole, from older kernels, and damaged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>

#include "remote/tcp_reading.h"

struct message {
    char bytes[1024];
    size_t len;
};

static void message_start(struct message *m, int family)
{
    struct inet_diag_msg head = {
        .idiag_family = (uint8_t)family,
        .idiag_state = 1,
        .id = {.idiag_sport = htons(40112), .idiag_dport = htons(5201), .idiag_cookie = {7, 1}},
    };
    inet_pton(family, family == AF_INET ? "10.98.1.2" : "fe80::1", head.id.idiag_src);
    inet_pton(family, family == AF_INET ? "10.98.3.2" : "fe80::2", head.id.idiag_dst);
    memset(m, 0, sizeof(*m));
    memcpy(m->bytes, &head, sizeof(head));
    m->len = NLMSG_ALIGN(sizeof(head));
}

static void message_add(struct message *m, int type, const void *data, size_t len)
{
    struct rtattr attr = {.rta_type = (uint16_t)type, .rta_len = (uint16_t)RTA_LENGTH(len)};
    memcpy(m->bytes + m->len, &attr, sizeof(attr));
    memcpy(m->bytes + m->len + RTA_LENGTH(0), data, len);
    m->len += RTA_SPACE(len);
}

static const struct tcp_info whole = {
    .tcpi_snd_mss = 1448,
    .tcpi_snd_cwnd = 80,
    .tcpi_rtt = 20600,
    .tcpi_rttvar = 300,
    .tcpi_min_rtt = 20100,
    .tcpi_lost = 2,
    .tcpi_total_retrans = 5,
    .tcpi_pacing_rate = 6000000,
    .tcpi_delivery_rate = 5500000,
    .tcpi_bytes_acked = 123456789012,
    .tcpi_bytes_sent = 123456800000,
    .tcpi_delivered = 90000,
    .tcpi_delivered_ce = 4000,
};

static void test_everything(void **state)
{
    (void)state;
    struct message m;
    struct tcp_reading r;
    message_start(&m, AF_INET);
    message_add(&m, INET_DIAG_CONG, "bpf_prague", 11);
    message_add(&m, INET_DIAG_INFO, &whole, sizeof(whole));
    assert_true(tcp_reading_decode(m.bytes, m.len, &r));
    assert_string_equal(r.local, "10.98.1.2:40112");
    assert_string_equal(r.remote, "10.98.3.2:5201");
    assert_string_equal(r.cc, "bpf_prague");
    assert_int_equal(r.local_port, 40112);
    assert_int_equal(r.remote_port, 5201);
    assert_true(r.cookie == (1ull << 32 | 7));
    assert_true(r.cwnd_pkts == 80 && r.cwnd_bytes == 80 * 1448);
    assert_true(r.srtt_us == 20600 && r.min_rtt_us == 20100 && r.rttvar_us == 300);
    assert_true(r.pacing_rate_bps == 48e6 && r.delivery_rate_bps == 44e6);
    assert_true(r.bytes_acked == 123456789012.0 && r.bytes_sent == 123456800000.0);
    assert_true(r.retrans == 5 && r.lost == 2);
    assert_true(r.delivered == 90000 && r.delivered_ce == 4000);

    message_start(&m, AF_INET6);
    message_add(&m, INET_DIAG_INFO, &whole, sizeof(whole));
    assert_true(tcp_reading_decode(m.bytes, m.len, &r));
    assert_string_equal(r.local, "[fe80::1]:40112");
    assert_string_equal(r.cc, "");
}

static void test_older_and_newer_kernels(void **state)
{
    (void)state;
    struct message m;
    struct tcp_reading r;
    /* Up to but without tcpi_delivered: Linux 4.17. */
    message_start(&m, AF_INET);
    message_add(&m, INET_DIAG_INFO, &whole, offsetof(struct tcp_info, tcpi_delivered));
    assert_true(tcp_reading_decode(m.bytes, m.len, &r));
    assert_true(r.bytes_acked == 123456789012.0 && r.delivery_rate_bps == 44e6);
    assert_true(isnan(r.delivered) && isnan(r.delivered_ce) && isnan(r.bytes_sent));
    /* A field that is there by half is not there. */
    message_start(&m, AF_INET);
    message_add(&m, INET_DIAG_INFO, &whole, offsetof(struct tcp_info, tcpi_bytes_acked) + 4);
    assert_true(tcp_reading_decode(m.bytes, m.len, &r));
    assert_true(r.pacing_rate_bps == 48e6);
    assert_true(isnan(r.bytes_acked) && isnan(r.min_rtt_us) && isnan(r.delivery_rate_bps));

    char longer[sizeof(whole) + 64];
    memset(longer, 0x5a, sizeof(longer));
    memcpy(longer, &whole, sizeof(whole));
    message_start(&m, AF_INET);
    message_add(&m, INET_DIAG_INFO, longer, sizeof(longer));
    assert_true(tcp_reading_decode(m.bytes, m.len, &r));
    assert_true(r.delivered_ce == 4000);
}

static void test_not_measured_is_not_a_number(void **state)
{
    (void)state;
    struct tcp_info fresh = {.tcpi_snd_mss = 536,
                             .tcpi_snd_cwnd = 10,
                             .tcpi_rttvar = 250000,
                             .tcpi_min_rtt = UINT32_MAX,
                             .tcpi_pacing_rate = UINT64_MAX};
    struct message m;
    struct tcp_reading r;
    message_start(&m, AF_INET);
    message_add(&m, INET_DIAG_INFO, &fresh, sizeof(fresh));
    assert_true(tcp_reading_decode(m.bytes, m.len, &r));
    assert_true(isnan(r.srtt_us) && isnan(r.rttvar_us) && isnan(r.min_rtt_us));
    assert_true(isnan(r.pacing_rate_bps));
    assert_true(r.cwnd_bytes == 5360);
}

static void test_no_socket(void **state)
{
    (void)state;
    struct message m;
    struct tcp_reading r;
    message_start(&m, AF_INET);
    assert_false(tcp_reading_decode(m.bytes, m.len, &r)); /* TIME_WAIT: no TCP state */
    assert_false(tcp_reading_decode(m.bytes, 10, &r));
    assert_false(tcp_reading_decode(m.bytes, 0, &r));
    message_add(&m, INET_DIAG_INFO, &whole, sizeof(whole));
    m.bytes[0] = 77; /* family */
    assert_false(tcp_reading_decode(m.bytes, m.len, &r));
}

static void test_damaged_messages(void **state)
{
    (void)state;
    unsigned seed = 7;
    int read = 0;
    for (int round = 0; round < 50000; round++) {
        struct message m;
        message_start(&m, round % 2 ? AF_INET : AF_INET6);
        message_add(&m, INET_DIAG_CONG, "cubic", 6);
        message_add(&m, INET_DIAG_INFO, &whole, sizeof(whole));
        size_t len = rand_r(&seed) % 2 ? m.len : (size_t)rand_r(&seed) % m.len;
        for (int n = rand_r(&seed) % 4; n > 0; n--) {
            m.bytes[(size_t)rand_r(&seed) % m.len] = (char)rand_r(&seed);
        }
        char *exact = malloc(len + 1); /* so that ASan sees a byte too far */
        memcpy(exact, m.bytes, len);
        struct tcp_reading r;
        read += tcp_reading_decode(exact, len, &r);
        assert_non_null(memchr(r.cc, 0, sizeof(r.cc)));
        free(exact);
    }
    assert_true(read > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_older_and_newer_kernels),
        cmocka_unit_test(test_not_measured_is_not_a_number),
        cmocka_unit_test(test_no_socket),
        cmocka_unit_test(test_damaged_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
