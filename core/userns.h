/* User namespaces (user_namespaces(7)): how somebody who is not root gets network namespaces.
 *
 * Inside, the user is root of what was made there and of nothing else; files keep their owner.
 * Thread: the process must have one thread only, setns(2) and unshare(2) refuse otherwise. */
#ifndef CCALAB_CORE_USERNS_H
#define CCALAB_CORE_USERNS_H

#include "core/error.h"

/* Does the machine let this user make one? As far as its settings in /proc say; none is made.
 * Errors: STATUS_UNAVAILABLE with the setting and its remedy. */
CCALAB_MUST_USE enum status userns_check(struct error *err);
/* Make one and become root of it, for good. Errors: STATUS_UNAVAILABLE (not permitted here: by
 * which setting, as far as it can be told); the process is then of no use to a lab. */
CCALAB_MUST_USE enum status userns_create(struct error *err);
/* Go into the one at `path` (/proc/PID/ns/user) with all capabilities, for good; nothing is done if
 * this is the one we are in. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status userns_enter(const char *path, struct error *err);

#endif
