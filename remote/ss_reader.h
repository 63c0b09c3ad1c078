/* A reader of ss(8) in a loop: for every round a line "@SECONDS" (date +@%s.%N), what `ss -tin`
 * says, and a line "@". The loop is in lua/prelude/sampler.lua. It gives the samples and the result
 * of `ccalab tcp-info`, with null for what ss does not tell. */
#ifndef CCALAB_REMOTE_SS_READER_H
#define CCALAB_REMOTE_SS_READER_H

#include "remote/reader.h"

/* NULL when out of memory. */
struct reader *ss_reader_new(const struct reader_opts *opts);

#endif
