/* Keys of services: from the environment, else from a file that nobody else can read. They go into
 * requests and into files of mode 0600, never into command lines, logs or events. Thread: any. */
#ifndef CCALAB_REMOTE_SECRET_H
#define CCALAB_REMOTE_SECRET_H

#include <stddef.h>

#include "core/error.h"

#define SECRET_MAX 512

enum secret_kind {
    SECRET_RUNPOD, /* $RUNPOD_API_KEY, else runpod.key in the directory of the configuration */
    SECRET_HUB,    /* $HF_TOKEN, else $HF_TOKEN_PATH, else $HF_HOME/token or ~/.cache/huggingface */
};

/* The key, without the white space around it. Errors: STATUS_UNAVAILABLE (there is none; the hint
 * says where one belongs), STATUS_INPUT (no printable ASCII, too long), STATUS_IO: the file cannot
 * be read, is another user's, or others may read it. */
CCALAB_MUST_USE enum status secret_get(enum secret_kind kind, char out[SECRET_MAX],
                                       struct error *err);
/* Overwrite it, so that no later dump of our memory shows it. */
void secret_wipe(char s[SECRET_MAX]);

#endif
