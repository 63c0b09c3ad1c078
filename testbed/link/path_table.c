#include "testbed/link/path_table.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define SLOTS (sizeof(((struct path_table *)0)->slots))

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96, RFC 4291 */

enum status path_address_parse(const char *text, uint8_t out[16], struct error *err)
{
    if (inet_pton(AF_INET6, text, out) == 1) {
        return STATUS_OK;
    }
    memcpy(out, v4_prefix, sizeof(v4_prefix));
    if (inet_pton(AF_INET, text, out + 12) == 1) {
        return STATUS_OK;
    }
    error_set(err, STATUS_USAGE, "link", "'%.64s' is no IPv4 or IPv6 address", text);
    return error_hint(err, "names are not looked up");
}

void path_address_format(const uint8_t address[16], char *out, size_t size)
{
    bool is_v4 = memcmp(address, v4_prefix, sizeof(v4_prefix)) == 0;

    inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? address + 12 : address, out, (socklen_t)size);
}

/* FNV-1a. Twice as many slots as paths, so that a look-up ends soon. */
static size_t slot_of(const struct path_table *t, const uint8_t address[16])
{
    uint32_t h = 2166136261u;
    size_t i;

    for (int k = 0; k < 16; k++) {
        h = (h ^ address[k]) * 16777619u;
    }
    for (i = (h ^ h >> 16) % SLOTS; t->slots[i] != 0; i = (i + 1) % SLOTS) {
        if (memcmp(t->paths[t->slots[i] - 1].address, address, 16) == 0) {
            break;
        }
    }
    return i;
}

unsigned path_table_find(const struct path_table *t, const uint8_t address[16])
{
    return t->slots[slot_of(t, address)];
}

enum status path_table_set(struct path_table *t, const uint8_t address[16], uint64_t extra_ns,
                           struct error *err)
{
    size_t slot = slot_of(t, address);

    if (t->slots[slot] == 0) {
        if (t->count == PATHS_MAX) {
            error_set(err, STATUS_USAGE, "link", "more than %d paths", PATHS_MAX);
            return error_hint(err, "an address once named stays, also with 0s");
        }
        memcpy(t->paths[t->count].address, address, 16);
        t->slots[slot] = (uint8_t)++t->count;
    }
    t->paths[t->slots[slot] - 1].extra_ns = extra_ns;
    return STATUS_OK;
}

void path_table_ends(const struct path_table *t, const uint8_t *data, unsigned *src, unsigned *dst)
{
    uint8_t address[2][16];

    if (data[0] >> 4 == 6) {
        memcpy(address, data + 8, 32);
    } else {
        for (int i = 0; i < 2; i++) {
            memcpy(address[i], v4_prefix, 12);
            memcpy(address[i] + 12, data + 12 + 4 * i, 4);
        }
    }
    *src = path_table_find(t, address[0]);
    *dst = path_table_find(t, address[1]);
}
