/* The moving itself: many files at once over one SFTP channel, hashed here as they pass and on the
 * host as soon as they are there. Thread: the transfer's. */
#ifndef CCALAB_REMOTE_TRANSFER_MOVE_H
#define CCALAB_REMOTE_TRANSFER_MOVE_H

#include <stdatomic.h>

#include "remote/transfer_host.h"

struct mover {
    bool is_upload, can_resume;
    const char *host_name;
    struct sftp *sftp;
    struct transfer_host *host;
    struct items *items;
    atomic_bool *is_over;                       /* stop */
    void (*moved)(void *user, uint64_t bytes);  /* as bytes arrive */
    void (*ended)(void *user, struct item *it); /* a file is in its temp, as far as is known */
    void *user;
};

/* Move every file that is not is_same into its temp and compare the hashes, where the host can tell
 * them. What an earlier transfer has left there is gone on with; if that was something else, the
 * file is moved once more as a whole. Errors: STATUS_HOST, STATUS_IO, STATUS_NOMEM,
 * STATUS_INTERRUPTED. */
CCALAB_MUST_USE enum status transfer_move(const struct mover *m, struct error *err);
/* Hash the first `len` bytes of an open file. */
CCALAB_MUST_USE enum status transfer_hash(int fd, uint64_t len, struct sha256 *hash,
                                          atomic_bool *is_over, const char *path,
                                          struct error *err);
/* What a host refused, with the reason that SFTP has no word for: a full disk. */
enum status transfer_refused(struct sftp *s, const char *host, const struct sftp_answer *a,
                             const char *what, const char *path, struct error *err);

#endif
