/* Traces from the --json output of an iperf3 client (trace.h). */
#include <math.h>
#include <stdio.h>

#include "core/json.h"
#include "model/trace.h"

/* Beyond any rtt, window or rate there is, and far from the end of a float. */
#define VALUE_MAX   1e18
#define STREAMS_MAX 128 /* iperf3 -P */

static enum status bad(const char *name, const char *what, struct error *err)
{
    return error_set(err, STATUS_INPUT, "trace", "%s: %s", name, what);
}

/* A stream of an interval, or NULL where the interval is omitted (iperf3 -O: slow start). */
static const cJSON *stream_of(const cJSON *interval, int stream)
{
    const cJSON *s = cJSON_GetArrayItem(json_get(interval, "streams"), stream);
    if (json_bool(s, "omitted", false) || json_bool(json_get(interval, "sum"), "omitted", false))
        return NULL;
    return s;
}

static enum status read_number(const cJSON *stream, const char *key, const char *name, int interval,
                               double *out, struct error *err)
{
    const cJSON *v = json_get(stream, key);
    if (!cJSON_IsNumber(v)) {
        error_set(err, STATUS_INPUT, "trace", "%s: interval %d has no '%s'", name, interval, key);
        return error_hint(err, "only the sending side of a TCP run reports rtt and snd_cwnd: "
                               "not UDP, not -R");
    }
    if (!(v->valuedouble >= 0) || v->valuedouble > VALUE_MAX)
        return error_set(err, STATUS_INPUT, "trace", "%s: interval %d: '%s' is out of range", name,
                         interval, key);
    *out = v->valuedouble;
    return STATUS_OK;
}

static const char *congestion_control(const cJSON *root)
{
    const char *cc = json_str(json_get(root, "end"), "sender_tcp_congestion", NULL);
    return cc ? cc : json_str(json_get(json_get(root, "start"), "test_start"), "congestion", "");
}

static enum status add_stream(struct trace_set *set, const cJSON *root, int stream,
                              const char *name, struct error *err)
{
    const cJSON *intervals = json_get(root, "intervals"), *interval;
    struct trace *t;
    enum status st = trace_add(set, name, &t, err);
    int index = 0;

    if (st)
        return st;
    t->stream = stream;
    snprintf(t->cc, sizeof t->cc, "%s", congestion_control(root));
    cJSON_ArrayForEach(interval, intervals)
    {
        const cJSON *s = stream_of(interval, stream);
        struct trace_row row = {.min_rtt_s = NAN, .ce_share = NAN, .lost_share = NAN};
        double rtt_us;
        if (s) {
            if ((st = read_number(s, "snd_cwnd", name, index, &row.cwnd_bytes, err)) ||
                (st = read_number(s, "rtt", name, index, &rtt_us, err)) ||
                (st = read_number(s, "bits_per_second", name, index, &row.throughput_bps, err)))
                return st;
            row.rtt_s = rtt_us / 1e6;
            row.t_s = json_num(s, "end", index);
            if ((st = trace_add_row(t, &row, err)))
                return st;
        }
        index++;
    }
    return t->count ? STATUS_OK : bad(name, "every interval is omitted", err);
}

enum status trace_add_iperf3(struct trace_set *set, const char *text, size_t len, const char *name,
                             struct error *err)
{
    cJSON *root = json_parse(text, len, name, err);
    if (!root)
        return err ? err->status : STATUS_INPUT;

    enum status st = STATUS_OK;
    const char *failure = json_str(root, "error", NULL);
    const cJSON *intervals = json_get(root, "intervals");
    int streams = cJSON_GetArraySize(json_get(cJSON_GetArrayItem(intervals, 0), "streams"));
    if (failure)
        st = error_set(err, STATUS_INPUT, "trace", "%s: iperf3 failed: %.200s", name, failure);
    else if (!cJSON_IsArray(intervals))
        st = bad(name, "no 'intervals': not the --json output of an iperf3 client", err);
    else if (!cJSON_GetArraySize(intervals))
        st = bad(name, "no intervals: the run was too short", err);
    else if (!streams)
        st = bad(name, "the first interval has no streams", err);
    else if (streams > STREAMS_MAX)
        st = bad(name, "more than 128 streams", err);
    for (int i = 0; i < streams && !st; i++)
        st = add_stream(set, root, i, name, err);
    cJSON_Delete(root);
    return st;
}
