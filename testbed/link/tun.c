#include "testbed/link/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/netns.h"
#include "testbed/link/device.h"

#define TUN_PATH "/dev/net/tun"

static enum status open_failed(int sys_errno, struct error *err)
{
    error_sys(err, STATUS_UNAVAILABLE, sys_errno, "link", "cannot open %s", TUN_PATH);
    if (sys_errno == EACCES || sys_errno == EPERM) {
        return error_hint(err, "run as root, or give this user access to %s", TUN_PATH);
    }
    return error_hint(err, "load the module (modprobe tun); in a container, pass the device in "
                           "(--device " TUN_PATH ") or mknod it (c 10 200)");
}

static enum status create_failed(int sys_errno, const char *ifname, struct error *err)
{
    switch (sys_errno) {
    case EPERM:
    case EACCES:
        error_sys(err, STATUS_UNAVAILABLE, sys_errno, "link", "cannot create TUN device '%s'",
                  ifname);
        return error_hint(err, "run as root, or as root of a user namespace that owns the network "
                               "namespace (CAP_NET_ADMIN)");
    case EBUSY:
    case EEXIST:
        error_sys(err, STATUS_HOST, sys_errno, "link", "cannot create TUN device '%s'", ifname);
        return error_hint(err,
                          "the name is taken there: delete it (ip link del %s) or choose "
                          "another",
                          ifname);
    default:
        return error_sys(err, STATUS_HOST, sys_errno, "link", "cannot create TUN device '%s'",
                         ifname);
    }
}

static enum status create_here(const char *ifname, int *fd, struct error *err)
{
    struct ifreq ifr = {0};
    enum status s;
    int tun = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (tun < 0) {
        return open_failed(errno, err);
    }
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
    /* EXCL: never take over a persistent device that somebody else has set up. */
    ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
    if (ioctl(tun, TUNSETIFF, &ifr) != 0) {
        s = create_failed(errno, ifname, err);
        close(tun);
        return s;
    }
    s = device_set_queue(ifname, err);
    s = s == STATUS_OK ? device_up(ifname, 0, err) : s;
    if (s != STATUS_OK) {
        close(tun);
        return s;
    }
    *fd = tun;
    return STATUS_OK;
}

bool tun_is_usable(int *sys_errno)
{
    unsigned features;
    int tun = open(TUN_PATH, O_RDWR | O_CLOEXEC);

    *sys_errno = tun < 0 ? errno : 0;
    if (tun < 0) {
        return false;
    }
    if (ioctl(tun, TUNGETFEATURES, &features) != 0) {
        close(tun);
        return false;
    }
    close(tun);
    return true;
}

enum status tun_open(const char *netns, const char *ifname, int *fd, struct error *err)
{
    enum status s, left;
    int home;

    if (netns[0] == '\0') {
        return create_here(ifname, fd, err);
    }
    s = netns_enter(netns, &home, err);
    if (s != STATUS_OK) {
        return s;
    }
    s = create_here(ifname, fd, err);
    left = netns_leave(&home, err);
    if (left != STATUS_OK && s == STATUS_OK) {
        close(*fd);
    }
    return left == STATUS_OK ? s : left;
}
