#include "remote/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/paths.h"

static const struct {
    const char *what, *variable;
} secrets[] = {
    [SECRET_RUNPOD] = {"Runpod API key", "RUNPOD_API_KEY"},
    [SECRET_HUB] = {"Hugging Face token", "HF_TOKEN"},
};

static bool find_file(enum secret_kind kind, char *out, size_t size)
{
    char dir[CCALAB_PATH_MAX];
    const char *path = getenv("HF_TOKEN_PATH"), *home = getenv("HF_HOME");

    if (kind == SECRET_RUNPOD)
        return paths_config(dir, sizeof dir) && path_join(out, size, dir, "runpod.key");
    if (path && path[0])
        return (size_t)snprintf(out, size, "%s", path) < size;
    if (home && home[0])
        return path_join(out, size, home, "token");
    home = getenv("HOME");
    return home && path_join(out, size, home, ".cache/huggingface/token");
}

static enum status check_text(const char *what, const char *from, size_t len, char *out,
                              struct error *err)
{
    while (len && strchr(" \t\r\n", from[len - 1]))
        len--;
    while (len && strchr(" \t\r\n", *from))
        from++, len--;
    if (len == 0 || len >= SECRET_MAX)
        return error_set(err, STATUS_INPUT, "secret", "the %s is %s", what,
                         len ? "too long" : "empty");
    for (size_t i = 0; i < len; i++)
        if (from[i] <= ' ' || from[i] > '~' || from[i] == '"' || from[i] == '\\')
            return error_set(err, STATUS_INPUT, "secret", "the %s holds what no key does", what);
    memcpy(out, from, len);
    out[len] = '\0';
    return STATUS_OK;
}

enum status secret_get(enum secret_kind kind, char out[SECRET_MAX], struct error *err)
{
    const char *what = secrets[kind].what, *variable = secrets[kind].variable;
    const char *value = getenv(variable);
    char path[CCALAB_PATH_MAX], text[SECRET_MAX + 64];
    struct stat st;
    ssize_t n;
    int fd;

    if (value && value[0])
        return check_text(what, value, strlen(value), out, err);
    if (!find_file(kind, path, sizeof path))
        return error_set(err, STATUS_UNAVAILABLE, "secret", "there is no %s: set $%s", what,
                         variable);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        error_set(err, STATUS_UNAVAILABLE, "secret", "there is no %s", what);
        return error_hint(err, "set $%s, or write it to %.150s with mode 0600", variable, path);
    }
    if (fd < 0)
        return error_sys(err, STATUS_IO, errno, "secret", "cannot open %s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077)) {
        close(fd);
        error_set(err, STATUS_IO, "secret", "%s may be read by others than you: not used", path);
        return error_hint(err, "chown it to yourself and chmod 600 it; if others could read it, "
                               "make a new key");
    }
    n = read(fd, text, sizeof text);
    close(fd);
    if (n < 0)
        return error_sys(err, STATUS_IO, errno, "secret", "cannot read %s", path);
    enum status s = check_text(what, text, (size_t)n, out, err);
    explicit_bzero(text, sizeof text);
    return s;
}

void secret_wipe(char s[SECRET_MAX])
{
    explicit_bzero(s, SECRET_MAX);
}
