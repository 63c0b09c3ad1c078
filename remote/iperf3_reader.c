#include "remote/iperf3_reader.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event_line.h"
#include "core/json.h"
#include "core/line.h"

#define LINE_MAX_BYTES (4u << 20)

struct iperf3_reader {
    struct reader base;
    char src[96];
    struct line_splitter lines;
    struct buf *events; /* while feeding */
};

static double positive(const cJSON *obj, const char *key)
{
    double v = json_num(obj, key, NAN);
    return v > 0 && v < 1e300 ? v : (double)NAN; /* 0: the sender is elsewhere */
}

static void take_interval(struct iperf3_reader *r, const cJSON *interval)
{
    const cJSON *sum = json_get(interval, "sum"), *streams = json_get(interval, "streams");
    const cJSON *only = cJSON_GetArraySize(streams) == 1 ? cJSON_GetArrayItem(streams, 0) : NULL;
    if (!cJSON_IsObject(sum) || json_bool(sum, "omitted", false)) {
        return;
    }
    const struct event_value values[] = {
        {"bits_per_second", json_num(sum, "bits_per_second", NAN)},
        {"retransmits", json_num(sum, "retransmits", NAN)},
        {"snd_cwnd_bytes", positive(only, "snd_cwnd")},
        {"rtt_us", positive(only, "rtt")},
    };
    event_line_sample(r->events, -1, r->src, values, sizeof(values) / sizeof(values[0]));
}

static void take_line(void *user, const char *line, size_t len)
{
    struct iperf3_reader *r = user;
    if (len == 0 || line[0] != '{') {
        return;
    }
    cJSON *root = cJSON_ParseWithLength(line, len);
    if (strcmp(json_str(root, "event", ""), "interval") == 0) {
        take_interval(r, json_get(root, "data"));
    }
    cJSON_Delete(root);
}

static void feed(struct reader *base, const char *data, size_t len, struct buf *events)
{
    struct iperf3_reader *r = (struct iperf3_reader *)base;
    r->events = events;
    line_splitter_feed(&r->lines, data, len, take_line, r);
}

static void end(struct reader *base, struct buf *events)
{
    struct iperf3_reader *r = (struct iperf3_reader *)base;
    r->events = events;
    line_splitter_end(&r->lines, take_line, r);
}

static void free_reader(struct reader *base)
{
    struct iperf3_reader *r = (struct iperf3_reader *)base;
    line_splitter_done(&r->lines);
    free(r);
}

struct reader *iperf3_reader_new(const struct reader_opts *opts)
{
    struct iperf3_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    r->base = (struct reader){feed, end, free_reader};
    snprintf(r->src, sizeof(r->src), "iperf3/%.64s", opts->label);
    line_splitter_init(&r->lines, LINE_MAX_BYTES);
    return &r->base;
}
