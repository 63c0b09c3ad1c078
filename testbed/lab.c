#include "testbed/lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "core/paths.h"
#include "core/userns.h"
#include "core/version.h"

static const char *const phase_names[] = {"building", "up", "stopping"};

bool lab_name_is_valid(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= LAB_NAME_MAX && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

void lab_netns_name(const char *lab, const char *host, char *out, size_t size)
{
    snprintf(out, size, "%s-%s", lab, host);
}

void lab_netns_path(const char *lab, const char *host, char *out, size_t size)
{
    char file[TOPOLOGY_NAME_MAX + 8];
    if (paths_is_root()) {
        snprintf(out, size, "/run/netns/%s-%s", lab, host);
        return;
    }
    snprintf(file, sizeof file, "netns/%s", host);
    lab_path(lab, file, out, size);
}

bool lab_userns_path(const char *lab, char *out, size_t size)
{
    out[0] = '\0';
    if (paths_is_root())
        return false;
    lab_path(lab, "userns", out, size);
    return true;
}

void lab_keep_runtime(void)
{
    char runtime[LAB_PATH_MAX];
    if (paths_runtime(runtime, sizeof runtime))
        setenv("CCALAB_RUNTIME_DIR", runtime, 1);
}

enum status lab_enter_user(const char *lab, struct error *err)
{
    char path[LAB_PATH_MAX];
    if (!lab_userns_path(lab, path, sizeof path))
        return STATUS_OK;
    lab_keep_runtime();
    return userns_enter(path, err);
}

void lab_path(const char *lab, const char *file, char *out, size_t size)
{
    char base[LAB_PATH_MAX / 2] = "";
    paths_runtime(base, sizeof base);
    snprintf(out, size, "%s/%s%s%s", base, lab, file[0] ? "/" : "", file);
}

void lab_control_path(const char *lab, const char *router, char *out, size_t size)
{
    char file[TOPOLOGY_NAME_MAX + 8];
    snprintf(file, sizeof file, "%s.sock", router);
    lab_path(lab, file, out, size);
}

/* --- the lock --------------------------------------------------------------------------------- */

/* flock'ed file, if it is still the one of that name: its last holder may have removed it. */
static bool is_current(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* One attempt; *fd is -1 if the lock is held. */
static enum status try_lock(const char *dir, const char *path, int *fd, struct error *err)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        *fd = -1;
        enum status st = path_mkdirs(dir, err);
        if (st != STATUS_OK)
            return st;
        *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (*fd < 0 && errno == ENOENT)
            continue; /* the directory was just removed under us */
        if (*fd < 0) {
            bool is_full = errno == ENOSPC;
            error_sys(err, STATUS_IO, errno, "testbed", "cannot open %s", path);
            return is_full && err ? error_hint(err, "free some space there") : STATUS_IO;
        }
        if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
            close(*fd);
            *fd = -1;
            return STATUS_OK;
        }
        if (is_current(*fd, path))
            return STATUS_OK;
        close(*fd);
    }
    *fd = -1;
    return error_set(err, STATUS_IO, "testbed", "%s keeps disappearing", path);
}

/* /tmp/ccalab-UID may have been made by anybody: what lies in there is believed. */
static enum status check_owner(struct error *err)
{
    char base[LAB_PATH_MAX];
    struct stat st;
    if (!paths_runtime(base, sizeof base))
        return error_set(err, STATUS_IO, "testbed", "the path of the labs' directory is too long");
    enum status s = path_mkdirs(base, err);
    if (s != STATUS_OK)
        return s;
    if (stat(base, &st) == 0 && st.st_uid == geteuid())
        return STATUS_OK;
    error_set(err, STATUS_IO, "testbed", "%s belongs to somebody else", base);
    return err ? error_hint(err, "set CCALAB_RUNTIME_DIR to a directory of your own") : STATUS_IO;
}

enum status lab_lock(const char *lab, int wait_ms, int *fd, struct error *err)
{
    char dir[LAB_PATH_MAX], path[LAB_PATH_MAX];
    lab_path(lab, "", dir, sizeof dir);
    lab_path(lab, "lock", path, sizeof path);
    for (int waited_ms = 0;; waited_ms += 10) {
        enum status st = check_owner(err);
        if (st == STATUS_OK)
            st = try_lock(dir, path, fd, err);
        if (st != STATUS_OK || *fd >= 0 || waited_ms >= wait_ms)
            return st;
        poll(NULL, 0, 10);
    }
}

enum status lab_claim(const char *lab, int *fd, struct error *err)
{
    enum status st = lab_lock(lab, 200, fd, err);
    if (st != STATUS_OK || *fd >= 0)
        return st;
    st = error_set(err, STATUS_FAIL, "testbed", "a lab named %s is up already", lab);
    if (err)
        error_hint(err, "end it with: ccalab testbed down --name %s; or choose another --name",
                   lab);
    return st;
}

bool lab_is_locked(const char *lab)
{
    char path[LAB_PATH_MAX];
    lab_path(lab, "lock", path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return is_locked;
}

/* What is in a directory, but for the file `keep` (may be NULL). */
static void empty_dir(int fd, const char *keep)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            (keep && strcmp(e->d_name, keep) == 0) || unlinkat(dirfd(d), e->d_name, 0) == 0)
            continue;
        int sub = keep
                      ? openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                      : -1;
        if (sub >= 0) {
            empty_dir(sub, NULL);
            unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
        }
    }
    closedir(d);
}

void lab_remove_dir(const char *lab)
{
    char path[LAB_PATH_MAX];
    lab_path(lab, "", path, sizeof path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    /* All of it: a kill in the middle of an atomic write leaves a temporary file. The lock goes
     * last, as from then on another process may begin anew here. */
    empty_dir(fd, "lock");
    lab_path(lab, "lock", path, sizeof path);
    unlink(path);
    lab_path(lab, "", path, sizeof path);
    rmdir(path);
}

void lab_each(void (*fn)(void *user, const char *lab), void *user)
{
    char base[LAB_PATH_MAX];
    if (!paths_runtime(base, sizeof base))
        return;
    DIR *d = opendir(base);
    if (!d)
        return;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (lab_name_is_valid(e->d_name))
            fn(user, e->d_name);
    closedir(d);
}

/* --- the state -------------------------------------------------------------------------------- */

const char *lab_phase_name(enum lab_phase phase)
{
    return phase_names[phase];
}

static cJSON *proc_json(const struct proc_id *id)
{
    cJSON *p = cJSON_CreateObject();
    cJSON_AddNumberToObject(p, "pid", id->pid);
    cJSON_AddNumberToObject(p, "start", (double)id->start);
    return p;
}

/* A pid that is no pid is none: the worst that follows is that a process is not found. */
static struct proc_id proc_from_json(const cJSON *p)
{
    double pid = json_num(p, "pid", 0), start = json_num(p, "start", -1);
    if (!(pid >= 1 && pid <= 4194304) || !(start >= 0 && start < 9e15))
        return (struct proc_id){0};
    return (struct proc_id){(pid_t)pid, (uint64_t)start};
}

static void add_namespaces(cJSON *o, const struct lab_netns *ns, int n)
{
    cJSON *list = cJSON_AddArrayToObject(o, "netns");
    for (int i = 0; i < n && ns[i].ino; i++) {
        char cookie[24];
        cJSON *item = cJSON_CreateObject();
        snprintf(cookie, sizeof cookie, "%llx", (unsigned long long)ns[i].cookie);
        cJSON_AddNumberToObject(item, "dev", (double)ns[i].dev);
        cJSON_AddNumberToObject(item, "ino", (double)ns[i].ino);
        cJSON_AddStringToObject(item, "cookie", cookie); /* 64 bits: no number of JSON's */
        cJSON_AddItemToArray(list, item);
    }
}

static void get_namespaces(const cJSON *o, struct lab_netns *ns, int n)
{
    for (int i = 0; i < n; i++) {
        const cJSON *item = cJSON_GetArrayItem(json_get(o, "netns"), i);
        double dev = json_num(item, "dev", -1), ino = json_num(item, "ino", -1);
        uint64_t cookie = strtoull(json_str(item, "cookie", "0"), NULL, 16);
        if (dev >= 0 && dev < 9e15 && ino > 0 && ino < 9e15 && cookie != 0)
            ns[i] = (struct lab_netns){(uint64_t)dev, (uint64_t)ino, cookie};
    }
}

static void add_procs(cJSON *o, const char *key, const struct proc_id *ids, int n)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, proc_json(&ids[i]));
}

static void get_procs(const cJSON *o, const char *key, struct proc_id *ids, int n)
{
    for (int i = 0; i < n; i++)
        ids[i] = proc_from_json(cJSON_GetArrayItem(json_get(o, key), i));
}

cJSON *lab_state_to_json(const struct lab_state *s)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "version", CCALAB_VERSION);
    cJSON_AddStringToObject(o, "boot", proc_boot_id());
    cJSON_AddStringToObject(o, "name", s->name);
    cJSON_AddStringToObject(o, "phase", phase_names[s->phase]);
    cJSON_AddNumberToObject(o, "created", s->created_s);
    cJSON_AddItemToObject(o, "keeper", proc_json(&s->keeper));
    cJSON_AddItemToObject(o, "owner", proc_json(&s->owner));
    add_procs(o, "links", s->links, s->topology.nrouters);
    add_procs(o, "sshds", s->sshds, topology_nodes(&s->topology));
    add_namespaces(o, s->netns, topology_nodes(&s->topology));
    cJSON_AddItemToObject(o, "topology", topology_to_json(&s->topology));
    if (s->up)
        cJSON_AddItemToObject(o, "up", cJSON_Duplicate(s->up, true));
    else
        cJSON_AddNullToObject(o, "up");
    return o;
}

enum status lab_state_from_json(const cJSON *o, struct lab_state *s, struct error *err)
{
    static const struct topology_router none = {.name = ""};
    *s = (struct lab_state){0};
    const char *name = json_str(o, "name", ""), *phase = json_str(o, "phase", "");
    int found = -1;
    for (int i = 0; i < 3; i++)
        if (strcmp(phase, phase_names[i]) == 0)
            found = i;
    if (!lab_name_is_valid(name) || found < 0 || !json_get(o, "topology") ||
        topology_from_json(json_get(o, "topology"), "topology", &none, &s->topology, NULL) !=
            STATUS_OK)
        return error_set(err, STATUS_INPUT, "testbed", "not the state of a lab");
    snprintf(s->name, sizeof s->name, "%s", name);
    s->phase = (enum lab_phase)found;
    s->created_s = json_num(o, "created", 0);
    if (strcmp(json_str(o, "boot", ""), proc_boot_id()) == 0) {
        s->keeper = proc_from_json(json_get(o, "keeper"));
        s->owner = proc_from_json(json_get(o, "owner"));
        get_procs(o, "links", s->links, s->topology.nrouters);
        get_procs(o, "sshds", s->sshds, topology_nodes(&s->topology));
        get_namespaces(o, s->netns, topology_nodes(&s->topology));
    }
    if (cJSON_IsObject(json_get(o, "up")))
        s->up = cJSON_Duplicate(json_get(o, "up"), true);
    return STATUS_OK;
}

enum status lab_state_save(const struct lab_state *s, struct error *err)
{
    char path[LAB_PATH_MAX];
    lab_path(s->name, "lab.json", path, sizeof path);
    cJSON *o = lab_state_to_json(s);
    enum status st = json_write_file(path, o, err);
    cJSON_Delete(o);
    if (st != STATUS_OK && err && err->sys_errno == ENOSPC)
        error_hint(err, "the disk is full: free some space there");
    return st;
}

enum status lab_state_load(const char *lab, struct lab_state *s, struct error *err)
{
    char path[LAB_PATH_MAX];
    *s = (struct lab_state){0};
    lab_path(lab, "lab.json", path, sizeof path);
    cJSON *o = json_read_file(path, 1 << 20, err);
    if (!o)
        return access(path, F_OK) == 0 ? STATUS_INPUT : STATUS_IO;
    enum status st = lab_state_from_json(o, s, err);
    cJSON_Delete(o);
    if (st == STATUS_OK && strcmp(s->name, lab) != 0) {
        lab_state_done(s);
        st = error_set(err, STATUS_INPUT, "testbed", "%s is the state of another lab", path);
    }
    return st;
}

void lab_state_done(struct lab_state *s)
{
    cJSON_Delete(s->up);
    *s = (struct lab_state){0};
}
