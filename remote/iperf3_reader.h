/* A reader of `iperf3 --json-stream` (3.17 and later): a sample for every interval as it ends,
 * src "iperf3/LABEL", time that of its arrival here: bits_per_second and retransmits of all
 * streams, and of a single one snd_cwnd_bytes and rtt_us. Omitted intervals give none. The document
 * itself is for iperf3_parse(), from the text that the job keeps. */
#ifndef CCALAB_REMOTE_IPERF3_READER_H
#define CCALAB_REMOTE_IPERF3_READER_H

#include "remote/reader.h"

/* NULL when out of memory. */
struct reader *iperf3_reader_new(const struct reader_opts *opts);

#endif
