/* What one transfer does with files, in its thread. */
#ifndef CCALAB_REMOTE_TRANSFER_FILES_H
#define CCALAB_REMOTE_TRANSFER_FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/error.h"

struct transfer_work {
    bool is_upload, can_resume, is_delta;
    const char *local, *remote;
    const char *host;     /* for messages */
    int sftp_fd;          /* the host's sftp subsystem */
    int host_fd;          /* TRANSFER_HOST_COMMAND on the host */
    FILE *events;         /* where the event stream goes */
    atomic_bool *is_over; /* stop */
};

/* All of it, with the events. Blocking. */
enum status transfer_files(const struct transfer_work *w, struct error *err);

#endif
