#include "remote/transfer_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/paths.h"
#include "remote/sftp.h"

#define FILES_MAX      1000000
#define DEPTH_MAX      64
#define MANIFEST_MAX   (512u << 20)
#define PROGRESS_NS    200000000u
#define TEMP_SUFFIX    ".ccalab-part"
#define VERIFY_SAY_MAX 65536

struct item {
    char *from, *to; /* at the source; in place at the destination */
    char *temp;      /* beside `to`, until it is renamed */
    uint64_t size;
    unsigned mode;
    bool is_dir, has_temp;
    char hash[65];
};

struct run {
    const struct transfer_work *w;
    struct sftp *sftp;
    struct item *items;
    size_t nitems, cap, nfiles, done_files;
    uint64_t total, done, began_ns, told_ns;
    unsigned omitted;
};

/* --- what there is ---------------------------------------------------------------------------- */

static char *beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    char *temp;
    return asprintf(&temp, "%.*s.%s" TEMP_SUFFIX, dir, path, path + dir) < 0 ? NULL : temp;
}

static enum status add(struct run *r, const char *from, const char *to, bool is_dir, uint64_t size,
                       unsigned mode, struct error *err)
{
    if (r->nitems == FILES_MAX)
        return error_set(err, STATUS_NOMEM, "transfer", "more than %d files", FILES_MAX);
    if (r->nitems == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct item *items = realloc(r->items, cap * sizeof *items);
        if (!items)
            return error_set(err, STATUS_NOMEM, "transfer", "out of memory");
        r->items = items;
        r->cap = cap;
    }
    struct item *i = &r->items[r->nitems++];
    *i = (struct item){.from = strdup(from),
                       .to = strdup(to),
                       .temp = beside(to),
                       .size = size,
                       .mode = mode,
                       .is_dir = is_dir};
    if (!i->from || !i->to || !i->temp)
        return error_set(err, STATUS_NOMEM, "transfer", "out of memory");
    r->nfiles += !is_dir;
    r->total += is_dir ? 0 : size;
    return STATUS_OK;
}

static enum status too_long(const char *path, struct error *err)
{
    return error_set(err, STATUS_INPUT, "transfer", "too long or too deep: %.200s", path);
}

static enum status walk_local(struct run *r, const char *from, const char *to, int depth,
                              struct error *err)
{
    struct stat sb;
    /* The named thing may be a link; what is found below it may not, it could lead anywhere. */
    if ((depth ? lstat(from, &sb) : stat(from, &sb)) != 0)
        return error_sys(err, STATUS_IO, errno, "transfer", "cannot read %s", from);
    if (!S_ISREG(sb.st_mode) && !S_ISDIR(sb.st_mode)) {
        r->omitted++;
        return STATUS_OK;
    }
    enum status st =
        add(r, from, to, S_ISDIR(sb.st_mode), (uint64_t)sb.st_size, sb.st_mode & 0777, err);
    if (st != STATUS_OK || S_ISREG(sb.st_mode))
        return st;
    if (depth == DEPTH_MAX)
        return too_long(from, err);
    DIR *d = opendir(from);
    if (!d)
        return error_sys(err, STATUS_IO, errno, "transfer", "cannot read %s", from);
    struct dirent *e;
    while (st == STATUS_OK && (e = readdir(d))) {
        char f[CCALAB_PATH_MAX], t[CCALAB_PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        st = path_join(f, sizeof f, from, e->d_name) && path_join(t, sizeof t, to, e->d_name)
                 ? walk_local(r, f, t, depth + 1, err)
                 : too_long(e->d_name, err);
    }
    closedir(d);
    return st;
}

struct listing {
    struct run *r;
    const char *from, *to;
    size_t first;
    enum status st;
    struct error *err;
};

static bool on_entry(void *user, const char *name, const struct sftp_attrs *a)
{
    struct listing *l = user;
    char f[CCALAB_PATH_MAX], t[CCALAB_PATH_MAX];
    if (!a->is_dir && !a->is_file)
        l->r->omitted++;
    else if (!path_join(f, sizeof f, l->from, name) || !path_join(t, sizeof t, l->to, name))
        l->st = too_long(name, l->err);
    else
        l->st = add(l->r, f, t, a->is_dir, a->size, a->mode, l->err);
    return l->st == STATUS_OK;
}

/* List the directory at items[at], then those in it. */
static enum status walk_remote(struct run *r, size_t at, int depth, struct error *err)
{
    struct error own = {STATUS_OK};
    struct listing l = {r, r->items[at].from, r->items[at].to, r->nitems, STATUS_OK, &own};
    if (depth == DEPTH_MAX)
        return too_long(l.from, err);
    enum status st = sftp_list(r->sftp, l.from, on_entry, &l, err);
    if (l.st != STATUS_OK) {
        *err = own;
        return l.st;
    }
    for (size_t i = l.first, end = r->nitems; st == STATUS_OK && i < end; i++)
        if (r->items[i].is_dir)
            st = walk_remote(r, i, depth + 1, err);
    return st;
}

static enum status survey(struct run *r, struct error *err)
{
    const struct transfer_work *w = r->w;
    if (w->is_upload)
        return walk_local(r, w->local, w->remote, 0, err);
    struct sftp_attrs a;
    bool is_there;
    enum status st = sftp_stat(r->sftp, w->remote, &a, &is_there, err);
    if (st != STATUS_OK)
        return st;
    if (!is_there || (!a.is_dir && !a.is_file))
        return error_set(err, STATUS_HOST, "transfer", "%s has no file or directory %s", w->host,
                         w->remote);
    st = add(r, w->remote, w->local, a.is_dir, a.size, a.mode, err);
    return st == STATUS_OK && a.is_dir ? walk_remote(r, 0, 0, err) : st;
}

/* --- moving ----------------------------------------------------------------------------------- */

static void tell(struct run *r, bool is_last)
{
    uint64_t now = clock_mono_ns();
    if (!is_last && now - r->told_ns < PROGRESS_NS)
        return;
    r->told_ns = now;
    double s = (double)(now - r->began_ns) / 1e9, rate = s > 0 ? (double)r->done / s : 0;
    double left_s = rate > 0 && r->total > r->done ? (double)(r->total - r->done) / rate : 0;
    event_write_progress(r->w->events, (double)r->done, (double)r->total,
                         "%zu of %zu files, %.1f MB/s, %.0f s left", r->done_files, r->nfiles,
                         rate / 1e6, left_s);
}

static bool on_bytes(void *user, size_t bytes)
{
    struct run *r = user;
    r->done += bytes;
    tell(r, false);
    return !atomic_load(r->w->is_over);
}

static enum status make_dir(struct run *r, const struct item *i, struct error *err)
{
    if (!r->w->is_upload) {
        if (mkdir(i->to, 0700) != 0 && errno != EEXIST)
            return error_sys(err, STATUS_IO, errno, "transfer", "cannot make %s", i->to);
        return STATUS_OK;
    }
    struct sftp_attrs a;
    bool is_there;
    enum status st = sftp_stat(r->sftp, i->to, &a, &is_there, err);
    if (st != STATUS_OK || !is_there)
        return st == STATUS_OK ? sftp_mkdir(r->sftp, i->to, err) : st;
    return a.is_dir ? STATUS_OK
                    : error_set(err, STATUS_HOST, "transfer", "%s on %s is no directory", i->to,
                                r->w->host);
}

static enum status move_file(struct run *r, struct item *i, struct error *err)
{
    bool up = r->w->is_upload;
    struct sha256 hash;
    uint64_t size = 0;
    int fd = up ? open(i->from, O_RDONLY | O_CLOEXEC)
                : open(i->temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_sys(err, STATUS_IO, errno, "transfer", "cannot open %s",
                         up ? i->from : i->temp);
    i->has_temp = true;
    enum status st = up ? sftp_put(r->sftp, fd, i->temp, i->mode, on_bytes, r, &size, &hash, err)
                        : sftp_get(r->sftp, i->from, fd, on_bytes, r, &size, &hash, err);
    if (st == STATUS_OK && !up && fchmod(fd, i->mode | 0600) != 0)
        st = error_sys(err, STATUS_IO, errno, "transfer", "cannot set the mode of %s", i->temp);
    if (close(fd) != 0 && st == STATUS_OK)
        st = error_sys(err, STATUS_IO, errno, "transfer", "cannot write %s", i->temp);
    if (st != STATUS_OK)
        return st;
    if (up) {
        struct sftp_attrs a;
        bool is_there;
        st = sftp_stat(r->sftp, i->temp, &a, &is_there, err);
        if (st == STATUS_OK && (!is_there || a.size != size))
            st =
                error_set(err, STATUS_HOST, "transfer", "%s is not whole on %s", i->to, r->w->host);
    } else if (size != i->size) {
        st = error_set(err, STATUS_HOST, "transfer", "%s changed on %s while it was read", i->from,
                       r->w->host);
    }
    sha256_hex(&hash, i->hash);
    r->done_files++;
    return st;
}

/* --- verifying -------------------------------------------------------------------------------- */

/* A line as sha256sum(1) writes it: a name with a backslash or newline is escaped, and marked. */
static void manifest_line(struct buf *b, const char *hash, const char *path)
{
    bool is_escaped = strpbrk(path, "\\\n\r") != NULL;
    buf_printf(b, "%s%s  ", is_escaped ? "\\" : "", hash);
    if (path[0] == '-')
        buf_puts(b, "./");
    for (; *path; path++) {
        if (is_escaped && (*path == '\\' || *path == '\n' || *path == '\r'))
            buf_puts(b, *path == '\\' ? "\\\\" : *path == '\n' ? "\\n" : "\\r");
        else
            buf_append(b, path, 1);
    }
    buf_puts(b, "\n");
}

static enum status verify(struct run *r, bool *is_verified, struct error *err)
{
    struct buf b;
    enum status st = STATUS_OK;
    buf_init(&b, MANIFEST_MAX);
    for (size_t i = 0; i < r->nitems; i++)
        if (!r->items[i].is_dir)
            manifest_line(&b, r->items[i].hash,
                          r->w->is_upload ? r->items[i].temp : r->items[i].from);
    for (size_t at = 0; at < b.len;) {
        ssize_t n = send(r->w->verify_fd, b.data + at, b.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* what it says, or does not, tells more */
        at += (size_t)n;
    }
    shutdown(r->w->verify_fd, SHUT_WR);
    if (b.is_failed)
        st = error_set(err, STATUS_NOMEM, "transfer", "no memory to verify %zu files", r->nfiles);
    buf_done(&b);
    buf_init(&b, VERIFY_SAY_MAX);
    char piece[4096];
    ssize_t n;
    while ((n = recv(r->w->verify_fd, piece, sizeof piece, 0)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_append_tail(&b, piece, (size_t)n);
    while (b.len && strchr("\r\n", b.data[b.len - 1]))
        b.data[--b.len] = '\0';
    char *last = strrchr(b.data, '\n');
    last = last ? last + 1 : b.data;
    *is_verified = strcmp(last, "same") == 0;
    if (st == STATUS_OK && !*is_verified && strcmp(last, "none") != 0) {
        char clean[200];
        b.data[strcspn(b.data, "\n")] = '\0';
        st = error_set(err, STATUS_HOST, "transfer", "what arrived is not what was sent (%s): %s",
                       r->w->host, b.len ? log_escape(b.data, clean, sizeof clean) : "no answer");
    } else if (st == STATUS_OK && !*is_verified) {
        event_write_log(r->w->events, LOG_LEVEL_WARN,
                        "%s has no sha256sum: only the sizes were compared", r->w->host);
    }
    buf_done(&b);
    return st;
}

static enum status put_in_place(struct run *r, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t k = 0; k < r->nitems && st == STATUS_OK; k++) {
        struct item *i = &r->items[k];
        if (i->is_dir)
            continue;
        if (r->w->is_upload)
            st = sftp_rename(r->sftp, i->temp, i->to, err);
        else if (rename(i->temp, i->to) != 0)
            st = error_sys(err, STATUS_IO, errno, "transfer", "cannot put %s in place", i->to);
        i->has_temp = st != STATUS_OK;
    }
    for (size_t k = r->nitems; k-- && st == STATUS_OK && !r->w->is_upload;)
        if (r->items[k].is_dir && chmod(r->items[k].to, r->items[k].mode | 0700) != 0)
            st = error_sys(err, STATUS_IO, errno, "transfer", "cannot set the mode of %s",
                           r->items[k].to);
    return st;
}

/* After a failure: as far as the host still answers. */
static void remove_temps(struct run *r)
{
    struct error ignored;
    for (size_t k = 0; k < r->nitems; k++) {
        if (!r->items[k].has_temp)
            continue;
        if (!r->w->is_upload)
            unlink(r->items[k].temp);
        else if (r->sftp && sftp_remove(r->sftp, r->items[k].temp, &ignored) != STATUS_OK &&
                 strstr(ignored.message, "was closed"))
            return;
    }
}

enum status transfer_files(const struct transfer_work *w, struct error *err)
{
    struct run r = {.w = w, .began_ns = clock_mono_ns()};
    bool is_verified = false;
    enum status st = sftp_open(w->sftp_fd, w->host, &r.sftp, err);
    if (st == STATUS_OK)
        st = survey(&r, err);
    tell(&r, true);
    for (size_t i = 0; st == STATUS_OK && i < r.nitems; i++) {
        if (atomic_load(w->is_over))
            st = error_set(err, STATUS_INTERRUPTED, "transfer", "it was cancelled");
        else
            st = r.items[i].is_dir ? make_dir(&r, &r.items[i], err)
                                   : move_file(&r, &r.items[i], err);
    }
    if (st == STATUS_OK) {
        tell(&r, true);
        st = verify(&r, &is_verified, err);
    }
    if (st == STATUS_OK)
        st = put_in_place(&r, err);
    if (st == STATUS_OK) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "files", (double)r.nfiles);
        cJSON_AddNumberToObject(o, "bytes", (double)r.done);
        cJSON_AddNumberToObject(o, "omitted", r.omitted);
        cJSON_AddNumberToObject(o, "seconds", (double)(clock_mono_ns() - r.began_ns) / 1e9);
        cJSON_AddBoolToObject(o, "is_verified", is_verified);
        event_write_result(w->events, o);
    } else {
        remove_temps(&r);
        event_write_error(w->events, err);
    }
    for (size_t i = 0; i < r.nitems; i++) {
        free(r.items[i].from);
        free(r.items[i].to);
        free(r.items[i].temp);
    }
    free(r.items);
    sftp_close(r.sftp);
    return st;
}
