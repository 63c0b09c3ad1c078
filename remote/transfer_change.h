/* Names on the host: directories made, files put in place, leftovers removed; as many requests
 * under way as there are. Thread: the transfer's. */
#ifndef CCALAB_REMOTE_TRANSFER_CHANGE_H
#define CCALAB_REMOTE_TRANSFER_CHANGE_H

#include "remote/transfer_facts.h"
#include "remote/transfer_items.h"

/* Errors of all: STATUS_HOST, STATUS_NOMEM. */

/* Make the directories that are not there yet: in the stage, or in place. */
CCALAB_MUST_USE enum status transfer_make_dirs(struct sftp *s, const struct items *list,
                                               const struct facts *facts, bool is_staged,
                                               const char *host, struct error *err);
/* Remove what an earlier transfer has left in the stage and this one does not want. */
CCALAB_MUST_USE enum status transfer_clear_stage(struct sftp *s, const struct items *list,
                                                 const struct facts *facts, const char *stage,
                                                 struct error *err);
/* Rename every file into its place, or the stage as a whole; modes of unchanged files are set. */
CCALAB_MUST_USE enum status transfer_place(struct sftp *s, struct items *list,
                                           const struct facts *facts, const char *stage,
                                           const char *host, struct error *err);
/* Remove all temps, and the stage, as far as the host still answers. */
void transfer_remove_temps(struct sftp *s, const struct items *list, const char *stage);
/* Write a small file, with the directories above it. */
CCALAB_MUST_USE enum status transfer_store(struct sftp *s, const char *path, const void *data,
                                           size_t len, struct error *err);

#endif
