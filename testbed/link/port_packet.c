#include "testbed/link/port_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/netns.h"
#include "core/spawn.h"
#include "testbed/link/device.h"
#include "testbed/link/packet.h"

#define IP_TIMEOUT_MS 5000

/* Linux 4.20; not in every C library's headers. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* The ring: a socket's own buffer holds 180 packets where only root may enlarge it, less than one
 * burst of a sender. 8 MiB a port. */
#define SLOT_BYTES  2048u /* header and 1500 bytes */
#define BLOCK_BYTES 65536u
#define SLOTS       4096u

static struct tpacket2_hdr *slot_of(const struct port *p)
{
    return (struct tpacket2_hdr *)(p->ring + (size_t)p->slot * SLOT_BYTES);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* In the namespace of our own: nothing there may speak by itself, nor answer. */
static enum status be_quiet(struct error *err)
{
    static const char path[] = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) { /* a kernel without IPv6 */
        return STATUS_OK;
    }
    if (fd < 0 || write(fd, "1", 1) != 1) {
        int saved = errno;

        if (fd >= 0) {
            close(fd);
        }
        return error_sys(err, STATUS_HOST, saved, "link", "cannot set %s", path);
    }
    close(fd);
    return STATUS_OK;
}

/* The pair, by ip(8), between the namespaces `own` and that of the descriptor `there_fd`. */
static enum status add_pair(const char *own, int there_fd, const char *near, const char *ifname,
                            struct error *err)
{
    char batch[512];
    const char *const argv[] = {"ip", "-batch", "-", NULL};
    struct error e = {0};
    enum status s;

    snprintf(batch, sizeof(batch),
             "link add name %s type veth peer name %s netns /proc/%d/fd/%d\nlink set dev %s up\n",
             near, ifname, (int)getpid(), there_fd, near);
    s = spawn_run(argv, own, batch, NULL, IP_TIMEOUT_MS, &e);
    if (s == STATUS_OK) {
        return STATUS_OK;
    }
    error_set(err, s, "link", "cannot create the device '%s': %.300s", ifname, e.message);
    if (err == NULL) {
        return s;
    }
    if (strstr(e.message, "File exists") != NULL) {
        return error_hint(
            err, "the name is taken there: delete it (ip link del %s) or choose another", ifname);
    }
    if (strstr(e.message, "not permitted") != NULL) {
        return error_hint(err, "run as root, or as root of a user namespace that owns the network "
                               "namespace (CAP_NET_ADMIN)");
    }
    if (strstr(e.message, "Unknown device type") != NULL ||
        strstr(e.message, "not supported") != NULL) {
        return error_hint(err, "the kernel needs veth devices (modprobe veth)");
    }
    return error_hint(err, "%s", e.hint);
}

/* The device's own side, in its namespace. */
static enum status set_up_device(const char *ifname, uint8_t mac[DEVICE_MAC_BYTES],
                                 struct error *err)
{
    enum status s = device_no_offloads(ifname, err);

    if (s == STATUS_OK) {
        s = device_mac(ifname, mac, err);
    }
    return s == STATUS_OK ? device_up(ifname, IFF_NOARP, err) : s;
}

static enum status set_up_far(const struct link_endpoint *end, uint8_t mac[DEVICE_MAC_BYTES],
                              struct error *err)
{
    int home = -1;
    enum status s = end->netns[0] != '\0' ? netns_enter(end->netns, &home, err) : STATUS_OK, left;

    if (s != STATUS_OK) {
        return s;
    }
    s = set_up_device(end->ifname, mac, err);
    left = netns_leave(&home, err);
    return left == STATUS_OK ? s : left;
}

/* In the namespace of our own. */
static enum status open_socket(struct port *p, const char *near,
                               const uint8_t mac[DEVICE_MAC_BYTES], struct error *err)
{
    struct tpacket_req ring = {.tp_block_size = BLOCK_BYTES,
                               .tp_block_nr = SLOTS / (BLOCK_BYTES / SLOT_BYTES),
                               .tp_frame_size = SLOT_BYTES,
                               .tp_frame_nr = SLOTS};
    struct sockaddr_ll here = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int version = TPACKET_V2, one = 1;
    void *mapped;

    /* Protocol 0: nothing comes before all is set. */
    p->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    here.sll_ifindex = (int)if_nametoindex(near);
    if (p->fd < 0 || here.sll_ifindex == 0 ||
        setsockopt(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
        setsockopt(p->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
        setsockopt(p->fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) != 0) {
        error_sys(err, STATUS_HOST, errno, "link", "cannot open a packet socket");
        return error_hint(err, "Linux 4.20 with AF_PACKET is needed (modprobe af_packet)");
    }
    mapped = mmap(NULL, (size_t)SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    if (mapped == MAP_FAILED) {
        return error_sys(err, STATUS_HOST, errno, "link", "cannot map a packet socket's ring");
    }
    p->ring = mapped;
    if (bind(p->fd, (struct sockaddr *)&here, sizeof(here)) != 0) {
        return error_sys(err, STATUS_HOST, errno, "link", "cannot bind a packet socket");
    }
    p->to = here;
    p->to.sll_halen = DEVICE_MAC_BYTES;
    memcpy(p->to.sll_addr, mac, DEVICE_MAC_BYTES);
    return STATUS_OK;
}

static enum status open_one(struct port *p, const char *own, const struct link_endpoint *end,
                            const char *near, struct error *err)
{
    uint8_t mac[DEVICE_MAC_BYTES];
    enum status s, left;
    int home, there;

    there = open(end->netns[0] != '\0' ? end->netns : "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (there < 0) {
        return error_sys(err, STATUS_HOST, errno, "link", "cannot open network namespace %s",
                         end->netns);
    }
    s = add_pair(own, there, near, end->ifname, err);
    close(there);
    if (s == STATUS_OK) {
        s = set_up_far(end, mac, err);
    }
    if (s == STATUS_OK) {
        s = netns_enter(own, &home, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    s = open_socket(p, near, mac, err);
    left = netns_leave(&home, err);
    return left == STATUS_OK ? s : left;
}

enum status port_packet_open_both(struct port ports[2], const struct link_endpoint *const ends[2],
                                  struct error *err)
{
    static const char *const near[2] = {"port0", "port1"};
    char own[64];
    int own_fd, home;
    enum status s = netns_create(&own_fd, err), left;

    if (s != STATUS_OK) {
        return s;
    }
    snprintf(own, sizeof(own), "/proc/self/fd/%d", own_fd);
    s = netns_enter(own, &home, err);
    if (s == STATUS_OK) {
        s = be_quiet(err);
        left = netns_leave(&home, err);
        s = left == STATUS_OK ? s : left;
    }
    for (int i = 0; i < 2 && s == STATUS_OK; i++) {
        s = open_one(&ports[i], own, ends[i], near[i], err);
    }
    /* From here on the sockets alone keep the namespace, and so the devices. */
    close(own_fd);
    return s;
}

void port_packet_unmap(struct port *p)
{
    if (p->ring != NULL) {
        munmap(p->ring, (size_t)SLOTS * SLOT_BYTES);
    }
    p->ring = NULL;
}

/* --- packets ---------------------------------------------------------------------------------- */

ssize_t port_packet_read(struct port *p, void *buf, size_t size)
{
    struct tpacket2_hdr *h = slot_of(p);
    size_t len;

    if ((__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
        int gone = 0;
        socklen_t gone_size = sizeof(gone);

        getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &gone, &gone_size);
        errno = gone != 0 ? gone : EAGAIN;
        return -1;
    }
    len = h->tp_snaplen < size ? h->tp_snaplen : size;
    memcpy(buf, (const uint8_t *)h + h->tp_net, len);
    __atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    p->slot = (p->slot + 1) % SLOTS;
    return (ssize_t)len;
}

ssize_t port_packet_write(struct port *p, const void *data, size_t len_bytes)
{
    bool is_ipv6 = len_bytes > 0 && *(const uint8_t *)data >> 4 == 6;

    p->to.sll_protocol = htons(is_ipv6 ? ETH_P_IPV6 : ETH_P_IP);
    return sendto(p->fd, data, len_bytes, 0, (const struct sockaddr *)&p->to, sizeof(p->to));
}

uint64_t port_packet_lost(struct port *p)
{
    struct tpacket_stats stats = {0};
    socklen_t size = sizeof(stats);

    /* Reading them sets them to 0. */
    if (getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) {
        return 0;
    }
    return stats.tp_drops;
}
