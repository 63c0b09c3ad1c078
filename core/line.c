#include "core/line.h"

#include <string.h>

void line_splitter_init(struct line_splitter *s, size_t max)
{
    *s = (struct line_splitter){0};
    buf_init(&s->line, max);
}

void line_splitter_done(struct line_splitter *s)
{
    buf_done(&s->line);
}

void line_splitter_feed(struct line_splitter *s, const char *data, size_t len, line_fn fn,
                        void *user)
{
    while (len) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl ? (size_t)(nl - data) : len;
        if (s->is_skipping || !buf_append(&s->line, data, n)) {
            s->skipped += n + s->line.len;
            buf_clear(&s->line);
            s->is_skipping = true;
        }
        if (nl) {
            if (!s->is_skipping)
                fn(user, s->line.data, s->line.len);
            buf_clear(&s->line);
            s->is_skipping = false;
            n++;
        }
        data += n;
        len -= n;
    }
}

void line_splitter_end(struct line_splitter *s, line_fn fn, void *user)
{
    if (!s->is_skipping && s->line.len)
        fn(user, s->line.data, s->line.len);
    buf_clear(&s->line);
    s->is_skipping = false;
}
