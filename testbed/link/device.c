#include "testbed/link/device.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/spawn.h"

#define QUEUE_PKTS_TEXT "10000"
#define IP_TIMEOUT_MS   5000

/* One ioctl through any socket of the namespace. Returns 0 or an errno. */
static int control(const char *ifname, unsigned long request, struct ifreq *ifr)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), failed = 0;

    if (sock < 0) {
        return errno;
    }
    snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
    if (ioctl(sock, request, ifr) != 0) {
        failed = errno;
    }
    close(sock);
    return failed;
}

enum status device_set_queue(const char *ifname, struct error *err)
{
    static const char text[] = QUEUE_PKTS_TEXT;
    const char *const argv[] = {"ip", "link", "set", "dev", ifname, "txqueuelen", text, NULL};
    struct ifreq ifr = {0};
    int failed;

    ifr.ifr_qlen = atoi(text);
    failed = control(ifname, SIOCSIFTXQLEN, &ifr);
    if (failed == EPERM) { /* the ioctl is for the machine's root alone, netlink is not */
        return spawn_run(argv, NULL, NULL, NULL, IP_TIMEOUT_MS, err);
    }
    if (failed != 0) {
        return error_sys(err, STATUS_HOST, failed, "link", "cannot set txqueuelen of '%s'", ifname);
    }
    return STATUS_OK;
}

enum status device_up(const char *ifname, short flags, struct error *err)
{
    struct ifreq ifr = {0};
    int failed = control(ifname, SIOCGIFFLAGS, &ifr);
    if (failed != 0) {
        return error_sys(err, STATUS_HOST, failed, "link", "cannot read the flags of '%s'", ifname);
    }
    ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP | flags);
    failed = control(ifname, SIOCSIFFLAGS, &ifr);
    if (failed != 0) {
        return error_sys(err, STATUS_HOST, failed, "link", "cannot set '%s' up", ifname);
    }
    return STATUS_OK;
}

enum status device_no_offloads(const char *ifname, struct error *err)
{
    /* In this order: without transmit checksums the kernel takes segmentation off by itself. */
    static const uint32_t commands[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        struct ethtool_value off = {.cmd = commands[i], .data = 0};
        struct ifreq ifr = {.ifr_data = (void *)&off};
        int failed = control(ifname, SIOCETHTOOL, &ifr);

        if (failed != 0 && failed != EOPNOTSUPP) {
            return error_sys(err, STATUS_HOST, failed, "link",
                             "cannot switch the offloads of '%s' off", ifname);
        }
    }
    return STATUS_OK;
}

enum status device_mac(const char *ifname, uint8_t out[DEVICE_MAC_BYTES], struct error *err)
{
    struct ifreq ifr = {0};
    int failed = control(ifname, SIOCGIFHWADDR, &ifr);

    if (failed != 0) {
        return error_sys(err, STATUS_HOST, failed, "link", "cannot read the address of '%s'",
                         ifname);
    }
    memcpy(out, ifr.ifr_hwaddr.sa_data, DEVICE_MAC_BYTES);
    return STATUS_OK;
}
