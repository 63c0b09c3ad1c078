/* What the host says of itself before files move: its listing of the place, and the manifest of the
 * last transfer. Text from a host: bounded, and checked.
 *
 * The manifest has a record for every file of a transfer, ended by NUL:
 *   HASH SIZE MTIME INODE MTIME CTIME PATH
 * the hash, size and time on the host, inode and times of the local copy (all times in ns), and the
 * path below the root. Who finds size and time of a file as they are there need not read the file
 * to know its hash. A lie of the host about its own files harms nobody but itself. */
#ifndef CCALAB_REMOTE_TRANSFER_FACTS_H
#define CCALAB_REMOTE_TRANSFER_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "remote/sha256.h"

/* A file or directory that is on the host. */
struct fact {
    const char *path; /* as the transfer spells it; points into the text */
    char type;        /* as find(1) says it: 'f', 'd', ... */
    uint64_t size;
    int64_t mtime_ns;
    unsigned mode;
};

struct known {
    const char *path; /* below the root */
    char hash[SHA256_HEX];
    uint64_t size;
    int64_t mtime_ns;
    uint64_t local_inode;
    int64_t local_mtime_ns, local_ctime_ns;
};

struct facts {
    struct fact *facts; /* by path */
    struct known *known;
    size_t nfacts, nknown;
};

/* `text` (of `len` bytes, NUL at its end, kept by the caller as long as the facts) is a listing of
 * records "TYPE SIZE SECONDS.FRACTION MODE PATH" ended by NUL, an empty record, and a manifest.
 * Records that are not of that form are passed over. False: out of memory. */
bool facts_parse(struct facts *f, const char *text, size_t len);
void facts_done(struct facts *f);
const struct fact *facts_find(const struct facts *f, const char *path);
const struct known *facts_known(const struct facts *f, const char *path);
/* Is the local file the one whose hash `k` tells? */
bool known_is_local(const struct known *k, const struct stat *sb);
/* Append a record. */
void known_write(struct buf *b, const struct known *k);

#endif
