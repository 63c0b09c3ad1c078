/* A growable byte buffer with an upper bound, always NUL-terminated.
 *
 * Whatever comes from a host or a file goes through one of these, so that nobody can make the
 * console eat the machine's memory. Once an append fails the buffer is `is_failed` and further
 * appends do nothing: check once, at the end. */
#ifndef CCALAB_CORE_BUF_H
#define CCALAB_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

struct buf {
    char *data; /* len bytes and a NUL; "" before the first append, never NULL */
    size_t len;
    size_t cap; /* 0 while data points at static storage */
    size_t max; /* append fails beyond this many bytes */
    bool is_failed;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
/* Empty it and clear the failure, keeping the memory. */
void buf_clear(struct buf *b);
/* Each returns false (and sets is_failed) when the bound or memory is exhausted. */
bool buf_append(struct buf *b, const void *data, size_t len);
bool buf_puts(struct buf *b, const char *s);
bool buf_printf(struct buf *b, const char *fmt, ...) CCALAB_PRINTF(2, 3);
/* Append, dropping the oldest bytes where the bound would be passed: a tail of a stream. */
void buf_append_tail(struct buf *b, const void *data, size_t len);
/* Drop the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);
/* Take the bytes out as a malloc'ed string; the buffer is empty afterwards. NULL if failed. */
char *buf_take(struct buf *b);

/* Read a whole file of at most `max` bytes into *b (initialised here; caller calls buf_done()).
 * Errors: STATUS_IO, STATUS_NOMEM (too large). */
CCALAB_MUST_USE enum status buf_read_file(struct buf *b, const char *path, size_t max,
                                          struct error *err);
/* Write a file so that readers see the old or the new content, never half: temporary file in the
 * same directory, fsync, rename. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status file_write_atomic(const char *path, const void *data, size_t len,
                                              struct error *err);
/* Write a file that must not be there yet (nor a link of that name); `mode` as of open(2). What
 * could not be written to its end is removed. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status file_write_new(const char *path, const void *data, size_t len,
                                           mode_t mode, struct error *err);

#endif
