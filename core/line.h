/* A stream of bytes cut into lines, each of bounded length. */
#ifndef CCALAB_CORE_LINE_H
#define CCALAB_CORE_LINE_H

#include "core/buf.h"

/* A line without its newline, NUL-terminated; borrowed for the call. */
typedef void (*line_fn)(void *user, const char *line, size_t len);

struct line_splitter {
    struct buf line;
    size_t skipped; /* bytes dropped of lines over the limit */
    bool is_skipping;
};

void line_splitter_init(struct line_splitter *s, size_t max);
void line_splitter_done(struct line_splitter *s);
/* Feed bytes as they come; calls `fn` for every complete line. A line over the limit is dropped as
 * a whole. */
void line_splitter_feed(struct line_splitter *s, const char *data, size_t len, line_fn fn,
                        void *user);
/* End of stream: hand out a last line without newline. */
void line_splitter_end(struct line_splitter *s, line_fn fn, void *user);

#endif
