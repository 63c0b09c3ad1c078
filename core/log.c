#include "core/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static log_sink_fn sink;
static void *sink_user;
static enum log_level min_level = LOG_LEVEL_INFO;

static const char *const names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < 4 ? names[level] : "info";
}

void log_set_sink(log_sink_fn fn, void *user)
{
    sink = fn;
    sink_user = user;
}

void log_set_level(enum log_level level)
{
    min_level = level;
}

static void emit(enum log_level level, const char *fmt, va_list ap)
{
    if (level < min_level)
        return;
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    if (sink) {
        sink(sink_user, level, text);
        return;
    }
    if (level == LOG_LEVEL_INFO)
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    else
        fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, names[level], text);
}

#define LOG_FUNCTION(fn, level)                                                                    \
    void fn(const char *fmt, ...)                                                                  \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        emit(level, fmt, ap);                                                                      \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)

void log_err(const struct error *e)
{
    log_error("%s: %s", e->subsystem, e->message);
    if (e->hint[0])
        log_info("hint: %s", e->hint);
}

/* Length of a valid UTF-8 sequence at p (RFC 3629), 0 if it is none. */
static size_t utf8_len(const unsigned char *p)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (n == 3) {
        uint32_t c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        if (c < 0x800 || (c >= 0xd800 && c < 0xe000))
            return 0;
    }
    if (n == 4) {
        uint32_t c = (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12;
        if (c < 0x10000 || c > 0x10ffff)
            return 0;
    }
    return n;
}

char *log_escape(const char *src, char *out, size_t size)
{
    const unsigned char *p = (const unsigned char *)src;
    size_t at = 0;
    while (*p && size) {
        size_t n = utf8_len(p);
        bool is_c1 = n == 2 && p[0] == 0xc2 && p[1] < 0xa0; /* C1 controls start escapes too */
        if (n == 0 || *p < 0x20 || *p == 0x7f || is_c1) {
            if (at + 1 >= size)
                break;
            out[at++] = *p == '\t' ? ' ' : '?';
            p += n ? n : 1;
            continue;
        }
        if (at + n >= size)
            break;
        memcpy(out + at, p, n);
        at += n;
        p += n;
    }
    if (size)
        out[at] = '\0';
    return out;
}
