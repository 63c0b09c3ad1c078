/* A file as a stream of its contents, unpacked on the way where it is compressed: gzip (RFC 1952,
 * several members too) and Zstandard (RFC 8878). What is in it does not matter here. */
#ifndef CCALAB_CAPTURE_UNPACK_H
#define CCALAB_CAPTURE_UNPACK_H

#include <stdio.h>

#include "core/error.h"

struct unpack;

/* Open a file ("-": standard input, which stays open). The stream is for reading from the beginning
 * to the end; fclose() frees everything. *fault is NULL for a file that is not compressed, else it
 * is good for unpack_fault() until the stream is closed.
 * Errors: STATUS_IO (cannot be opened or read), STATUS_UNAVAILABLE (another compression),
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status unpack_open(const char *path, FILE **out, struct unpack **fault,
                                        struct error *err);
/* Why the stream ended early (a read error then), in words; NULL if it did not. `u` may be NULL. */
const char *unpack_fault(const struct unpack *u);

#endif
