#include "model/train_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status path_of(struct train_lock *l, const char *dir, struct error *err)
{
    char parent[CCALAB_PATH_MAX];
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if ((size_t)snprintf(l->path, sizeof l->path, "%.*s.netllm-lock", (int)len, dir) >=
        sizeof l->path)
        return error_set(err, STATUS_IO, "adapt", "path too long: %s", dir);
    snprintf(parent, sizeof parent, "%.*s", (int)len, dir);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return STATUS_OK;
    *slash = '\0';
    return path_mkdirs(parent, err);
}

static enum status held_by_another(const struct train_lock *l, int fd, const char *dir,
                                   struct error *err)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        error_set(err, STATUS_USAGE, "adapt", "process %ld is training in %s", pid, dir);
    else
        error_set(err, STATUS_USAGE, "adapt", "another process is training in %s (%s)", dir,
                  l->path);
    return error_hint(err, "wait for it, end it, or name another --model-dir");
}

/* Is the file that was opened still the one of that name? Its holder removes it at the end. */
static bool is_current(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

enum status train_lock_take(struct train_lock *l, const char *dir, struct error *err)
{
    l->fd = -1;
    enum status st = path_of(l, dir, err);
    while (!st && l->fd < 0) {
        int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return error_sys(err, STATUS_IO, errno, "adapt", "cannot make %s", l->path);
        bool is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (!is_locked && errno == EWOULDBLOCK)
            st = held_by_another(l, fd, dir, err);
        else if (!is_locked)
            st = error_sys(err, STATUS_IO, errno, "adapt", "cannot lock %s", l->path);
        else if (is_current(fd, l->path))
            l->fd = fd;
        if (l->fd < 0)
            close(fd);
    }
    if (st)
        return st;
    /* For people and for the message above: that it cannot be written does no harm. */
    if (ftruncate(l->fd, 0) == 0)
        dprintf(l->fd, "%ld\n", (long)getpid());
    return STATUS_OK;
}

void train_lock_release(struct train_lock *l)
{
    if (l->fd < 0)
        return;
    unlink(l->path);
    close(l->fd);
    l->fd = -1;
}
