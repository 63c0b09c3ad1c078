/* A file as a stream of its contents, unpacked on the way where it is compressed: gzip (RFC 1952,
 * several members too) and Zstandard (RFC 8878). What is in it does not matter here. */
#ifndef CCALAB_CAPTURE_UNPACK_H
#define CCALAB_CAPTURE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/error.h"

struct unpack;

/* Open a file ("-": standard input, which stays open). Errors: STATUS_IO (cannot be opened or
 * read), STATUS_UNAVAILABLE (another compression), STATUS_NOMEM. */
CCALAB_MUST_USE enum status unpack_open(const char *path, struct unpack **out, struct error *err);
void unpack_close(struct unpack *u);
/* At the end of a file that is being written to, or where a pipe has nothing yet, call `wait`,
 * which takes its time and says whether to look again; false is the end. Without it the end of a
 * file is the end, and a pipe is waited for. */
void unpack_follow(struct unpack *u, bool (*wait)(void *user), void *user);
/* Go on reading at this offset. False where the file is packed or no file. */
bool unpack_seek(struct unpack *u, uint64_t offset);
/* How much of the file has been read, 0 to 1; -1: nobody knows. */
double unpack_progress(const struct unpack *u);
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
