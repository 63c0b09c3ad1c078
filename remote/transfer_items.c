#include "remote/transfer_items.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/paths.h"

#define FILES_MAX 1000000
#define DEPTH_MAX 64

void items_init(struct items *list)
{
    *list = (struct items){0};
}

void items_done(struct items *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->all[i].from);
        free(list->all[i].to);
        free(list->all[i].temp);
    }
    free(list->all);
    items_init(list);
}

char *item_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    char *temp;
    return asprintf(&temp, "%.*s.%s" ITEM_TEMP_SUFFIX, dir, path, path + dir) < 0 ? NULL : temp;
}

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "transfer", "out of memory");
}

enum status items_set_temps(struct items *list, const char *stage, struct error *err)
{
    for (size_t k = 0; k < list->count; k++) {
        struct item *i = &list->all[k];
        if (!stage)
            i->temp = item_beside(i->to);
        else if (asprintf(&i->temp, "%s%s", stage, i->below) < 0)
            i->temp = NULL;
        if (!i->temp)
            return no_memory(err);
    }
    return STATUS_OK;
}

static enum status add(struct items *list, const char *from, const char *to,
                       const struct item *about, struct error *err)
{
    if (list->count == FILES_MAX)
        return error_set(err, STATUS_NOMEM, "transfer", "more than %d files", FILES_MAX);
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct item *all = realloc(list->all, cap * sizeof *all);
        if (!all)
            return no_memory(err);
        list->all = all;
        list->cap = cap;
    }
    struct item *i = &list->all[list->count++];
    *i = *about;
    i->from = strdup(from);
    i->to = strdup(to);
    if (!i->from || !i->to)
        return no_memory(err);
    i->below = i->from + list->root_len;
    list->nfiles += !i->is_dir;
    return STATUS_OK;
}

static enum status too_long(const char *path, struct error *err)
{
    return error_set(err, STATUS_INPUT, "transfer", "too long or too deep: %.200s", path);
}

static int64_t mtime_of(const struct stat *sb)
{
    return (int64_t)sb->st_mtim.tv_sec * 1000000000 + sb->st_mtim.tv_nsec;
}

static enum status walk_local(struct items *list, int dir, const char *name, const char *from,
                              const char *to, int depth, struct error *err)
{
    struct stat sb;
    /* The named thing may be a link; what is found below it may not, it could lead anywhere. */
    if (fstatat(dir, name, &sb, depth ? AT_SYMLINK_NOFOLLOW : 0) != 0)
        return error_sys(err, STATUS_IO, errno, "transfer", "cannot read %s", from);
    if (!S_ISREG(sb.st_mode) && !S_ISDIR(sb.st_mode)) {
        list->omitted++;
        return STATUS_OK;
    }
    struct item about = {.is_dir = S_ISDIR(sb.st_mode),
                         .size = S_ISDIR(sb.st_mode) ? 0 : (uint64_t)sb.st_size,
                         .mode = sb.st_mode & 0777,
                         .mtime_ns = mtime_of(&sb),
                         .local = sb};
    enum status st = add(list, from, to, &about, err);
    if (st != STATUS_OK || !about.is_dir)
        return st;
    if (depth == DEPTH_MAX)
        return too_long(from, err);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        error_sys(err, STATUS_IO, errno, "transfer", "cannot read %s", from);
        if (fd >= 0)
            close(fd);
        return STATUS_IO;
    }
    struct dirent *e;
    while (st == STATUS_OK && (e = readdir(d))) {
        char f[CCALAB_PATH_MAX], t[CCALAB_PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        st = path_join(f, sizeof f, from, e->d_name) && path_join(t, sizeof t, to, e->d_name)
                 ? walk_local(list, fd, e->d_name, f, t, depth + 1, err)
                 : too_long(e->d_name, err);
    }
    closedir(d);
    return st;
}

enum status items_walk_local(struct items *list, const char *from, const char *to,
                             struct error *err)
{
    list->root_len = strlen(from);
    return walk_local(list, AT_FDCWD, from, from, to, 0, err);
}

struct listing {
    struct items *list;
    const char *from, *to;
    enum status st;
    struct error *err;
};

static struct item item_of(const struct sftp_attrs *a)
{
    return (struct item){.is_dir = a->is_dir,
                         .size = a->is_dir ? 0 : a->size,
                         .mode = a->mode,
                         .mtime_ns = (int64_t)a->mtime_s * 1000000000};
}

static bool on_entry(void *user, const char *name, const struct sftp_attrs *a)
{
    struct listing *l = user;
    char f[CCALAB_PATH_MAX], t[CCALAB_PATH_MAX];
    struct item about = item_of(a);
    if (!a->is_dir && !a->is_file)
        l->list->omitted++;
    else if (!path_join(f, sizeof f, l->from, name) || !path_join(t, sizeof t, l->to, name))
        l->st = too_long(name, l->err);
    else
        l->st = add(l->list, f, t, &about, l->err);
    return l->st == STATUS_OK;
}

/* List the directory at all[at], then those in it. */
static enum status walk_remote(struct items *list, struct sftp *s, size_t at, int depth,
                               struct error *err)
{
    struct error own = {STATUS_OK};
    struct listing l = {list, list->all[at].from, list->all[at].to, STATUS_OK, &own};
    size_t first = list->count;
    if (depth == DEPTH_MAX)
        return too_long(l.from, err);
    enum status st = sftp_list(s, l.from, on_entry, &l, err);
    if (l.st != STATUS_OK) {
        *err = own;
        return l.st;
    }
    for (size_t i = first, end = list->count; st == STATUS_OK && i < end; i++)
        if (list->all[i].is_dir)
            st = walk_remote(list, s, i, depth + 1, err);
    return st;
}

enum status items_walk_remote(struct items *list, struct sftp *s, const char *from, const char *to,
                              struct error *err)
{
    struct sftp_attrs a;
    bool is_there;
    list->root_len = strlen(from);
    enum status st = sftp_stat(s, from, &a, &is_there, err);
    if (st != STATUS_OK)
        return st;
    if (!is_there || (!a.is_dir && !a.is_file))
        return error_set(err, STATUS_HOST, "transfer", "the host has no file or directory %s",
                         from);
    struct item about = item_of(&a);
    st = add(list, from, to, &about, err);
    return st == STATUS_OK && a.is_dir ? walk_remote(list, s, 0, 0, err) : st;
}
