/* What one transfer is about: every file and directory of a tree, here and there. */
#ifndef CCALAB_REMOTE_TRANSFER_ITEMS_H
#define CCALAB_REMOTE_TRANSFER_ITEMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "remote/sftp.h"
#include "remote/sha256.h"

#define ITEM_TEMP_SUFFIX ".ccalab-part"

struct item {
    char *from, *to;   /* at the source; in place at the destination */
    char *temp;        /* where it is until it is put in place: beside `to`, or in the stage */
    const char *below; /* the end of `from`: its path below the root, "" for the root itself */
    uint64_t size;
    unsigned mode;
    int64_t mtime_ns; /* of the source */
    bool is_dir;
    bool is_same;    /* the destination has it already */
    bool is_moved;   /* its bytes are in temp, and its own hash is known */
    bool has_temp;   /* something of ours may be there */
    bool is_resumed; /* part of temp is from an earlier transfer */
    bool has_host_hash;
    uint64_t part;     /* bytes in temp that need not be moved */
    struct stat local; /* of the local file as its hash is of; st_ino 0: not known */
    char hash[SHA256_HEX], host_hash[SHA256_HEX]; /* local; "" if not known. On the host */
};

struct items {
    struct item *all; /* parents come before what is in them */
    size_t count, cap, nfiles;
    unsigned omitted; /* links and special files */
    size_t root_len;  /* of the source's path */
};

void items_init(struct items *list);
void items_done(struct items *list);
/* Errors of both: STATUS_IO, STATUS_HOST, STATUS_NOMEM, STATUS_INPUT (too deep). */
CCALAB_MUST_USE enum status items_walk_local(struct items *list, const char *from, const char *to,
                                             struct error *err);
CCALAB_MUST_USE enum status items_walk_remote(struct items *list, struct sftp *s, const char *from,
                                              const char *to, struct error *err);
/* Where everything is until it is put in place: with a stage (a directory that becomes `to` as a
 * whole) in it, else each file beside its place. */
CCALAB_MUST_USE enum status items_set_temps(struct items *list, const char *stage,
                                            struct error *err);
/* "DIR/.NAME.ccalab-part" for "DIR/NAME"; NULL: out of memory. Caller frees. */
char *item_beside(const char *path);

#endif
