#include "core/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool path_join(char *out, size_t size, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    while (*name == '/')
        name++;
    const char *sep = n == 1 && dir[0] == '/' ? "" : "/";
    int len = snprintf(out, size, "%.*s%s%s", (int)n, dir, sep, name);
    return len >= 0 && (size_t)len < size;
}

enum status path_mkdirs(const char *path, struct error *err)
{
    char part[CCALAB_PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return error_set(err, STATUS_IO, "file", "bad directory name of %zu bytes", n);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return error_sys(err, STATUS_IO, errno, "file", "cannot make directory %s", part);
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return error_set(err, STATUS_IO, "file", "%s is not a directory", path);
    return STATUS_OK;
}

enum status path_mkdirs_above(const char *file, struct error *err)
{
    char dir[CCALAB_PATH_MAX];
    const char *slash = strrchr(file, '/');

    if (!slash || slash == file)
        return STATUS_OK;
    if ((size_t)(slash - file) >= sizeof dir)
        return error_set(err, STATUS_IO, "file", "path too long: %s", file);
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - file), file);
    return path_mkdirs(dir, err);
}

bool paths_self(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size);
    if (n <= 0 || (size_t)n >= size)
        return false;
    out[n] = '\0';
    return true;
}

bool paths_self_dir(char *out, size_t size)
{
    if (!paths_self(out, size))
        return false;
    char *slash = strrchr(out, '/');
    if (!slash)
        return false;
    *(slash == out ? slash + 1 : slash) = '\0';
    return true;
}

static bool is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool paths_which(const char *name, char *out, size_t size)
{
    char path[CCALAB_PATH_MAX], dirs[8192];
    if (strchr(name, '/'))
        return is_executable(name) && (!out || snprintf(out, size, "%s", name) < (int)size);
    const char *env = getenv("PATH");
    /* iproute2, nft and iperf3's neighbours live in sbin, which a plain user's PATH lacks. */
    if ((size_t)snprintf(dirs, sizeof dirs, "%s:/usr/sbin:/sbin", env ? env : "/usr/bin:/bin") >=
        sizeof dirs)
        return false;
    char *save = NULL;
    for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
        if (path_join(path, sizeof path, d, name) && is_executable(path))
            return !out || snprintf(out, size, "%s", path) < (int)size;
    }
    return false;
}

enum status paths_program(const char *name, char *out, size_t size, struct error *err)
{
    char dir[CCALAB_PATH_MAX];
    if (paths_self_dir(dir, sizeof dir) && path_join(out, size, dir, name) && is_executable(out))
        return STATUS_OK;
    if (paths_which(name, out, size))
        return STATUS_OK;
    error_set(err, STATUS_UNAVAILABLE, "paths", "the program %s was not found", name);
    return err ? error_hint(err, "it is built beside ccalab: run make; or put it into your PATH")
               : STATUS_UNAVAILABLE;
}

static bool xdg(char *out, size_t size, const char *var, const char *fallback)
{
    const char *dir = getenv(var), *home = getenv("HOME");
    if (dir && dir[0] == '/')
        return path_join(out, size, dir, "ccalab");
    char base[CCALAB_PATH_MAX];
    return home && home[0] == '/' && path_join(base, sizeof base, home, fallback) &&
           path_join(out, size, base, "ccalab");
}

bool paths_config(char *out, size_t size)
{
    return xdg(out, size, "XDG_CONFIG_HOME", ".config");
}

bool paths_state(char *out, size_t size)
{
    return xdg(out, size, "XDG_STATE_HOME", ".local/state");
}

bool paths_cache(char *out, size_t size)
{
    return xdg(out, size, "XDG_CACHE_HOME", ".cache");
}

bool paths_is_root(void)
{
    return geteuid() == 0 && access("/run", W_OK) == 0;
}

bool paths_runtime(char *out, size_t size)
{
    const char *dir = getenv("XDG_RUNTIME_DIR"), *whole = getenv("CCALAB_RUNTIME_DIR");
    int n;
    if (whole && whole[0] == '/')
        n = snprintf(out, size, "%s", whole);
    else if (paths_is_root())
        n = snprintf(out, size, "/run/ccalab");
    else if (dir && dir[0] == '/')
        n = snprintf(out, size, "%s/ccalab", dir);
    else
        n = snprintf(out, size, "/tmp/ccalab-%u", (unsigned)geteuid());
    return n > 0 && (size_t)n < size;
}
