#include "remote/ss_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/event_line.h"
#include "core/line.h"
#include "remote/ss_parse.h"
#include "remote/tcp_flows.h"

#define LINE_MAX_BYTES 8192
#define TIME_MAX_S     1e10 /* its nanoseconds fit into 64 bits */

struct ss_reader {
    struct reader base;
    char label[TCP_LABEL_MAX + 1], peer[64];
    struct tcp_flows flows;
    struct line_splitter lines;
    struct buf socket;  /* the lines of the socket that is not complete yet */
    struct buf *events; /* while feeding */
    double t;           /* of this round; NaN before the first */
    bool is_up, has_warned;
};

static void take_socket(struct ss_reader *r)
{
    struct tcp_reading reading;
    struct event_value values[TCP_VALUES];
    if (!r->socket.is_failed && ss_parse(r->socket.data, r->socket.len, &reading)) {
        const struct tcp_flow *flow =
            tcp_flows_take(&r->flows, &reading, (uint64_t)(r->t * 1e9), values);
        if (flow) {
            event_line_sample(r->events, r->t, flow->src, values, TCP_VALUES);
        } else if (r->flows.is_full && !r->has_warned) {
            event_line_log(r->events, "warn", "too many flows: the rest is not sampled");
            r->has_warned = true;
        }
    }
    buf_clear(&r->socket);
}

static void take_line(void *user, const char *line, size_t len)
{
    struct ss_reader *r = user;
    if (len > 0 && line[0] == '@') {
        take_socket(r);
        if (len > 1) {
            double t = strtod(line + 1, NULL);
            r->t = t > 0 && t < TIME_MAX_S ? t : (double)NAN;
        } else if (!r->is_up && !isnan(r->t)) { /* the first round is over */
            event_line_state(r->events, "up");
            r->is_up = true;
        }
        return;
    }
    if (isnan(r->t)) {
        return;
    }
    if (len > 0 && line[0] != ' ' && line[0] != '\t') {
        take_socket(r);
    }
    buf_append(&r->socket, line, len);
    buf_append(&r->socket, " ", 1);
}

static void feed(struct reader *base, const char *data, size_t len, struct buf *events)
{
    struct ss_reader *r = (struct ss_reader *)base;
    r->events = events;
    line_splitter_feed(&r->lines, data, len, take_line, r);
}

static void end(struct reader *base, struct buf *events)
{
    struct ss_reader *r = (struct ss_reader *)base;
    /* A line that is cut off is not a reading. */
    tcp_flows_result(&r->flows, events);
}

static void free_reader(struct reader *base)
{
    struct ss_reader *r = (struct ss_reader *)base;
    tcp_flows_done(&r->flows);
    line_splitter_done(&r->lines);
    buf_done(&r->socket);
    free(r);
}

struct reader *ss_reader_new(const struct reader_opts *opts)
{
    struct ss_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    r->base = (struct reader){feed, end, free_reader};
    strncpy(r->label, opts->label, sizeof(r->label) - 1);
    strncpy(r->peer, opts->peer ? opts->peer : "", sizeof(r->peer) - 1);
    r->flows = (struct tcp_flows){.label = r->label,
                                  .peer = r->peer[0] ? r->peer : NULL,
                                  .dport = opts->dport,
                                  .sport = opts->sport};
    line_splitter_init(&r->lines, LINE_MAX_BYTES);
    buf_init(&r->socket, 2 * LINE_MAX_BYTES);
    r->t = NAN;
    return &r->base;
}
