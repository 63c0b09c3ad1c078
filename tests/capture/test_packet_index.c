/* Any packet of a file at once: what the index gives must be what a walk through the file gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/filter.h"
#include "capture/packet_cursor.h"
#include "capture/packet_detail.h"
#include "capture/packet_scan.h"
#include "tests/temp_file.h"

#define PACKETS 40000u /* some checkpoints */
#define CORPUS  CCALAB_CORPUS "/"

static uint64_t random_state = 88172645463325252u;

static uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* One segment of one of 40 connections; some data arrives twice, some not at all. */
static void make_frame(uint8_t frame[64])
{
    static uint32_t next[40], acked[40];
    uint32_t r = random_u32(), flow = r % 40;
    bool is_ack = r >> 8 & 1;

    memset(frame, 0, 64);
    frame[12] = 8;
    memcpy(frame + 14, (uint8_t[]){0x45, (uint8_t)(r % 97 ? 1 : 3), 0, 140, 0, 0, 0, 0, 64, 6}, 10);
    put32(frame + 26, is_ack ? 0x0a000002 : 0x0a000001);
    put32(frame + 30, is_ack ? 0x0a000001 : 0x0a000002);
    put32(frame + 34, is_ack ? 443u << 16 | (1000 + flow) : (1000 + flow) << 16 | 443);
    if (is_ack) {
        frame[17] = 40;
        acked[flow] = next[flow] - (r >> 16) % 3 * 100;
        put32(frame + 42, acked[flow]);
    } else {
        put32(frame + 38, (r >> 16) % 50 ? next[flow] : next[flow] - 100);
        next[flow] += (r >> 16) % 70 ? 100 : 200;
    }
    frame[46] = 0x50;
    frame[47] = 0x10;
    frame[48] = 0xff;
}

/* A pcap file of `n` packets in temp_path, the last `cut` bytes missing. */
static void make_file(uint32_t n, size_t cut)
{
    const uint32_t header[6] = {0xa1b23c4d, 0x00040002, 0, 0, 65535, 1};
    FILE *f = fopen(temp_path, "wb");

    assert_non_null(f);
    fwrite(header, sizeof header, 1, f);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t record[4] = {1700000000 + i / 10000, i % 10000 * 1000, 64, 154};
        uint8_t frame[64];
        make_frame(frame);
        fwrite(record, sizeof record, 1, f);
        fwrite(frame, 1, i + 1 < n ? sizeof frame : sizeof frame - cut, f);
    }
    assert_int_equal(fclose(f), 0);
}

/* All there is to say about a frame, as a number. */
static uint64_t digest(const struct field_frame *frame)
{
    struct field_value v[FIELD_VALUES_MAX];
    const struct field *f;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    struct buf text;

    buf_init(&text, 1 << 20);
    for (size_t i = 0; (f = field_at(i)); i++) {
        size_t n = field_read(f, frame, v);
        buf_printf(&text, "%zu", n);
        for (size_t k = 0; k < n; k++)
            field_print(f, &v[k], &text);
    }
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint8_t)text.data[i]) * 1099511628211u;
    buf_done(&text);
    return hash;
}

struct seen {
    uint64_t digests[PACKETS];
    bool is_ce[PACKETS], passes[PACKETS];
    uint64_t n;
    struct filter *filter;
    bool has_digests; /* they take their time */
};

static struct seen seen;

static bool on_frame(void *user, const struct field_frame *frame)
{
    const struct packet *p = frame->packet;

    (void)user;
    assert_true(seen.n < PACKETS);
    if (seen.has_digests)
        seen.digests[seen.n] = digest(frame);
    seen.is_ce[seen.n] =
        p->reach >= PACKET_REACH_ECN && (p->ecn == ECN_CE || p->flow_ecn == ECN_CE);
    seen.passes[seen.n] = filter_match(seen.filter, frame);
    seen.n++;
    return true;
}

static void walk(const char *path, const char *filter, bool has_digests, struct walk_end *end)
{
    struct error err;

    seen.n = 0;
    seen.has_digests = has_digests;
    assert_int_equal(filter_compile(filter, &seen.filter, NULL, &err), STATUS_OK);
    assert_int_equal(walk_file(path, on_frame, NULL, end, &err), STATUS_OK);
    filter_free(seen.filter);
}

static struct packet_index *open_index(const char *path, bool is_followed)
{
    struct packet_index_opts opts = {.path = path, .is_followed = is_followed};
    struct packet_index *ix;
    struct error err;

    assert_int_equal(packet_index_open(&opts, &ix, &err), STATUS_OK);
    return ix;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Until it has `n` packets, or is done if that is 0. At most 100 s. */
static struct packet_index_state wait_for(struct packet_index *ix, uint64_t n)
{
    struct packet_index_state state;

    for (int i = 0; i < 100000; i++) {
        packet_index_state(ix, &state);
        if (state.is_done || (n && state.packets >= n))
            return state;
        nap();
    }
    fail_msg("the index does not come to an end");
    return state;
}

static void read_and_compare(struct packet_cursor *c, uint64_t number)
{
    struct field_frame frame;
    struct error err;

    assert_int_equal(packet_cursor_read(c, number, &frame, &err), STATUS_OK);
    assert_int_equal(frame.packet->frame, number);
    if (digest(&frame) != seen.digests[number - 1])
        fail_msg("packet %u is another one", (unsigned)number);
}

static void test_jumps(void **state)
{
    struct walk_end end;
    struct packet_index *ix;
    struct packet_cursor *c;
    struct error err;

    (void)state;
    make_file(PACKETS, 0);
    walk(temp_path, "", true, &end);
    ix = open_index(temp_path, false);
    assert_int_equal(wait_for(ix, 0).packets, PACKETS);
    assert_int_equal(packet_cursor_open(ix, &c, &err), STATUS_OK);
    for (int i = 0; i < 60; i++)
        read_and_compare(c, 1 + random_u32() % PACKETS);
    for (uint64_t i = PACKETS; i > PACKETS - 5; i--)
        read_and_compare(c, i);
    for (uint64_t i = 16380; i < 16390; i++) /* over a checkpoint, */
        read_and_compare(c, i);
    for (uint64_t i = 16390; i > 16380; i--) /* and back */
        read_and_compare(c, i);
    read_and_compare(c, 1);
    read_and_compare(c, 1);
    packet_cursor_close(c);
    packet_index_close(ix);
}

static void test_next_ce(void **state)
{
    struct walk_end end;
    struct packet_index *ix;
    uint64_t found = 0, last = 0;

    (void)state;
    make_file(PACKETS, 0);
    walk(temp_path, "", false, &end);
    ix = open_index(temp_path, false);
    wait_for(ix, 0);
    for (uint64_t i = 1; i <= PACKETS; i++) {
        if (!seen.is_ce[i - 1])
            continue;
        found = packet_index_ce(ix, last, 1);
        assert_int_equal(found, i);
        assert_int_equal(packet_index_ce(ix, i, -1), last);
        last = i;
    }
    assert_true(last > 0);
    assert_int_equal(packet_index_ce(ix, last, 1), 0);
    assert_int_equal(packet_index_ce(ix, PACKETS, 1), 0);
    assert_int_equal(packet_index_ce(ix, 1, -1), 0);
    packet_index_close(ix);
}

static void test_bins(void **state)
{
    static struct packet_index_bin bins[PACKET_INDEX_BINS];
    struct walk_end end;
    struct packet_index *ix;
    uint64_t ce = 0, all = 0, want = 0;
    uint32_t step_s;
    size_t n;

    (void)state;
    make_file(PACKETS, 0);
    walk(temp_path, "", false, &end);
    ix = open_index(temp_path, false);
    wait_for(ix, 0);
    n = packet_index_bins(ix, bins, &step_s);
    assert_int_equal(n, PACKETS / 10000);
    assert_int_equal(step_s, 1);
    for (size_t i = 0; i < n; i++) {
        ce += bins[i].count[ECN_CE];
        all += bins[i].count[ECN_CE] + bins[i].count[ECN_ECT1];
    }
    for (size_t i = 0; i < PACKETS; i++)
        want += seen.is_ce[i];
    assert_int_equal(ce, want);
    assert_int_equal(all, PACKETS);
    packet_index_close(ix);
}

static void compare_scan(const char *path, const char *filter)
{
    struct walk_end end;
    struct packet_index *ix;
    struct packet_scan *scan;
    struct packet_scan_state state;
    struct packet_scan_opts opts = {.filter = filter};
    struct error err;
    uint64_t hits = 0, number;

    walk(path, filter, false, &end);
    ix = open_index(path, false);
    wait_for(ix, 1);
    opts.index = ix;
    assert_int_equal(packet_scan_start(&opts, &scan, NULL, &err), STATUS_OK);
    do {
        nap();
        packet_scan_state(scan, &state);
    } while (!state.is_done);
    assert_int_equal(state.error.status, STATUS_OK);
    for (uint64_t i = 1; i <= seen.n; i++) {
        assert_int_equal(packet_scan_find(scan, i), hits);
        if (!seen.passes[i - 1])
            continue;
        assert_int_equal(packet_scan_hits(scan, hits, 1, &number), 1);
        assert_int_equal(number, i);
        hits++;
    }
    assert_int_equal(state.hits, hits);
    assert_int_equal(packet_scan_hits(scan, hits, 1, &number), 0);
    packet_scan_stop(scan);
    packet_index_close(ix);
}

static void test_filters(void **state)
{
    (void)state;
    make_file(PACKETS, 0);
    compare_scan(temp_path, "tcp.stream == 7 and ip.dsfield.ecn == 3");
    compare_scan(temp_path, "tcp.analysis.retransmission or tcp.analysis.duplicate_ack_num > 1");
    compare_scan(temp_path, "udp");
}

static void test_a_wrong_filter(void **state)
{
    struct packet_index *ix;
    struct packet_scan *scan;
    struct packet_scan_opts opts = {.filter = "tcp and ip.dsfeld.ecn == 3"};
    struct error err;
    size_t at = 0;

    (void)state;
    make_file(10, 0);
    ix = open_index(temp_path, false);
    wait_for(ix, 0);
    opts.index = ix;
    assert_int_equal(packet_scan_start(&opts, &scan, &at, &err), STATUS_USAGE);
    assert_int_equal(at, 8);
    assert_null(scan);
    packet_index_close(ix);
}

/* Through the unnamed file: pcapng, packed. */
static void test_other_files(void **state)
{
    static const char *const files[] = {"accecn-174.pcapng", "extensions.pcapng", "llc.pcap.gz",
                                        "wlan.pcap.zst",     "cut.pcap",          "lies.pcap"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        struct walk_end end;
        struct packet_index *ix;
        struct packet_cursor *c;
        struct error err;

        snprintf(path, sizeof path, CORPUS "%s", files[i]);
        walk(path, "", true, &end);
        ix = open_index(path, false);
        assert_int_equal(wait_for(ix, 0).packets, seen.n);
        assert_int_equal(packet_cursor_open(ix, &c, &err), STATUS_OK);
        for (uint64_t k = seen.n; k > 0; k--)
            read_and_compare(c, k);
        packet_cursor_close(c);
        packet_index_close(ix);
        compare_scan(path, "ip");
    }
}

static void test_a_damaged_file(void **state)
{
    struct packet_index_state now;
    struct walk_end end;
    struct packet_index *ix;

    (void)state;
    make_file(5000, 10);
    walk(temp_path, "", false, &end);
    ix = open_index(temp_path, false);
    now = wait_for(ix, 0);
    assert_int_equal(now.packets, 4999);
    assert_string_equal(now.truncated, end.truncated);
    assert_non_null(strstr(now.truncated, "record 5000"));
    packet_index_close(ix);
}

/* A file that grows: half of a record first. */
static void test_follow(void **state)
{
    struct packet_index *ix;
    struct packet_cursor *c;
    struct walk_end end;
    struct error err;
    char *data;
    long size;
    FILE *f;

    (void)state;
    make_file(3000, 0);
    walk(temp_path, "", true, &end);
    f = fopen(temp_path, "rb");
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    data = malloc((size_t)size);
    rewind(f);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    fclose(f);
    assert_int_equal(truncate(temp_path, 24 + 100 * 80 + 30), 0);
    ix = open_index(temp_path, true);
    assert_int_equal(wait_for(ix, 100).packets, 100);
    assert_int_equal(packet_cursor_open(ix, &c, &err), STATUS_OK);
    read_and_compare(c, 100); /* and meets the end */
    f = fopen(temp_path, "ab");
    fwrite(data + 24 + 100 * 80 + 30, 1, (size_t)size - (24 + 100 * 80 + 30), f);
    fclose(f);
    assert_int_equal(wait_for(ix, 3000).packets, 3000);
    assert_false(wait_for(ix, 3000).is_done);
    read_and_compare(c, 101);
    read_and_compare(c, 3000);
    packet_cursor_close(c);
    packet_index_close(ix);
    free(data);
}

static void test_export(void **state)
{
    char path[sizeof temp_path + 8];
    struct walk_end end;
    struct packet_index *ix;
    struct packet_scan *scan;
    struct packet_scan_state now;
    struct packet_scan_opts opts = {.filter = "tcp.stream == 3"};
    struct error err;
    uint64_t hits = 0;

    (void)state;
    make_file(PACKETS, 0);
    walk(temp_path, opts.filter, false, &end);
    for (size_t i = 0; i < seen.n; i++)
        hits += seen.passes[i];
    snprintf(path, sizeof path, "%s.out", temp_path);
    unlink(path);
    ix = open_index(temp_path, false);
    wait_for(ix, 0);
    opts.index = ix;
    opts.save = path;
    assert_int_equal(packet_scan_start(&opts, &scan, NULL, &err), STATUS_OK);
    do {
        nap();
        packet_scan_state(scan, &now);
    } while (!now.is_done);
    assert_int_equal(now.error.status, STATUS_OK);
    assert_int_equal(now.hits, hits);
    packet_scan_stop(scan);
    walk(path, "tcp.stream == 0", false, &end);
    assert_int_equal(end.frames, hits);
    assert_string_equal(end.truncated, "");
    for (size_t i = 0; i < hits; i++)
        assert_true(seen.passes[i]);
    /* Nothing is overwritten. */
    assert_int_equal(packet_scan_start(&opts, &scan, NULL, &err), STATUS_IO);
    packet_index_close(ix);
    unlink(path);
}

static void test_detail(void **state)
{
    static const char *const wanted[] = {
        "Internet Protocol Version 4, Src: 10.0.0.1, Dst: 10.0.0.2",
        "Differentiated Services Field: 0x03 (DSCP: Default, ECN: CE)",
        "Explicit Congestion Notification: Congestion Experienced (3)",
        "Transmission Control Protocol, Src Port: 1007, Dst Port: 443",
        "Flags: 0x010 (ACK)",
        "Data (100 bytes, cut by the snap length)",
    };
    static struct packet_detail d;
    struct packet_index *ix;
    struct packet_cursor *c;
    struct field_frame frame;
    struct error err;
    uint64_t number = 0;

    (void)state;
    packet_detail_init(&d);
    make_file(PACKETS, 0);
    ix = open_index(temp_path, false);
    wait_for(ix, 0);
    assert_int_equal(packet_cursor_open(ix, &c, &err), STATUS_OK);
    do { /* data of stream 7 that was marked */
        number = packet_index_ce(ix, number, 1);
        assert_true(number > 0);
        assert_int_equal(packet_cursor_read(c, number, &frame, &err), STATUS_OK);
    } while (frame.packet->sport != 1007);
    packet_detail_build(&d, &frame);
    for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++) {
        size_t i = 0;
        while (i < d.n && strcmp(packet_detail_text(&d, i), wanted[k]) != 0)
            i++;
        if (i == d.n)
            fail_msg("there is no \"%s\"", wanted[k]);
        if (k == 2) { /* the byte behind the version */
            assert_string_equal(d.node[i].name, "ip.dsfield.ecn");
            assert_int_equal(d.node[i].depth, 2);
            assert_int_equal(d.node[i].at, 15);
            assert_int_equal(d.node[i].span, 1);
        }
    }
    packet_cursor_close(c);
    packet_index_close(ix);
    packet_detail_done(&d);
}

/* Every frame of the corpus of odd ones makes a tree whose bytes lie in the frame, as far as it was
 * captured or claimed, and whose depth grows step by step. */
static bool on_odd_frame(void *user, const struct field_frame *frame)
{
    struct packet_detail *d = user;

    packet_detail_build(d, frame);
    assert_true(d->n > 0);
    for (size_t i = 0; i < d->n; i++) {
        assert_true(i == 0 ? d->node[i].depth == 0 : d->node[i].depth <= d->node[i - 1].depth + 1);
        assert_true(strlen(packet_detail_text(d, i)) > 0);
    }
    return true;
}

static void test_detail_of_odd_frames(void **state)
{
    static const char *const files[] = {"accecn-172.pcap",   "accecn-acc1.pcapng", "cut.pcap",
                                        "extensions.pcapng", "handshakes.pcap",    "lies.pcap",
                                        "loops.pcap",        "options.pcap",       "quoted.pcap",
                                        "tunnels.pcap",      "wlan.pcap"};
    static struct packet_detail d;
    struct walk_end end;
    struct error err;
    char path[512];

    (void)state;
    packet_detail_init(&d);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, CORPUS "%s", files[i]);
        assert_int_equal(walk_file(path, on_odd_frame, &d, &end, &err), STATUS_OK);
    }
    packet_detail_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_next_ce),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_a_wrong_filter),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_a_damaged_file),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_detail_of_odd_frames),
    };

    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
