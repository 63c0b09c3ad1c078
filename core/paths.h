/* Where things are: our programs, our data, the user's directories (XDG Base Directory 0.8). */
#ifndef CCALAB_CORE_PATHS_H
#define CCALAB_CORE_PATHS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define CCALAB_PATH_MAX 4096

/* Join with exactly one '/'. Returns false if it does not fit. */
bool path_join(char *out, size_t size, const char *dir, const char *name);
/* mkdir -p. */
CCALAB_MUST_USE enum status path_mkdirs(const char *path, struct error *err);
/* The directories above a file that is to be made. */
CCALAB_MUST_USE enum status path_mkdirs_above(const char *file, struct error *err);
/* Directory of the running executable. */
bool paths_self_dir(char *out, size_t size);
/* Full path of the running executable. */
bool paths_self(char *out, size_t size);
/* One of our programs ("netllm", "ccalab-link"): beside this executable, else in $PATH.
 * Errors: STATUS_UNAVAILABLE naming the program and how to get it. */
CCALAB_MUST_USE enum status paths_program(const char *name, char *out, size_t size,
                                          struct error *err);
/* Is a command (iperf3, nft, ...) in $PATH, /usr/sbin or /sbin? `out` may be NULL. */
bool paths_which(const char *name, char *out, size_t size);
/* $XDG_CONFIG_HOME/ccalab, $XDG_STATE_HOME/ccalab, $XDG_CACHE_HOME/ccalab; not created. */
bool paths_config(char *out, size_t size);
bool paths_state(char *out, size_t size);
bool paths_cache(char *out, size_t size);
/* Is this root, of the machine or of a container, with a /run of its own? Root of a user namespace
 * that an ordinary user made is not. */
bool paths_is_root(void);
/* What must not survive a reboot: $CCALAB_RUNTIME_DIR; without it /run/ccalab for root, else
 * $XDG_RUNTIME_DIR/ccalab, else /tmp/ccalab-UID. The lab sets the variable for what it starts
 * inside its user namespace, where the user has another id. */
bool paths_runtime(char *out, size_t size);

#endif
