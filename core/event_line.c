#include "core/event_line.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"

static void comma(struct buf *b)
{
    if (b->len && !strchr("{[", b->data[b->len - 1]))
        buf_append(b, ",", 1);
}

static void quote(struct buf *b, const char *s)
{
    buf_append(b, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_append(b, "\\", 1);
        if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_append(b, s, 1);
    }
    buf_append(b, "\"", 1);
}

static void member(struct buf *b, const char *key)
{
    comma(b);
    if (key) {
        quote(b, key);
        buf_append(b, ":", 1);
    }
}

void event_line_begin(struct buf *b, double t, const char *type)
{
    buf_printf(b, "{\"t\":%.6f", t < 0 ? clock_wall_s() : t);
    event_line_str(b, "type", type);
}

void event_line_num(struct buf *b, const char *key, double v)
{
    member(b, key);
    if (isfinite(v))
        buf_printf(b, "%.15g", v);
    else
        buf_puts(b, "null");
}

void event_line_str(struct buf *b, const char *key, const char *s)
{
    member(b, key);
    quote(b, s);
}

void event_line_open(struct buf *b, const char *key, char bracket)
{
    member(b, key);
    buf_append(b, &bracket, 1);
}

void event_line_close(struct buf *b, char bracket)
{
    buf_append(b, &bracket, 1);
}

void event_line_end(struct buf *b)
{
    buf_puts(b, "}\n");
}

void event_line_flush(struct buf *b, FILE *f)
{
    if (!b->is_failed) {
        fwrite(b->data, 1, b->len, f);
        fflush(f);
    }
    buf_clear(b);
}

void event_line_sample(struct buf *b, double t, const char *src, const struct event_value *values,
                       size_t nvalues)
{
    event_line_begin(b, t, "sample");
    event_line_str(b, "src", src);
    event_line_open(b, "values", '{');
    for (size_t i = 0; i < nvalues; i++)
        event_line_num(b, values[i].name, values[i].value);
    event_line_close(b, '}');
    event_line_end(b);
}

void event_line_log(struct buf *b, const char *level, const char *text)
{
    event_line_begin(b, -1, "log");
    event_line_str(b, "level", level);
    event_line_str(b, "text", text);
    event_line_end(b);
}

void event_line_state(struct buf *b, const char *state)
{
    event_line_begin(b, -1, "result");
    event_line_open(b, "data", '{');
    event_line_str(b, "state", state);
    event_line_close(b, '}');
    event_line_end(b);
}

void event_line_error(struct buf *b, const struct error *err)
{
    event_line_begin(b, -1, "error");
    event_line_str(b, "status", status_name(err->status));
    event_line_str(b, "subsystem", err->subsystem);
    event_line_str(b, "message", err->message);
    if (err->hint[0])
        event_line_str(b, "hint", err->hint);
    event_line_end(b);
}
