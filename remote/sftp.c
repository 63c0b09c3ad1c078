#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "remote/sftp_wire.h"

#define PIECE       32768 /* what every server takes */
#define PIECE_MAX   (128u << 10)
#define CALL_ID     UINT32_MAX /* of calls, which are one at a time */
#define NOBODY      0          /* of requests whose answer does not matter */
#define WRITE_EXTRA (4 + 1 + 4 + 4 + SFTP_HANDLE_MAX + 8 + 4)

uint32_t sftp_read_max(const struct sftp *s)
{
    return s->read_max;
}

uint32_t sftp_write_max(const struct sftp *s)
{
    return s->write_max;
}

enum status sftp_take(struct sftp *s, struct sftp_answer *a, bool *has, struct error *err)
{
    int type;
    enum status st = wire_next(s, &type, err);
    *has = st == STATUS_OK && type != 0;
    if (!*has)
        return st;
    *a = (struct sftp_answer){.id = wire_u32(s), .kind = SFTP_OTHER};
    if (type == FXP_STATUS) {
        a->kind = SFTP_STATUS;
        a->code = wire_u32(s);
        bool has_code = !s->is_cut_off;
        a->bytes = wire_bytes(s, &a->len);
        s->is_cut_off = !has_code; /* old servers leave the words out */
    } else if (type == FXP_HANDLE || type == FXP_DATA) {
        a->kind = type == FXP_HANDLE ? SFTP_HANDLE : SFTP_DATA;
        a->bytes = wire_bytes(s, &a->len);
        s->is_cut_off |= type == FXP_HANDLE && a->len > SFTP_HANDLE_MAX;
    } else if (type == FXP_ATTRS) {
        a->kind = SFTP_ATTRS;
        a->attrs = wire_attrs(s);
    }
    return s->is_cut_off ? error_set(err, STATUS_HOST, "sftp", "%s sent a bad packet", s->host)
                         : STATUS_OK;
}

enum status sftp_refused(struct sftp *s, const struct sftp_answer *a, const char *what,
                         const char *path, struct error *err)
{
    char words[200], clean[200];
    if (a->kind != SFTP_STATUS)
        return error_set(err, STATUS_HOST, "sftp", "%s gave a wrong answer to %s %.200s", s->host,
                         what, path);
    snprintf(words, sizeof words, "%.*s", (int)(a->len < 150 ? a->len : 150), a->bytes);
    return error_set(err, STATUS_HOST, "sftp", "cannot %s %.200s on %s: %s", what, path, s->host,
                     a->len ? log_escape(words, clean, sizeof clean) : "it does not say why");
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Send the request that was packed as CALL_ID and wait for its answer; what else comes is of
 * requests that nobody waits for any more. */
static enum status call(struct sftp *s, struct sftp_answer *a, struct error *err)
{
    wire_end(s);
    for (;;) {
        bool has;
        enum status st = sftp_take(s, a, &has, err);
        if (st == STATUS_OK && has && a->id == CALL_ID)
            return STATUS_OK;
        if (st == STATUS_OK && !has)
            st = sftp_turn(s, NULL, 0, -1, err);
        if (st != STATUS_OK)
            return st;
    }
}

static enum status call_for(struct sftp *s, enum sftp_answer_kind want, const char *what,
                            const char *path, struct sftp_answer *a, struct error *err)
{
    enum status st = call(s, a, err);
    if (st == STATUS_OK && (a->kind != want || a->code != SFTP_OK))
        st = sftp_refused(s, a, what, path, err);
    return st;
}

/* The extensions that the server has told in its greeting. */
static void take_extensions(struct sftp *s)
{
    static const char rename[] = "posix-rename@openssh.com", limits[] = "limits@openssh.com",
                      statvfs[] = "statvfs@openssh.com";
    while (s->p < s->p_end && !s->is_cut_off) {
        uint32_t len;
        const char *name = wire_bytes(s, &len);
        s->has_posix_rename |= len == strlen(rename) && !memcmp(name, rename, len);
        s->has_statvfs |= len == strlen(statvfs) && !memcmp(name, statvfs, len);
        s->has_limits |= len == strlen(limits) && !memcmp(name, limits, len);
        wire_bytes(s, &len);
    }
}

static uint32_t within(uint64_t limit)
{
    return limit < PIECE ? PIECE : limit > PIECE_MAX ? PIECE_MAX : (uint32_t)limit;
}

static enum status ask_limits(struct sftp *s, struct error *err)
{
    struct sftp_answer a;
    wire_begin(s, FXP_EXTENDED, CALL_ID);
    wire_put_str(s, "limits@openssh.com");
    enum status st = call(s, &a, err);
    if (st != STATUS_OK || a.kind != SFTP_OTHER)
        return st;
    wire_u64(s); /* of a packet */
    uint64_t read_max = wire_u64(s), write_max = wire_u64(s);
    if (!s->is_cut_off) {
        s->read_max = within(read_max);
        s->write_max = within(write_max);
    }
    return STATUS_OK;
}

enum status sftp_open(int fd, const char *host, struct sftp **out, struct error *err)
{
    struct sftp *s = calloc(1, sizeof *s);
    int type = 0;
    uint32_t version = 0;
    if (!s)
        return error_set(err, STATUS_NOMEM, "sftp", "out of memory");
    *s = (struct sftp){.fd = fd, .host = host, .read_max = PIECE, .write_max = PIECE};
    enum status st = STATUS_OK;
    if (!wire_open(s)) {
        sftp_close(s);
        return error_set(err, STATUS_NOMEM, "sftp", "out of memory");
    }
    wire_put(s, "\0\0\0\5\1\0\0\0\3", 9); /* FXP_INIT, version 3 in the place of an id */
    while (st == STATUS_OK && !type) {
        st = sftp_turn(s, NULL, 0, -1, err);
        if (st == STATUS_OK)
            st = wire_next(s, &type, err);
    }
    if (st == STATUS_OK)
        version = wire_u32(s);
    if (st == STATUS_OK && (type != FXP_VERSION || version < 3))
        st = error_set(err, STATUS_HOST, "sftp", "%s speaks version %u of SFTP, not 3", host,
                       version);
    if (st != STATUS_OK) {
        sftp_close(s);
        return err ? error_hint(err, "does its sshd_config have the line 'Subsystem sftp ...'?")
                   : st;
    }
    take_extensions(s);
    if (s->has_limits)
        st = ask_limits(s, err);
    if (st == STATUS_OK)
        *out = s;
    else
        sftp_close(s);
    return st;
}

void sftp_close(struct sftp *s)
{
    if (!s)
        return;
    wire_close(s);
    free(s);
}

bool sftp_is_lost(const struct sftp *s)
{
    return s->is_lost;
}

enum status sftp_stat(struct sftp *s, const char *path, struct sftp_attrs *out, bool *is_there,
                      struct error *err)
{
    struct sftp_answer a;
    wire_begin(s, FXP_STAT, CALL_ID);
    wire_put_str(s, path);
    enum status st = call(s, &a, err);
    *is_there = st == STATUS_OK && a.kind == SFTP_ATTRS;
    if (*is_there)
        *out = a.attrs;
    else if (st == STATUS_OK && !(a.kind == SFTP_STATUS && a.code == SFTP_NO_SUCH_FILE))
        st = sftp_refused(s, &a, "look at", path, err);
    return st;
}

uint64_t sftp_free_bytes(struct sftp *s, const char *path)
{
    struct sftp_answer a;
    if (!s->has_statvfs)
        return UINT64_MAX;
    wire_begin(s, FXP_EXTENDED, CALL_ID);
    wire_put_str(s, "statvfs@openssh.com");
    wire_put_str(s, path);
    if (call(s, &a, NULL) != STATUS_OK || a.kind != SFTP_OTHER)
        return UINT64_MAX;
    wire_u64(s);
    uint64_t unit = wire_u64(s);
    wire_u64(s);
    wire_u64(s);
    uint64_t available = wire_u64(s), bytes;
    return s->is_cut_off || __builtin_mul_overflow(unit, available, &bytes) ? UINT64_MAX : bytes;
}

static void keep_handle(const struct sftp_answer *a, struct sftp_handle *h)
{
    memcpy(h->bytes, a->bytes, a->len);
    h->len = a->len;
}

static enum status close_handle(struct sftp *s, const struct sftp_handle *h, const char *path,
                                struct error *err)
{
    struct sftp_answer a;
    sftp_ask_close(s, CALL_ID, h);
    return call_for(s, SFTP_STATUS, "close", path, &a, err);
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
    struct sftp_answer a;
    struct sftp_handle h;
    uint32_t len;
    bool goes_on = true;
    wire_begin(s, FXP_OPENDIR, CALL_ID);
    wire_put_str(s, path);
    enum status st = call_for(s, SFTP_HANDLE, "list", path, &a, err);
    if (st != STATUS_OK)
        return st;
    keep_handle(&a, &h);
    while (goes_on) {
        wire_begin(s, FXP_READDIR, CALL_ID);
        wire_put_bytes(s, h.bytes, h.len);
        st = call(s, &a, err);
        if (st != STATUS_OK || (a.kind == SFTP_STATUS && a.code == SFTP_EOF))
            break;
        if (a.kind != SFTP_OTHER) {
            st = sftp_refused(s, &a, "list", path, err);
            break;
        }
        for (uint32_t n = wire_u32(s); n && goes_on && !s->is_cut_off; n--) {
            char name[256];
            const char *p = wire_bytes(s, &len);
            bool is_name = is_file_name(p, len);
            snprintf(name, sizeof name, "%.*s", (int)(is_name ? len : 0), p);
            wire_bytes(s, &len); /* the long name, for people */
            struct sftp_attrs attrs = wire_attrs(s);
            if (is_name && !s->is_cut_off)
                goes_on = fn(user, name, &attrs);
        }
    }
    struct error ignored;
    enum status closed = close_handle(s, &h, path, st == STATUS_OK ? err : &ignored);
    return st == STATUS_OK ? closed : st;
}

enum status sftp_flush(struct sftp *s, struct error *err)
{
    struct sftp_attrs ignored;
    bool is_there;
    return sftp_stat(s, ".", &ignored, &is_there, err); /* a server goes through them in order */
}

enum status sftp_store(struct sftp *s, const char *path, const void *data, size_t len,
                       struct error *err)
{
    struct sftp_answer a;
    struct sftp_handle h;
    const char *from = data;
    sftp_ask_create(s, CALL_ID, path, 0600, true);
    enum status st = call_for(s, SFTP_HANDLE, "create", path, &a, err);
    if (st != STATUS_OK)
        return st;
    keep_handle(&a, &h);
    for (size_t at = 0; at < len && st == STATUS_OK;) {
        uint32_t n = len - at < s->write_max ? (uint32_t)(len - at) : s->write_max;
        char *to = sftp_ask_write(s, CALL_ID, &h, at, n);
        if (!to)
            break; /* the turn within call_for() says so */
        memcpy(to, from + at, n);
        sftp_ask_write_end(s, n);
        st = call_for(s, SFTP_STATUS, "write", path, &a, err);
        at += n;
    }
    struct error ignored;
    enum status closed = close_handle(s, &h, path, st == STATUS_OK ? err : &ignored);
    return st == STATUS_OK ? closed : st;
}

/* --- requests under way ----------------------------------------------------------------------- */

void sftp_ask_open(struct sftp *s, uint32_t id, const char *path)
{
    wire_begin(s, FXP_OPEN, id);
    wire_put_str(s, path);
    wire_put_u32(s, OPEN_READ);
    wire_put_u32(s, 0);
    wire_end(s);
}

void sftp_ask_create(struct sftp *s, uint32_t id, const char *path, unsigned mode, bool is_new)
{
    wire_begin(s, FXP_OPEN, id);
    wire_put_str(s, path);
    wire_put_u32(s, OPEN_WRITE | OPEN_CREATE | (is_new ? OPEN_TRUNC : 0));
    wire_put_u32(s, ATTR_MODE);
    wire_put_u32(s, mode);
    wire_end(s);
}

static void ask_of_handle(struct sftp *s, int type, uint32_t id, const struct sftp_handle *h)
{
    wire_begin(s, type, id);
    wire_put_bytes(s, h->bytes, h->len);
}

void sftp_ask_close(struct sftp *s, uint32_t id, const struct sftp_handle *h)
{
    ask_of_handle(s, FXP_CLOSE, id, h);
    wire_end(s);
}

void sftp_ask_read(struct sftp *s, uint32_t id, const struct sftp_handle *h, uint64_t offset,
                   uint32_t len)
{
    ask_of_handle(s, FXP_READ, id, h);
    wire_put_u64(s, offset);
    wire_put_u32(s, len);
    wire_end(s);
}

char *sftp_ask_write(struct sftp *s, uint32_t id, const struct sftp_handle *h, uint64_t offset,
                     uint32_t max)
{
    s->packet = s->out.end;
    if (!wire_reserve(s, WRITE_EXTRA + (size_t)max))
        return NULL;
    ask_of_handle(s, FXP_WRITE, id, h);
    wire_put_u64(s, offset);
    wire_put_u32(s, 0);
    return s->out.data + s->out.end;
}

void sftp_ask_write_end(struct sftp *s, uint32_t len)
{
    if (!len) {
        s->out.end = s->packet;
        return;
    }
    wire_pack_u32(s->out.data + s->out.end - 4, len);
    s->out.end += len;
    wire_end(s);
}

void sftp_ask_attrs(struct sftp *s, uint32_t id, const struct sftp_handle *h)
{
    ask_of_handle(s, FXP_FSTAT, id, h);
    wire_end(s);
}

void sftp_ask_set_attrs(struct sftp *s, uint32_t id, const struct sftp_handle *h, unsigned mode,
                        uint32_t mtime_s)
{
    ask_of_handle(s, FXP_FSETSTAT, id, h);
    wire_put_u32(s, ATTR_MODE | ATTR_TIMES);
    wire_put_u32(s, mode);
    wire_put_u32(s, mtime_s);
    wire_put_u32(s, mtime_s);
    wire_end(s);
}

void sftp_ask_change(struct sftp *s, uint32_t id, enum sftp_change what, const char *path,
                     const char *to, unsigned mode)
{
    static const int types[] = {FXP_MKDIR, FXP_REMOVE, FXP_RMDIR, FXP_SETSTAT, FXP_RENAME};
    bool is_posix_rename = what == SFTP_RENAME && s->has_posix_rename;
    if (what == SFTP_RENAME && !is_posix_rename) { /* a plain one replaces nothing */
        wire_begin(s, FXP_REMOVE, NOBODY);
        wire_put_str(s, to);
        wire_end(s);
    }
    wire_begin(s, is_posix_rename ? FXP_EXTENDED : types[what], id);
    if (is_posix_rename)
        wire_put_str(s, "posix-rename@openssh.com");
    wire_put_str(s, path);
    if (what == SFTP_RENAME)
        wire_put_str(s, to);
    if (what == SFTP_MKDIR || what == SFTP_CHMOD) {
        wire_put_u32(s, ATTR_MODE);
        wire_put_u32(s, mode);
    }
    wire_end(s);
}
