/* The lines of the event protocol (core/event.h) written without a JSON library, for programs that
 * must stand alone: the sampler that is sent to hosts is linked statically. */
#ifndef CCALAB_CORE_EVENT_LINE_H
#define CCALAB_CORE_EVENT_LINE_H

#include <stdio.h>

#include "core/buf.h"
#include "core/error.h"

/* A named number of a sample. NaN: not measured, written as null. */
struct event_value {
    const char *name;
    double value;
};

/* A line is begun, gets its members, and is ended; lines are appended to the buffer. The commas
 * come by themselves. `t` < 0 means now. A NULL key is for the elements of an array; `bracket` is
 * '{' or
 * '[', to close '}' or ']'. */
void event_line_begin(struct buf *b, double t, const char *type);
void event_line_num(struct buf *b, const char *key, double v);
void event_line_str(struct buf *b, const char *key, const char *s);
void event_line_open(struct buf *b, const char *key, char bracket);
void event_line_close(struct buf *b, char bracket);
void event_line_end(struct buf *b);

/* Whole lines. */
void event_line_sample(struct buf *b, double t, const char *src, const struct event_value *values,
                       size_t nvalues);
void event_line_log(struct buf *b, const char *level, const char *text);
void event_line_state(struct buf *b, const char *state); /* a result {"state": STATE} */
void event_line_error(struct buf *b, const struct error *err);

/* Write the lines to `f` in one piece, flush it, and empty the buffer. */
void event_line_flush(struct buf *b, FILE *f);

#endif
