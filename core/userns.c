#include "core/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUBSYSTEM "userns"

/* The settings that close user namespaces to ordinary users. */
static const struct {
    const char *path;
    bool is_closed_by_zero; /* otherwise by anything else */
    const char *name, *hint;
} settings[] = {
    {"/proc/sys/user/max_user_namespaces", true, "user.max_user_namespaces",
     "sudo sysctl user.max_user_namespaces=15000; or run ccalab with sudo"},
    /* Debian's kernels. */
    {"/proc/sys/kernel/unprivileged_userns_clone", true, "kernel.unprivileged_userns_clone",
     "sudo sysctl kernel.unprivileged_userns_clone=1; or run ccalab with sudo"},
    /* Ubuntu 23.10 and later. */
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", false,
     "kernel.apparmor_restrict_unprivileged_userns",
     "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0; or run ccalab with sudo"},
};

static bool read_number(const char *path, long *out)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    *out = strtol(text, NULL, 10);
    return n > 0;
}

enum status userns_check(struct error *err)
{
    if (access("/proc/self/ns/user", F_OK) != 0) {
        error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM, "this kernel has no user namespaces");
        return err ? error_hint(err, "run ccalab with sudo, or use a kernel with CONFIG_USER_NS")
                   : STATUS_UNAVAILABLE;
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        long value;
        if (!read_number(settings[i].path, &value) || (value == 0) != settings[i].is_closed_by_zero)
            continue;
        error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM,
                  "user namespaces are closed to ordinary users here (%s = %ld)", settings[i].name,
                  value);
        return err ? error_hint(err, "%s", settings[i].hint) : STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

static enum status refused(int sys_errno, struct error *err)
{
    enum status st = userns_check(err);
    if (st != STATUS_OK)
        return st; /* that is why */
    error_sys(err, STATUS_UNAVAILABLE, sys_errno, SUBSYSTEM, "cannot make a user namespace");
    if (!err)
        return STATUS_UNAVAILABLE;
    if (sys_errno == ENOSPC || sys_errno == EUSERS)
        return error_hint(err, "there are too many, or too many within each other: end other labs "
                               "and containers, or raise user.max_user_namespaces");
    return error_hint(err, "a container's seccomp filter, a chroot or a security module forbids "
                           "it: permit it there, or run ccalab with sudo");
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int saved = errno;
    close(fd);
    errno = saved;
    return is_written;
}

enum status userns_create(struct error *err)
{
    char users[32], groups[32];
    /* Whom we are outside of it; inside these ids mean nothing before the maps are written. */
    snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    if (unshare(CLONE_NEWUSER) != 0)
        return refused(errno, err);
    /* Without setgroups(2) a group's denial cannot be shaken off; only then may we map our own. */
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", users) ||
        !write_text("/proc/self/gid_map", groups))
        return refused(errno, err);
    return STATUS_OK;
}

enum status userns_enter(const char *path, struct error *err)
{
    struct stat here, there;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &there) != 0 || stat("/proc/self/ns/user", &here) != 0) {
        error_sys(err, STATUS_HOST, errno, SUBSYSTEM, "cannot open user namespace %s", path);
        if (fd >= 0)
            close(fd);
        return err ? error_hint(err, "is the lab up, and is it yours? ccalab testbed status")
                   : STATUS_HOST;
    }
    bool is_here = here.st_dev == there.st_dev && here.st_ino == there.st_ino;
    int failed = is_here || setns(fd, CLONE_NEWUSER) == 0 ? 0 : errno;
    close(fd);
    if (failed == 0)
        return STATUS_OK;
    return error_sys(err, STATUS_HOST, failed, SUBSYSTEM, "cannot enter user namespace %s", path);
}
