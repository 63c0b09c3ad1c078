#include "testbed/link/flow_hash.h"

#include <stdbool.h>

#define IPV4_HEADER_MIN 20
#define IPV6_HEADER     40
#define PORTS_BYTES     4

static uint32_t add_bytes(uint32_t hash, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash += data[i];
        hash += hash << 10;
        hash ^= hash >> 6;
    }
    return hash;
}

static bool has_ports(uint8_t protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

static uint32_t add_transport(uint32_t hash, uint8_t protocol, const uint8_t *data, size_t len)
{
    hash = add_bytes(hash, &protocol, 1);
    return has_ports(protocol) && len >= PORTS_BYTES ? add_bytes(hash, data, PORTS_BYTES) : hash;
}

uint32_t flow_hash(const uint8_t *data, size_t len_bytes, uint32_t perturbation)
{
    uint32_t hash = perturbation;

    if (len_bytes >= IPV4_HEADER_MIN && data[0] >> 4 == 4) {
        size_t header = (size_t)(data[0] & 15) * 4;
        bool is_fragment = (data[6] & 0x3f) != 0 || data[7] != 0; /* MF or an offset */
        bool is_whole = header >= IPV4_HEADER_MIN && header <= len_bytes && !is_fragment;

        hash = add_bytes(hash, data + 12, 8);
        hash = add_transport(hash, data[9], data + (is_whole ? header : 0),
                             is_whole ? len_bytes - header : 0);
    } else if (len_bytes >= IPV6_HEADER && data[0] >> 4 == 6) {
        hash = add_bytes(hash, data + 8, 32);
        hash = add_transport(hash, data[6], data + IPV6_HEADER, len_bytes - IPV6_HEADER);
    }
    hash += hash << 3;
    hash ^= hash >> 11;
    hash += hash << 15;
    return hash;
}
