#include "remote/iperf3.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "remote/iperf3_text.h"

/* A row this much longer than the others holds a jump of the clock. */
#define JUMP_FACTOR 10
#define JUMP_S      5
#define START_SLACK 1e-3 /* rows of one stream follow one another; times have microseconds */

static const struct {
    const char *part, *hint;
} hints[] = {
    {"server is busy", "another client uses this server, or an earlier test has not been reaped: "
                       "start a server of your own on a free port (-p)"},
    {"Connection refused", "no iperf3 server listens there: start `iperf3 -s` on the server first, "
                           "and check the port (-p) and the address"},
    {"unable to connect", "check that the server is up and the address is reachable from the "
                          "client: `ping`, `ip route get ADDRESS`, and the firewall on the port"},
    {"TCP_CONGESTION", "it must be registered where iperf3 runs, on client and server (sysctl "
                       "net.ipv4.tcp_available_congestion_control; netllm: by `netllm drive`); "
                       "without root only those in tcp_allowed_congestion_control can be chosen"},
    {"client has terminated",
     "the client was stopped before its time: give the job a longer limit"},
    {"control socket has closed", "the server went away during the test: was it stopped, or does "
                                  "it run on a host that was lost?"},
    {"server has terminated", "the server was stopped during the test"},
    {"Address already in use", "another server holds the port, perhaps one that was started for a "
                               "test that never came: end it by its pid, or take another port"},
};

static enum status run_failed(struct error *err, const char *message)
{
    static const char prefix[] = "error - "; /* in lines for people, and of old versions */
    char text[sizeof(err->message) / 2];
    if (strncmp(message, prefix, sizeof(prefix) - 1) == 0) {
        message += sizeof(prefix) - 1;
    }
    log_escape(message, text, sizeof(text));
    enum status st =
        error_set(err, STATUS_HOST, "iperf3", "%s", text[0] ? text : "it failed without a word");
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strstr(message, hints[i].part)) {
            error_hint(err, "%s", hints[i].hint);
            break;
        }
    }
    return st;
}

/* --- reading it ------------------------------------------------------------------------------- */

/* A number of an iperf3 document: finite and not negative, else it was not measured. */
static double number(const cJSON *obj, const char *key)
{
    double v = json_num(obj, key, NAN);
    return v >= 0 && v < 1e300 ? v : (double)NAN;
}

/* iperf3 writes 0 for what it could not know: the cwnd and RTT of a sender elsewhere. */
static double positive(const cJSON *obj, const char *key)
{
    double v = number(obj, key);
    return v > 0 ? v : (double)NAN;
}

static void copy_name(char *out, size_t size, const char *name)
{
    log_escape(name, out, size);
}

struct sockets {
    double id[IPERF3_STREAMS_MAX];
    int n;
};

/* Index of a stream by its socket number, in order of appearance; -1 when there are too many. */
static int stream_index(struct sockets *s, double socket)
{
    for (int i = 0; i < s->n; i++) {
        if (s->id[i] == socket) {
            return i;
        }
    }
    if (s->n == IPERF3_STREAMS_MAX) {
        return -1;
    }
    s->id[s->n] = socket;
    return s->n++;
}

static enum status read_rows(const cJSON *intervals, struct sockets *sockets,
                             struct iperf3_result *r, struct error *err)
{
    size_t n = 0;
    const cJSON *interval, *item;
    cJSON_ArrayForEach(interval, intervals)
    {
        n += (size_t)cJSON_GetArraySize(json_get(interval, "streams"));
    }
    if (n > IPERF3_ROWS_MAX) {
        return error_set(err, STATUS_NOMEM, "iperf3", "%zu rows are more than the limit of %u", n,
                         IPERF3_ROWS_MAX);
    }
    r->rows = calloc(n ? n : 1, sizeof(*r->rows));
    if (!r->rows) {
        return error_set(err, STATUS_NOMEM, "iperf3", "no memory for %zu rows", n);
    }
    cJSON_ArrayForEach(interval, intervals)
    {
        cJSON_ArrayForEach(item, json_get(interval, "streams"))
        {
            int stream = stream_index(sockets, json_num(item, "socket", -1));
            if (stream < 0) {
                return error_set(err, STATUS_INPUT, "iperf3", "more than %d streams",
                                 IPERF3_STREAMS_MAX);
            }
            r->rows[r->nrows++] = (struct iperf3_row){
                .stream = stream,
                .start_s = number(item, "start"),
                .end_s = number(item, "end"),
                .bits_per_second = number(item, "bits_per_second"),
                .retransmits = number(item, "retransmits"),
                .snd_cwnd_bytes = positive(item, "snd_cwnd"),
                .rtt_us = positive(item, "rtt"),
                .rttvar_us = number(item, "rttvar"),
                .is_sender = json_bool(item, "sender", !r->is_reverse),
                .is_omitted = json_bool(item, "omitted", false),
            };
        }
    }
    return STATUS_OK;
}

/* Mean RTT and largest cwnd over the streams whose sender iperf3 could ask. */
static void read_senders(const cJSON *end, struct iperf3_result *r)
{
    double rtt_sum = 0, cwnd = 0;
    int nrtt = 0;
    const cJSON *stream;
    cJSON_ArrayForEach(stream, json_get(end, "streams"))
    {
        const cJSON *sender = json_get(stream, "sender");
        double rtt = positive(sender, "mean_rtt");
        if (!isnan(rtt)) {
            rtt_sum += rtt;
            nrtt++;
        }
        cwnd = fmax(cwnd, positive(sender, "max_snd_cwnd")); /* fmax() ignores NaN */
    }
    r->mean_rtt_us = nrtt > 0 ? rtt_sum / nrtt : (double)NAN;
    r->max_cwnd_bytes = cwnd > 0 ? cwnd : (double)NAN;
}

/* --- a clock that jumped ---------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How long a row of this test is, as a rule; NaN without rows. */
static double median_length_s(const struct iperf3_result *r)
{
    double *lengths = malloc((r->nrows + 1) * sizeof(*lengths)), median = NAN;
    size_t n = 0;
    for (size_t i = 0; lengths && i < r->nrows; i++) {
        double length = fabs(r->rows[i].end_s - r->rows[i].start_s);
        if (length > 0) {
            lengths[n++] = length;
        }
    }
    if (n > 0) {
        qsort(lengths, n, sizeof(*lengths), compare_doubles);
        median = lengths[n / 2];
    }
    free(lengths);
    return median;
}

static bool is_length(double length_s, double usual_s)
{
    return length_s > 0 && length_s <= JUMP_FACTOR * usual_s + JUMP_S;
}

/* iperf3 before 3.10 or so takes its times from the wall clock. Where that was set in mid-run the
 * rows run backwards or one of them is hours long: then the times are made anew from the order and
 * the lengths of the rows, which stay right but for the row of the jump itself. */
static void mend_times(struct iperf3_result *r)
{
    double at_s[IPERF3_STREAMS_MAX] = {0}, usual_s = median_length_s(r);
    bool was_omitted[IPERF3_STREAMS_MAX] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->nrows; i++) {
            struct iperf3_row *row = &r->rows[i];
            double *at = &at_s[row->stream];
            if (was_omitted[row->stream] != row->is_omitted) {
                /* It counts from 0 again, but the row still begins where the omitted one ended. */
                *at = row->start_s = 0;
            }
            was_omitted[row->stream] = row->is_omitted;
            double length = row->end_s - row->start_s;
            if (isnan(length)) {
                continue; /* not told */
            }
            if (pass == 0) {
                r->has_clock_jump |=
                    !is_length(length, usual_s) || row->start_s < *at - START_SLACK;
                *at = row->end_s;
                continue;
            }
            if (!is_length(fabs(length), usual_s)) {
                row->bits_per_second = NAN; /* over a time that was none */
                length = usual_s;
            }
            row->start_s = *at;
            row->end_s = *at += fabs(length);
        }
        if (!r->has_clock_jump) {
            return;
        }
        memset(at_s, 0, sizeof(at_s));
        memset(was_omitted, 0, sizeof(was_omitted));
    }
    r->sent_bps = r->received_bps = NAN; /* divided by the same clock */
}

/* --- all of it -------------------------------------------------------------------------------- */

/* What is known before the end of a test, and its rows. */
static enum status read_rows_so_far(const cJSON *root, struct iperf3_result *r, struct error *err)
{
    const cJSON *start = json_get(root, "start"), *test = json_get(start, "test_start"), *item;
    struct sockets sockets = {0};
    copy_name(r->protocol, sizeof(r->protocol), json_str(test, "protocol", ""));
    r->is_reverse = json_num(test, "reverse", 0) != 0;
    r->start_time_s = number(json_get(start, "timestamp"), "timesecs");
    r->duration_s = number(test, "duration");
    cJSON_ArrayForEach(item, json_get(start, "connected"))
    {
        (void)stream_index(&sockets, json_num(item, "socket", -1));
    }
    enum status st = read_rows(json_get(root, "intervals"), &sockets, r, err);
    if (st != STATUS_OK) {
        return st;
    }
    r->streams = sockets.n;
    mend_times(r);
    r->interval_s = r->nrows > 0 ? r->rows[0].end_s - r->rows[0].start_s : (double)NAN;
    return STATUS_OK;
}

static enum status read_document(const cJSON *root, struct iperf3_result *r, struct error *err)
{
    const cJSON *start = json_get(root, "start"), *end = json_get(root, "end");
    const cJSON *sent = json_get(end, "sum_sent"), *received = json_get(end, "sum_received");
    if (!cJSON_IsObject(start) || !cJSON_IsArray(json_get(root, "intervals")) ||
        !cJSON_IsObject(end)) {
        return error_set(err, STATUS_INPUT, "iperf3",
                         "the document is not iperf3's: no start, intervals or end");
    }
    copy_name(r->sender_cc, sizeof(r->sender_cc), json_str(end, "sender_tcp_congestion", ""));
    copy_name(r->receiver_cc, sizeof(r->receiver_cc), json_str(end, "receiver_tcp_congestion", ""));
    r->sent_bps = number(sent, "bits_per_second");
    r->received_bps = number(received, "bits_per_second");
    r->retransmits = number(sent, "retransmits");
    read_senders(end, r);
    enum status st = read_rows_so_far(root, r, err);
    if (st == STATUS_OK && (!json_get(start, "test_start") || !sent || !received)) {
        st = error_set(err, STATUS_HOST, "iperf3",
                       "the test did not come to its end: iperf3 reported no totals");
    }
    return st;
}

enum status iperf3_parse(const char *text, size_t len, struct iperf3_result *out, struct error *err)
{
    *out = (struct iperf3_result){
        .start_time_s = NAN,
        .duration_s = NAN,
        .interval_s = NAN,
        .sent_bps = NAN,
        .received_bps = NAN,
        .retransmits = NAN,
        .mean_rtt_us = NAN,
        .max_cwnd_bytes = NAN,
    };
    if (len > IPERF3_TEXT_MAX) {
        return error_set(err, STATUS_NOMEM, "iperf3", "%zu bytes of output are more than %u", len,
                         IPERF3_TEXT_MAX);
    }
    struct iperf3_text t;
    enum status st;
    iperf3_text_read(text, len, &t);
    bool is_unfinished = t.is_stream && !json_get(t.root, "end");
    if (t.error[0] == '\0' && t.root && !t.is_cut && !is_unfinished) {
        st = read_document(t.root, out, err);
        goto out;
    }
    if (t.root) {
        (void)read_rows_so_far(t.root, out, NULL); /* what there is, of a failed run */
    }
    if (t.error[0] != '\0') {
        st = run_failed(err, t.error);
    } else if (t.is_cut) {
        st = error_set(err, STATUS_HOST, "iperf3",
                       "the output breaks off, or is damaged, at byte %zu of %zu", t.cut_at, len);
        error_hint(err, "iperf3 was probably killed before the test's end%s",
                   t.is_stream ? "" : "; it writes its document only then");
    } else if (is_unfinished) {
        st = error_set(err, STATUS_HOST, "iperf3",
                       "the test did not come to its end: iperf3 reported no totals");
        error_hint(err, "it was probably killed: by whom, or is the host short of memory?");
    } else {
        st = error_set(err, STATUS_HOST, "iperf3", "it printed no result");
        error_hint(err, "was it run with --json, and did it live to the end of the test?");
    }
out:
    iperf3_text_done(&t);
    return st;
}

void iperf3_done(struct iperf3_result *r)
{
    free(r->rows);
    r->rows = NULL;
    r->nrows = 0;
}

/* --- summary ---------------------------------------------------------------------------------- */

static bool add_name(cJSON *obj, const char *key, const char *name)
{
    return name[0] ? cJSON_AddStringToObject(obj, key, name) != NULL
                   : cJSON_AddNullToObject(obj, key) != NULL;
}

static bool add_row(cJSON *rows, const struct iperf3_row *row)
{
    cJSON *o = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(rows, o)) {
        cJSON_Delete(o);
        return false;
    }
    return json_add_num(o, "stream", row->stream) && json_add_num(o, "start_s", row->start_s) &&
           json_add_num(o, "end_s", row->end_s) &&
           json_add_num(o, "bits_per_second", row->bits_per_second) &&
           json_add_num(o, "retransmits", row->retransmits) &&
           json_add_num(o, "snd_cwnd_bytes", row->snd_cwnd_bytes) &&
           json_add_num(o, "rtt_us", row->rtt_us) && json_add_num(o, "rttvar_us", row->rttvar_us) &&
           cJSON_AddBoolToObject(o, "is_sender", row->is_sender) &&
           cJSON_AddBoolToObject(o, "is_omitted", row->is_omitted);
}

cJSON *iperf3_summary(const struct iperf3_result *r)
{
    cJSON *o = cJSON_CreateObject();
    bool is_ok = o && add_name(o, "protocol", r->protocol) && add_name(o, "cc", r->sender_cc) &&
                 add_name(o, "receiver_cc", r->receiver_cc) &&
                 cJSON_AddBoolToObject(o, "is_reverse", r->is_reverse) &&
                 cJSON_AddBoolToObject(o, "has_clock_jump", r->has_clock_jump) &&
                 json_add_num(o, "start_time_s", r->start_time_s) &&
                 json_add_num(o, "duration_s", r->duration_s) &&
                 json_add_num(o, "interval_s", r->interval_s) &&
                 json_add_num(o, "streams", r->streams) &&
                 json_add_num(o, "sent_bps", r->sent_bps) &&
                 json_add_num(o, "received_bps", r->received_bps) &&
                 json_add_num(o, "retransmits", r->retransmits) &&
                 json_add_num(o, "mean_rtt_us", r->mean_rtt_us) &&
                 json_add_num(o, "max_cwnd_bytes", r->max_cwnd_bytes);
    cJSON *rows = is_ok ? cJSON_AddArrayToObject(o, "rows") : NULL;
    is_ok = rows != NULL;
    for (size_t i = 0; is_ok && i < r->nrows; i++) {
        is_ok = add_row(rows, &r->rows[i]);
    }
    if (!is_ok) {
        cJSON_Delete(o);
        return NULL;
    }
    return o;
}
