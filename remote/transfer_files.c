#include "remote/transfer_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event.h"
#include "remote/transfer_change.h"
#include "remote/transfer_move.h"

#define PROGRESS_NS  200000000u
#define MANIFEST_MAX (512u << 20)
#define FRESH_NS     1000000000 /* a file that changed so lately may change within the same tick */

struct run {
    const struct transfer_work *w;
    struct sftp *sftp;
    struct transfer_host *host;
    const struct facts *facts;
    struct items items;
    char *local, *remote;
    char *stage;       /* the stage: a new tree until it is put in place as a whole, or NULL */
    char manifest[40]; /* its name on the host */
    bool is_staged, has_news; /* the manifest is no longer what we know */
    size_t nsent, done_files;
    uint64_t total, done, began_ns, told_ns, waiting_ns;
};

/* --- progress --------------------------------------------------------------------------------- */

static void tell(struct run *r, bool is_last)
{
    uint64_t now = clock_mono_ns();
    if (!is_last && now - r->told_ns < PROGRESS_NS)
        return;
    r->told_ns = now;
    double s = (double)(now - r->began_ns) / 1e9, rate = s > 0 ? (double)r->done / s : 0;
    double left_s = rate > 0 && r->total > r->done ? (double)(r->total - r->done) / rate : 0;
    event_write_progress(r->w->events, (double)r->done, (double)r->total,
                         "%zu of %zu files, %.1f MB/s, %.0f s left", r->done_files, r->nsent,
                         rate / 1e6, left_s);
}

static void on_moved(void *user, uint64_t bytes)
{
    struct run *r = user;
    r->done += bytes;
    tell(r, false);
}

static void on_ended(void *user, struct item *i)
{
    struct run *r = user;
    (void)i;
    r->done_files++;
}

/* --- what is there ---------------------------------------------------------------------------- */

/* Without slashes at its end. */
static char *trimmed(char *path)
{
    for (size_t n = path ? strlen(path) : 0; n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
    return path;
}

/* As the shell and SFTP both understand it: below the home directory, never an option. */
static char *normal_path(const char *path)
{
    char *p;
    if (strncmp(path, "~/", 2) == 0)
        path += 2;
    return asprintf(&p, "%s%s", path[0] == '/' ? "" : "./", path) < 0 ? NULL : trimmed(p);
}

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "transfer", "out of memory");
}

static enum status name_manifest(struct run *r, struct error *err)
{
    struct sha256 hash = {NULL};
    char hex[SHA256_HEX];
    if (!sha256_init(&hash))
        return no_memory(err);
    sha256_add(&hash, r->remote, strlen(r->remote));
    sha256_hex(&hash, hex);
    snprintf(r->manifest, sizeof r->manifest, "%.32s", hex);
    return STATUS_OK;
}

/* Greet both of the host's ends, and walk the source. */
static enum status survey(struct run *r, struct error *err)
{
    const struct transfer_work *w = r->w;
    bool has_root = true;
    struct sftp_attrs a;
    r->local = trimmed(strdup(w->local));
    r->remote = normal_path(w->remote);
    r->stage = r->remote ? item_beside(r->remote) : NULL;
    if (!r->local || !r->stage)
        return no_memory(err);
    enum status st = name_manifest(r, err);
    if (st != STATUS_OK)
        return st;
    bool has_listing = w->is_delta || (w->is_upload && w->can_resume);
    r->host = transfer_host_open(w->host_fd, has_listing ? r->remote : NULL, r->stage, r->manifest);
    if (!r->host)
        return no_memory(err);
    transfer_host_turn(r->host); /* it works while SFTP greets */
    st = sftp_open(w->sftp_fd, w->host, &r->sftp, err);
    if (st == STATUS_OK && w->is_upload)
        st = items_walk_local(&r->items, r->local, r->remote, err);
    else if (st == STATUS_OK)
        st = items_walk_remote(&r->items, r->sftp, r->remote, r->local, err);
    if (st == STATUS_OK)
        st = transfer_host_listen(r->host, err);
    if (st == STATUS_OK && w->is_upload)
        st = sftp_stat(r->sftp, r->remote, &a, &has_root, err);
    if (st != STATUS_OK)
        return st;
    r->facts = transfer_host_facts(r->host);
    if (w->is_upload && has_root && a.is_dir != r->items.all[0].is_dir)
        return error_set(err, STATUS_HOST, "transfer", "%s on %s is %s directory", r->remote,
                         w->host, a.is_dir ? "a" : "no");
    /* Without a listing what an earlier transfer has left in the stage would not be seen. */
    r->is_staged =
        w->is_upload && !has_root && r->items.all[0].is_dir && transfer_host_has_listing(r->host);
    return items_set_temps(&r->items, r->is_staged ? r->stage : NULL, err);
}

/* --- what need not move ----------------------------------------------------------------------- */

static const char *path_there(const struct run *r, const struct item *i)
{
    return r->w->is_upload ? i->to : i->from;
}

/* The local side of an item: source of an upload, destination of a download. */
static bool stat_local(const struct run *r, struct item *i)
{
    return r->w->is_upload || (lstat(i->to, &i->local) == 0 && S_ISREG(i->local.st_mode));
}

static enum status hash_local(struct run *r, struct item *i, struct error *err)
{
    const char *path = r->w->is_upload ? i->from : i->to;
    struct sha256 hash = {NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW * !r->w->is_upload);
    if (fd < 0 || fstat(fd, &i->local) != 0)
        return error_sys(err, STATUS_IO, errno, "transfer", "cannot open %s", path);
    enum status st = sha256_init(&hash) ? transfer_hash(fd, (uint64_t)i->local.st_size, &hash,
                                                        r->w->is_over, path, err)
                                        : no_memory(err);
    close(fd);
    if (st == STATUS_OK)
        sha256_hex(&hash, i->hash);
    sha256_done(&hash);
    return st;
}

/* Is it worth hashing what is there? What is known of it is taken from the manifest. */
static bool may_be_same(struct run *r, struct item *i)
{
    const struct fact *f = facts_find(r->facts, path_there(r, i));
    const struct known *k = facts_known(r->facts, i->below);
    if (i->is_dir || !f || f->type != 'f' || f->size != i->size || !i->size || !stat_local(r, i) ||
        (uint64_t)i->local.st_size != i->size)
        return false;
    if (k && k->size == f->size && k->mtime_ns == f->mtime_ns) {
        memcpy(i->host_hash, k->hash, SHA256_HEX);
        i->has_host_hash = true;
    }
    if (k && known_is_local(k, &i->local))
        memcpy(i->hash, k->hash, SHA256_HEX);
    return true;
}

static void take_host_hashes(struct run *r)
{
    char hash[SHA256_HEX];
    struct item *i;
    transfer_host_turn(r->host);
    while ((i = transfer_host_take(r->host, hash))) {
        memcpy(i->host_hash, hash, SHA256_HEX);
        i->has_host_hash = true;
    }
}

static enum status compare(struct run *r, struct error *err)
{
    bool *is_candidate = calloc(r->items.count, sizeof *is_candidate);
    enum status st = is_candidate ? STATUS_OK : no_memory(err);
    for (size_t k = 0; st == STATUS_OK && k < r->items.count; k++) {
        struct item *i = &r->items.all[k];
        is_candidate[k] = may_be_same(r, i);
        if (is_candidate[k] && !i->has_host_hash)
            transfer_host_ask(r->host, i, path_there(r, i));
    }
    transfer_host_hurry(r->host);
    for (size_t k = 0; st == STATUS_OK && k < r->items.count; k++) { /* both at the same time */
        struct item *i = &r->items.all[k];
        if (!is_candidate[k])
            continue;
        if (!i->hash[0]) {
            st = hash_local(r, i, err);
            r->has_news = true;
        }
        take_host_hashes(r);
    }
    while (st == STATUS_OK && transfer_host_pending(r->host)) {
        struct pollfd p = transfer_host_wait(r->host);
        r->has_news = true;
        poll(&p, 1, 100);
        take_host_hashes(r);
        if (atomic_load(r->w->is_over))
            st = error_set(err, STATUS_INTERRUPTED, "transfer", "it was cancelled");
    }
    for (size_t k = 0; st == STATUS_OK && k < r->items.count; k++) {
        struct item *i = &r->items.all[k];
        i->is_same = is_candidate[k] && strcmp(i->hash, i->host_hash) == 0;
        if (!i->is_same && r->w->is_upload)
            i->has_host_hash = false;
    }
    free(is_candidate);
    return st;
}

/* What there is to do, with what an interrupted transfer has left. */
static void plan(struct run *r)
{
    for (size_t k = 0; k < r->items.count; k++) {
        struct item *i = &r->items.all[k];
        if (i->is_dir || i->is_same)
            continue;
        r->nsent++;
        r->total += i->size;
        const struct fact *f = r->w->can_resume ? facts_find(r->facts, i->temp) : NULL;
        if (r->w->is_upload && f && f->type == 'f' && f->size <= i->size)
            i->part = f->size;
    }
}

/* --- in place --------------------------------------------------------------------------------- */

static enum status make_dirs(struct run *r, struct error *err)
{
    enum status st = STATUS_OK;
    if (r->w->is_upload)
        return transfer_make_dirs(r->sftp, &r->items, r->facts, r->is_staged, r->w->host, err);
    for (size_t k = 0; k < r->items.count && st == STATUS_OK; k++) {
        struct item *i = &r->items.all[k];
        if (i->is_dir && mkdir(i->to, 0700) != 0 && errno != EEXIST)
            st = error_sys(err, STATUS_IO, errno, "transfer", "cannot make %s", i->to);
    }
    return st;
}

static enum status place_local(struct run *r, struct error *err)
{
    for (size_t k = 0; k < r->items.count; k++) {
        struct item *i = &r->items.all[k];
        if (i->is_dir)
            continue;
        if (!i->is_same && rename(i->temp, i->to) != 0)
            return error_sys(err, STATUS_IO, errno, "transfer", "cannot put %s in place", i->to);
        i->has_temp = false;
        if (i->is_same && (i->local.st_mode & 0777) != (i->mode | 0600) &&
            chmod(i->to, i->mode | 0600) != 0)
            return error_sys(err, STATUS_IO, errno, "transfer", "cannot set the mode of %s", i->to);
        if (lstat(i->to, &i->local) != 0)
            i->local.st_ino = 0;
    }
    for (size_t k = r->items.count; k--;) /* what is in them first */
        if (r->items.all[k].is_dir && chmod(r->items.all[k].to, r->items.all[k].mode | 0700) != 0)
            return error_sys(err, STATUS_IO, errno, "transfer", "cannot set the mode of %s",
                             r->items.all[k].to);
    return STATUS_OK;
}

/* --- the manifest ----------------------------------------------------------------------------- */

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What the host's find(1) will say of the file's time; -1: not known. */
static int64_t mtime_there(const struct run *r, const struct item *i)
{
    const struct fact *f = facts_find(r->facts, path_there(r, i));
    if (r->w->is_upload && !i->is_same)
        return i->mtime_ns / 1000000000 * 1000000000;
    return f ? f->mtime_ns : -1;
}

/* It is only a short cut for the next time: that it cannot be written is no failure. */
static void write_manifest(struct run *r)
{
    struct buf b;
    struct error why = {STATUS_OK};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    buf_init(&b, MANIFEST_MAX);
    for (size_t k = 0; k < r->items.count; k++) {
        struct item *i = &r->items.all[k];
        struct known known = {.path = i->below, .size = i->size, .mtime_ns = mtime_there(r, i)};
        if (i->is_dir || !i->hash[0] || known.mtime_ns < 0)
            continue;
        memcpy(known.hash, i->hash, SHA256_HEX);
        if (ns_of(now) - ns_of(i->local.st_ctim) > FRESH_NS) {
            known.local_inode = i->local.st_ino;
            known.local_mtime_ns = ns_of(i->local.st_mtim);
            known.local_ctime_ns = ns_of(i->local.st_ctim);
        }
        known_write(&b, &known);
    }
    if (b.is_failed ||
        transfer_store(r->sftp, transfer_host_manifest(r->host), b.data, b.len, &why) != STATUS_OK)
        event_write_log(r->w->events, LOG_LEVEL_DEBUG, "no manifest for the next time: %s",
                        why.message);
    buf_done(&b);
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum status work(struct run *r, struct error *err)
{
    const struct transfer_work *w = r->w;
    const struct mover mover = {.is_upload = w->is_upload,
                                .can_resume = w->can_resume,
                                .host_name = w->host,
                                .sftp = r->sftp,
                                .host = r->host,
                                .items = &r->items,
                                .is_over = w->is_over,
                                .moved = on_moved,
                                .ended = on_ended,
                                .user = r};
    enum status st = STATUS_OK;
    if (w->is_delta && transfer_host_has_hashes(r->host) && !r->is_staged)
        st = compare(r, err);
    if (st != STATUS_OK)
        return st;
    plan(r);
    r->has_news |= r->nsent > 0;
    tell(r, true);
    if (r->is_staged)
        st = transfer_clear_stage(r->sftp, &r->items, r->facts, r->stage, err);
    if (st == STATUS_OK)
        st = make_dirs(r, err);
    if (st == STATUS_OK)
        st = transfer_move(&mover, err);
    if (st != STATUS_OK)
        return st;
    tell(r, true);
    if (!transfer_host_has_hashes(r->host))
        event_write_log(w->events, LOG_LEVEL_WARN,
                        "%s has no tool that could hash: only the sizes were compared", w->host);
    if (!w->is_upload)
        return place_local(r, err);
    return transfer_place(r->sftp, &r->items, r->facts, r->is_staged ? r->stage : NULL, w->host,
                          err);
}

static void write_result(const struct run *r)
{
    cJSON *o = cJSON_CreateObject();
    uint64_t resumed = 0;
    for (size_t k = 0; k < r->items.count; k++)
        resumed += r->items.all[k].part;
    cJSON_AddNumberToObject(o, "files", (double)r->items.nfiles);
    cJSON_AddNumberToObject(o, "sent", (double)r->nsent);
    cJSON_AddNumberToObject(o, "bytes", (double)(r->done - resumed));
    cJSON_AddNumberToObject(o, "resumed", (double)resumed);
    cJSON_AddNumberToObject(o, "omitted", r->items.omitted);
    cJSON_AddNumberToObject(o, "seconds", (double)(clock_mono_ns() - r->began_ns) / 1e9);
    cJSON_AddBoolToObject(o, "is_verified", transfer_host_has_hashes(r->host));
    event_write_result(r->w->events, o);
}

/* What a lost connection has left, here or there, is gone on with by the next transfer. */
static void clean_up(struct run *r)
{
    if (!r->sftp || (sftp_is_lost(r->sftp) && !atomic_load(r->w->is_over)))
        return;
    if (r->w->is_upload)
        transfer_remove_temps(r->sftp, &r->items, r->is_staged ? r->stage : NULL);
    for (size_t k = 0; k < r->items.count && !r->w->is_upload; k++)
        if (r->items.all[k].has_temp)
            unlink(r->items.all[k].temp);
}

enum status transfer_files(const struct transfer_work *w, struct error *err)
{
    struct run r = {.w = w, .began_ns = clock_mono_ns()};
    items_init(&r.items);
    enum status st = survey(&r, err);
    if (st == STATUS_OK)
        st = work(&r, err);
    if (st == STATUS_OK) {
        if (r.has_news && w->is_delta && transfer_host_has_hashes(r.host))
            write_manifest(&r);
        write_result(&r);
    } else {
        clean_up(&r);
        event_write_error(w->events, err);
    }
    items_done(&r.items);
    transfer_host_close(r.host);
    sftp_close(r.sftp);
    free(r.local);
    free(r.remote);
    free(r.stage);
    return st;
}
