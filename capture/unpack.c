#include "capture/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define SUBSYSTEM "capture"
#define IN_BYTES  (256u << 10)
/* The stream's own buffer: a whole refill for thousands of records. */
#define STREAM_BYTES (256u << 10)
/* zlib: find out by itself whether the header is gzip's or zlib's; 15 is the largest window. */
#define ZLIB_WINDOW (15 + 32)

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD, PACKING_OTHER };

struct unpack {
    int fd;
    enum packing packing;
    bool is_input_end;
    bool is_between; /* at the end of a member or frame: here the file may end */
    size_t at, len;  /* of `in` */
    z_stream zlib;
    ZSTD_DStream *zstd;
    char fault[96];
    bool (*wait)(void *user); /* NULL: the end is the end */
    void *wait_user;
    size_t peeked, peek_at; /* bytes in `peek`, and of them given out */
    unsigned char peek[UNPACK_PEEK_MAX];
    unsigned char in[IN_BYTES];
};

static const struct {
    enum packing packing;
    const char *name, *command;
    unsigned char magic[4];
    size_t len;
} kinds[] = {
    {PACKING_GZIP, "gzip", "gzip -dc", {0x1f, 0x8b}, 2},
    {PACKING_ZSTD, "zstd", "zstd -dc", {0x28, 0xb5, 0x2f, 0xfd}, 4},
    {PACKING_OTHER, "xz", "xz -dc", {0xfd, '7', 'z', 'X'}, 4},
    {PACKING_OTHER, "bzip2", "bzip2 -dc", {'B', 'Z', 'h'}, 3},
    {PACKING_OTHER, "lz4", "lz4 -dc", {0x04, 0x22, 0x4d, 0x18}, 4},
};

const char *unpack_fault(const struct unpack *u)
{
    return u->fault[0] ? u->fault : NULL;
}

/* --- the packed side ----------------------------------------------------------------------------
 */

/* Why is known already. */
static ssize_t failed(void)
{
    errno = EIO;
    return -1;
}

/* The first reason is the one that stays. */
static ssize_t fail(struct unpack *u, const char *what)
{
    if (!u->fault[0])
        snprintf(u->fault, sizeof(u->fault), "%s", what);
    return failed();
}

static ssize_t fail_read(struct unpack *u)
{
    char what[96];
    snprintf(what, sizeof(what), "cannot be read: %s", strerror(errno));
    return fail(u, what);
}

/* read(2), patient where that was asked for. */
static ssize_t read_fd(struct unpack *u, void *out, size_t size)
{
    struct pollfd p = {.fd = u->fd, .events = POLLIN};
    struct stat st;
    ssize_t n;
    if (u->wait == NULL)
        return read(u->fd, out, size);
    if (fstat(u->fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        while (poll(&p, 1, 0) == 0)
            if (!u->wait(u->wait_user))
                return 0;
        return read(u->fd, out, size);
    }
    while ((n = read(u->fd, out, size)) == 0)
        if (!u->wait(u->wait_user))
            return 0;
    return n;
}

void unpack_follow(struct unpack *u, bool (*wait)(void *user), void *user)
{
    u->wait = wait;
    u->wait_user = user;
    u->is_input_end = false;
}

bool unpack_seek(struct unpack *u, uint64_t offset)
{
    if (u->packing != PACKING_NONE || lseek(u->fd, (off_t)offset, SEEK_SET) < 0)
        return false;
    u->at = u->len = u->peeked = u->peek_at = 0;
    u->is_input_end = false;
    u->fault[0] = '\0';
    return true;
}

double unpack_progress(const struct unpack *u)
{
    struct stat st;
    off_t at = lseek(u->fd, 0, SEEK_CUR);
    if (at < 0 || fstat(u->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return -1;
    return at >= st.st_size ? 1 : (double)at / (double)st.st_size;
}

/* More of the file behind what is left of it; false: an error. */
static bool refill(struct unpack *u)
{
    memmove(u->in, u->in + u->at, u->len - u->at);
    u->len -= u->at;
    u->at = 0;
    while (u->len < IN_BYTES && !u->is_input_end) {
        ssize_t n = read_fd(u, u->in + u->len, IN_BYTES - u->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_read(u);
            return false;
        }
        u->is_input_end = n == 0;
        u->len += (size_t)n;
        if (u->len >= sizeof(kinds[0].magic) && n > 0)
            break; /* enough to go on with, a pipe may be slow */
    }
    return true;
}

/* --- the unpacked side --------------------------------------------------------------------------
 */

static ssize_t read_plain(struct unpack *u, char *out, size_t size)
{
    size_t n = u->len - u->at < size ? u->len - u->at : size;
    memcpy(out, u->in + u->at, n);
    u->at += n;
    return (ssize_t)n;
}

static ssize_t read_gzip(struct unpack *u, char *out, size_t size)
{
    if (u->is_between) { /* another member, or what gzip(1) calls trailing garbage */
        if (u->len - u->at < 2 || u->in[u->at] != 0x1f || u->in[u->at + 1] != 0x8b)
            return 0;
        if (inflateReset(&u->zlib) != Z_OK)
            return fail(u, "gzip: internal state");
        u->is_between = false;
    }
    u->zlib.next_in = u->in + u->at;
    u->zlib.avail_in = (uInt)(u->len - u->at);
    u->zlib.next_out = (unsigned char *)out;
    u->zlib.avail_out = (uInt)size;
    int rc = inflate(&u->zlib, Z_NO_FLUSH);
    u->at = u->len - u->zlib.avail_in;
    u->is_between = rc == Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return fail(u, "the compressed data are damaged (gzip)");
    return (ssize_t)(size - u->zlib.avail_out);
}

static ssize_t read_zstd(struct unpack *u, char *out, size_t size)
{
    ZSTD_inBuffer in = {.src = u->in, .size = u->len, .pos = u->at};
    ZSTD_outBuffer to = {.dst = out, .size = size};
    size_t left = ZSTD_decompressStream(u->zstd, &to, &in);
    if (ZSTD_isError(left))
        return fail(u, "the compressed data are damaged (zstd)");
    u->is_between = left == 0;
    u->at = in.pos;
    return (ssize_t)to.pos;
}

static ssize_t read_packed(struct unpack *u, char *out, size_t size)
{
    for (;;) {
        ssize_t n;
        if (u->fault[0])
            return failed();
        if (u->at == u->len && !refill(u))
            return failed();
        if (u->packing == PACKING_GZIP && u->is_between && u->len - u->at < 2 && !refill(u))
            return failed();
        bool is_empty = u->at == u->len;
        if (is_empty && (u->packing == PACKING_NONE || u->is_between))
            return 0;
        size_t before = u->at;
        if (u->packing == PACKING_GZIP)
            n = read_gzip(u, out, size);
        else if (u->packing == PACKING_ZSTD)
            n = read_zstd(u, out, size);
        else
            n = read_plain(u, out, size);
        if (n != 0)
            return n;
        if (u->at == before && u->is_between)
            return 0; /* garbage behind the end */
        if (is_empty)
            return fail(u, "the compressed data end early");
    }
}

ssize_t unpack_read(struct unpack *u, void *out, size_t size)
{
    if (u->peek_at < u->peeked) {
        size_t n = u->peeked - u->peek_at < size ? u->peeked - u->peek_at : size;
        memcpy(out, u->peek + u->peek_at, n);
        u->peek_at += n;
        return (ssize_t)n;
    }
    /* What is neither packed nor in our buffer goes straight to where it is wanted. */
    while (u->packing == PACKING_NONE && u->at == u->len && !u->is_input_end && !u->fault[0]) {
        ssize_t n = read_fd(u, out, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_read(u);
        u->is_input_end = n == 0;
        return n;
    }
    return read_packed(u, out, size);
}

size_t unpack_peek(struct unpack *u, void *out, size_t size)
{
    while (u->peeked < size && u->peeked < UNPACK_PEEK_MAX) {
        ssize_t n = read_packed(u, (char *)u->peek + u->peeked, UNPACK_PEEK_MAX - u->peeked);
        if (n <= 0)
            break;
        u->peeked += (size_t)n;
    }
    size_t n = u->peeked < size ? u->peeked : size;
    memcpy(out, u->peek, n);
    return n;
}

void unpack_close(struct unpack *u)
{
    if (u == NULL)
        return;
    if (u->packing == PACKING_GZIP)
        inflateEnd(&u->zlib);
    ZSTD_freeDStream(u->zstd);
    close(u->fd);
    free(u);
}

static ssize_t cookie_read(void *cookie, char *out, size_t size)
{
    return unpack_read(cookie, out, size);
}

static int cookie_close(void *cookie)
{
    unpack_close(cookie);
    return 0;
}

FILE *unpack_stream(struct unpack *u)
{
    static const cookie_io_functions_t functions = {.read = cookie_read, .close = cookie_close};
    FILE *f = fopencookie(u, "rb", functions);
    if (f != NULL)
        setvbuf(f, NULL, _IOFBF, STREAM_BYTES);
    return f;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static enum status find_packing(struct unpack *u, const char *path, struct error *err)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (u->len < kinds[i].len || memcmp(u->in, kinds[i].magic, kinds[i].len) != 0)
            continue;
        u->packing = kinds[i].packing;
        if (u->packing != PACKING_OTHER)
            break;
        error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM, "%s is compressed (%s), which is not read",
                  path, kinds[i].name);
        error_hint(err, "%s FILE | ccalab ecn -", kinds[i].command);
        return STATUS_UNAVAILABLE;
    }
    if (u->packing == PACKING_GZIP && inflateInit2(&u->zlib, ZLIB_WINDOW) != Z_OK) {
        u->packing = PACKING_NONE;
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory to unpack %s", path);
    }
    if (u->packing == PACKING_ZSTD && (u->zstd = ZSTD_createDStream()) == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory to unpack %s", path);
    return STATUS_OK;
}

enum status unpack_open(const char *path, struct unpack **out, struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct unpack *u = calloc(1, sizeof(*u));
    enum status status;
    if (u == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    u->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (u->fd < 0) {
        status = error_sys(err, STATUS_IO, errno, SUBSYSTEM, "cannot open %s", path);
        free(u);
        return status;
    }
    if (!refill(u))
        status = error_set(err, STATUS_IO, SUBSYSTEM, "%s %s", path, u->fault);
    else
        status = find_packing(u, path, err);
    if (status == STATUS_OK)
        *out = u;
    else
        unpack_close(u);
    return status;
}
