/* What one transfer does with files, in its thread. */
#ifndef CCALAB_REMOTE_TRANSFER_FILES_H
#define CCALAB_REMOTE_TRANSFER_FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/error.h"

struct transfer_work {
    bool is_upload;
    const char *local, *remote;
    const char *host;     /* for messages */
    int sftp_fd;          /* the host's sftp subsystem */
    int verify_fd;        /* TRANSFER_VERIFY on the host */
    FILE *events;         /* where the event stream goes */
    atomic_bool *is_over; /* stop */
};

/* A command line that any login shell understands: reads what `sha256sum -c` reads, and says "same"
 * if all agree, "none" if the host cannot tell, else which do not. */
#define TRANSFER_VERIFY                                                                            \
    "sh -c 'if command -v sha256sum >/dev/null; then sha256sum -c --quiet 2>&1 && echo same; "     \
    "else cat >/dev/null; echo none; fi'"

/* All of it, with the events. Blocking. */
enum status transfer_files(const struct transfer_work *w, struct error *err);

#endif
