#include "remote/sudo.h"

#include <stdlib.h>
#include <string.h>

/* sudo runs as root: nobody else may signal it, so that it takes another sudo to stop it. The
 * first shell says of a missing command what sudo says of one. */
static const char script[] =
    "if test \"$(id -u)\" = 0; then\n"
    "command -v \"$1\" >/dev/null 2>&1 && exec \"$@\"\n"
    "echo \"sudo: $1: command not found\" >&2; exit 1; fi\n"
    "command -v sudo >/dev/null 2>&1 || { echo 'sudo: not installed' >&2; exit 1; }\n"
    "stop() { s=1; trap '' TERM INT HUP; sudo -n kill -TERM -- -$$\n"
    "setsid sudo -n sh -c \"sleep 3; kill -KILL -- -$$\" & } >/dev/null 2>&1 </dev/null\n"
    "trap stop TERM INT HUP\n"
    "s=; LC_ALL=C sudo -n -- \"$@\" & p=$!\n"
    /* The trap may have cut the first wait short; 127: it has not. */
    "wait $p; r=$?; test -z \"$s\" || { wait $p; q=$?; test $q = 127 || r=$q; }; exit $r\n";

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

static bool has_any(const char *text, const char *const *words)
{
    while (*words && !strstr(text, *words))
        words++;
    return *words != NULL;
}

bool sudo_has_refused(int exit_code, const char *err_tail, const char *what, const char *host,
                      struct error *err)
{
    static const char *const asks[] = {"sudo: a password is required",
                                       "sudo: a terminal is required", NULL};
    static const char *const refuses[] = {"is not in the sudoers file", "may not run sudo",
                                          "is not allowed to execute", "you must have a tty", NULL};
    bool is_missing = strstr(err_tail, "sudo: not installed") != NULL;
    bool has_asked = has_any(err_tail, asks);
    if (exit_code != 1)
        return false;
    const char *end = strstr(err_tail, ": command not found");
    const char *name = strstr(err_tail, "sudo: ");
    if (end && name && name + 6 < end && !memchr(name, '\n', (size_t)(end - name))) {
        error_set(err, STATUS_UNAVAILABLE, "sudo", "command not found on %s: %.*s", host,
                  (int)(end - name - 6), name + 6);
        error_hint(err, "install the package that provides it there");
        return true;
    }
    if (!is_missing && !has_asked && !has_any(err_tail, refuses))
        return false;
    error_set(err, is_missing ? STATUS_UNAVAILABLE : STATUS_HOST, "sudo",
              "%s: %s needs root, and %s", host, what,
              is_missing  ? "there is no sudo"
              : has_asked ? "sudo asks for a password"
                          : "sudo refuses");
    error_hint(err, "log in there as root, or let the user do it without a password: a line 'USER "
                    "ALL=(root) NOPASSWD: ALL' in /etc/sudoers.d/ccalab (visudo -f)");
    return true;
}
