#include "tests/testbed/link/link_trace.h"

#include <assert.h>
#include <string.h>

uint64_t trace_uniform(struct rng *r, uint64_t lo, uint64_t hi)
{
    return lo + rng_next_u64(r) % (hi - lo + 1);
}

uint32_t trace_ipv4_sum(const uint8_t *data)
{
    size_t header = (size_t)(data[0] & 15) * 4;
    uint32_t sum = 0;

    for (size_t i = 0; i < header; i += 2) {
        sum += (uint32_t)data[i] * 256 + data[i + 1];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

void trace_ipv4(uint8_t *data, size_t len_bytes, size_t header_bytes, enum ecn ecn, struct rng *r)
{
    uint32_t sum;

    for (size_t i = 0; i < len_bytes; i++) {
        data[i] = (uint8_t)rng_random(r);
    }
    data[0] = (uint8_t)(0x40 | header_bytes / 4);
    data[1] = (uint8_t)((data[1] & 0xfc) | ecn);
    data[2] = (uint8_t)(len_bytes >> 8);
    data[3] = (uint8_t)len_bytes;
    data[10] = data[11] = 0;
    sum = ~trace_ipv4_sum(data);
    data[10] = (uint8_t)(sum >> 8);
    data[11] = (uint8_t)sum;
}

void trace_ipv6(uint8_t *data, size_t len_bytes, enum ecn ecn, struct rng *r)
{
    for (size_t i = 0; i < len_bytes; i++) {
        data[i] = (uint8_t)rng_random(r);
    }
    data[0] = (uint8_t)(0x60 | (data[0] & 15));
    data[1] = (uint8_t)((data[1] & 0xcf) | ecn << 4);
    data[4] = (uint8_t)((len_bytes - 40) >> 8);
    data[5] = (uint8_t)(len_bytes - 40);
}

struct packet *trace_packet(struct packet_pool *pool, uint32_t len_bytes, enum ecn ecn, uint32_t id)
{
    struct packet *p = packet_pool_get(pool);
    struct rng r = {.state = id};

    assert(p != NULL && len_bytes >= 24);
    trace_ipv4(p->data, 24, 20, ecn, &r);
    memset(p->data + 24, 0, len_bytes - 24);
    p->data[2] = (uint8_t)(len_bytes >> 8);
    p->data[3] = (uint8_t)len_bytes;
    memcpy(p->data + len_bytes - sizeof(id), &id, sizeof(id));
    p->len_bytes = len_bytes;
    p->ecn = (uint8_t)ecn;
    return p;
}

uint32_t trace_packet_id(const struct packet *p)
{
    uint32_t id;

    memcpy(&id, p->data + p->len_bytes - sizeof(id), sizeof(id));
    return id;
}

enum ecn trace_packet_ecn(const struct packet *p)
{
    return (enum ecn)(p->data[1] & 3);
}
