/* Traces from a CSV of samples in long form: t_s,series,value (trace.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/trace.h"

#define LABEL_MAX 128
#define FLOWS_MAX 4096

enum column { COLUMN_CWND, COLUMN_SRTT, COLUMN_THROUGHPUT, COLUMNS };
static const char *const column_names[] = {"cwnd_bytes", "srtt_us", "throughput_bps"};

/* One flow of the file: rows of the same time are one. */
struct flow {
    char label[LABEL_MAX];
    struct trace trace;
};

struct flows {
    struct flow *at;
    size_t count, last;
};

static enum status bad(const char *name, size_t line, const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "trace", "%s:%zu: %s", name, line, why);
}

/* The column that "LABEL/cwnd_bytes" names; -1 for a series that is none of ours. */
static int column_of(const char *series, size_t len, size_t *label_len)
{
    const char *slash = memrchr(series, '/', len);
    size_t tail;

    if (!slash || slash == series || (size_t)(slash - series) >= LABEL_MAX)
        return -1;
    *label_len = (size_t)(slash - series);
    tail = len - *label_len - 1;
    for (int c = 0; c < COLUMNS; c++)
        if (tail == strlen(column_names[c]) && !memcmp(slash + 1, column_names[c], tail))
            return c;
    return -1;
}

static enum status flow_of(struct flows *f, const char *label, size_t len, struct flow **out,
                           struct error *err)
{
    struct flow *at;

    for (size_t i = 0; i < f->count; i++) {
        struct flow *flow = &f->at[(f->last + i) % f->count]; /* the one before, most likely */
        if (strlen(flow->label) == len && !memcmp(flow->label, label, len)) {
            f->last = (size_t)(flow - f->at);
            *out = flow;
            return STATUS_OK;
        }
    }
    at = f->count < FLOWS_MAX ? realloc(f->at, (f->count + 1) * sizeof *at) : NULL;
    if (!at)
        return error_set(err, STATUS_NOMEM, "trace", "no memory for the traces");
    f->at = at;
    *out = &f->at[f->count];
    memset(*out, 0, sizeof **out);
    memcpy((*out)->label, label, len);
    f->last = f->count++;
    return STATUS_OK;
}

/* Series come one after the other, each in order of time: the row of time `t` is found by halving,
 * or is new at the end. */
static enum status row_of(struct trace *t, double t_s, struct trace_row **out, struct error *err)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t->rows[mid].t_s < t_s)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == t->count || t->rows[low].t_s != t_s) {
        struct trace_row row = {t_s, NAN, NAN, NAN, NAN, NAN, NAN};
        enum status st = trace_add_row(t, &row, err);
        if (st != STATUS_OK)
            return st;
        memmove(&t->rows[low + 1], &t->rows[low], (t->count - 1 - low) * sizeof row);
        t->rows[low] = row;
    }
    *out = &t->rows[low];
    return STATUS_OK;
}

/* "1700000000.1,client_x/cwnd_bytes,14480": an empty value was not measured. */
static enum status read_line(struct flows *f, const char *line, const char *end, const char *name,
                             size_t number, struct error *err)
{
    const char *series, *value;
    char *stop;
    double t_s = strtod(line, &stop), v = NAN;
    size_t label_len;
    struct trace_row *row;
    struct flow *flow = NULL; /* gcc -O2 does not see that flow_of() sets it */
    enum status st;
    int column;

    if (stop == line || stop >= end || *stop != ',' || !isfinite(t_s))
        return bad(name, number, "does not begin with a time", err);
    series = stop + 1;
    value = memchr(series, ',', (size_t)(end - series));
    if (!value)
        return bad(name, number, "has no value", err);
    column = column_of(series, (size_t)(value - series), &label_len);
    if (column < 0)
        return STATUS_OK;
    if (++value < end) {
        v = strtod(value, &stop);
        if (stop != end || !(v >= 0) || v > 1e18)
            return bad(name, number, "its value is out of range", err);
    }
    if ((st = flow_of(f, series, label_len, &flow, err)) ||
        (st = row_of(&flow->trace, t_s, &row, err)))
        return st;
    if (column == COLUMN_CWND)
        row->cwnd_bytes = v;
    else if (column == COLUMN_SRTT)
        row->rtt_s = v / 1e6;
    else
        row->throughput_bps = v;
    return STATUS_OK;
}

/* Rows before the first RTT sample are the handshake's: nothing was decided there. */
static enum status hand_over(struct trace_set *s, const struct flow *f, const char *name,
                             int stream, struct error *err)
{
    size_t first = 0;
    struct trace *t;
    enum status st;

    while (first < f->trace.count && !(f->trace.rows[first].rtt_s > 0))
        first++;
    if (first == f->trace.count)
        return STATUS_OK;
    st = trace_add(s, name, &t, err);
    if (st != STATUS_OK)
        return st;
    t->stream = stream;
    for (size_t i = first; i < f->trace.count && st == STATUS_OK; i++)
        st = trace_add_row(t, &f->trace.rows[i], err);
    return st;
}

enum status trace_add_csv(struct trace_set *s, const char *text, size_t len, const char *name,
                          struct error *err)
{
    const char *end = text + len, *line = memchr(text, '\n', len);
    struct flows f = {0};
    size_t before = s->count, number = 1;
    enum status st = STATUS_OK;

    while (line && line + 1 < end && st == STATUS_OK) {
        const char *next = memchr(line + 1, '\n', (size_t)(end - line - 1));
        number++;
        if (!next)
            st = bad(name, number, "breaks off", err);
        else if (next > line + 1)
            st = read_line(&f, line + 1, next, name, number, err);
        line = next;
    }
    for (size_t i = 0; i < f.count && st == STATUS_OK; i++)
        st = hand_over(s, &f.at[i], name, (int)i, err);
    for (size_t i = 0; i < f.count; i++)
        free(f.at[i].trace.rows);
    free(f.at);
    if (st == STATUS_OK && s->count == before) {
        error_set(err, STATUS_INPUT, "trace",
                  "%s: no flow with cwnd_bytes, srtt_us and throughput_bps", name);
        st = error_hint(err, "flows are sampled by ccalab tcp-info");
    }
    return st;
}
