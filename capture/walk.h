/* Through a capture file frame by frame, each dissected and seen in its stream. Thread: one at a
 * time. */
#ifndef CCALAB_CAPTURE_WALK_H
#define CCALAB_CAPTURE_WALK_H

#include "capture/field.h"

struct walk_end {
    uint64_t frames;
    char truncated[256]; /* what cut the file short; "" if nothing did */
};

/* The frame is borrowed for the call. False: no more frames are wanted. */
typedef bool (*walk_fn)(void *user, const struct field_frame *frame);

/* Hand out every frame of the file ("-": standard input) in order. Errors: those of
 * source_open_file() and source_read(). */
CCALAB_MUST_USE enum status walk_file(const char *path, walk_fn fn, void *user,
                                      struct walk_end *end, struct error *err);

#endif
