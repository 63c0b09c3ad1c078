#include "remote/journal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/paths.h"

#define FILE_MAX    (16u << 20)
#define KEY_MAX     128
#define PENDING_MAX 10000
#define SUFFIX      ".jsonl"

struct journal {
    char path[CCALAB_PATH_MAX];
    int fd;
    int last_id;
    cJSON *head;    /* the first line; its pid is that of the last console */
    cJSON *pending; /* array */
};

static enum status fail_io(struct error *err, const char *path)
{
    return error_sys(err, STATUS_IO, errno, "journal", "%s", path);
}

static bool key_is_valid(const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)key[i]) && key[i] != '-')
            return false;
    return n > 0 && n < KEY_MAX;
}

static enum status dir_of(char *out, size_t size, struct error *err)
{
    char state[CCALAB_PATH_MAX];
    if (!paths_state(state, sizeof state) || !path_join(out, size, state, "journal"))
        return error_set(err, STATUS_IO, "journal", "there is no place for it: HOME is not set");
    return STATUS_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void forget(struct journal *j, int id)
{
    int i = 0;
    cJSON *e;
    cJSON_ArrayForEach(e, j->pending)
    {
        if ((int)json_num(e, "id", -1) == id) {
            cJSON_DeleteItemFromArray(j->pending, i);
            return;
        }
        i++;
    }
}

/* Takes `o`. */
static void take_line(struct journal *j, cJSON *o)
{
    int id = (int)json_num(o, "id", 0);
    if (json_get(o, "journal")) {
        cJSON_Delete(j->head);
        j->head = o;
    } else if (id > 0 && cJSON_GetArraySize(j->pending) < PENDING_MAX) {
        cJSON_AddItemToArray(j->pending, o);
        j->last_id = id > j->last_id ? id : j->last_id;
    } else {
        forget(j, (int)json_num(o, "undone", 0));
        cJSON_Delete(o);
    }
}

/* A line that is not complete was cut off by a power cut (or is just being written by its holder):
 * with `is_ours` the file is cut there too, so that what follows begins a line. */
static enum status read_lines(struct journal *j, bool is_ours, struct error *err)
{
    struct buf text;
    size_t start = 0;
    enum status st = buf_read_file(&text, j->path, FILE_MAX, err);
    while (st == STATUS_OK && start < text.len) {
        char *end = memchr(text.data + start, '\n', text.len - start);
        if (!end) {
            if (is_ours && ftruncate(j->fd, (off_t)start) != 0)
                st = fail_io(err, j->path);
            break;
        }
        size_t len = (size_t)(end - text.data) - start;
        cJSON *o = json_parse(text.data + start, len, j->path, NULL);
        if (cJSON_IsObject(o)) {
            take_line(j, o);
        } else {
            cJSON_Delete(o);
            log_warn("%s: a damaged line is left out", j->path);
        }
        start += len + 1;
    }
    buf_done(&text);
    return st;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Append a line and see it on the disk. Takes `o`. */
static enum status append(struct journal *j, cJSON *o, struct error *err)
{
    char *text = cJSON_PrintUnformatted(o);
    struct buf line;
    enum status st = STATUS_OK;
    off_t end = lseek(j->fd, 0, SEEK_END);
    cJSON_Delete(o);
    buf_init(&line, FILE_MAX);
    if (!text || !buf_printf(&line, "%s\n", text))
        st = error_set(err, STATUS_NOMEM, "journal", "out of memory");
    else if (end < 0 || write(j->fd, line.data, line.len) != (ssize_t)line.len ||
             fdatasync(j->fd) != 0)
        st = fail_io(err, j->path);
    if (st == STATUS_IO && ftruncate(j->fd, end) != 0) /* a full disk: no half of a line stays */
        log_warn("%s: cannot be mended", j->path);
    cJSON_free(text);
    buf_done(&line);
    return st;
}

/* The name of a new file must be on the disk too. */
static enum status sync_dir(const char *path, struct error *err)
{
    char dir[CCALAB_PATH_MAX];
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status st = fd < 0 || fsync(fd) != 0 ? fail_io(err, dir) : STATUS_OK;
    if (fd >= 0)
        close(fd);
    return st;
}

static enum status write_head(struct journal *j, const char *key, const cJSON *host,
                              struct error *err)
{
    cJSON *o = cJSON_CreateObject();
    bool is_new = j->head == NULL;
    cJSON_AddNumberToObject(o, "journal", 1);
    cJSON_AddStringToObject(o, "key", key);
    cJSON_AddItemToObject(o, "host",
                          cJSON_Duplicate(host ? host : json_get(j->head, "host"), true));
    cJSON_AddNumberToObject(o, "pid", (double)getpid());
    cJSON_AddNumberToObject(o, "t", clock_wall_s());
    cJSON_Delete(j->head);
    j->head = cJSON_Duplicate(o, true);
    enum status st = append(j, o, err);
    return st == STATUS_OK && is_new ? sync_dir(j->path, err) : st;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Open and lock; again where the holder removed the file between the two. */
static enum status lock_file(struct journal *j, int flags, bool *is_held, struct error *err)
{
    struct stat a, b;
    *is_held = false;
    for (;;) {
        j->fd = open(j->path, flags | O_CLOEXEC, 0600);
        if (j->fd < 0)
            return fail_io(err, j->path);
        if (flock(j->fd, LOCK_EX | LOCK_NB) != 0) {
            *is_held = errno == EWOULDBLOCK;
            return *is_held ? STATUS_OK : fail_io(err, j->path);
        }
        if (fstat(j->fd, &a) == 0 && stat(j->path, &b) == 0 && a.st_ino == b.st_ino &&
            a.st_dev == b.st_dev)
            return STATUS_OK;
        close(j->fd);
    }
}

static const char *host_name_of(const struct journal *j)
{
    return json_str(json_get(j->head, "host"), "name", "this host");
}

static enum status refuse_held(const struct journal *j, struct error *err)
{
    error_set(err, STATUS_HOST, "journal", "%.64s is being changed by another console (process %d)",
              host_name_of(j), (int)json_num(j->head, "pid", 0));
    return error_hint(err,
                      "wait until that one has ended; ccalab restore --list shows what it changed");
}

static enum status refuse_left(const struct journal *j, struct error *err)
{
    int n = cJSON_GetArraySize(j->pending);
    error_set(err, STATUS_HOST, "journal",
              "%.64s still has %d change%s of a console that is gone (process %d)", host_name_of(j),
              n, n == 1 ? "" : "s", (int)json_num(j->head, "pid", 0));
    return error_hint(err, "ccalab restore %.64s puts them back", host_name_of(j));
}

/* Changes that nobody wanted to outlive their console. */
static bool has_left_overs(const struct journal *j)
{
    const cJSON *e;
    cJSON_ArrayForEach(e, j->pending)
    {
        if (!json_bool(e, "keep", false))
            return true;
    }
    return false;
}

static enum status make_path(const char *key, bool is_new, char *path, size_t size,
                             struct error *err)
{
    char dir[CCALAB_PATH_MAX], name[KEY_MAX + sizeof SUFFIX];
    if (!key_is_valid(key))
        return error_set(err, STATUS_USAGE, "journal", "'%.64s' is no key of a host", key);
    enum status st = dir_of(dir, sizeof dir, err);
    if (st == STATUS_OK && is_new)
        st = path_mkdirs(dir, err);
    snprintf(name, sizeof name, "%s" SUFFIX, key);
    if (st == STATUS_OK && !path_join(path, size, dir, name))
        st = error_set(err, STATUS_IO, "journal", "the path is too long");
    return st;
}

enum status journal_open(const char *key, enum journal_mode mode, const cJSON *host,
                         struct journal **out, struct error *err)
{
    struct journal *j = calloc(1, sizeof *j);
    bool is_change = mode == JOURNAL_CHANGE, is_held = false;
    if (!j)
        return error_set(err, STATUS_NOMEM, "journal", "out of memory");
    j->fd = -1;
    j->pending = cJSON_CreateArray();
    enum status st = make_path(key, is_change, j->path, sizeof j->path, err);
    if (st == STATUS_OK)
        st = lock_file(j, O_RDWR | O_APPEND | (is_change ? O_CREAT : 0), &is_held, err);
    if (st == STATUS_OK)
        st = read_lines(j, !is_held, err);
    if (st == STATUS_OK && is_held)
        st = refuse_held(j, err);
    else if (st == STATUS_OK && is_change && has_left_overs(j))
        st = refuse_left(j, err);
    if (st == STATUS_OK)
        st = write_head(j, key, host, err);
    if (st == STATUS_OK) {
        *out = j;
        return STATUS_OK;
    }
    if (j->fd >= 0)
        close(j->fd);
    cJSON_Delete(j->head);
    cJSON_Delete(j->pending);
    free(j);
    return st;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (cJSON_GetArraySize(j->pending) == 0 && unlink(j->path) != 0)
        log_warn("%s: %s", j->path, strerror(errno));
    close(j->fd);
    cJSON_Delete(j->head);
    cJSON_Delete(j->pending);
    free(j);
}

enum status journal_add(struct journal *j, cJSON *entry, int *id, struct error *err)
{
    *id = ++j->last_id;
    cJSON_AddNumberToObject(entry, "id", *id);
    cJSON_AddNumberToObject(entry, "t", clock_wall_s());
    cJSON_AddNumberToObject(entry, "pid", (double)getpid());
    cJSON *copy = cJSON_Duplicate(entry, true);
    enum status st = append(j, entry, err);
    if (st == STATUS_OK && copy)
        cJSON_AddItemToArray(j->pending, copy);
    else
        cJSON_Delete(copy);
    return st;
}

enum status journal_done(struct journal *j, int id, struct error *err)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "undone", id);
    forget(j, id);
    return append(j, o, err);
}

const cJSON *journal_pending(const struct journal *j)
{
    return j->pending;
}

/* --- all of them ------------------------------------------------------------------------------ */

static cJSON *describe(const char *key)
{
    struct journal j = {.fd = -1};
    struct error e;
    bool is_held = false;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "key", key);
    j.pending = cJSON_CreateArray();
    enum status st = make_path(key, false, j.path, sizeof j.path, &e);
    if (st == STATUS_OK)
        st = lock_file(&j, O_RDWR, &is_held, &e);
    if (st == STATUS_OK)
        st = read_lines(&j, false, &e);
    if (st == STATUS_OK) {
        cJSON_AddItemToObject(o, "host", cJSON_Duplicate(json_get(j.head, "host"), true));
        cJSON_AddNumberToObject(o, "pid", json_num(j.head, "pid", 0));
        cJSON_AddBoolToObject(o, "is_held", is_held);
        cJSON_AddItemToObject(o, "pending", j.pending);
    } else {
        cJSON_AddStringToObject(o, "error", e.message);
        cJSON_Delete(j.pending);
    }
    if (j.fd >= 0)
        close(j.fd);
    cJSON_Delete(j.head);
    return o;
}

enum status journal_list(cJSON **out, struct error *err)
{
    char path[CCALAB_PATH_MAX], key[KEY_MAX];
    struct dirent *entry;
    *out = NULL;
    enum status st = dir_of(path, sizeof path, err);
    if (st != STATUS_OK)
        return st;
    *out = cJSON_CreateArray();
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        size_t n = strlen(entry->d_name), m = strlen(SUFFIX);
        if (n <= m || n - m >= sizeof key || strcmp(entry->d_name + n - m, SUFFIX) != 0)
            continue;
        snprintf(key, sizeof key, "%.*s", (int)(n - m), entry->d_name);
        if (key_is_valid(key))
            cJSON_AddItemToArray(*out, describe(key));
    }
    if (dir)
        closedir(dir);
    return STATUS_OK;
}
