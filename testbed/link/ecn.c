#include "testbed/link/ecn.h"

#define IPV4_HEADER_MIN 20
#define IPV6_HEADER     40

static bool is_ipv4(const uint8_t *d, size_t len)
{
    size_t header, total;

    if (len < IPV4_HEADER_MIN || d[0] >> 4 != 4) {
        return false;
    }
    header = (size_t)(d[0] & 15) * 4;
    total = (size_t)d[2] << 8 | d[3];
    return header >= IPV4_HEADER_MIN && header <= total && total <= len;
}

static bool is_ipv6(const uint8_t *d, size_t len)
{
    return len >= IPV6_HEADER && d[0] >> 4 == 6 && IPV6_HEADER + ((size_t)d[4] << 8 | d[5]) <= len;
}

bool ecn_read(const uint8_t *data, size_t len_bytes, enum ecn *out)
{
    if (is_ipv4(data, len_bytes)) {
        *out = (enum ecn)(data[1] & 3);
        return true;
    }
    if (is_ipv6(data, len_bytes)) {
        /* Traffic class: low half of byte 0 and high half of byte 1 (RFC 8200, section 3). */
        *out = (enum ecn)(data[1] >> 4 & 3);
        return true;
    }
    return false;
}

/* RFC 1624: HC' = ~(~HC + ~m + m'), in one's complement, for the 16-bit word that holds the TOS. */
static void ipv4_set_tos(uint8_t *d, uint8_t tos)
{
    uint32_t before = (uint32_t)d[0] << 8 | d[1];
    uint32_t after = (uint32_t)d[0] << 8 | tos;
    uint32_t checksum = (uint32_t)d[10] << 8 | d[11];
    uint32_t sum = (~checksum & 0xffff) + (~before & 0xffff) + after;

    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum;
    d[1] = tos;
    d[10] = (uint8_t)(sum >> 8);
    d[11] = (uint8_t)sum;
}

enum ecn_mark ecn_set_ce(uint8_t *data, size_t len_bytes)
{
    enum ecn ecn;

    if (!ecn_read(data, len_bytes, &ecn) || ecn == ECN_NOT_ECT) {
        return ECN_MARK_REFUSED;
    }
    if (ecn == ECN_CE) {
        return ECN_MARK_ALREADY;
    }
    if (data[0] >> 4 == 4) {
        ipv4_set_tos(data, data[1] | ECN_CE);
    } else {
        data[1] |= ECN_CE << 4;
    }
    return ECN_MARK_SET;
}
