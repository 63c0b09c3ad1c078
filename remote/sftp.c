#include "remote/sftp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"

enum {
    FXP_INIT = 1,
    FXP_VERSION = 2,
    FXP_OPEN = 3,
    FXP_CLOSE = 4,
    FXP_READ = 5,
    FXP_WRITE = 6,
    FXP_OPENDIR = 11,
    FXP_READDIR = 12,
    FXP_REMOVE = 13,
    FXP_MKDIR = 14,
    FXP_STAT = 17,
    FXP_RENAME = 18,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED = 200
};
enum { FX_OK = 0, FX_EOF = 1, FX_NO_SUCH_FILE = 2 };
enum { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_CREATE = 8, OPEN_TRUNC = 16 };
enum { ATTR_SIZE = 1, ATTR_OWNER = 2, ATTR_MODE = 4, ATTR_TIMES = 8, ATTR_EXTENDED = 0x80000000u };

#define PIECE      32768 /* what every server takes */
#define IN_FLIGHT  64
#define PACKET_MAX (256u << 10)
#define HANDLE_MAX 256 /* by the protocol */

struct sftp {
    int fd;
    const char *host;
    uint32_t last_id;
    bool has_posix_rename;
    struct buf out, in;
    size_t at;       /* reading position in `in` */
    bool is_cut_off; /* read past the packet's end */
    unsigned char handle[HANDLE_MAX];
    uint32_t handle_len;
};

/* --- packing ---------------------------------------------------------------------------------- */

static void put_u32(struct buf *b, uint32_t v)
{
    unsigned char c[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 8), (unsigned char)v};
    buf_append(b, c, 4);
}

static void put_u64(struct buf *b, uint64_t v)
{
    put_u32(b, (uint32_t)(v >> 32));
    put_u32(b, (uint32_t)v);
}

static void put_bytes(struct buf *b, const void *data, size_t len)
{
    put_u32(b, (uint32_t)len);
    buf_append(b, data, len);
}

static void put_str(struct buf *b, const char *s)
{
    put_bytes(b, s, strlen(s));
}

static uint32_t get_u32(struct sftp *s)
{
    if (s->in.len - s->at < 4) {
        s->is_cut_off = true;
        return 0;
    }
    const unsigned char *p = (const unsigned char *)s->in.data + s->at;
    s->at += 4;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get_u64(struct sftp *s)
{
    uint64_t high = get_u32(s);
    return high << 32 | get_u32(s);
}

static const char *get_bytes(struct sftp *s, uint32_t *len)
{
    *len = get_u32(s);
    if (s->is_cut_off || s->in.len - s->at < *len) {
        s->is_cut_off = true;
        *len = 0;
        return "";
    }
    const char *p = s->in.data + s->at;
    s->at += *len;
    return p;
}

static struct sftp_attrs get_attrs(struct sftp *s)
{
    struct sftp_attrs a = {0};
    uint32_t flags = get_u32(s), len;
    if (flags & ATTR_SIZE)
        a.size = get_u64(s);
    if (flags & ATTR_OWNER)
        get_u64(s);
    if (flags & ATTR_MODE) {
        uint32_t mode = get_u32(s);
        a.is_dir = S_ISDIR(mode);
        a.is_file = S_ISREG(mode);
        a.mode = mode & 0777;
    }
    if (flags & ATTR_TIMES)
        get_u64(s);
    if (flags & ATTR_EXTENDED)
        for (uint32_t n = get_u32(s); n && !s->is_cut_off; n--) {
            get_bytes(s, &len);
            get_bytes(s, &len);
        }
    return a;
}

/* --- packets ---------------------------------------------------------------------------------- */

static uint32_t begin(struct sftp *s, int type)
{
    buf_clear(&s->out);
    buf_append(&s->out, "\0\0\0\0", 4);
    unsigned char t = (unsigned char)type;
    buf_append(&s->out, &t, 1);
    put_u32(&s->out, ++s->last_id);
    return s->last_id;
}

static enum status lost(struct sftp *s, struct error *err)
{
    return error_set(err, STATUS_HOST, "sftp", "the file channel to %s was closed", s->host);
}

static enum status send_packet(struct sftp *s, struct error *err)
{
    uint32_t len = (uint32_t)s->out.len - 4;
    for (int i = 0; i < 4; i++)
        s->out.data[i] = (char)(len >> (24 - 8 * i));
    for (size_t at = 0; at < s->out.len;) {
        ssize_t n = send(s->fd, s->out.data + at, s->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lost(s, err);
        at += (size_t)n;
    }
    return s->out.is_failed ? error_set(err, STATUS_NOMEM, "sftp", "a request is too long")
                            : STATUS_OK;
}

static bool read_exactly(struct sftp *s, void *to, size_t len)
{
    char *p = to;
    while (len) {
        ssize_t n = recv(s->fd, p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Read a packet; its type and the id of the request it answers. */
static enum status receive(struct sftp *s, int *type, uint32_t *id, struct error *err)
{
    unsigned char head[5];
    if (!read_exactly(s, head, 5))
        return lost(s, err);
    uint32_t len =
        (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    if (len < 5 || len > PACKET_MAX)
        return error_set(err, STATUS_HOST, "sftp",
                         "%s does not speak SFTP: do its start-up files print something?", s->host);
    char piece[16384];
    buf_clear(&s->in);
    s->at = 0;
    s->is_cut_off = false;
    for (uint32_t left = len - 1; left;) {
        size_t n = left < sizeof piece ? left : sizeof piece;
        if (!read_exactly(s, piece, n))
            return lost(s, err);
        buf_append(&s->in, piece, n);
        left -= (uint32_t)n;
    }
    if (s->in.is_failed)
        return error_set(err, STATUS_NOMEM, "sftp", "no memory for an answer of %s", s->host);
    *type = head[4];
    *id = get_u32(s);
    return STATUS_OK;
}

/* The status code of the packet just read; *err gets the server's words unless it is FX_OK. */
static uint32_t take_status(struct sftp *s, const char *what, const char *path, struct error *err)
{
    uint32_t len, code = get_u32(s);
    const char *text = get_bytes(s, &len);
    if (code != FX_OK) {
        char words[200], clean[200];
        snprintf(words, sizeof words, "%.*s", (int)(len < 150 ? len : 150), text);
        error_set(err, STATUS_HOST, "sftp", "cannot %s %.200s on %s: %s", what, path, s->host,
                  len ? log_escape(words, clean, sizeof clean) : "it does not say why");
    }
    return code;
}

/* Send the request in s->out and read its answer, which must be of type `want` (FXP_STATUS: an
 * OK). *code is the status if it is one. */
static enum status call(struct sftp *s, int want, const char *what, const char *path,
                        uint32_t *code, struct error *err)
{
    int type;
    uint32_t id, wanted = s->last_id;
    enum status st = send_packet(s, err);
    *code = FX_OK;
    if (st == STATUS_OK)
        st = receive(s, &type, &id, err);
    if (st != STATUS_OK)
        return st;
    if (id == wanted && type == FXP_STATUS) {
        *code = take_status(s, what, path, err);
        if (*code != FX_OK)
            return STATUS_HOST;
    }
    if (id != wanted || type != want)
        return error_set(err, STATUS_HOST, "sftp", "%s gave a wrong answer to %s", s->host, what);
    return STATUS_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

enum status sftp_open(int fd, const char *host, struct sftp **out, struct error *err)
{
    struct sftp *s = calloc(1, sizeof *s);
    int type;
    uint32_t version, len;
    if (!s)
        return error_set(err, STATUS_NOMEM, "sftp", "out of memory");
    s->fd = fd;
    s->host = host;
    buf_init(&s->out, PACKET_MAX);
    buf_init(&s->in, PACKET_MAX);
    buf_append(&s->out, "\0\0\0\0\1\0\0\0\3", 9); /* FXP_INIT, version 3 in the place of an id */
    enum status st = send_packet(s, err);
    if (st == STATUS_OK)
        st = receive(s, &type, &version, err);
    if (st == STATUS_OK && (type != FXP_VERSION || version < 3))
        st = error_set(err, STATUS_HOST, "sftp", "%s speaks version %u of SFTP, not 3", host,
                       version);
    if (st != STATUS_OK) {
        sftp_close(s);
        return err ? error_hint(err, "does its sshd_config have the line 'Subsystem sftp ...'?")
                   : st;
    }
    while (s->at < s->in.len && !s->is_cut_off) {
        const char *name = get_bytes(s, &len);
        s->has_posix_rename |= len == 24 && memcmp(name, "posix-rename@openssh.com", 24) == 0;
        get_bytes(s, &len);
    }
    *out = s;
    return STATUS_OK;
}

void sftp_close(struct sftp *s)
{
    if (!s)
        return;
    buf_done(&s->out);
    buf_done(&s->in);
    free(s);
}

/* --- single requests -------------------------------------------------------------------------- */

enum status sftp_stat(struct sftp *s, const char *path, struct sftp_attrs *out, bool *is_there,
                      struct error *err)
{
    uint32_t code;
    begin(s, FXP_STAT);
    put_str(&s->out, path);
    enum status st = call(s, FXP_ATTRS, "look at", path, &code, err);
    *is_there = st == STATUS_OK;
    if (st == STATUS_OK)
        *out = get_attrs(s);
    return code == FX_NO_SUCH_FILE ? STATUS_OK : st;
}

static enum status simple(struct sftp *s, const char *what, const char *path, struct error *err)
{
    uint32_t code;
    return call(s, FXP_STATUS, what, path, &code, err);
}

enum status sftp_mkdir(struct sftp *s, const char *path, struct error *err)
{
    begin(s, FXP_MKDIR);
    put_str(&s->out, path);
    put_u32(&s->out, 0);
    return simple(s, "make directory", path, err);
}

enum status sftp_remove(struct sftp *s, const char *path, struct error *err)
{
    begin(s, FXP_REMOVE);
    put_str(&s->out, path);
    return simple(s, "remove", path, err);
}

enum status sftp_rename(struct sftp *s, const char *from, const char *to, struct error *err)
{
    if (s->has_posix_rename) {
        begin(s, FXP_EXTENDED);
        put_str(&s->out, "posix-rename@openssh.com");
    } else {
        enum status gone = sftp_remove(s, to, err); /* most often it is not there */
        (void)gone;
        begin(s, FXP_RENAME);
    }
    put_str(&s->out, from);
    put_str(&s->out, to);
    return simple(s, "put in place", to, err);
}

/* Take the handle of the packet just read. */
static enum status keep_handle(struct sftp *s, struct error *err)
{
    uint32_t len;
    const char *h = get_bytes(s, &len);
    if (s->is_cut_off || len > HANDLE_MAX)
        return error_set(err, STATUS_HOST, "sftp", "%s gave a bad file handle", s->host);
    memcpy(s->handle, h, len);
    s->handle_len = len;
    return STATUS_OK;
}

static enum status open_file(struct sftp *s, const char *path, uint32_t flags, unsigned mode,
                             struct error *err)
{
    uint32_t code;
    begin(s, FXP_OPEN);
    put_str(&s->out, path);
    put_u32(&s->out, flags);
    put_u32(&s->out, flags & OPEN_CREATE ? ATTR_MODE : 0);
    if (flags & OPEN_CREATE)
        put_u32(&s->out, mode);
    enum status st = call(s, FXP_HANDLE, flags & OPEN_CREATE ? "create" : "open", path, &code, err);
    return st == STATUS_OK ? keep_handle(s, err) : st;
}

static enum status close_file(struct sftp *s, const char *path, struct error *err)
{
    begin(s, FXP_CLOSE);
    put_bytes(&s->out, s->handle, s->handle_len);
    return simple(s, "close", path, err);
}

static bool is_file_name(const char *name, uint32_t len)
{
    return len && len < 256 && !memchr(name, '/', len) && !memchr(name, '\0', len) &&
           !(len == 1 && name[0] == '.') && !(len == 2 && memcmp(name, "..", 2) == 0);
}

enum status sftp_list(struct sftp *s, const char *path,
                      bool (*fn)(void *user, const char *name, const struct sftp_attrs *a),
                      void *user, struct error *err)
{
    uint32_t code, len;
    bool goes_on = true;
    begin(s, FXP_OPENDIR);
    put_str(&s->out, path);
    enum status st = call(s, FXP_HANDLE, "list", path, &code, err);
    if (st == STATUS_OK)
        st = keep_handle(s, err);
    if (st != STATUS_OK)
        return st;
    while (goes_on) {
        begin(s, FXP_READDIR);
        put_bytes(&s->out, s->handle, s->handle_len);
        st = call(s, FXP_NAME, "list", path, &code, err);
        if (code == FX_EOF)
            st = STATUS_OK;
        if (st != STATUS_OK || code == FX_EOF)
            break;
        for (uint32_t n = get_u32(s); n && goes_on && !s->is_cut_off; n--) {
            char name[256];
            const char *p = get_bytes(s, &len);
            bool is_name = is_file_name(p, len);
            snprintf(name, sizeof name, "%.*s", (int)(is_name ? len : 0), p);
            get_bytes(s, &len); /* the long name, for people */
            struct sftp_attrs a = get_attrs(s);
            if (is_name && !s->is_cut_off)
                goes_on = fn(user, name, &a);
        }
    }
    struct error ignored;
    enum status closed = close_file(s, path, st == STATUS_OK ? err : &ignored);
    return st == STATUS_OK ? closed : st;
}

/* --- moving bytes ----------------------------------------------------------------------------- */

enum status sftp_put(struct sftp *s, int fd, const char *path, unsigned mode,
                     sftp_progress_fn progress, void *user, uint64_t *size, struct sha256 *hash,
                     struct error *err)
{
    char piece[PIECE];
    unsigned in_flight = 0;
    bool is_eof = false;
    enum status st = open_file(s, path, OPEN_WRITE | OPEN_CREATE | OPEN_TRUNC, mode, err);
    if (st != STATUS_OK)
        return st;
    *size = 0;
    sha256_init(hash);
    struct error ignored, *first = err; /* after a failure only the answers are taken in */
    while (in_flight || (!is_eof && st == STATUS_OK)) {
        while (st == STATUS_OK && !is_eof && in_flight < IN_FLIGHT) {
            ssize_t n = read(fd, piece, sizeof piece);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                st = error_sys(err, STATUS_IO, errno, "sftp", "cannot read the file for %s", path);
            is_eof = n <= 0;
            if (is_eof)
                break;
            sha256_add(hash, piece, (size_t)n);
            begin(s, FXP_WRITE);
            put_bytes(&s->out, s->handle, s->handle_len);
            put_u64(&s->out, *size);
            put_bytes(&s->out, piece, (size_t)n);
            *size += (uint64_t)n;
            enum status sent = send_packet(s, err);
            if (sent != STATUS_OK)
                return sent;
            in_flight++;
            if (!progress(user, (size_t)n))
                st = error_set(err, STATUS_INTERRUPTED, "sftp", "%s was not finished", path);
        }
        if (!in_flight)
            break;
        int type;
        uint32_t id;
        first = st == STATUS_OK ? err : &ignored;
        enum status got = receive(s, &type, &id, first);
        if (got != STATUS_OK)
            return st == STATUS_OK ? got : st;
        in_flight--;
        if (type != FXP_STATUS || take_status(s, "write", path, first) != FX_OK)
            st = st == STATUS_OK ? STATUS_HOST : st;
    }
    enum status closed = close_file(s, path, st == STATUS_OK ? err : &ignored);
    return st == STATUS_OK ? closed : st;
}

struct ask {
    uint32_t id; /* 0: free */
    uint64_t offset;
    uint32_t len;
};

static enum status ask_for(struct sftp *s, struct ask *a, struct error *err)
{
    a->id = begin(s, FXP_READ);
    put_bytes(&s->out, s->handle, s->handle_len);
    put_u64(&s->out, a->offset);
    put_u32(&s->out, a->len);
    return send_packet(s, err);
}

static bool write_all(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* Hash what was written: answers may come in any order, but a hash has one. */
static enum status hash_file(int fd, uint64_t size, struct sha256 *hash, struct error *err)
{
    char piece[PIECE];
    sha256_init(hash);
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(fd, piece, sizeof piece, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_sys(err, STATUS_IO, errno, "sftp", "cannot read back what was written");
        sha256_add(hash, piece, (size_t)n);
        at += (uint64_t)n;
    }
    return STATUS_OK;
}

enum status sftp_get(struct sftp *s, const char *path, int fd, sftp_progress_fn progress,
                     void *user, uint64_t *size, struct sha256 *hash, struct error *err)
{
    struct ask asks[IN_FLIGHT] = {0};
    unsigned in_flight = 0, window = 2;  /* grows: a short file needs few questions */
    uint64_t next = 0, end = UINT64_MAX; /* no file reaches beyond `end` */
    struct error ignored;
    *size = 0;
    enum status st = open_file(s, path, OPEN_READ, 0, err);
    if (st != STATUS_OK)
        return st;
    while (in_flight || (next < end && st == STATUS_OK)) {
        for (int i = 0; i < IN_FLIGHT && in_flight < window && next < end && st == STATUS_OK; i++) {
            if (asks[i].id)
                continue;
            asks[i] = (struct ask){.offset = next, .len = PIECE};
            next += PIECE;
            enum status sent = ask_for(s, &asks[i], err);
            if (sent != STATUS_OK)
                return sent;
            in_flight++;
        }
        int type, i = 0;
        uint32_t id, len;
        enum status got = receive(s, &type, &id, st == STATUS_OK ? err : &ignored);
        if (got != STATUS_OK)
            return st == STATUS_OK ? got : st;
        while (i < IN_FLIGHT && asks[i].id != id)
            i++;
        if (i == IN_FLIGHT || !id)
            return error_set(err, STATUS_HOST, "sftp", "%s answers what nobody asked", s->host);
        struct ask *a = &asks[i];
        if (type == FXP_DATA) {
            const char *data = get_bytes(s, &len);
            if (st == STATUS_OK && (s->is_cut_off || !len || len > a->len))
                st = error_set(err, STATUS_HOST, "sftp", "%s sent bad data of %s", s->host, path);
            if (st == STATUS_OK && !write_all(fd, data, len, a->offset))
                st = error_sys(err, STATUS_IO, errno, "sftp", "cannot write what came of %s", path);
            if (st == STATUS_OK && !progress(user, len))
                st = error_set(err, STATUS_INTERRUPTED, "sftp", "%s was not finished", path);
            if (st == STATUS_OK && a->offset + len > *size)
                *size = a->offset + len;
            window += window < IN_FLIGHT ? 2 : 0;
            a->offset += len;
            a->len -= len < a->len ? len : a->len;
            if (st == STATUS_OK && a->len) { /* a short answer: ask for the rest */
                enum status sent = ask_for(s, a, err);
                if (sent != STATUS_OK)
                    return sent;
                continue;
            }
        } else if (type != FXP_STATUS ||
                   take_status(s, "read", path, st == STATUS_OK ? err : &ignored) != FX_EOF) {
            st = st == STATUS_OK ? STATUS_HOST : st;
        } else if (a->offset < end) {
            end = a->offset;
        }
        a->id = 0;
        in_flight--;
    }
    enum status closed = close_file(s, path, st == STATUS_OK ? err : &ignored);
    st = st == STATUS_OK ? closed : st;
    if (st == STATUS_OK && *size > end)
        st = error_set(err, STATUS_HOST, "sftp", "%s changed while it was read from %s", path,
                       s->host);
    return st == STATUS_OK ? hash_file(fd, *size, hash, err) : st;
}
