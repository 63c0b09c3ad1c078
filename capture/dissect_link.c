/* Link layers: what comes before the IP header. */
#include "capture/dissect_cursor.h"

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
    LENGTH_MAX = 1500,    /* up to here it is no type but a length, IEEE 802.3 section 3.2.6 */
    SLL_PROTOCOL_LLC = 4, /* ETH_P_802_2 */
    ARP_BYTES = 28,       /* for Ethernet and IPv4 */
};

static void dissect_arp(struct cursor *c)
{
    cursor_push(c, LAYER_ARP, ARP_BYTES);
}

/* IEEE 802.2, and RFC 1042: SNAP with an OUI of zeros means that an ethertype follows. */
static void dissect_llc(struct cursor *c)
{
    enum { SAP_SNAP = 0xaa, SAP_IP = 0x06, UNNUMBERED = 0x03, OUI_CISCO = 0x0000f8 };
    if (!cursor_need(c, 3))
        return;
    const uint8_t *p = c->data + c->at;
    if (p[0] == SAP_IP && p[2] == UNNUMBERED) {
        if (cursor_push(c, LAYER_LLC, 3) && cursor_skip(c, 3))
            dissect_ip(c);
        return;
    }
    if (p[0] != SAP_SNAP || p[1] != SAP_SNAP || p[2] != UNNUMBERED) {
        cursor_push(c, LAYER_LLC, 3);
        return;
    }
    if (!cursor_push(c, LAYER_LLC, 8) || !cursor_need(c, 8))
        return;
    uint32_t oui = get_be24(p + 3);
    c->at += 8;
    if (oui == 0 || oui == OUI_CISCO)
        dissect_ethertype(c, get_be16(p + 6));
}

void dissect_ethertype(struct cursor *c, uint16_t type)
{
    while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD) {
        if (c->vlans++ == DISSECT_VLAN_MAX) {
            cursor_fault(c, PACKET_MALFORMED);
            return;
        }
        bool is_service = type == ETHERTYPE_QINQ;
        /* Half a tag is shown of the one kind, but not of the other. */
        if (!cursor_need(c, is_service ? 4 : 2) ||
            !cursor_push(c, is_service ? LAYER_SVLAN : LAYER_VLAN, 4) || !cursor_need(c, 4))
            return;
        type = get_be16(c->data + c->at + 2);
        c->at += 4;
    }
    switch (type) {
    case ETHERTYPE_IPV4:
        dissect_ip(c);
        break;
    case ETHERTYPE_IPV6:
        /* Another version is no IPv6, and what it is nobody says. */
        if (!cursor_need(c, 1))
            return;
        if (c->data[c->at] >> 4 == 6)
            dissect_ipv6(c);
        else
            cursor_fault(c, PACKET_MALFORMED);
        break;
    case ETHERTYPE_ARP:
        dissect_arp(c);
        break;
    default:
        if (type > 0 && type <= LENGTH_MAX) {
            cursor_shorten(c, type);
            dissect_llc(c);
        }
    }
}

void dissect_ethernet(struct cursor *c)
{
    if (!cursor_need(c, 14) || !cursor_push(c, LAYER_ETHERNET, 14))
        return;
    uint16_t type = get_be16(c->data + c->at + 12);
    cursor_reach(c, PACKET_REACH_LINK);
    c->at += 14;
    dissect_ethertype(c, type);
}

/* https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html, ..._SLL2.html */
static void dissect_sll(struct cursor *c, enum layer_kind kind)
{
    uint32_t header_len = kind == LAYER_SLL ? 16 : 20;
    if (!cursor_need(c, header_len) || !cursor_push(c, kind, header_len))
        return;
    uint16_t type = get_be16(c->data + c->at + (kind == LAYER_SLL ? 14 : 0));
    cursor_reach(c, PACKET_REACH_LINK);
    c->at += header_len;
    if (type == SLL_PROTOCOL_LLC)
        dissect_llc(c);
    else if (type > LENGTH_MAX)
        dissect_ethertype(c, type);
}

/* Address families of the systems that write such files: 2 everywhere, AF_INET6 is 10, 24, 28
 * or 30. NULL is in the byte order of the capturing machine. */
static void dissect_null(struct cursor *c)
{
    if (!cursor_need(c, 4) || !cursor_push(c, LAYER_NULL, 4))
        return;
    uint32_t family = get_be32(c->data + c->at);
    if (family > 0xffff)
        family = __builtin_bswap32(family);
    cursor_reach(c, PACKET_REACH_LINK);
    c->at += 4;
    if (family == 2 || family == 10 || family == 24 || family == 28 || family == 30)
        dissect_ip(c);
}

/* IEEE 802.11-2020 section 9.3.2: data frames that are not encrypted carry LLC. */
static void dissect_wlan(struct cursor *c)
{
    enum { TYPE_DATA = 2, SUBTYPE_NO_DATA = 4, SUBTYPE_QOS = 8, QOS_AMSDU = 0x80 };
    enum { TO_DS = 1, FROM_DS = 2, PROTECTED = 0x40, ORDER = 0x80, MORE_FRAGMENTS = 4 };
    if (!cursor_need(c, 2))
        return;
    const uint8_t *p = c->data + c->at;
    unsigned type = p[0] >> 2 & 3, subtype = p[0] >> 4, flags = p[1];
    if (type != TYPE_DATA) { /* management and control */
        cursor_push(c, LAYER_WLAN, type == 0 ? 24 : 10);
        cursor_reach(c, PACKET_REACH_LINK);
        return;
    }
    uint32_t header_len = 24, qos_at = 24;
    if ((flags & (TO_DS | FROM_DS)) == (TO_DS | FROM_DS))
        header_len = qos_at = 30;
    if (subtype & SUBTYPE_QOS)
        header_len += flags & ORDER ? 6 : 2;
    if (!cursor_need(c, header_len) || !cursor_push(c, LAYER_WLAN, header_len))
        return;
    cursor_reach(c, PACKET_REACH_LINK);
    bool is_aggregate = subtype & SUBTYPE_QOS && p[qos_at] & QOS_AMSDU;
    bool is_fragment = flags & MORE_FRAGMENTS || p[22] & 0x0f;
    c->at += header_len;
    if (!(subtype & SUBTYPE_NO_DATA) && !(flags & PROTECTED) && !is_aggregate && !is_fragment)
        dissect_llc(c);
}

void dissect_link(struct cursor *c, enum link_type link)
{
    switch (link) {
    case LINK_TYPE_ETHERNET:
        dissect_ethernet(c);
        break;
    case LINK_TYPE_SLL:
        dissect_sll(c, LAYER_SLL);
        break;
    case LINK_TYPE_SLL2:
        dissect_sll(c, LAYER_SLL2);
        break;
    case LINK_TYPE_RAW:
        cursor_reach(c, PACKET_REACH_LINK);
        dissect_ip(c);
        break;
    case LINK_TYPE_NULL:
        dissect_null(c);
        break;
    case LINK_TYPE_WLAN:
        dissect_wlan(c);
        break;
    case LINK_TYPE_COUNT:
        break;
    }
}
