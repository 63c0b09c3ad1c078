#include "remote/sudo.h"

#include <stdlib.h>
#include <string.h>

/* sudo runs as root: nobody else may signal it, so that it takes another sudo to stop it. */
static const char script[] =
    "test \"$(id -u)\" = 0 && exec \"$@\"\n"
    "command -v sudo >/dev/null 2>&1 || { echo 'sudo: not installed' >&2; exit 1; }\n"
    "stop() { trap '' TERM INT HUP; sudo -n kill -TERM -- -$$\n"
    "setsid sudo -n sh -c \"sleep 3; kill -KILL -- -$$\" & } >/dev/null 2>&1 </dev/null\n"
    "trap stop TERM INT HUP\n"
    "LC_ALL=C sudo -n -- \"$@\" & p=$!\n"
    "wait $p; r=$?; while test -d /proc/$p; do wait $p; r=$?; done; exit $r\n";

const char **sudo_argv(const char *const *argv)
{
    size_t n = 0;
    while (argv[n])
        n++;
    const char **out = calloc(n + 5, sizeof *out);
    if (!out)
        return NULL;
    out[0] = "/bin/sh";
    out[1] = "-c";
    out[2] = script;
    out[3] = "sh";
    memcpy(out + 4, argv, n * sizeof *out);
    return out;
}

bool sudo_has_refused(int exit_code, const char *err_tail, const char *what, const char *host,
                      struct error *err)
{
    bool is_missing = strstr(err_tail, "sudo: not installed") != NULL;
    if (exit_code != 1 ||
        (!is_missing && !strstr(err_tail, "sudo: a password is required") &&
         !strstr(err_tail, "is not in the sudoers file") && !strstr(err_tail, "may not run sudo")))
        return false;
    error_set(err, STATUS_HOST, "sudo",
              is_missing ? "%s on %s must run as root, and there is no sudo"
                         : "%s on %s must run as root, and sudo there wants "
                           "a password or refuses",
              what, host);
    error_hint(err, "log in there as root, or let the user do it without a password: a line 'USER "
                    "ALL=(root) NOPASSWD: ALL' in /etc/sudoers.d/ccalab (visudo -f)");
    return true;
}
