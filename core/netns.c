#include "core/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define SUBSYSTEM "netns"

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

static enum status refused(const char *path, int sys_errno, struct error *err)
{
    error_sys(err, STATUS_HOST, sys_errno, SUBSYSTEM, "cannot enter network namespace %s", path);
    if (err == NULL)
        return STATUS_HOST;
    switch (sys_errno) {
    case EPERM:
    case EACCES:
        return error_hint(err, "root is needed to enter a namespace (CAP_SYS_ADMIN)");
    case ENOENT:
        return error_hint(err, "is the lab up? `ip netns` lists the namespaces there are");
    default:
        return error_hint(err, "the path of a namespace is needed, such as /run/netns/NAME");
    }
}

enum status netns_unshare(struct error *err)
{
    if (unshare(CLONE_NEWNET) == 0)
        return STATUS_OK;
    int sys_errno = errno;
    error_sys(err, STATUS_HOST, sys_errno, SUBSYSTEM, "cannot make a network namespace");
    if (err == NULL)
        return STATUS_HOST;
    switch (sys_errno) {
    case ENOSPC:
        return error_hint(err, "this machine allows no more network namespaces: end other labs, or "
                               "raise /proc/sys/user/max_net_namespaces");
    case EPERM:
        return error_hint(err, "root is needed, or root of a user namespace (CAP_SYS_ADMIN)");
    case EINVAL:
        return error_hint(err, "the kernel needs CONFIG_NET_NS");
    default:
        return STATUS_HOST;
    }
}

uint64_t netns_cookie(void)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return 0;
    if (getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
        cookie = 0;
    close(sock);
    return cookie;
}

enum status netns_create(int *fd, struct error *err)
{
    static const char path[] = "/proc/thread-self/ns/net";
    int home = open(path, O_RDONLY | O_CLOEXEC);
    enum status st;

    *fd = -1;
    if (home < 0)
        return error_sys(err, STATUS_HOST, errno, SUBSYSTEM,
                         "cannot open our own network namespace");
    st = netns_unshare(err);
    if (st != STATUS_OK) {
        close(home);
        return st;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = errno;
    st = netns_leave(&home, err);
    if (st == STATUS_OK && *fd < 0)
        st = error_sys(err, STATUS_HOST, failed, SUBSYSTEM, "cannot open a new network namespace");
    if (st != STATUS_OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return st;
}

enum status netns_enter(const char *path, int *home_fd, struct error *err)
{
    enum status st = STATUS_OK;
    int home = -1, there;

    if (home_fd) {
        *home_fd = -1;
        home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (home < 0)
            return error_sys(err, STATUS_HOST, errno, SUBSYSTEM,
                             "cannot open our own network namespace");
    }
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET) != 0)
        st = refused(path, errno, err);
    if (there >= 0)
        close(there);
    if (home_fd && st == STATUS_OK)
        *home_fd = home;
    else if (home >= 0)
        close(home);
    return st;
}

enum status netns_leave(int *home_fd, struct error *err)
{
    enum status st = STATUS_OK;

    if (*home_fd < 0)
        return STATUS_OK;
    if (setns(*home_fd, CLONE_NEWNET) != 0)
        st = error_sys(err, STATUS_INTERNAL, errno, SUBSYSTEM,
                       "cannot come back from a network namespace");
    close(*home_fd);
    *home_fd = -1;
    return st;
}
