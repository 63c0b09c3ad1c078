/* Extra one-way delay by address: clients that sit nearer or farther than others. */
#ifndef CCALAB_TESTBED_LINK_PATH_TABLE_H
#define CCALAB_TESTBED_LINK_PATH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define PATHS_MAX 255

struct path {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint64_t extra_ns;
};

/* A zeroed table is empty and ready. Paths are never removed, so that an index stays valid. */
struct path_table {
    struct path paths[PATHS_MAX];
    size_t count;
    uint8_t slots[512]; /* hash table of index + 1; 0 is empty */
};

/* Parse an address of inet_pton(3). Errors: STATUS_USAGE. */
CCALAB_MUST_USE enum status path_address_parse(const char *text, uint8_t out[16],
                                               struct error *err);
/* "10.98.1.2" or "2001:db8::1". */
void path_address_format(const uint8_t address[16], char *out, size_t size);
/* Set the delay of an address, new or known. Errors: STATUS_USAGE (the table is full). */
CCALAB_MUST_USE enum status path_table_set(struct path_table *t, const uint8_t address[16],
                                           uint64_t extra_ns, struct error *err);
/* Index of an address plus 1, 0 if it has no path. */
unsigned path_table_find(const struct path_table *t, const uint8_t address[16]);
/* The same for the source and the destination of a whole IP packet (ecn_read() was true). */
void path_table_ends(const struct path_table *t, const uint8_t *data, unsigned *src, unsigned *dst);

#endif
