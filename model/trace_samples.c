#include "model/trace_samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 64
#define VALUE_MAX   1e18

enum column {
    COLUMN_CWND,
    COLUMN_SRTT,
    COLUMN_MIN_RTT,
    COLUMN_THROUGHPUT,
    COLUMN_BYTES,
    COLUMN_DELIVERED,
    COLUMN_CE,
    COLUMN_LOST,
    COLUMN_RETRANS,
    COLUMN_WANTED,
    COLUMN_ADVISED,
    COLUMNS,
    COLUMN_OTHER = COLUMNS
};
static const char *const column_names[COLUMNS] = {
    "cwnd_bytes",   "srtt_us", "min_rtt_us", "throughput_bps", "bytes_acked",  "delivered",
    "delivered_ce", "lost",    "retrans",    "wanted_pkts",    "advised_bytes"};

struct layout {
    enum column columns[COLUMNS_MAX];
    size_t count;
    bool has[COLUMNS + 1];
};

bool trace_samples_is_wide(const char *text, size_t len)
{
    static const char wide[] = "t_s,", tall[] = "t_s,series,value";

    return len >= strlen(wide) && !memcmp(text, wide, strlen(wide)) &&
           (len < strlen(tall) || memcmp(text, tall, strlen(tall)) != 0);
}

void trace_samples_done(struct trace_samples *f)
{
    free(f->at);
    *f = (struct trace_samples){0};
}

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "trace", "no memory for the samples");
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The columns behind the time; more than there is room for are not looked at. */
static void read_header(const char *line, const char *end, struct layout *l)
{
    const char *at = memchr(line, ',', (size_t)(end - line));

    *l = (struct layout){0};
    while (at && l->count < COLUMNS_MAX) {
        const char *name = at + 1;
        at = memchr(name, ',', (size_t)(end - name));
        size_t len = (size_t)((at ? at : end) - name);
        enum column column = COLUMN_OTHER;
        for (int c = 0; c < COLUMNS; c++)
            if (strlen(column_names[c]) == len && !memcmp(name, column_names[c], len))
                column = (enum column)c;
        l->columns[l->count++] = column;
        l->has[column] = true;
    }
}

static bool read_number(const char *text, const char *end, double *out)
{
    char *stop;

    *out = NAN;
    if (text == end)
        return true; /* not measured */
    *out = strtod(text, &stop);
    return stop == end && *out >= 0 && *out <= VALUE_MAX;
}

/* "1700000000.1,14480,,20000": what is empty was not measured. */
static bool read_line(const struct layout *l, const char *line, const char *end, double *t_s,
                      double values[COLUMNS])
{
    const char *at = memchr(line, ',', (size_t)(end - line));

    if (!at || at == line || !read_number(line, at, t_s))
        return false;
    for (int c = 0; c < COLUMNS; c++)
        values[c] = NAN;
    for (size_t i = 0; at && i < l->count; i++) {
        const char *value = at + 1;
        at = memchr(value, ',', (size_t)(end - value));
        /* What was wanted may be any number, and is not used. */
        if (l->columns[i] != COLUMN_OTHER && l->columns[i] != COLUMN_WANTED &&
            !read_number(value, at ? at : end, &values[l->columns[i]]))
            return false;
    }
    return true;
}

static enum status add_sample(struct trace_samples *f, double t_s, const double values[COLUMNS],
                              struct error *err)
{
    if (f->count && t_s <= f->at[f->count - 1].s.t_s)
        return STATUS_OK; /* the clock was set back: there is no interval in it */
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 1024;
        void *at = realloc(f->at, cap * sizeof *f->at);
        if (!at)
            return no_memory(err);
        f->at = at;
        f->cap = cap;
    }
    f->at[f->count++] = (struct trace_sample){
        .s = {.t_s = t_s,
              .srtt_s = values[COLUMN_SRTT] / 1e6,
              .min_rtt_s = values[COLUMN_MIN_RTT] / 1e6,
              .cwnd_bytes = values[COLUMN_CWND],
              .bytes_acked = values[COLUMN_BYTES],
              .delivered = values[COLUMN_DELIVERED],
              .delivered_ce = values[COLUMN_CE],
              /* tcp_info's `lost` is what is lost at the moment, and no counter. */
              .lost = values[f->is_driven ? COLUMN_LOST : COLUMN_RETRANS]},
        .throughput_bps = values[COLUMN_THROUGHPUT],
        .advised_bytes = values[COLUMN_ADVISED]};
    return STATUS_OK;
}

enum status trace_samples_read(const char *text, size_t len, const char *name,
                               struct trace_samples *out, struct error *err)
{
    const char *end = text + len, *line = memchr(text, '\n', len);
    size_t number = 1;
    struct layout l;
    enum status st = STATUS_OK;

    *out = (struct trace_samples){0};
    read_header(text, line ? line : end, &l);
    if (!l.has[COLUMN_CWND] || !l.has[COLUMN_SRTT] || !l.has[COLUMN_THROUGHPUT])
        return STATUS_OK;
    out->is_driven = l.has[COLUMN_WANTED];
    while (line && line + 1 < end && st == STATUS_OK) {
        const char *begin = line + 1;
        double t_s, values[COLUMNS];
        line = memchr(begin, '\n', (size_t)(end - begin));
        number++;
        if (!line)
            st = error_set(err, STATUS_INPUT, "trace", "%s:%zu: breaks off", name, number);
        else if (!read_line(&l, begin, line, &t_s, values))
            st = error_set(err, STATUS_INPUT, "trace",
                           "%s:%zu: a time and a number from 0 on in each column is wanted", name,
                           number);
        else
            st = add_sample(out, t_s, values, err);
    }
    return st;
}

/* --- rates ------------------------------------------------------------------------------------ */

/* The last sample that is not later than `t_s`; count where there is none. */
static size_t sample_before(const struct trace_samples *f, double t_s)
{
    size_t low = 0, high = f->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->at[middle].s.t_s <= t_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : f->count;
}

/* Bytes acknowledged by then, `i` being the sample before; NaN behind the last one. */
static double bytes_at(const struct trace_samples *f, size_t i, double t_s)
{
    const struct snapshot *a = &f->at[i].s, *b;

    if (t_s == a->t_s)
        return a->bytes_acked;
    if (i + 1 == f->count || f->at[i + 1].s.bytes_acked < a->bytes_acked)
        return NAN;
    b = &f->at[i + 1].s;
    return a->bytes_acked + (b->bytes_acked - a->bytes_acked) * (t_s - a->t_s) / (b->t_s - a->t_s);
}

double trace_samples_rate(const struct trace_samples *f, double from_s, double to_s)
{
    size_t first = sample_before(f, from_s), last = sample_before(f, to_s);

    if (first == f->count || !(to_s > from_s))
        return NAN;
    for (size_t i = first; i < last; i++)
        if (!(f->at[i + 1].s.bytes_acked >= f->at[i].s.bytes_acked))
            return NAN; /* another socket of the same name */
    return (bytes_at(f, last, to_s) - bytes_at(f, first, from_s)) * 8 / (to_s - from_s);
}

/* --- rows ------------------------------------------------------------------------------------- */

bool trace_samples_has_counters(const struct trace_samples *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (snapshot_is_whole(&f->at[i].s))
            return true;
    return false;
}

/* What the others had in the row's interval. */
static void see_others(const struct trace_samples *f, const struct trace_samples *all, size_t count,
                       double from_s, struct trace_row *row)
{
    for (size_t i = 0; i < count; i++) {
        double bps = &all[i] != f ? trace_samples_rate(&all[i], from_s, row->t_s) : NAN;
        if (isnan(bps))
            continue;
        row->others_ln_bps += log(fmax(bps, TRACE_FLOOR_BPS));
        row->others++;
    }
}

/* A row in which nothing was measured ends an episode. */
static enum status add_gap(struct trace *out, double t_s, struct error *err)
{
    const struct snapshot unknown = {t_s, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    const struct trace_row row = snapshot_row(NULL, &unknown);

    return trace_add_row(out, &row, err);
}

/* Every sample from the first measured round trip on. */
static enum status cut_samples(const struct trace_samples *f, double t0_s, struct trace *out,
                               struct error *err)
{
    enum status st = STATUS_OK;
    size_t i = 0;

    while (i < f->count && !(f->at[i].s.srtt_s > 0))
        i++;
    for (; i < f->count && st == STATUS_OK; i++) {
        struct trace_row row = snapshot_row(NULL, &f->at[i].s);
        row.throughput_bps = f->at[i].throughput_bps;
        row.t_s -= t0_s;
        st = trace_add_row(out, &row, err);
    }
    return st;
}

enum status trace_samples_cut(const struct trace_samples *f, const struct trace_samples *all,
                              size_t count, double interval_s, double t0_s, struct trace *out,
                              struct error *err)
{
    const struct snapshot *last = NULL;
    size_t end = f->count;
    enum status st = STATUS_OK;

    if (!(interval_s > 0))
        return cut_samples(f, t0_s, out, err);
    /* A sender that is done is sampled until its socket has gone: no policy is to blame for that.
     */
    while (end > 1 && !(f->at[end - 1].s.bytes_acked > f->at[end - 2].s.bytes_acked))
        end--;
    for (size_t i = 0; i < end && st == STATUS_OK; i++) {
        const struct snapshot *s = &f->at[i].s;
        bool is_whole = snapshot_is_whole(s);
        if (!is_whole || (last && s->bytes_acked < last->bytes_acked)) { /* another socket */
            if (last)
                st = add_gap(out, s->t_s - t0_s, err);
            last = is_whole ? s : NULL;
            continue;
        }
        const struct snapshot *next = i + 1 < end ? &f->at[i + 1].s : NULL;
        if (last && !f->is_driven && !snapshot_is_due(last, s, next, interval_s))
            continue;
        if (last) {
            struct trace_row row = snapshot_row(last, s);
            see_others(f, all, count, last->t_s, &row);
            row.advised_bytes = f->at[i].advised_bytes;
            row.t_s -= t0_s;
            st = trace_add_row(out, &row, err);
        }
        last = s;
    }
    return st;
}

enum status trace_add_samples(struct trace_set *s, const char *text, size_t len, const char *name,
                              struct error *err)
{
    struct trace_samples f;
    struct trace *t;
    enum status st = trace_samples_read(text, len, name, &f, err);

    if (st == STATUS_OK && !f.count) {
        error_set(err, STATUS_INPUT, "trace",
                  "%s: no samples of a flow with cwnd_bytes, srtt_us and throughput_bps", name);
        st = error_hint(err, "flows are sampled by ccalab tcp-info");
    }
    if (st == STATUS_OK)
        st = trace_add(s, name, &t, err);
    if (st == STATUS_OK)
        st = trace_samples_cut(&f, &f, 1, s->interval_s, f.at[0].s.t_s, t, err);
    trace_samples_done(&f);
    return st;
}
