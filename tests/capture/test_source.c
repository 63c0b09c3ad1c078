/* Reading files (and what is wrong with them), the reports, and the command `ecn`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "capture/capture.h"
#include "capture/report.h"
#include "capture/source.h"
#include "frames.h"
#include "tests/temp_file.h"

#define FRAMES 5

static void write_file(const void *data, size_t len)
{
    FILE *f = fopen(temp_path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

struct bytes {
    uint8_t data[4096];
    size_t len;
};

static void add(struct bytes *b, const void *data, size_t len)
{
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void add32(struct bytes *b, uint32_t v, bool is_swapped)
{
    v = is_swapped ? __builtin_bswap32(v) : v;
    add(b, &v, 4);
}

static void add16(struct bytes *b, uint16_t v, bool is_swapped)
{
    v = is_swapped ? __builtin_bswap16(v) : v;
    add(b, &v, 2);
}

/* A pcap file of FRAMES segments: data, with the codepoints 0 1 2 3 3. */
static struct bytes pcap_file(uint32_t magic, bool is_swapped, uint32_t link, uint32_t sec)
{
    struct bytes b = {.len = 0};
    add32(&b, magic, is_swapped);
    add16(&b, 2, is_swapped);
    add16(&b, 4, is_swapped);
    add32(&b, 0, is_swapped);
    add32(&b, 0, is_swapped);
    add32(&b, 65535, is_swapped);
    add32(&b, link, is_swapped);
    for (unsigned i = 0; i < FRAMES; i++) {
        struct frame f = frame_tcp4(i < 4 ? i : 3, &(struct tcp_opts){.sport = 1, .dport = 2}, 10);
        add32(&b, sec + i, is_swapped);
        add32(&b, 123456, is_swapped);
        add32(&b, f.len, is_swapped);
        add32(&b, f.len, is_swapped);
        add(&b, f.data, f.len);
    }
    return b;
}

struct seen {
    struct ecn ecn;
    enum link_type link;
    int64_t last_ns;
};

static void on_frame(void *user, const struct source_frame *frame)
{
    struct seen *s = user;
    struct packet p;
    p.frame = frame->number;
    p.t_ns = frame->t_ns;
    dissect(s->link, frame->data, frame->cap_len, frame->wire_len, &p);
    ecn_add(&s->ecn, &p);
    s->last_ns = frame->t_ns;
}

/* Count the whole file, two frames at a time. */
static void count_file(struct seen *seen, char *truncated, size_t size)
{
    struct source *s;
    struct error err;
    int n;
    *seen = (struct seen){.last_ns = -1};
    assert_int_equal(ecn_init(&seen->ecn, 0, NULL), STATUS_OK);
    assert_int_equal(source_open_file(temp_path, &s, &err), STATUS_OK);
    seen->link = source_link_type(s);
    do {
        assert_int_equal(source_read(s, 2, on_frame, seen, &n, &err), STATUS_OK);
    } while (n > 0);
    snprintf(truncated, size, "%s", source_truncated(s) ? source_truncated(s) : "");
    source_close(s);
}

static void test_pcap_kinds(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        bool is_swapped;
        uint32_t sec;
        int64_t last_ns;
    } cases[] = {
        {0xa1b2c3d4, false, 1700000000, INT64_C(1700000004000000000) + 123456000},
        {0xa1b2c3d4, true, 1700000000, INT64_C(1700000004000000000) + 123456000},
        {0xa1b23c4d, false, 1700000000, INT64_C(1700000004000000000) + 123456},
        {0xa1b23c4d, true, 1700000000, INT64_C(1700000004000000000) + 123456},
        {0xa1b23c4d, false, 4000000000u, INT64_C(4000000004000000000) + 123456}, /* after 2038 */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes b = pcap_file(cases[i].magic, cases[i].is_swapped, 1, cases[i].sec);
        struct seen seen;
        char truncated[256];
        write_file(b.data, b.len);
        count_file(&seen, truncated, sizeof(truncated));
        assert_string_equal(truncated, "");
        assert_int_equal(seen.ecn.frames, FRAMES);
        assert_int_equal(seen.ecn.ipv4.n[ECN_CE], 2);
        assert_int_equal(seen.last_ns, cases[i].last_ns);
        ecn_done(&seen.ecn);
    }
}

/* Section header, interface with nanoseconds (if_tsresol 9), one packet. */
static void test_pcapng(void **state)
{
    (void)state;
    struct bytes b = {.len = 0};
    struct frame f = frame_tcp4(3, &(struct tcp_opts){.sport = 1, .dport = 2}, 10);
    uint64_t ns = UINT64_C(1700000000123456789);
    add32(&b, 0x0a0d0d0a, false);
    add32(&b, 28, false);
    add32(&b, 0x1a2b3c4d, false);
    add16(&b, 1, false);
    add16(&b, 0, false);
    add32(&b, 0xffffffff, false);
    add32(&b, 0xffffffff, false);
    add32(&b, 28, false);

    add32(&b, 1, false);
    add32(&b, 32, false);
    add16(&b, 1, false);
    add16(&b, 0, false);
    add32(&b, 0, false);
    add16(&b, 9, false);
    add16(&b, 1, false);
    add32(&b, 9, false);
    add32(&b, 0, false);
    add32(&b, 32, false);

    assert_int_equal(f.len, 64); /* no padding needed */
    add32(&b, 6, false);
    add32(&b, 32 + f.len, false);
    add32(&b, 0, false);
    add32(&b, (uint32_t)(ns >> 32), false);
    add32(&b, (uint32_t)ns, false);
    add32(&b, f.len, false);
    add32(&b, f.len, false);
    add(&b, f.data, f.len);
    add32(&b, 32 + f.len, false);
    write_file(b.data, b.len);

    struct seen seen;
    char truncated[256];
    count_file(&seen, truncated, sizeof(truncated));
    assert_string_equal(truncated, "");
    assert_int_equal(seen.ecn.ipv4.n[ECN_CE], 1);
    assert_int_equal(seen.last_ns, ns);
    ecn_done(&seen.ecn);
}

/* Cut at every byte: what came before counts, and the cut is told unless it is between records. */
static void test_truncated_everywhere(void **state)
{
    (void)state;
    struct bytes b = pcap_file(0xa1b2c3d4, false, 1, 1700000000);
    size_t record = (b.len - 24) / FRAMES;
    for (size_t len = 24; len < b.len; len++) {
        struct seen seen;
        char truncated[256];
        write_file(b.data, len);
        count_file(&seen, truncated, sizeof(truncated));
        assert_int_equal(seen.ecn.frames, (len - 24) / record);
        assert_int_equal(truncated[0] != 0, (len - 24) % record != 0);
        ecn_done(&seen.ecn);
    }
}

/* A record that claims more bytes than any record may have. */
static void test_damaged_record(void **state)
{
    (void)state;
    struct bytes b = pcap_file(0xa1b2c3d4, false, 1, 1700000000);
    size_t record = (b.len - 24) / FRAMES;
    memset(b.data + 24 + 2 * record + 8, 0x7f, 4);
    write_file(b.data, b.len);
    struct seen seen;
    char truncated[256];
    count_file(&seen, truncated, sizeof(truncated));
    assert_int_equal(seen.ecn.frames, 2);
    assert_true(truncated[0] != 0);
    ecn_done(&seen.ecn);
}

static void expect_refused(const void *data, size_t len, enum status status, const char *message,
                           const char *hint)
{
    struct source *s;
    struct error err = {0};
    write_file(data, len);
    assert_int_equal(source_open_file(temp_path, &s, &err), status);
    assert_int_equal(err.status, status);
    assert_non_null(strstr(err.message, message));
    assert_non_null(strstr(err.hint, hint));
}

static void test_refused(void **state)
{
    (void)state;
    struct source *s;
    struct error err = {0};
    struct bytes b = pcap_file(0xa1b2c3d4, false, 127, 0);
    expect_refused("", 0, STATUS_INPUT, temp_path, "pcap");
    expect_refused("hello, this is no capture file", 30, STATUS_INPUT, temp_path, "pcap");
    expect_refused("\x1f\x8b\x08\x00rest", 8, STATUS_INPUT, "end early", "");
    expect_refused("\x1f\x8b\xff\xffrest", 8, STATUS_INPUT, "damaged (gzip)", "");
    expect_refused("\x28\xb5\x2f\xfdrest", 8, STATUS_INPUT, "compressed data", "");
    expect_refused("\xfd"
                   "7zXZ...",
                   8, STATUS_UNAVAILABLE, "xz", "xz -dc");
    expect_refused("BZh91AY&SY", 10, STATUS_UNAVAILABLE, "bzip2", "bzip2 -dc");
    expect_refused(b.data, b.len, STATUS_UNAVAILABLE, "IEEE802_11_RADIO", "Ethernet");
    assert_int_equal(source_open_file("/nonexistent/file", &s, &err), STATUS_IO);
}

static void test_saved_copy(void **state)
{
    (void)state;
    char copy[] = "/tmp/ccalab-test-copy-XXXXXX";
    int fd = mkstemp(copy);
    assert_true(fd >= 0);
    close(fd);
    struct bytes b = pcap_file(0xa1b23c4d, false, 1, 1700000000);
    write_file(b.data, b.len);
    struct source *s;
    struct error err;
    struct seen seen = {.link = LINK_TYPE_ETHERNET};
    int n;
    assert_int_equal(ecn_init(&seen.ecn, 0, NULL), STATUS_OK);
    assert_int_equal(source_open_file(temp_path, &s, &err), STATUS_OK);
    assert_int_equal(source_save(s, "-", &err), STATUS_USAGE);
    source_close(s);
    assert_int_equal(source_open_file(temp_path, &s, &err), STATUS_OK);
    assert_int_equal(source_save(s, "/nonexistent/file", &err), STATUS_IO);
    source_close(s);
    assert_int_equal(source_open_file(temp_path, &s, &err), STATUS_OK);
    assert_int_equal(source_save(s, copy, &err), STATUS_OK);
    do {
        assert_int_equal(source_read(s, 100, on_frame, &seen, &n, &err), STATUS_OK);
    } while (n > 0);
    assert_int_equal(source_flush(s, &err), STATUS_OK);
    source_close(s);
    ecn_done(&seen.ecn);

    uint8_t again[sizeof(b.data)];
    FILE *f = fopen(copy, "rb");
    assert_non_null(f);
    assert_int_equal(fread(again, 1, sizeof(again), f), b.len);
    fclose(f);
    unlink(copy);
    assert_memory_equal(again, b.data, b.len);

    /* A full disk is told. */
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(source_open_file(temp_path, &s, &err), STATUS_OK);
        assert_int_equal(source_save(s, "/dev/full", &err), STATUS_IO);
        source_close(s);
    }
}

/* --- reports ---------------------------------------------------------------------------------- */

enum form { FORM_TABLE, FORM_CSV, FORM_JSON };

static char *text_of(const struct report *r, enum form form)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    if (form == FORM_TABLE)
        report_table(f, r);
    else if (form == FORM_CSV)
        assert_int_equal(report_csv(f, r, NULL), STATUS_OK);
    else
        assert_int_equal(report_json(f, r, NULL), STATUS_OK);
    fclose(f);
    return text;
}

static void add_flow(struct ecn *e, unsigned port, uint32_t bytes, unsigned ecn)
{
    struct frame f = {.len = 0};
    struct packet p;
    put_ipv6(&f, ecn, PROTO_UDP, 8 + bytes, 1, 2);
    memset(f.data + 8, 0, 12); /* ::1 and ::2 */
    memset(f.data + 24, 0, 12);
    put_udp(&f, port, 443, 8 + bytes);
    put_fill(&f, 'x', bytes);
    p.frame = e->frames + 1;
    p.t_ns = INT64_C(1700000000000000007) + (int64_t)e->frames * 1500000000;
    dissect(LINK_TYPE_RAW, f.data, f.len, f.len, &p);
    ecn_add(e, &p);
}

static void test_json(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
    e.ipv4.n[ECN_ECT0] = UINT64_C(9007199254740993); /* one a double does not have */
    add_flow(&e, 1, 100, ECN_ECT1);
    add_flow(&e, 1, 100, ECN_ECT1);
    add_flow(&e, 1, 100, ECN_CE);
    add_flow(&e, 2, 5, ECN_NOT_ECT);
    struct report r = {.ecn = &e, .truncated = "a \"quoted\" reason", .kernel_drops = 4};
    char *text = text_of(&r, FORM_JSON);
    const char *expected =
        "{\"frames\":4,\"truncated\":true,"
        "\"ipv4\":{\"not_ect\":0,\"ect1\":0,\"ect0\":9007199254740993,\"ce\":0},"
        "\"ipv6\":{\"not_ect\":1,\"ect1\":2,\"ect0\":0,\"ce\":1},"
        "\"flows\":[{\"stream\":0,\"proto\":\"udp\",\"src\":\"::1\",\"dst\":\"::2\","
        "\"sport\":1,\"dport\":443,\"negotiation\":null,"
        "\"verdict\":\"sent ECT(1), 33.3 % of packets CE at this capture point\","
        "\"fwd\":{\"data\":{\"not_ect\":0,\"ect1\":2,\"ect0\":0,\"ce\":1},"
        "\"ack\":{\"not_ect\":0,\"ect1\":0,\"ect0\":0,\"ce\":0},"
        "\"data_wire_packets\":{\"not_ect\":0,\"ect1\":2,\"ect0\":0,\"ce\":1},"
        "\"data_bytes\":{\"not_ect\":0,\"ect1\":200,\"ect0\":0,\"ce\":100},"
        "\"frames\":3,\"wire_packets\":3,\"bytes\":300,"
        "\"first_ce\":{\"frame\":3,\"t\":1700000003.000000007},"
        "\"mark_ratio\":0.333333333333333";
    assert_memory_equal(text, expected, strlen(expected));
    assert_non_null(strstr(text, "\"truncated_by\":\"a \\\"quoted\\\" reason\""));
    assert_non_null(strstr(text, "\"flows_omitted\":0"));
    assert_non_null(strstr(text, "\"kernel_drops\":4}"));
    assert_null(strchr(text, '\n'));
    cJSON *o = cJSON_Parse(text);
    assert_non_null(o);
    cJSON *flows = cJSON_GetObjectItem(o, "flows");
    assert_int_equal(cJSON_GetArraySize(flows), 2);
    cJSON *fwd = cJSON_GetObjectItem(cJSON_GetArrayItem(flows, 0), "fwd");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(fwd, "mark_ratio")) == 1.0 / 3);
    cJSON *rev = cJSON_GetObjectItem(cJSON_GetArrayItem(flows, 1), "rev");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rev, "mark_ratio")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rev, "first_ce")));
    cJSON_Delete(o);
    free(text);

    /* Only the biggest, in order of appearance; no drops where there is no kernel. */
    add_flow(&e, 3, 50, ECN_ECT1);
    r = (struct report){.ecn = &e, .kernel_drops = -1, .max_flows = 2};
    text = text_of(&r, FORM_JSON);
    o = cJSON_Parse(text);
    flows = cJSON_GetObjectItem(o, "flows");
    assert_int_equal(cJSON_GetArraySize(flows), 2);
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(flows, 1), "sport")) ==
                3);
    assert_non_null(strstr(text, "\"flows_omitted\":1"));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(o, "truncated")));
    assert_null(strstr(text, "kernel_drops"));
    cJSON_Delete(o);
    free(text);
    ecn_done(&e);
}

/* The longest line an event can become stays within its 4 MiB. */
static void test_json_bound(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
    add_flow(&e, 65535, 1, ECN_CE);
    struct ecn_flow *f = (struct ecn_flow *)ecn_flow_at(&e, 0);
    struct flow *flow = flows_at(&e.flows, 0);
    memset(flow->addr, 0xff, sizeof(flow->addr));
    flow->stream = UINT32_MAX;
    flow->proto = PROTO_TCP;
    f->negotiation = ECN_ACCURATE;
    for (int d = 0; d < 2; d++) {
        marks_done(&f->dir[d].marks);
        memset(&f->dir[d], 0x7f, sizeof(f->dir[d]));
        f->dir[d].data.n[ECN_NOT_ECT] = UINT64_MAX;
        f->dir[d].marks = (struct marks){0};
        f->dir[d].rtt.sum_ns = f->dir[d].rtt_stamps.sum_ns = 1e18;
    }
    struct report r = {.ecn = &e, .kernel_drops = -1};
    char *text = text_of(&r, FORM_JSON);
    assert_true(strlen(text) * REPORT_EVENT_FLOWS < 4u << 20);
    free(text);
    ecn_done(&e);
}

static void test_table_and_csv(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 2, NULL), STATUS_OK);
    add_flow(&e, 1000, 5, ECN_ECT1);
    add_flow(&e, 2000, 100, ECN_ECT1);
    add_flow(&e, 2000, 100, ECN_CE);
    add_flow(&e, 3000, 1, ECN_CE);
    struct report r = {.ecn = &e, .truncated = "cut short", .kernel_drops = 2};
    char *text = text_of(&r, FORM_TABLE);
    assert_non_null(strstr(text, "4 frames, 2 dropped by the kernel"));
    assert_non_null(strstr(text, "cut short"));
    assert_non_null(strstr(text, "50.00%"));
    assert_non_null(strstr(text, "#3 at 3.000 s"));
    assert_non_null(strstr(text, "flows beyond the first 2"));
    /* Most bytes first. */
    assert_true(strstr(text, "[::1]:2000 > [::2]:443") < strstr(text, "[::1]:1000 > [::2]:443"));
    assert_null(strstr(text, " \n"));
    free(text);
    text = text_of(&r, FORM_CSV);
    assert_non_null(strstr(text, "\n1,udp,fwd,::1,::2,2000,443,0,1,0,1,0,0,0,0,200,3,"
                                 "1700000003.000000007,0.5,0,1,0,1,0,100,0,100,0,0,unknown,"));
    assert_non_null(strstr(text, "\n0,udp,rev,::2,::1,443,1000,0,0,0,0,0,0,0,0,0,,,,0,0,0,0,"));
    assert_non_null(strstr(text, "\n,other,,,,,,0,0,0,1,0,0,0,0,1,4,"));
    /* As many fields in every line. */
    int fields = 0, first = 0;
    for (const char *p = text; *p; p++) {
        fields += *p == ',';
        if (*p == '\n') {
            first = first ? first : fields;
            assert_int_equal(fields, first);
            fields = 0;
        }
    }
    assert_int_equal(first, 46);
    free(text);
    ecn_done(&e);
}

/* --- the command ------------------------------------------------------------------------------ */

static int run_ecn(const char *a, const char *b, const char *c)
{
    char *argv[] = {"ecn", (char *)a, (char *)b, (char *)c, NULL};
    int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);
    int out = dup(1), err = dup(2);
    FILE *null = fopen("/dev/null", "w");
    fflush(stdout);
    dup2(fileno(null), 1);
    dup2(fileno(null), 2);
    int code = ecn_main(argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    fclose(null);
    return code;
}

static void test_exit_codes(void **state)
{
    (void)state;
    struct bytes b = pcap_file(0xa1b2c3d4, false, 1, 1700000000);
    write_file(b.data, b.len);
    assert_int_equal(run_ecn(temp_path, NULL, NULL), 0);
    assert_int_equal(run_ecn("--json", temp_path, NULL), 0);
    assert_int_equal(run_ecn(temp_path, "--csv", NULL), 0);
    assert_int_equal(run_ecn("--help", NULL, NULL), 0);
    assert_int_equal(run_ecn(NULL, NULL, NULL), status_exit_code(STATUS_USAGE));
    assert_int_equal(run_ecn(temp_path, temp_path, NULL), status_exit_code(STATUS_USAGE));
    assert_int_equal(run_ecn("--json", "--csv", temp_path), status_exit_code(STATUS_USAGE));
    assert_int_equal(run_ecn("--frobnicate", temp_path, NULL), status_exit_code(STATUS_USAGE));
    assert_int_equal(run_ecn("/nonexistent", NULL, NULL), status_exit_code(STATUS_IO));
    write_file(b.data, b.len - 3);
    assert_int_equal(run_ecn(temp_path, NULL, NULL), 0);
    write_file("garbage garbage garbage garbage", 31);
    assert_int_equal(run_ecn(temp_path, NULL, NULL), status_exit_code(STATUS_INPUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap_kinds),
        cmocka_unit_test(test_pcapng),
        cmocka_unit_test(test_truncated_everywhere),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_saved_copy),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_bound),
        cmocka_unit_test(test_table_and_csv),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
