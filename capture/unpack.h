/* A file as a stream of its contents, unpacked on the way where it is compressed: gzip (RFC 1952,
 * several members too) and Zstandard (RFC 8878). What is in it does not matter here. */
#ifndef CCALAB_CAPTURE_UNPACK_H
#define CCALAB_CAPTURE_UNPACK_H

#include <stdio.h>
#include <sys/types.h>

#include "core/error.h"

struct unpack;

/* Open a file ("-": standard input, which stays open). Errors: STATUS_IO (cannot be opened or
 * read), STATUS_UNAVAILABLE (another compression), STATUS_NOMEM. */
CCALAB_MUST_USE enum status unpack_open(const char *path, struct unpack **out, struct error *err);
void unpack_close(struct unpack *u);
/* The next bytes, at most `size` > 0. 0: the end; -1: it cannot be read any further, with errno set
 * and unpack_fault() saying why. */
ssize_t unpack_read(struct unpack *u, void *out, size_t size);
/* The first bytes, which unpack_read() gives (again) afterwards; fewer where there are no more.
 * Only before the first unpack_read(). */
#define UNPACK_PEEK_MAX 64
size_t unpack_peek(struct unpack *u, void *out, size_t size);
/* The same as a stdio stream, which owns `u` from now on. NULL without memory. */
FILE *unpack_stream(struct unpack *u);
/* Why the stream ended early, in words; NULL if it did not. */
const char *unpack_fault(const struct unpack *u);

#endif
