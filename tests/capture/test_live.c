/* What of live captures needs no interface: where capture filters are wrong, and the stream of
 * another host, however it arrives and however it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture_filter.h"
#include "capture/host_stream.h"

/* --- capture filters -------------------------------------------------------------------------- */

static void filters_point_at_the_fault(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong; /* what stands at the fault; NULL: the end */
    } cases[] = {
        {"tcp prot 80", "prot"},
        {"tcp port", NULL},
        {"port nosuchport", "nosuchport"},
        {"host 1.2.3.400", "1.2.3.400"},
        {"tcp and (udp", NULL},
        {"tcp[13] & 3 =", NULL},
        {"tcp and and udp", "and udp"},
        {"udp port 70000", "70000"},
        {"ip[1] & 3 == 3 and tcp prt 5", "prt"},
        {"(tcp[13 & 2 = 2)", "= 2)"},
        {"((ip[(1)] & 3)) = 1 or tcp @ 3", "@"},
        {"tcp) or udp", ")"},
        {"(ip[1] & 3 = 3 or ip6[1]) foo", ")"}, /* a number is no condition */
        {"ip.dsfield.ecn == 3", "ip.dsfield"},
        {"or tcp", "or"},
        {"not", NULL},
    };
    static const char *const good[] = {"",
                                       "tcp port 443",
                                       "ip[1] & 3 = 3",
                                       "inbound",
                                       "vlan and tcp",
                                       "(ip proto 17 and (ip[1] & 3 = 1)) or ip6[1] & 0x30 != 0",
                                       "portrange 1-1000 and not ether host 02:00:00:00:00:01",
                                       "net 10.0.0.0/8 && less 100"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(capture_filter_check(good[i], NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        struct error err;
        size_t column = 0,
               at = cases[i].wrong ? (size_t)(strstr(text, cases[i].wrong) - text) : strlen(text);
        assert_int_equal(capture_filter_check(text, &err), STATUS_USAGE);
        assert_int_equal(sscanf(err.message, "capture filter, column %zu:", &column), 1);
        if (column != at + 1)
            fail_msg("%s: %s, not column %zu", text, err.message, at + 1);
    }
    char *longest = malloc(CAPTURE_FILTER_MAX + 2);
    memset(longest, '(', CAPTURE_FILTER_MAX + 1);
    longest[CAPTURE_FILTER_MAX + 1] = '\0';
    assert_int_equal(capture_filter_check(longest, NULL), STATUS_USAGE);
    longest[CAPTURE_FILTER_MAX] = '\0';
    assert_int_equal(capture_filter_check(longest, NULL), STATUS_USAGE);
    free(longest);
}

/* --- the stream of another host --------------------------------------------------------------- */

struct bytes {
    uint8_t data[8192];
    size_t len;
};

static void add(struct bytes *b, const void *data, size_t len)
{
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void add_text(struct bytes *b, const char *text)
{
    add(b, text, strlen(text));
}

static void add32(struct bytes *b, uint32_t v, bool is_swapped)
{
    v = is_swapped ? __builtin_bswap32(v) : v;
    add(b, &v, sizeof v);
}

static void add_pcap(struct bytes *b, int records, bool is_swapped)
{
    add32(b, 0xa1b23c4d, is_swapped);
    uint16_t version[2] = {2, 4};
    add(b, version, sizeof version);
    add32(b, 0, false);
    add32(b, 0, false);
    add32(b, 128, is_swapped);
    add32(b, 1, is_swapped);
    for (int i = 0; i < records; i++) {
        add32(b, 1700000000u + (uint32_t)i, is_swapped);
        add32(b, 999999999, is_swapped);
        add32(b, 5, is_swapped);
        add32(b, 1500, is_swapped);
        add_text(b, "bytes");
    }
}

struct seen {
    uint64_t frames;
    int64_t last_ns;
};

static void on_frame(void *user, const struct source_frame *f)
{
    struct seen *s = user;
    assert_int_equal(f->number, ++s->frames);
    assert_int_equal(f->cap_len, 5);
    assert_int_equal(f->wire_len, 1500);
    assert_memory_equal(f->data, "bytes", 5);
    s->last_ns = f->t_ns;
}

/* Feed it `piece` bytes at a time. The caller frees. */
static struct host_stream *feed(const struct bytes *b, size_t piece, struct seen *seen)
{
    struct host_stream *s = host_stream_new();
    *seen = (struct seen){0};
    for (size_t at = 0; at < b->len;) {
        size_t room, n = b->len - at < piece ? b->len - at : piece;
        void *space = host_stream_space(s, &room);
        assert_true(room >= n);
        memcpy(space, b->data + at, n);
        at += n;
        if (!host_stream_took(s, n, on_frame, seen))
            break;
    }
    host_stream_finish(s);
    return s;
}

#define WORDS                                                                                      \
    "tcpdump: listening on eth0, link-type EN10MB (Ethernet), snapshot length 128 bytes\n"         \
    "3 packets captured\n7 packets received by filter\n4 packets dropped by kernel\n"

static void streams_arrive_in_pieces(void **state)
{
    (void)state;
    for (int is_swapped = 0; is_swapped < 2; is_swapped++)
        for (size_t piece = 1; piece < 200; piece++) {
            struct bytes b = {0};
            struct seen seen;
            uint64_t drops = 0;
            struct error err;
            add_text(&b, "Welcome to this host!\nccalab:capture\n" HOST_STREAM_BEGIN);
            add_pcap(&b, 3, is_swapped);
            add_text(&b, HOST_STREAM_END "0\n" WORDS);
            struct host_stream *s = feed(&b, piece, &seen);
            assert_int_equal(seen.frames, 3);
            assert_true(seen.last_ns == INT64_C(1700000002999999999));
            assert_true(host_stream_has_begun(s));
            assert_int_equal(host_stream_linktype(s), 1);
            assert_int_equal(host_stream_snaplen(s), 128);
            assert_true(host_stream_drops(s, &drops));
            assert_int_equal(drops, 4);
            assert_int_equal(host_stream_outcome(s, "far", "eth0", &err), STATUS_OK);
            host_stream_free(s);
        }
}

static void streams_end_in_many_ways(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *end; /* around the records, of which the last is cut by `cut` bytes */
        int records;
        size_t cut;
        uint64_t frames;
        enum status status;
        const char *says;
    } cases[] = {
        {"noise", NULL, -1, 0, 0, STATUS_HOST, "connection to far was lost"},
        {HOST_STREAM_BEGIN, NULL, -1, 0, 0, STATUS_HOST, "connection to far was lost"},
        {HOST_STREAM_BEGIN, "", 3, 0, 3, STATUS_HOST, "connection to far was lost"},
        {HOST_STREAM_BEGIN, "", 3, 2, 2, STATUS_HOST, "connection to far was lost"},
        {HOST_STREAM_BEGIN, HOST_STREAM_END "127\n", -1, 0, 0, STATUS_UNAVAILABLE,
         "no tcpdump on far"},
        /* What tcpdump 4.99 and sudo 1.9 say. */
        {HOST_STREAM_BEGIN,
         HOST_STREAM_END "1\ntcpdump: eth9: No such device exists\n(No such device exists)\n", -1,
         0, 0, STATUS_HOST, "far has no interface eth9"},
        {HOST_STREAM_BEGIN,
         HOST_STREAM_END "1\ntcpdump: eth9: You don't have permission to perform this capture on "
                         "that device\n(socket: Operation not permitted)\n",
         -1, 0, 0, STATUS_HOST, "no right to capture on eth9 of far"},
        {HOST_STREAM_BEGIN, HOST_STREAM_END "1\nsudo: a password is required\n", -1, 0, 0,
         STATUS_HOST, "no right to capture on eth9 of far"},
        {HOST_STREAM_BEGIN,
         HOST_STREAM_END "1\ntcpdump: can't parse filter expression: syntax error\n", -1, 0, 0,
         STATUS_USAGE, "does not take the capture filter"},
        {HOST_STREAM_BEGIN,
         HOST_STREAM_END "1\ntcpdump: pcap_loop: The interface disappeared\n5 packets captured\n",
         2, 0, 2, STATUS_HOST, "tcpdump on eth9 of far ended"},
        {HOST_STREAM_BEGIN, HOST_STREAM_END "137\n\x1b[31mKilled\n", 2, 0, 2, STATUS_HOST,
         "Killed"},
        {HOST_STREAM_BEGIN "this is no pcap file, is it?", "", -1, 0, 0, STATUS_INPUT,
         "no pcap file"},
        {HOST_STREAM_BEGIN, "a record that is very long", 2, 0, 2, STATUS_INPUT, "longer than any"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= 4096; piece *= 8) {
            struct bytes b = {0};
            struct seen seen;
            struct error err;
            add_text(&b, cases[i].begin);
            if (cases[i].records >= 0)
                add_pcap(&b, cases[i].records, false);
            b.len -= cases[i].cut;
            add_text(&b, cases[i].end ? cases[i].end : "");
            struct host_stream *s = feed(&b, piece, &seen);
            enum status status = host_stream_outcome(s, "far", "eth9", &err);
            if (status != cases[i].status || !strstr(err.message, cases[i].says))
                fail_msg("case %zu by %zu: %s: %s", i, piece, status_name(status), err.message);
            assert_null(strchr(err.message, '\x1b'));
            assert_int_equal(seen.frames, cases[i].frames);
            host_stream_free(s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_point_at_the_fault),
        cmocka_unit_test(streams_arrive_in_pieces),
        cmocka_unit_test(streams_end_in_many_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
