#include "console/log_lines.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"

#define LINE_MAX_BYTES 4096

static const char *const prefixes[] = {
    [LOG_OUTPUT] = "",       [LOG_INPUT] = ": ", [LOG_VALUE] = "= ",    [LOG_STRAY] = "stderr: ",
    [LOG_DEBUG] = "debug: ", [LOG_INFO] = "- ",  [LOG_WARN] = "warn: ", [LOG_ERROR] = "error: ",
};

const struct log_line *log_lines_at(const struct log_lines *l, uint64_t n)
{
    return &l->line[n % LOG_LINES_MAX];
}

static void find_source(enum log_kind kind, const char *text, char *out)
{
    const char *colon = strstr(text, ": ");

    if (kind < LOG_DEBUG)
        strcpy(out, kind == LOG_OUTPUT ? "output" : kind == LOG_STRAY ? "stderr" : "typed");
    else if (colon && colon - text < LOG_LINES_SOURCE_MAX)
        strcpy(mempcpy(out, text, (size_t)(colon - text)), "");
    else
        strcpy(out, "console");
}

static void add_line(struct log_lines *l, enum log_kind kind, bool goes_on, const char *s,
                     size_t len)
{
    char raw[LINE_MAX_BYTES], clean[LINE_MAX_BYTES];
    const char *prefix = goes_on ? "  " : prefixes[kind];
    struct log_line *line = &l->line[l->end % LOG_LINES_MAX];
    const struct log_line *before = l->end > l->first ? log_lines_at(l, l->end - 1) : NULL;
    char *text;

    if (len >= sizeof raw)
        len = sizeof raw - 1;
    memcpy(raw, s, len);
    raw[len] = '\0';
    log_escape(raw, clean, sizeof clean);
    text = malloc(strlen(prefix) + strlen(clean) + 1);
    if (!text)
        return;
    strcpy(stpcpy(text, prefix), clean);
    if (l->end - l->first == LOG_LINES_MAX)
        free(l->line[l->first++ % LOG_LINES_MAX].text);
    line->kind = kind;
    line->goes_on = goes_on;
    line->t = clock_wall_s();
    line->text = text;
    if (goes_on && before)
        memmove(line->source, before->source, sizeof line->source);
    else
        find_source(kind, clean, line->source);
    l->end++;
}

void log_lines_add(struct log_lines *l, enum log_kind kind, const char *text)
{
    bool goes_on = false;

    do {
        size_t len = strcspn(text, "\n");

        add_line(l, kind, goes_on, text, len);
        text += len + (text[len] == '\n');
        goes_on = true;
    } while (*text);
}

void log_lines_output(struct log_lines *l, const char *text, size_t len)
{
    while (len) {
        const char *nl = memchr(text, '\n', len);
        size_t n = nl ? (size_t)(nl - text) : len;
        size_t room = LINE_MAX_BYTES - 1 - l->partial.len;
        size_t take = n < room ? n : room;

        buf_append(&l->partial, text, take);
        text += take;
        len -= take;
        if (take == n && !nl)
            return;
        add_line(l, LOG_OUTPUT, false, l->partial.data, l->partial.len);
        buf_clear(&l->partial);
        if (take == n) {
            text++;
            len--;
        }
    }
}

void log_lines_init(struct log_lines *l)
{
    memset(l, 0, sizeof *l);
    buf_init(&l->partial, LINE_MAX_BYTES);
}

void log_lines_done(struct log_lines *l)
{
    for (uint64_t i = l->first; i < l->end; i++)
        free(l->line[i % LOG_LINES_MAX].text);
    buf_done(&l->partial);
    memset(l, 0, sizeof *l);
}
