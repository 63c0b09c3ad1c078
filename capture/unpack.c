#include "capture/unpack.h"

#include <errno.h>
#include <fcntl.h>
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
    return u != NULL && u->fault[0] ? u->fault : NULL;
}

/* --- the packed side ----------------------------------------------------------------------------
 */

/* More of the file behind what is left of it; false: an error. */
static bool refill(struct unpack *u)
{
    memmove(u->in, u->in + u->at, u->len - u->at);
    u->len -= u->at;
    u->at = 0;
    while (u->len < IN_BYTES && !u->is_input_end) {
        ssize_t n = read(u->fd, u->in + u->len, IN_BYTES - u->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            snprintf(u->fault, sizeof(u->fault), "cannot be read: %s", strerror(errno));
            return false;
        }
        u->is_input_end = n == 0;
        u->len += (size_t)n;
        if (u->len >= sizeof(kinds[0].magic) && n > 0)
            break; /* enough to go on with, a pipe may be slow */
    }
    return true;
}

static ssize_t fail(struct unpack *u, const char *what)
{
    snprintf(u->fault, sizeof(u->fault), "%s", what);
    errno = EIO;
    return -1;
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

static ssize_t cookie_read(void *cookie, char *out, size_t size)
{
    struct unpack *u = cookie;
    for (;;) {
        ssize_t n;
        if (u->fault[0])
            return fail(u, u->fault);
        if (u->at == u->len && !refill(u))
            return fail(u, u->fault);
        if (u->packing == PACKING_GZIP && u->is_between && u->len - u->at < 2 && !refill(u))
            return fail(u, u->fault);
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
        if (u->at == before && (u->is_between || size == 0))
            return 0; /* garbage behind the end */
        if (is_empty)
            return fail(u, "the compressed data end early");
    }
}

static int cookie_close(void *cookie)
{
    struct unpack *u = cookie;
    if (u->packing == PACKING_GZIP)
        inflateEnd(&u->zlib);
    ZSTD_freeDStream(u->zstd);
    close(u->fd);
    free(u);
    return 0;
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

/* A file that is no pipe and not packed needs nothing of this between itself and stdio. */
static FILE *open_plain(struct unpack *u)
{
    struct stat st;
    FILE *f = NULL;
    if (u->packing == PACKING_NONE && fstat(u->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        lseek(u->fd, -(off_t)u->len, SEEK_CUR) >= 0)
        f = fdopen(u->fd, "rb");
    if (f == NULL)
        return NULL;
    free(u);
    return f;
}

enum status unpack_open(const char *path, FILE **out, struct unpack **fault, struct error *err)
{
    static const cookie_io_functions_t functions = {.read = cookie_read, .close = cookie_close};
    bool is_stdin = strcmp(path, "-") == 0;
    struct unpack *u = calloc(1, sizeof(*u));
    enum status status;
    *fault = NULL;
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
    if (status != STATUS_OK)
        goto fail;
    *out = open_plain(u);
    if (*out == NULL) {
        *out = fopencookie(u, "rb", functions);
        if (*out == NULL) {
            status = error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
            goto fail;
        }
        *fault = u;
    }
    setvbuf(*out, NULL, _IOFBF, STREAM_BYTES);
    return STATUS_OK;
fail:
    cookie_close(u);
    return status;
}
