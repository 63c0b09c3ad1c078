#include "testbed/link/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_MS 1000000ull

/* --- the file ----------------------------------------------------------------------------------
 */

/* Digits and a line feed, nothing else. 0 at the end of the file, 1 with a number, -1 if it is none
 * or above 32 bits. */
static int read_number(FILE *f, uint32_t *out)
{
    uint64_t v = 0;
    int digits = 0, c;

    while ((c = getc_unlocked(f)) >= '0' && c <= '9') {
        v = v * 10 + (uint64_t)(c - '0');
        digits++;
        if (v > UINT32_MAX) {
            return -1;
        }
    }
    if (digits == 0) {
        return c == EOF ? 0 : -1;
    }
    *out = (uint32_t)v;
    return c == '\n' || c == EOF ? 1 : -1;
}

static bool append(struct trace *t, size_t *capacity, uint32_t at_ms)
{
    if (t->count == *capacity) {
        size_t more = *capacity != 0 ? *capacity * 2 : 4096;
        uint32_t *grown = realloc(t->at_ms, more * sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        t->at_ms = grown;
        *capacity = more;
    }
    t->at_ms[t->count++] = at_ms;
    return true;
}

static enum status read_lines(FILE *f, const char *path, struct trace *t, struct error *err)
{
    size_t capacity = 0;
    uint32_t at_ms = 0;
    int got;

    while ((got = read_number(f, &at_ms)) > 0) {
        if (t->count == TRACE_LINES_MAX) {
            return error_set(err, STATUS_INPUT, "link", "%.200s has more than %u lines", path,
                             TRACE_LINES_MAX);
        }
        if (t->count != 0 && at_ms < t->at_ms[t->count - 1]) {
            error_set(err, STATUS_INPUT, "link", "%.200s, line %zu: %u comes after %u", path,
                      t->count + 1, at_ms, t->at_ms[t->count - 1]);
            return error_hint(err, "the milliseconds of a trace never fall");
        }
        if (!append(t, &capacity, at_ms)) {
            return error_set(err, STATUS_NOMEM, "link", "no memory for the trace %.200s", path);
        }
    }
    if (ferror(f)) {
        return error_sys(err, STATUS_IO, errno, "link", "cannot read %.200s", path);
    }
    if (got < 0) {
        error_set(err, STATUS_INPUT, "link", "%.200s, line %zu is no number of milliseconds", path,
                  t->count + 1);
        return error_hint(err, "a Mahimahi trace has one decimal number a line and nothing else");
    }
    if (t->count == 0 || t->at_ms[t->count - 1] == 0) {
        error_set(err, STATUS_INPUT, "link", "%.200s lasts for no time", path);
        return error_hint(err, "the last line of a trace is its period in milliseconds, above 0");
    }
    return STATUS_OK;
}

enum status trace_load(const char *path, struct trace *out, struct error *err)
{
    /* Not to hang in open(2) on a pipe that nobody writes to. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    enum status s;
    FILE *f;

    *out = (struct trace){0};
    if (fd < 0 || fstat(fd, &st) != 0) {
        s = error_sys(err, STATUS_IO, errno, "link", "cannot open %.200s", path);
    } else if (!S_ISREG(st.st_mode)) {
        s = error_set(err, STATUS_IO, "link", "%.200s is no regular file", path);
    } else if ((f = fdopen(fd, "r")) == NULL) {
        s = error_sys(err, STATUS_IO, errno, "link", "cannot read %.200s", path);
    } else {
        s = read_lines(f, path, out, err);
        fclose(f);
        return s;
    }
    if (fd >= 0) {
        close(fd);
    }
    return s;
}

void trace_done(struct trace *t)
{
    free(t->at_ms);
    *t = (struct trace){0};
}

/* --- the link ----------------------------------------------------------------------------------
 */

static uint64_t period_ns(const struct trace *t)
{
    return t->at_ms[t->count - 1] * NS_PER_MS;
}

uint64_t trace_count(const struct trace *t, uint64_t age_ns)
{
    uint64_t rest_ns = age_ns % period_ns(t);
    size_t lo = 0, hi = t->count;

    while (lo < hi) { /* the first of this round that is later */
        size_t mid = lo + (hi - lo) / 2;

        if (t->at_ms[mid] * NS_PER_MS <= rest_ns) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return age_ns / period_ns(t) * t->count + lo;
}

static uint64_t opportunity_ns(const struct trace_cursor *c)
{
    const struct trace *t = c->trace;

    return c->origin_ns + c->index / t->count * period_ns(t) +
           t->at_ms[c->index % t->count] * NS_PER_MS;
}

void trace_start(struct trace_cursor *c, const struct trace *t, uint64_t origin_ns)
{
    *c = (struct trace_cursor){
        .trace = t, .origin_ns = origin_ns, .credit_bytes = TRACE_OPPORTUNITY_BYTES};
}

static void next_opportunity(struct trace_cursor *c)
{
    c->index++;
    c->credit_bytes = TRACE_OPPORTUNITY_BYTES;
}

uint64_t trace_ready_ns(struct trace_cursor *c, uint64_t now_ns)
{
    if (opportunity_ns(c) < now_ns) {
        uint64_t age_ns = now_ns - c->origin_ns; /* above 0: the trace began before now */

        c->index = trace_count(c->trace, age_ns - 1);
        c->credit_bytes = TRACE_OPPORTUNITY_BYTES;
    } else if (c->credit_bytes == 0) {
        next_opportunity(c);
    }
    return opportunity_ns(c);
}

uint64_t trace_spend(struct trace_cursor *c, uint32_t len_bytes)
{
    while (len_bytes > c->credit_bytes) {
        len_bytes -= c->credit_bytes;
        next_opportunity(c);
    }
    c->credit_bytes -= len_bytes;
    return opportunity_ns(c);
}
