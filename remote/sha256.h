/* SHA-256 (FIPS 180-4) by libcrypto, which uses the processor's own instructions for it. For
 * comparing files with what sha256sum(1) and openssl(1) of a host say. Thread: any one. */
#ifndef CCALAB_REMOTE_SHA256_H
#define CCALAB_REMOTE_SHA256_H

#include <stdbool.h>
#include <stddef.h>

#define SHA256_HEX 65 /* 64 digits and a NUL */

struct sha256 {
    void *context; /* NULL: not begun */
};

/* Begin, whatever *s held. False: out of memory; then there is nothing to end. */
bool sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
/* The digits; ends it and frees what it holds. */
void sha256_hex(struct sha256 *s, char out[SHA256_HEX]);
/* Give it up without an answer; once more does no harm. */
void sha256_done(struct sha256 *s);

#endif
