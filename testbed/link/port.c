#include "testbed/link/port.h"

#include <unistd.h>

#include "testbed/link/port_packet.h"
#include "testbed/link/tun.h"

enum link_port_kind port_kind(enum link_port_kind wanted)
{
    int sys_errno;

    if (wanted != LINK_PORT_AUTO) {
        return wanted;
    }
    return tun_is_usable(&sys_errno) ? LINK_PORT_TUN : LINK_PORT_PACKET;
}

const char *port_kind_name(enum link_port_kind kind)
{
    return link_port_names[kind];
}

enum status port_open_both(struct port ports[2], enum link_port_kind kind,
                           const struct link_endpoint *const ends[2], struct error *err)
{
    enum status s = STATUS_OK;

    for (int i = 0; i < 2; i++) {
        ports[i] = (struct port){.kind = port_kind(kind), .fd = -1};
    }
    if (ports[0].kind == LINK_PORT_PACKET) {
        s = port_packet_open_both(ports, ends, err);
    }
    for (int i = 0; i < 2 && s == STATUS_OK && ports[i].kind == LINK_PORT_TUN; i++) {
        s = tun_open(ends[i]->netns, ends[i]->ifname, &ports[i].fd, err);
    }
    for (int i = 0; i < 2 && s != STATUS_OK; i++) {
        port_close(&ports[i]);
    }
    return s;
}

void port_close(struct port *p)
{
    port_packet_unmap(p);
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = -1;
}

ssize_t port_read(struct port *p, void *buf, size_t size)
{
    return p->kind == LINK_PORT_PACKET ? port_packet_read(p, buf, size) : read(p->fd, buf, size);
}

bool port_write(struct port *p, const void *data, size_t len_bytes)
{
    ssize_t n = p->kind == LINK_PORT_PACKET ? port_packet_write(p, data, len_bytes)
                                            : write(p->fd, data, len_bytes);

    return n == (ssize_t)len_bytes;
}

uint64_t port_lost(struct port *p)
{
    return p->kind == LINK_PORT_PACKET ? port_packet_lost(p) : 0;
}
