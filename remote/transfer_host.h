/* The helper of a transfer on the host: a shell that lists what is there, and then hashes the files
 * that it is told, while others move. Any of its tools may be missing, or the host may allow
 * nothing but SFTP: then there is no listing, or there are no hashes. Thread: the transfer's. */
#ifndef CCALAB_REMOTE_TRANSFER_HOST_H
#define CCALAB_REMOTE_TRANSFER_HOST_H

#include "remote/transfer_facts.h"
#include "remote/transfer_items.h"

/* What to run for it there, as ssh_link_pipe() takes it. */
#define TRANSFER_HOST_COMMAND "exec /bin/sh"

struct transfer_host;

/* Ask for a listing of `root` and `stage` (NULL: no listing) and for the manifest of that name. The
 * descriptor stays the caller's. NULL: out of memory. */
struct transfer_host *transfer_host_open(int fd, const char *root, const char *stage,
                                         const char *manifest);
void transfer_host_close(struct transfer_host *h);
/* Wait for what it has to say. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status transfer_host_listen(struct transfer_host *h, struct error *err);
/* Empty where it could not tell. */
const struct facts *transfer_host_facts(const struct transfer_host *h);
/* The path of the manifest there, "" if it is not known. */
const char *transfer_host_manifest(const struct transfer_host *h);
bool transfer_host_has_listing(const struct transfer_host *h);
bool transfer_host_has_hashes(const struct transfer_host *h);

/* Hash a file there. `item` comes back from transfer_host_take(). */
void transfer_host_ask(struct transfer_host *h, struct item *item, const char *path);
size_t transfer_host_pending(const struct transfer_host *h);
/* No more will be asked for now: answer what is pending, and do not wait for more to do at once. */
void transfer_host_hurry(struct transfer_host *h);
/* Send and take in what can be, without waiting. False: the helper is gone. */
bool transfer_host_turn(struct transfer_host *h);
/* What to wait for. */
struct pollfd transfer_host_wait(const struct transfer_host *h);
/* The next file that is done, or NULL; *hash is "" if the host could not read it. */
struct item *transfer_host_take(struct transfer_host *h, char hash[SHA256_HEX]);

#endif
