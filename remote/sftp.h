/* A client of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), over a
 * stream descriptor. Blocking, with many requests in flight where bytes move.
 * Thread: any one. Shutting the descriptor down elsewhere ends a call with STATUS_HOST. */
#ifndef CCALAB_REMOTE_SFTP_H
#define CCALAB_REMOTE_SFTP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "remote/sha256.h"

struct sftp;

struct sftp_attrs {
    bool is_dir, is_file;
    uint64_t size;
    unsigned mode; /* permission bits */
};

/* Called as bytes move; false stops with STATUS_INTERRUPTED. */
typedef bool (*sftp_progress_fn)(void *user, size_t bytes);

/* Greet. `host` is what messages call it (borrowed for good). The descriptor stays the caller's.
 * Errors of all: STATUS_HOST (the server's own words), STATUS_NOMEM, STATUS_IO (local file). */
CCALAB_MUST_USE enum status sftp_open(int fd, const char *host, struct sftp **out,
                                      struct error *err);
void sftp_close(struct sftp *s);
/* Follows links. *is_there is false, without an error, if there is no such file. */
CCALAB_MUST_USE enum status sftp_stat(struct sftp *s, const char *path, struct sftp_attrs *out,
                                      bool *is_there, struct error *err);
CCALAB_MUST_USE enum status sftp_mkdir(struct sftp *s, const char *path, struct error *err);
CCALAB_MUST_USE enum status sftp_remove(struct sftp *s, const char *path, struct error *err);
/* Replaces `to` at once where the server can (posix-rename@openssh.com), else removes it first. */
CCALAB_MUST_USE enum status sftp_rename(struct sftp *s, const char *from, const char *to,
                                        struct error *err);
/* Each entry of a directory but "." and "..", unsorted; names that are no file names are left out.
 * `fn` returns false to stop. */
CCALAB_MUST_USE enum status sftp_list(struct sftp *s, const char *path,
                                      bool (*fn)(void *user, const char *name,
                                                 const struct sftp_attrs *a),
                                      void *user, struct error *err);
/* Write all of the open file `fd` to a new or emptied file; *size and *hash are of what was sent.
 */
CCALAB_MUST_USE enum status sftp_put(struct sftp *s, int fd, const char *path, unsigned mode,
                                     sftp_progress_fn progress, void *user, uint64_t *size,
                                     struct sha256 *hash, struct error *err);
/* Read a file to its end into the open file `fd`. */
CCALAB_MUST_USE enum status sftp_get(struct sftp *s, const char *path, int fd,
                                     sftp_progress_fn progress, void *user, uint64_t *size,
                                     struct sha256 *hash, struct error *err);

#endif
