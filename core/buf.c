#include "core/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char empty[1] = "";

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.data = empty, .max = max};
}

void buf_done(struct buf *b)
{
    if (b->cap)
        free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->is_failed = false;
    if (b->cap)
        b->data[0] = '\0';
}

/* Room for `len` more bytes and the NUL. */
static bool reserve(struct buf *b, size_t len)
{
    if (b->is_failed || len > b->max || b->len > b->max - len) {
        b->is_failed = true;
        return false;
    }
    size_t need = b->len + len + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    char *data = realloc(b->cap ? b->data : NULL, cap);
    if (!data) {
        b->is_failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

bool buf_append(struct buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return false;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    bool ok = n >= 0 && reserve(b, (size_t)n);
    if (ok) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else {
        b->is_failed = true;
    }
    va_end(again);
    return ok;
}

void buf_consume(struct buf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    if (!len)
        return;
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
    b->data[b->len] = '\0';
}

void buf_append_tail(struct buf *b, const void *data, size_t len)
{
    const char *p = data;
    if (len > b->max) {
        p += len - b->max;
        len = b->max;
    }
    if (b->len + len > b->max)
        buf_consume(b, b->len + len - b->max);
    buf_append(b, p, len);
}

char *buf_take(struct buf *b)
{
    if (b->is_failed || !reserve(b, 0))
        return NULL;
    char *s = b->data;
    s[b->len] = '\0';
    buf_init(b, b->max);
    return s;
}

enum status buf_read_file(struct buf *b, const char *path, size_t max, struct error *err)
{
    buf_init(b, max);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, STATUS_IO, errno, "file", "cannot open %s", path);
    enum status st = STATUS_OK;
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = error_sys(err, STATUS_IO, errno, "file", "cannot read %s", path);
            break;
        }
        if (n == 0)
            break;
        if (!buf_append(b, chunk, (size_t)n)) {
            st = error_set(err, STATUS_NOMEM, "file", "%s is larger than %zu bytes", path, max);
            break;
        }
    }
    close(fd);
    return st;
}

static bool write_all(int fd, const void *data, size_t len)
{
    for (const char *p = data; len;) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

enum status file_write_atomic(const char *path, const void *data, size_t len, struct error *err)
{
    char tmp[4096];
    if ((size_t)snprintf(tmp, sizeof tmp, "%s.XXXXXX", path) >= sizeof tmp)
        return error_set(err, STATUS_IO, "file", "path too long: %s", path);
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, STATUS_IO, errno, "file", "cannot create a file beside %s", path);
    mode_t mask = umask(0);
    umask(mask);
    bool ok = fchmod(fd, 0666 & ~mask) == 0 && write_all(fd, data, len) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && ok) {
        saved = errno;
        ok = false;
    }
    if (ok && rename(tmp, path) != 0) {
        saved = errno;
        ok = false;
    }
    if (ok)
        return STATUS_OK;
    unlink(tmp);
    error_sys(err, STATUS_IO, saved, "file", "cannot write %s", path);
    return saved == ENOSPC && err ? error_hint(err, "free some space on that disk") : STATUS_IO;
}

enum status file_write_new(const char *path, const void *data, size_t len, mode_t mode,
                           struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return error_sys(err, STATUS_IO, errno, "file", "cannot make %s", path);
    bool ok = write_all(fd, data, len);
    int saved = errno;
    if (close(fd) != 0 && ok) {
        saved = errno;
        ok = false;
    }
    if (ok)
        return STATUS_OK;
    unlink(path);
    return error_sys(err, STATUS_IO, saved, "file", "cannot write %s", path);
}
