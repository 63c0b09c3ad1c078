/* Traces: what was measured of a flow, row by row, before a recipe makes experience of it
 * (recipe.h). Thread: any, one at a time. */
#ifndef CCALAB_MODEL_TRACE_H
#define CCALAB_MODEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct pool;

/* An interval in which nothing was delivered counts as one packet of 1500 bytes a second: the floor
 * of logarithms that are otherwise those of 1e6 to 1e9. */
#define TRACE_FLOOR_BPS 12e3

/* A number that was not measured is NaN. */
struct trace_row {
    double t_s; /* of the end of the interval; since any origin */
    double rtt_s, cwnd_bytes;
    double throughput_bps; /* of this flow alone, over the interval that ends here */
    double min_rtt_s;      /* least of the flow so far */
    double ce_share;       /* of the packets delivered in the interval, those that carried CE */
    double lost_share;     /* packets lost by packets delivered in the interval */
    /* The other flows of the run that were there throughout the interval: how many, and the sum of
     * ln(bit/s), each at least TRACE_FLOOR_BPS. */
    int others;
    double others_ln_bps;
    /* Of a pool of recipe loop, that recipe loop takes as it is. */
    bool has_outcome;
    double action, advice, reward;
    /* Of a driven flow: the window that its advisor, or it itself but for chance, wanted next. */
    double advised_bytes;
};

struct trace {
    struct trace_row *rows;
    size_t count, cap;
    char *source;      /* file it came from */
    char cc[32];       /* congestion control; "" if unknown */
    int stream;        /* index of the flow in its source */
    char scenario[64]; /* in which it was collected; "" if unknown */
    double seed;       /* of that scenario's run */
};

struct trace_set {
    struct trace *at;
    size_t count, cap;
    /* Rows of samples are made of counters, and about max(this, srtt) apart (snapshot.h), for
     * the recipe loop. 0, as the set is initialised: every sample is a row. */
    double interval_s;
};

void trace_set_init(struct trace_set *s);
void trace_set_done(struct trace_set *s);
/* A new trace at the end of the set, without rows; `source` is copied. Its address holds until the
 * next one is added. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status trace_add(struct trace_set *s, const char *source, struct trace **out,
                                      struct error *err);
CCALAB_MUST_USE enum status trace_add_row(struct trace *t, const struct trace_row *row,
                                          struct error *err);

/* Add every TCP stream of an iperf3 client's --json output. Rows are the intervals that are not
 * `omitted`: rtt / 1e6, snd_cwnd and bits_per_second of the stream itself (not of the sum). The
 * throughput is that of socket writes: with the sampler's CSV at hand, take that.
 * `name` is what messages and pools call the file.
 * Errors: STATUS_INPUT with iperf3's own message where the run failed, or saying what is missing.
 */
CCALAB_MUST_USE enum status trace_add_iperf3(struct trace_set *s, const char *text, size_t len,
                                             const char *name, struct error *err);
/* Add every flow of a CSV of samples (t_s,series,value; docs/lua.md, lab.save_series), where series
 * are LABEL/cwnd_bytes, LABEL/srtt_us and LABEL/throughput_bps as `ccalab tcp-info` gives them:
 * delivered bytes. Other series are passed over; rows before the first round trip was measured are
 * left out. Errors: STATUS_INPUT with the line at fault, or if no flow is in it. */
CCALAB_MUST_USE enum status trace_add_csv(struct trace_set *s, const char *text, size_t len,
                                          const char *name, struct error *err);
/* Add the one flow of a wide CSV of samples (a file of a run directory's samples/): t_s and the
 * columns of `ccalab tcp-info` or of `netllm drive`. Errors: STATUS_INPUT with the line at fault,
 * or if it is no flow's; STATUS_NOMEM. */
CCALAB_MUST_USE enum status trace_add_samples(struct trace_set *s, const char *text, size_t len,
                                              const char *name, struct error *err);
/* Add the states of a pool, an episode a trace: what was measured before its recipe. Rows are a
 * second apart where the pool has no times. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status trace_add_pool(struct trace_set *s, const struct pool *p,
                                           const char *name, struct error *err);
/* Add the flows of a run directory (core/run.h): those of its samples/, where there are none of its
 * samples.csv, else of its iperf3 JSON files. Where its run.json has "provenance": {"scenario",
 * "seed", "cc", "flows"}, they carry that, and only flows with a label of that list are added where
 * there is one. Of a flow that netllm drive has noted decisions on, rows of counters are theirs.
 * The others of the directory are seen as rivals for the same bottleneck. Times are since the run's
 * t0. Errors: those above, STATUS_IO; STATUS_INPUT for a run.json that is none. */
CCALAB_MUST_USE enum status trace_add_run(struct trace_set *s, const char *dir, struct error *err);
/* Add whatever `path` is: iperf3 JSON, a CSV of samples, a pool, or a run directory. Told apart by
 * content. Errors: those above. */
CCALAB_MUST_USE enum status trace_add_path(struct trace_set *s, const char *path,
                                           struct error *err);

#endif
