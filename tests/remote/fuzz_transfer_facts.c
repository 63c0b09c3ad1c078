/* libFuzzer target: what a host says before files move, its listing and the manifest. Every record
 * that is taken can be found again by its path, and a manifest's survives being written.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_transfer_facts -max_len=4096 CORPUS_DIR */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "remote/transfer_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct facts f, again;
    struct buf b;
    struct stat sb = {.st_ino = 1};
    memcpy(text, data, size);
    text[size] = '\0';
    check(facts_parse(&f, text, size));
    for (size_t i = 0; i < f.nfacts; i++) {
        const struct fact *found = facts_find(&f, f.facts[i].path);
        check(found && strcmp(found->path, f.facts[i].path) == 0 && f.facts[i].mode <= 0777);
    }
    buf_init(&b, 1 << 20);
    buf_append(&b, "", 1);
    for (size_t i = 0; i < f.nknown; i++) {
        const struct known *k = &f.known[i];
        check(facts_known(&f, k->path) && strlen(k->hash) == SHA256_HEX - 1 && k->mtime_ns >= 0);
        known_is_local(k, &sb);
        known_write(&b, k);
    }
    check(!b.is_failed && facts_parse(&again, b.data, b.len) && again.nknown == f.nknown);
    facts_done(&again);
    facts_done(&f);
    buf_done(&b);
    free(text);
    return 0;
}
