/* Through a capture file frame by frame, each dissected and seen in its stream. Thread: one at a
 * time. */
#ifndef CCALAB_CAPTURE_WALK_H
#define CCALAB_CAPTURE_WALK_H

#include "capture/field.h"
#include "capture/source.h"

/* What the past of a capture says of its next frame. */
struct walk_state {
    struct flows flows;  /* flows_init() */
    enum link_type link; /* set by the caller */
    uint64_t frames;     /* seen so far */
    int64_t first_ns, last_ns;
    struct packet packet; /* of the last step */
    struct analysis analysis;
};

/* Take the next frame; *out borrows from the state and from the frame until the next step. */
void walk_step(struct walk_state *w, const struct source_frame *f, struct field_frame *out);

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
