#include "remote/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

bool sha256_init(struct sha256 *s)
{
    s->context = EVP_MD_CTX_new();
    if (s->context && EVP_DigestInit_ex(s->context, EVP_sha256(), NULL) != 1)
        sha256_done(s);
    return s->context != NULL;
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
    EVP_DigestUpdate(s->context, data, len);
}

void sha256_hex(struct sha256 *s, char out[SHA256_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(s->context, digest, NULL);
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    sha256_done(s);
}

void sha256_done(struct sha256 *s)
{
    EVP_MD_CTX_free(s->context);
    s->context = NULL;
}
