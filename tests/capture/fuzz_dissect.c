/* libFuzzer target: any bytes as frames of any link type, through dissection, the analysis of the
 * streams, accounting and the reports.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_dissect -max_len=1024 CORPUS_DIR corpus-frames */
#include <stdlib.h>
#include <string.h>

#include "capture/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

static void check_packet(const struct packet *p, uint32_t extra)
{
    uint32_t at = 0;
    check(p->ecn < ECN_COUNT && p->flow_ecn < ECN_COUNT && p->payload_len <= p->wire_len);
    check(p->fault != PACKET_CUT || extra > 0);
    check((p->reach >= PACKET_REACH_ECN) == (p->ip_version != 0));
    check((p->reach == PACKET_REACH_TRANSPORT) == (p->flow_layer >= 0));
    for (int i = 0; i < p->nlayers; i++) {
        const struct layer *l = &p->layers[i];
        check(l->at >= at && l->at <= p->wire_len && l->header_len <= p->wire_len - l->at);
        check(l->payload_len <= p->wire_len - l->at - l->header_len);
        at = l->at;
    }
}

static void check_options(const struct packet *p)
{
    struct tcp_option o;
    struct accecn_option accecn;
    if (p->flow_layer < 0 || p->proto != PROTO_TCP)
        return;
    struct tcp_option_walk w = tcp_option_walk(p, &p->layers[p->flow_layer]);
    while (tcp_option_next(&w, &o)) {
        check(o.len >= 1 && o.cap_len >= 1 && o.cap_len <= o.len && packet_at(p, o.at, o.cap_len));
        if (accecn_option_read(&o, &accecn))
            check(accecn.ee0b <= 0xffffff && accecn.eceb <= 0xffffff && accecn.ee1b <= 0xffffff);
    }
}

static void report(const struct ecn *e)
{
    static FILE *null;
    struct report r = {.ecn = e, .kernel_drops = -1, .has_marks = true};
    if (null == NULL && (null = fopen("/dev/null", "w")) == NULL)
        return;
    check(report_json(null, &r, NULL) == STATUS_OK && report_csv(null, &r, NULL) == STATUS_OK);
    report_table(null, &r);
}

/* First byte: the link type. Then frames: two bytes of length, the lower 9 bits what is there of
 * it, the others what is missing; a byte of time; the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ecn ecn;
    struct packet p;
    int64_t t_ns = INT64_C(1700000000000000000);
    if (size == 0 || ecn_init(&ecn, 16, NULL) != STATUS_OK)
        return 0;
    enum link_type link = (enum link_type)(data[0] % LINK_TYPE_COUNT);
    for (size_t at = 1; at + 3 <= size;) {
        uint32_t len = (uint32_t)(data[at] | data[at + 1] << 8), extra = (len >> 9) * 100;
        t_ns += (int64_t)data[at + 2] * data[at + 2] * 10000;
        at += 3;
        len &= 511;
        if (len > size - at)
            len = (uint32_t)(size - at);
        /* A copy of its own size: one byte too many is seen. */
        uint8_t *frame = malloc(len ? len : 1);
        if (frame == NULL)
            break;
        memcpy(frame, data + at, len);
        at += len;
        p.frame = ecn.frames + 1;
        p.t_ns = t_ns;
        dissect(link, frame, len, len + extra, &p);
        check_packet(&p, extra);
        check_options(&p);
        ecn_add(&ecn, &p);
        free(frame);
    }
    report(&ecn);
    ecn_done(&ecn);
    return 0;
}
