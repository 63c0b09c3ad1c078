/* Commands as root on hosts where we are somebody else: explicitly, by `sudo -n`, which never asks.
 */
#ifndef CCALAB_REMOTE_SUDO_H
#define CCALAB_REMOTE_SUDO_H

#include <stdbool.h>

#include "core/error.h"

/* The command as root: itself where we are root already, else under sudo, with messages of the C
 * locale. SIGTERM, SIGINT and SIGHUP reach it through sudo too, SIGKILL three seconds after. NULL:
 * out of memory. The strings stay the caller's; free() the array. */
const char **sudo_argv(const char *const *argv);
/* Did sudo refuse, by the end of stderr? Then *err says what would help. */
bool sudo_has_refused(int exit_code, const char *err_tail, const char *what, const char *host,
                      struct error *err);

#endif
