#include "console/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/paths.h"

#define HISTORY_FILE_MAX (2u * HISTORY_MAX * HISTORY_ENTRY_MAX)

static void keep(struct history *h, const char *line, size_t len)
{
    char *copy;

    if (!len ||
        (h->len && strlen(h->line[h->len - 1]) == len && !memcmp(h->line[h->len - 1], line, len)))
        return;
    copy = strndup(line, len);
    if (!copy)
        return;
    if (h->len == HISTORY_MAX) {
        free(h->line[0]);
        memmove(h->line, h->line + 1, (HISTORY_MAX - 1) * sizeof h->line[0]);
        h->len--;
    }
    h->line[h->len++] = copy;
}

/* As it stands in the file. */
static void encode(struct buf *b, const char *entry)
{
    for (; *entry; entry++) {
        buf_append(b, entry, 1);
        if (*entry == '\n')
            buf_puts(b, "\t");
    }
    buf_puts(b, "\n");
}

/* An entry of the file, decoded in place. Returns where the next one begins. */
static char *decode(char *at, size_t *len)
{
    char *from = at, *to = at;

    for (; *from && (*from != '\n' || from[1] == '\t'); from++) {
        *to++ = *from;
        from += *from == '\n';
    }
    *len = (size_t)(to - at);
    return from + (*from == '\n');
}

/* Called when the file holds many more lines than we keep. */
static void rewrite(const struct history *h)
{
    struct buf b;
    struct error err;

    buf_init(&b, HISTORY_FILE_MAX);
    for (size_t i = 0; i < h->len; i++)
        encode(&b, h->line[i]);
    if (!b.is_failed && file_write_atomic(h->path, b.data, b.len, &err) != STATUS_OK)
        log_err(&err);
    buf_done(&b);
}

void history_init(struct history *h, const char *path)
{
    struct buf b;
    size_t count = 0;

    memset(h, 0, sizeof *h);
    if (!path)
        return;
    h->path = strdup(path);
    if (buf_read_file(&b, path, HISTORY_FILE_MAX, NULL) == STATUS_OK) {
        for (char *s = b.data, *next; *s; s = next) {
            size_t len;

            next = decode(s, &len);
            if (len <= HISTORY_ENTRY_MAX)
                keep(h, s, len);
            count++;
        }
        if (h->path && count > 2 * HISTORY_MAX)
            rewrite(h);
    }
    buf_done(&b);
}

void history_done(struct history *h)
{
    for (size_t i = 0; i < h->len; i++)
        free(h->line[i]);
    free(h->path);
    memset(h, 0, sizeof *h);
}

static int open_for_append(const char *path)
{
    const int how = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
    int fd = open(path, how, 0600);

    if (fd < 0 && errno == ENOENT && path_mkdirs_above(path, NULL) == STATUS_OK)
        fd = open(path, how, 0600);
    return fd;
}

void history_add(struct history *h, const char *entry)
{
    struct buf b;
    size_t len;
    int fd;

    entry += strspn(entry, "\t");
    len = strlen(entry);
    if (!len || len > HISTORY_ENTRY_MAX || (h->len && !strcmp(h->line[h->len - 1], entry)))
        return;
    keep(h, entry, len);
    if (!h->path)
        return;
    buf_init(&b, 2 * HISTORY_ENTRY_MAX + 2);
    encode(&b, entry);
    fd = open_for_append(h->path);
    if (fd < 0 || write(fd, b.data, b.len) < 0) { /* at once: other consoles append too */
        log_warn("history: %s: %s", h->path, strerror(errno));
        free(h->path);
        h->path = NULL;
    }
    if (fd >= 0)
        close(fd);
    buf_done(&b);
}

const char *history_at(const struct history *h, size_t i)
{
    return i < h->len ? h->line[i] : NULL;
}
