/* The samples of one flow, as a run directory's samples/NAME.csv has them (core/run_samples.h), and
 * the rows that are cut out of them. For trace_run.c and trace_path.c. Thread: any, one at a time.
 */
#ifndef CCALAB_MODEL_TRACE_SAMPLES_H
#define CCALAB_MODEL_TRACE_SAMPLES_H

#include "model/snapshot.h"

struct trace_sample {
    struct snapshot s;
    double throughput_bps; /* as the file has it */
    double advised_bytes;  /* window; NaN: nothing was advised */
};

struct trace_samples {
    struct trace_sample *at;
    size_t count, cap;
    bool is_driven; /* the events of netllm drive: a sample is a decision, and all are there if it
                       was told --report 0 */
};

/* How a wide CSV begins: "t_s,", and no "t_s,series,value". */
bool trace_samples_is_wide(const char *text, size_t len);
/* Read a wide CSV. Nothing (count 0) where it is no flow's: without cwnd_bytes, srtt_us and
 * throughput_bps. For trace_samples_done() whatever it returns. Errors: STATUS_INPUT with the line
 * at fault, STATUS_NOMEM. */
CCALAB_MUST_USE enum status trace_samples_read(const char *text, size_t len, const char *name,
                                               struct trace_samples *out, struct error *err);
void trace_samples_done(struct trace_samples *f);

/* What was acknowledged of the flow between two times, over that time, in bit/s; between samples as
 * if evenly. NaN where it was not sampled before, after and in between as one socket. */
double trace_samples_rate(const struct trace_samples *f, double from_s, double to_s);
/* Is there a sample of which rows can be made by counters? */
bool trace_samples_has_counters(const struct trace_samples *f);
/* Add the flow's rows to a trace, by trace_set's interval_s; times since `t0_s`. `all` are the
 * flows that shared the way, this one among them. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status trace_samples_cut(const struct trace_samples *f,
                                              const struct trace_samples *all, size_t count,
                                              double interval_s, double t0_s, struct trace *out,
                                              struct error *err);

#endif
