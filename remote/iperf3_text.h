/* The document in what an iperf3 client printed: one from --json, or put together again from the
 * lines of --json-stream (iperf3 3.17 and later), with whatever text around it. */
#ifndef CCALAB_REMOTE_IPERF3_TEXT_H
#define CCALAB_REMOTE_IPERF3_TEXT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct iperf3_text {
    cJSON *root;     /* {start, intervals, end}, as --json prints it; NULL: there is none */
    bool is_stream;  /* put together from lines; `end` is absent if it did not come */
    bool is_cut;     /* the last document or line breaks off, or is damaged */
    size_t cut_at;   /* where */
    char error[256]; /* the first error that iperf3 tells, "" if none */
};

/* Several documents are taken as they come: any error among them is the run's, else the last one
 * counts. Call iperf3_text_done(). */
void iperf3_text_read(const char *text, size_t len, struct iperf3_text *out);
void iperf3_text_done(struct iperf3_text *t);

#endif
