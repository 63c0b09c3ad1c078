#include "remote/transfer_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/paths.h"
#include "remote/transfer_move.h"

#define IN_FLIGHT 256
#define TURN_MS   1000
#define FIRST_ID  0x80000000u /* above those of transfer_move.c, whose answers may still come */

struct change {
    enum sftp_change what;
    const char *path, *to;
    unsigned mode;
};

/* Makes the k-th change into *c; false: there is nothing to do for it. */
typedef bool (*change_fn)(void *user, size_t k, struct change *c);
/* What the host said of it; true goes on. */
typedef bool (*answer_fn)(void *user, size_t k, const struct change *c,
                          const struct sftp_answer *a);

/* Ask for `n` changes, in order, without waiting for each. */
static enum status change_all(struct sftp *s, size_t n, change_fn make, answer_fn answered,
                              void *user, struct error *err)
{
    size_t next = 0, in_flight = 0;
    bool goes_on = true;
    while (in_flight || (next < n && goes_on)) {
        struct sftp_answer a;
        struct change c;
        bool has = true;
        for (; goes_on && next < n && in_flight < IN_FLIGHT; next++)
            if (make(user, next, &c)) {
                sftp_ask_change(s, FIRST_ID + (uint32_t)next, c.what, c.path, c.to, c.mode);
                in_flight++;
            }
        if (!in_flight)
            continue;
        enum status st = sftp_turn(s, NULL, 0, TURN_MS, err);
        while (st == STATUS_OK && in_flight && has) {
            st = sftp_take(s, &a, &has, err);
            if (st != STATUS_OK || !has || a.id < FIRST_ID || a.id - FIRST_ID >= next)
                continue;
            in_flight--;
            make(user, a.id - FIRST_ID, &c);
            goes_on &= answered(user, a.id - FIRST_ID, &c, &a);
        }
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static bool is_ok(const struct sftp_answer *a)
{
    return a->kind == SFTP_STATUS && a->code == SFTP_OK;
}

static bool ignore(void *user, size_t k, const struct change *c, const struct sftp_answer *a)
{
    (void)user;
    (void)k;
    (void)c;
    (void)a;
    return true;
}

struct changing {
    struct sftp *sftp;
    const struct items *items;
    const struct facts *facts;
    const char *stage, *host;
    size_t failed; /* the first that the host refused; SIZE_MAX: none */
    struct error *err;
};

/* --- directories ------------------------------------------------------------------------------ */

static bool make_dir(void *user, size_t k, struct change *c)
{
    const struct changing *g = user;
    const struct item *i = &g->items->all[k];
    const char *path = g->stage ? i->temp : i->to;
    const struct fact *f = facts_find(g->facts, path);
    *c = (struct change){SFTP_MKDIR, path, NULL, i->mode | 0700};
    return i->is_dir && !(f && f->type == 'd');
}

static bool note_failure(void *user, size_t k, const struct change *c, const struct sftp_answer *a)
{
    struct changing *g = user;
    if (!is_ok(a) && g->failed == SIZE_MAX) {
        g->failed = k;
        sftp_refused(g->sftp, a, "make directory", c->path, g->err);
    }
    return true;
}

enum status transfer_make_dirs(struct sftp *s, const struct items *list, const struct facts *facts,
                               bool is_staged, const char *host, struct error *err)
{
    struct error why = {STATUS_OK};
    struct changing g = {s, list, facts, is_staged ? "" : NULL, host, SIZE_MAX, &why};
    enum status st = change_all(s, list->count, make_dir, note_failure, &g, err);
    /* Failing is what it does where there is one already. */
    for (size_t k = g.failed; st == STATUS_OK && k < list->count; k++) {
        struct sftp_attrs a;
        struct change c;
        bool is_there;
        if (!make_dir(&g, k, &c))
            continue;
        st = sftp_stat(s, c.path, &a, &is_there, err);
        if (st == STATUS_OK && !is_there) {
            *err = why;
            st = why.status;
        } else if (st == STATUS_OK && !a.is_dir) {
            st = error_set(err, STATUS_HOST, "transfer", "%s on %s is no directory", c.path, host);
        }
    }
    return st;
}

/* --- the stage -------------------------------------------------------------------------------- */

struct clearing {
    const struct facts *facts;
    const char **wanted; /* paths of this transfer's files and directories, each behind its type */
    size_t nwanted, stage_len;
    const char *stage;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The facts from the last to the first: what is in a directory comes before it. */
static bool clear_leftover(void *user, size_t k, struct change *c)
{
    const struct clearing *g = user;
    const struct fact *f = &g->facts->facts[g->facts->nfacts - 1 - k];
    bool is_dir = f->type == 'd';
    if (strncmp(f->path, g->stage, g->stage_len) != 0 || f->path[g->stage_len] != '/')
        return false;
    const char **found =
        g->nwanted ? bsearch(&f->path, g->wanted, g->nwanted, sizeof *found, by_text) : NULL;
    *c = (struct change){is_dir ? SFTP_RMDIR : SFTP_REMOVE, f->path, NULL, 0};
    return !found || (*found)[-1] != f->type;
}

enum status transfer_clear_stage(struct sftp *s, const struct items *list,
                                 const struct facts *facts, const char *stage, struct error *err)
{
    struct clearing g = {facts, calloc(list->count, sizeof *g.wanted), 0, strlen(stage), stage};
    struct buf names;
    enum status st = STATUS_OK;
    buf_init(&names, SIZE_MAX / 2);
    for (size_t k = 0; k < list->count && facts->nfacts; k++) {
        buf_append(&names, list->all[k].is_dir ? "d" : "f", 1);
        buf_append(&names, list->all[k].temp, strlen(list->all[k].temp) + 1);
    }
    if (!g.wanted || names.is_failed) {
        st = error_set(err, STATUS_NOMEM, "transfer", "out of memory");
    } else {
        for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
            g.wanted[g.nwanted++] = names.data + at + 1;
        if (g.nwanted)
            qsort(g.wanted, g.nwanted, sizeof *g.wanted, by_text);
        st = change_all(s, facts->nfacts, clear_leftover, ignore, &g, err);
    }
    free(g.wanted);
    buf_done(&names);
    return st;
}

/* From the last item to the first. */
static bool remove_temp(void *user, size_t k, struct change *c)
{
    const struct changing *g = user;
    const struct item *i = &g->items->all[g->items->count - 1 - k];
    *c = (struct change){i->is_dir ? SFTP_RMDIR : SFTP_REMOVE, i->temp, NULL, 0};
    return g->stage || (!i->is_dir && (i->has_temp || i->part));
}

void transfer_remove_temps(struct sftp *s, const struct items *list, const char *stage)
{
    struct error ignored;
    struct changing g = {s, list, NULL, stage, NULL, SIZE_MAX, NULL};
    if (list->count && list->all[list->count - 1].temp &&
        change_all(s, list->count, remove_temp, ignore, &g, &ignored) != STATUS_OK)
        return; /* the host is gone: the next transfer finds them */
}

/* --- in place --------------------------------------------------------------------------------- */

static bool place(void *user, size_t k, struct change *c)
{
    const struct changing *g = user;
    const struct item *i = &g->items->all[k];
    const struct fact *f = i->is_same ? facts_find(g->facts, i->to) : NULL;
    if (i->is_dir)
        return false;
    *c = i->is_same ? (struct change){SFTP_CHMOD, i->to, NULL, i->mode}
                    : (struct change){SFTP_RENAME, i->temp, i->to, 0};
    return i->is_same ? f && f->mode != i->mode : true;
}

static bool place_stage(void *user, size_t k, struct change *c)
{
    const struct changing *g = user;
    (void)k;
    *c = (struct change){SFTP_RENAME, g->stage, g->items->all[0].to, 0};
    return true;
}

static bool placed(void *user, size_t k, const struct change *c, const struct sftp_answer *a)
{
    struct changing *g = user;
    if (is_ok(a)) {
        g->items->all[k].has_temp = false;
        return true;
    }
    if (g->failed == SIZE_MAX)
        transfer_refused(g->sftp, g->host, a,
                         c->what == SFTP_CHMOD ? "set the mode of" : "put in place",
                         c->to ? c->to : c->path, g->err);
    g->failed = k;
    return false;
}

enum status transfer_place(struct sftp *s, struct items *list, const struct facts *facts,
                           const char *stage, const char *host, struct error *err)
{
    struct changing g = {s, list, facts, stage, host, SIZE_MAX, err};
    enum status st =
        change_all(s, stage ? 1 : list->count, stage ? place_stage : place, placed, &g, err);
    return st == STATUS_OK && g.failed != SIZE_MAX ? err->status : st;
}

enum status transfer_store(struct sftp *s, const char *path, const void *data, size_t len,
                           struct error *err)
{
    char temp[CCALAB_PATH_MAX], dir[CCALAB_PATH_MAX];
    if ((size_t)snprintf(temp, sizeof temp, "%s.new", path) >= sizeof temp)
        return error_set(err, STATUS_INPUT, "transfer", "too long: %s", path);
    for (const char *p = path; *p && (p = strchr(p + 1, '/'));) { /* most often they are there */
        snprintf(dir, sizeof dir, "%.*s", (int)(p - path), path);
        sftp_ask_change(s, 0, SFTP_MKDIR, dir, NULL, 0700);
    }
    enum status st = sftp_store(s, temp, data, len, err);
    if (st == STATUS_OK)
        sftp_ask_change(s, 0, SFTP_RENAME, temp, path, 0);
    return st == STATUS_OK ? sftp_flush(s, err) : st;
}
