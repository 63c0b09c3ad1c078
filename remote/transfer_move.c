#include "remote/transfer_move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/paths.h"

#define SLOTS      64 /* files at a time */
#define ASKS       512
#define READS_MAX  (8u << 20) /* bytes asked for and not yet here */
#define TURN_MS    100
#define FULL_BYTES 65536

enum ask_kind { ASK_OPEN, ASK_WRITE, ASK_READ, ASK_META, ASK_ATTRS, ASK_CLOSE };

struct ask {
    uint32_t id; /* 0: free */
    enum ask_kind kind;
    struct slot *slot;
    uint64_t offset;
    uint32_t len;
};

struct slot {
    struct item *item; /* NULL: free */
    int fd;
    bool is_open, is_closing;
    struct sftp_handle handle;
    unsigned nreads;
    uint64_t next, end; /* what to ask for next; no byte is wanted from `end` on */
    uint64_t hashed;    /* so much, in order */
    struct sha256 hash;
    struct stat before;
};

struct move {
    const struct mover *m;
    struct slot slots[SLOTS];
    struct ask asks[ASKS];
    unsigned nasks, nslots, free_hint;
    uint64_t reads_bytes;
    uint32_t generation;
    size_t cursor; /* of the items: the next to begin with */
    struct error *err;
};

static enum status too_late(const struct mover *m, struct error *err)
{
    return error_set(err, STATUS_INTERRUPTED, "transfer", "the transfer with %s was cancelled",
                     m->host_name);
}

enum status transfer_refused(struct sftp *s, const char *host, const struct sftp_answer *a,
                             const char *what, const char *path, struct error *err)
{
    bool may_be_full = a->kind == SFTP_STATUS && a->code == SFTP_FAILURE;
    char dir[CCALAB_PATH_MAX];
    sftp_refused(s, a, what, path, err);
    /* The directory that is there before and after: the one above the stage. */
    const char *stage = strstr(path, ITEM_TEMP_SUFFIX "/");
    size_t len = stage ? (size_t)(stage - path) : strlen(path);
    while (len && path[len - 1] != '/')
        len--;
    snprintf(dir, sizeof dir, "%.*s", (int)len, path);
    if (!may_be_full || sftp_free_bytes(s, dir) >= FULL_BYTES)
        return STATUS_HOST;
    error_set(err, STATUS_HOST, "transfer", "the disk of %s is full: cannot %s %.200s", host, what,
              path);
    return error_hint(err, "make room on %s: df -h %.180s", host, dir);
}

/* --- asks ------------------------------------------------------------------------------------- */

/* Their number is the place in the table below and a count above it: no two are alike. */
static struct ask *ask_new(struct move *v, enum ask_kind kind, struct slot *f)
{
    while (v->asks[v->free_hint].id)
        v->free_hint = (v->free_hint + 1) % ASKS;
    struct ask *a = &v->asks[v->free_hint];
    v->generation = v->generation % (INT32_MAX / ASKS - 2) + 1;
    *a = (struct ask){.id = v->generation * ASKS + v->free_hint, .kind = kind, .slot = f};
    v->nasks++;
    return a;
}

static bool may_ask(const struct move *v)
{
    return v->nasks < ASKS - 3 * SLOTS &&
           sftp_has_room(v->m->sftp); /* closing is always possible */
}

static void ask_free(struct move *v, struct ask *a)
{
    a->id = 0;
    v->nasks--;
}

/* --- beginning -------------------------------------------------------------------------------- */

enum status transfer_hash(int fd, uint64_t len, struct sha256 *hash, atomic_bool *is_over,
                          const char *path, struct error *err)
{
    char piece[65536];
    for (uint64_t at = 0; at < len;) {
        size_t want = len - at < sizeof piece ? (size_t)(len - at) : sizeof piece;
        ssize_t n = pread(fd, piece, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, STATUS_IO, errno, "transfer", "cannot read %s", path);
        if (n == 0)
            return error_set(err, STATUS_IO, "transfer", "%s changed while it was read", path);
        if (atomic_load(is_over))
            return error_set(err, STATUS_INTERRUPTED, "transfer", "%s was not read to its end",
                             path);
        sha256_add(hash, piece, (size_t)n);
        at += (uint64_t)n;
    }
    return STATUS_OK;
}

static enum status open_local(struct move *v, struct slot *f)
{
    struct item *i = f->item;
    bool up = v->m->is_upload;
    const char *path = up ? i->from : i->temp;
    f->fd = up ? open(path, O_RDONLY | O_CLOEXEC)
               : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0 || fstat(f->fd, &f->before) != 0)
        return error_sys(v->err, STATUS_IO, errno, "transfer", "cannot open %s", path);
    i->has_temp = true;
    if (up) { /* as it is now, which may not be as it was when the tree was walked */
        i->size = (uint64_t)f->before.st_size;
        i->part = i->part <= i->size ? i->part : 0;
        i->mtime_ns = (int64_t)f->before.st_mtim.tv_sec * 1000000000 + f->before.st_mtim.tv_nsec;
    } else {
        uint64_t there = (uint64_t)f->before.st_size;
        i->part = v->m->can_resume && !i->is_resumed && there <= i->size ? there : 0;
        if (i->part != there && ftruncate(f->fd, (off_t)i->part) != 0)
            return error_sys(v->err, STATUS_IO, errno, "transfer", "cannot empty %s", path);
    }
    i->is_resumed = i->part > 0;
    if (!sha256_init(&f->hash))
        return error_set(v->err, STATUS_NOMEM, "transfer", "out of memory");
    f->next = f->hashed = i->part;
    f->end = i->size ? i->size : UINT64_MAX; /* /proc says 0 of files that are not empty */
    enum status st = transfer_hash(f->fd, i->part, &f->hash, v->m->is_over, path, v->err);
    v->m->moved(v->m->user, i->part);
    return st;
}

static enum status begin(struct move *v, struct item *i)
{
    struct slot *f = v->slots;
    while (f->item)
        f++;
    *f = (struct slot){.item = i, .fd = -1};
    v->nslots++;
    enum status st = open_local(v, f);
    if (st != STATUS_OK)
        return st;
    struct ask *a = ask_new(v, ASK_OPEN, f);
    if (v->m->is_upload)
        sftp_ask_create(v->m->sftp, a->id, i->temp, i->mode, !i->is_resumed);
    else
        sftp_ask_open(v->m->sftp, a->id, i->from);
    /* The host may as well read it for us and for its hash at the same time. */
    if (!v->m->is_upload && !i->has_host_hash && transfer_host_has_hashes(v->m->host))
        transfer_host_ask(v->m->host, i, i->from);
    return STATUS_OK;
}

static void slot_free(struct move *v, struct slot *f)
{
    if (!f->item)
        return;
    if (f->fd >= 0)
        close(f->fd);
    sha256_done(&f->hash);
    f->item = NULL;
    v->nslots--;
}

static enum status begin_some(struct move *v)
{
    struct items *list = v->m->items;
    enum status st = STATUS_OK;
    for (; st == STATUS_OK && v->cursor < list->count; v->cursor++) {
        struct item *i = &list->all[v->cursor];
        if (i->is_dir || i->is_same || i->is_moved)
            continue;
        if (v->nslots == SLOTS || !may_ask(v))
            break;
        st = begin(v, i);
    }
    return st;
}

/* --- upload ----------------------------------------------------------------------------------- */

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static enum status changed(struct move *v, const char *path)
{
    return error_set(v->err, STATUS_IO, "transfer",
                     "%s changed while it was read: nothing was put in place", path);
}

/* All has been read: it must still be the file that it was at first. */
static enum status end_upload(struct move *v, struct slot *f)
{
    struct item *i = f->item;
    struct stat *b = &f->before;
    if (fstat(f->fd, &i->local) != 0 || i->local.st_size != b->st_size ||
        !is_same_time(i->local.st_mtim, b->st_mtim) ||
        !is_same_time(i->local.st_ctim, b->st_ctim) || (i->size && f->next != i->size))
        return changed(v, i->from);
    i->size = f->next;
    sha256_hex(&f->hash, i->hash);
    f->is_closing = true;
    int64_t mtime_s = i->mtime_ns / 1000000000;
    if (mtime_s >= 0 && mtime_s <= UINT32_MAX)
        sftp_ask_set_attrs(v->m->sftp, ask_new(v, ASK_META, f)->id, &f->handle, i->mode,
                           (uint32_t)mtime_s);
    sftp_ask_close(v->m->sftp, ask_new(v, ASK_CLOSE, f)->id, &f->handle);
    return STATUS_OK;
}

static enum status push_up(struct move *v, struct slot *f)
{
    struct sftp *s = v->m->sftp;
    bool is_eof = f->next >= f->end;
    while (!is_eof && may_ask(v)) {
        struct ask *a = ask_new(v, ASK_WRITE, f);
        char *to = sftp_ask_write(s, a->id, &f->handle, f->next, sftp_write_max(s));
        ssize_t n;
        do
            n = to ? read(f->fd, to, sftp_write_max(s)) : 0;
        while (n < 0 && errno == EINTR);
        if (n > 0)
            sha256_add(&f->hash, to, (size_t)n);
        int failure = errno;
        if (to)
            sftp_ask_write_end(s, n > 0 ? (uint32_t)n : 0);
        if (n <= 0)
            ask_free(v, a);
        if (n < 0)
            return error_sys(v->err, STATUS_IO, failure, "transfer", "cannot read %s",
                             f->item->from);
        a->len = (uint32_t)n;
        f->next += (uint64_t)n;
        is_eof = n == 0 || f->next >= f->end;
    }
    return is_eof ? end_upload(v, f) : STATUS_OK;
}

/* --- download --------------------------------------------------------------------------------- */

static void ask_read(struct move *v, struct slot *f, struct ask *a)
{
    f->nreads++;
    v->reads_bytes += a->len;
    sftp_ask_read(v->m->sftp, a->id, &f->handle, a->offset, a->len);
}

static void push_down(struct move *v, struct slot *f)
{
    uint32_t most = sftp_read_max(v->m->sftp);
    bool is_endless = f->end == UINT64_MAX;
    while (f->next < f->end && !(is_endless && f->nreads) && v->reads_bytes < READS_MAX &&
           may_ask(v)) {
        struct ask *a = ask_new(v, ASK_READ, f);
        a->offset = f->next;
        a->len = f->end - f->next < most ? (uint32_t)(f->end - f->next) : most;
        f->next += a->len;
        ask_read(v, f, a);
    }
    if (f->next < f->end || f->nreads)
        return;
    f->is_closing = true;
    sftp_ask_attrs(v->m->sftp, ask_new(v, ASK_ATTRS, f)->id, &f->handle);
    sftp_ask_close(v->m->sftp, ask_new(v, ASK_CLOSE, f)->id, &f->handle);
}

static enum status write_all(struct move *v, struct slot *f, const char *data, size_t len,
                             uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(f->fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int failure = n ? errno : ENOSPC;
            error_sys(v->err, STATUS_IO, failure, "transfer", "cannot write %s", f->item->temp);
            return failure == ENOSPC ? error_hint(v->err, "free some space on that disk")
                                     : STATUS_IO;
        }
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return STATUS_OK;
}

static enum status changed_there(struct move *v, const struct item *i)
{
    return error_set(v->err, STATUS_HOST, "transfer",
                     "%s changed on %s while it was read: nothing was put in place", i->from,
                     v->m->host_name);
}

static enum status on_data(struct move *v, struct slot *f, struct ask *a,
                           const struct sftp_answer *answer)
{
    uint64_t offset = a->offset;
    uint32_t rest = a->len - answer->len;
    if (!answer->len || answer->len > a->len)
        return error_set(v->err, STATUS_HOST, "transfer", "%s sent bad data of %s", v->m->host_name,
                         f->item->from);
    enum status st = write_all(v, f, answer->bytes, answer->len, offset);
    if (st != STATUS_OK)
        return st;
    if (offset == f->hashed) {
        sha256_add(&f->hash, answer->bytes, answer->len);
        f->hashed += answer->len;
    }
    v->m->moved(v->m->user, answer->len);
    if (f->end == UINT64_MAX) {
        f->next = offset + answer->len;
    } else if (rest) {
        struct ask *again = ask_new(v, ASK_READ, f);
        again->offset = offset + answer->len;
        again->len = rest;
        ask_read(v, f, again);
    }
    return STATUS_OK;
}

static enum status on_read(struct move *v, struct slot *f, struct ask *a,
                           const struct sftp_answer *answer)
{
    f->nreads--;
    v->reads_bytes -= a->len;
    if (answer->kind == SFTP_DATA)
        return on_data(v, f, a, answer);
    if (answer->kind != SFTP_STATUS || answer->code != SFTP_EOF)
        return sftp_refused(v->m->sftp, answer, "read", f->item->from, v->err);
    if (f->end != UINT64_MAX)
        return changed_there(v, f->item);
    f->end = f->next = a->offset;
    return STATUS_OK;
}

static enum status end_download(struct move *v, struct slot *f)
{
    struct item *i = f->item;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = (time_t)(i->mtime_ns / 1000000000)}};
    i->size = f->end;
    if (f->hashed < i->size) { /* answers in another order than asked */
        sha256_done(&f->hash);
        if (!sha256_init(&f->hash))
            return error_set(v->err, STATUS_NOMEM, "transfer", "out of memory");
        enum status st = transfer_hash(f->fd, i->size, &f->hash, v->m->is_over, i->temp, v->err);
        if (st != STATUS_OK)
            return st;
    }
    sha256_hex(&f->hash, i->hash);
    if (fchmod(f->fd, i->mode | 0600) != 0 || futimens(f->fd, times) != 0)
        return error_sys(v->err, STATUS_IO, errno, "transfer", "cannot set the mode of %s",
                         i->temp);
    int fd = f->fd;
    f->fd = -1;
    if (close(fd) != 0)
        return error_sys(v->err, STATUS_IO, errno, "transfer", "cannot write %s", i->temp);
    return STATUS_OK;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Both hashes are known: are they the same? */
static enum status judge(struct move *v, struct item *i)
{
    const struct mover *m = v->m;
    if (!i->is_moved || !i->has_host_hash || strcmp(i->hash, i->host_hash) == 0)
        return STATUS_OK;
    if (i->is_resumed) { /* its first part was of another file */
        i->is_moved = false;
        i->part = 0;
        i->has_host_hash = !m->is_upload;
        if ((size_t)(i - m->items->all) < v->cursor)
            v->cursor = (size_t)(i - m->items->all);
        return STATUS_OK;
    }
    if (!i->host_hash[0])
        return error_set(v->err, STATUS_HOST, "transfer", "%s cannot read %s to verify it",
                         m->host_name, m->is_upload ? i->temp : i->from);
    error_set(v->err, STATUS_HOST, "transfer",
              "what arrived is not what was sent: %s, with %s. It changed on the way, or while it "
              "was read",
              i->to, m->host_name);
    return error_hint(v->err, "nothing was put in place; try again");
}

static enum status take_hashes(struct move *v)
{
    char hash[SHA256_HEX];
    struct item *i;
    enum status st = STATUS_OK;
    transfer_host_turn(v->m->host);
    while (st == STATUS_OK && (i = transfer_host_take(v->m->host, hash))) {
        memcpy(i->host_hash, hash, sizeof hash);
        i->has_host_hash = true;
        st = judge(v, i);
    }
    return st;
}

/* --- answers ---------------------------------------------------------------------------------- */

static enum status on_closed(struct move *v, struct slot *f)
{
    struct item *i = f->item;
    enum status st = v->m->is_upload ? STATUS_OK : end_download(v, f);
    if (st != STATUS_OK)
        return st;
    i->is_moved = true;
    slot_free(v, f);
    v->m->ended(v->m->user, i);
    if (v->m->is_upload && transfer_host_has_hashes(v->m->host)) {
        i->has_host_hash = false;
        transfer_host_ask(v->m->host, i, i->temp);
    }
    return judge(v, i);
}

static bool is_ok(const struct sftp_answer *a)
{
    return a->kind == SFTP_STATUS && a->code == SFTP_OK;
}

static enum status on_answer(struct move *v, const struct sftp_answer *answer)
{
    struct ask *at = &v->asks[answer->id % ASKS], a = *at;
    struct slot *f = a.slot;
    const struct mover *m = v->m;
    if (answer->id == 0)
        return STATUS_OK;
    if (a.id != answer->id)
        return error_set(v->err, STATUS_HOST, "transfer", "%s answers what nobody asked",
                         m->host_name);
    ask_free(v, at);
    const char *path = m->is_upload ? f->item->temp : f->item->from;
    switch (a.kind) {
    case ASK_OPEN:
        if (answer->kind != SFTP_HANDLE)
            return transfer_refused(m->sftp, m->host_name, answer, m->is_upload ? "create" : "open",
                                    path, v->err);
        memcpy(f->handle.bytes, answer->bytes, answer->len);
        f->handle.len = answer->len;
        f->is_open = true;
        if (m->is_upload && f->item->part && lseek(f->fd, (off_t)f->item->part, SEEK_SET) < 0)
            return error_sys(v->err, STATUS_IO, errno, "transfer", "cannot read %s", f->item->from);
        return STATUS_OK;
    case ASK_WRITE:
        if (!is_ok(answer))
            return transfer_refused(m->sftp, m->host_name, answer, "write", path, v->err);
        m->moved(m->user, a.len);
        return STATUS_OK;
    case ASK_READ:
        return on_read(v, f, &a, answer);
    case ASK_META: /* where times or modes cannot be set the bytes count */
        return STATUS_OK;
    case ASK_ATTRS:
        if (answer->kind == SFTP_ATTRS && f->item->size && answer->attrs.size != f->item->size)
            return changed_there(v, f->item);
        return STATUS_OK;
    case ASK_CLOSE:
        return is_ok(answer)
                   ? on_closed(v, f)
                   : transfer_refused(m->sftp, m->host_name, answer, "close", path, v->err);
    }
    return STATUS_OK;
}

static enum status push(struct move *v)
{
    enum status st = begin_some(v);
    for (struct slot *f = v->slots; f < v->slots + SLOTS && st == STATUS_OK; f++) {
        if (!f->item || !f->is_open || f->is_closing)
            continue;
        if (v->m->is_upload)
            st = push_up(v, f);
        else
            push_down(v, f);
    }
    return st;
}

static enum status turn(struct move *v)
{
    struct pollfd other = transfer_host_wait(v->m->host);
    enum status st = sftp_turn(v->m->sftp, &other, 1, TURN_MS, v->err);
    bool has = true;
    while (st == STATUS_OK && has) {
        struct sftp_answer a;
        st = sftp_take(v->m->sftp, &a, &has, v->err);
        if (st == STATUS_OK && has)
            st = on_answer(v, &a);
    }
    return st == STATUS_OK ? take_hashes(v) : st;
}

enum status transfer_move(const struct mover *m, struct error *err)
{
    struct move *v = calloc(1, sizeof *v);
    enum status st = STATUS_OK;
    if (!v)
        return error_set(err, STATUS_NOMEM, "transfer", "out of memory");
    v->m = m;
    v->err = err;
    for (;;) {
        if (atomic_load(m->is_over))
            st = too_late(m, err);
        if (st == STATUS_OK)
            st = push(v);
        if (st != STATUS_OK)
            break;
        if (!v->nslots && v->cursor >= m->items->count) {
            if (!transfer_host_pending(m->host))
                break;
            transfer_host_hurry(m->host);
        }
        st = turn(v);
        if (st != STATUS_OK)
            break;
    }
    for (int i = 0; i < SLOTS; i++)
        slot_free(v, &v->slots[i]);
    free(v);
    return st;
}
