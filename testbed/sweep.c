#include "testbed/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "testbed/lab.h"
#include "testbed/proc.h"

#define COOKIE_TIMEOUT_MS 2000
#define NSFS_MAGIC        0x6e736673 /* <linux/magic.h> */
#define KILL_ROUNDS       200        /* of 5 ms: processes may fork while we look */

struct ns_id {
    dev_t dev;
    ino_t ino; /* 0: no namespace */
};

static struct ns_id ns_of(const char *path)
{
    struct stat st;
    struct statfs fs;
    if (statfs(path, &fs) != 0 || fs.f_type != NSFS_MAGIC || stat(path, &st) != 0)
        return (struct ns_id){0};
    return (struct ns_id){st.st_dev, st.st_ino};
}

static bool is_same(struct ns_id a, struct ns_id b)
{
    return a.ino != 0 && a.ino == b.ino && a.dev == b.dev;
}

bool sweep_finds_namespace(const char *lab, const struct topology *t, char *out, size_t size)
{
    for (int i = 0; i < topology_nodes(t); i++) {
        char path[LAB_PATH_MAX];
        struct topology_node n = topology_node(t, i);
        lab_netns_path(lab, n.name, path, sizeof path);
        if (access(path, F_OK) == 0) {
            lab_netns_name(lab, n.name, out, size);
            return true;
        }
    }
    return false;
}

static bool is_among(struct ns_id in, const struct ns_id *ns, int n)
{
    for (int i = 0; i < n; i++)
        if (is_same(in, ns[i]))
            return true;
    return false;
}

/* One look through /proc: kill who lives in one of the namespaces. Returns how many were found. */
static int kill_inside(const struct ns_id *ns, int n)
{
    int found = 0;
    DIR *d = opendir("/proc");
    if (!d)
        return 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[300];
        struct proc_id id;
        int pid = atoi(e->d_name);
        if (pid <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
        struct ns_id in = ns_of(path); /* a zombie has none */
        if (!is_among(in, ns, n) || !proc_id_of(pid, &id))
            continue;
        int fd = proc_open(&id);
        if (fd < 0)
            continue;
        in = ns_of(path); /* again, now that the pidfd pins it: a pid may change hands */
        found += is_among(in, ns, n) && proc_signal(fd, SIGKILL);
        close(fd);
    }
    closedir(d);
    return found;
}

/* --- a user's lab whose keeper was killed -------------------------------------------------------
 */

/* The cookie of a namespace that is not ours to enter as we are: asked by a process that may. */
static uint64_t cookie_of(int netns_fd)
{
    char self[CCALAB_PATH_MAX], user[64], net[64];
    const char *const argv[] = {self, "testbed", "cookie", NULL};
    struct spawn_opts opts = {.argv = argv, .userns = user, .netns = net};
    struct buf out;
    uint64_t cookie = 0;
    int user_fd = ioctl(netns_fd, NS_GET_USERNS);
    if (user_fd < 0 || !paths_self(self, sizeof self))
        return 0;
    snprintf(user, sizeof user, "/proc/self/fd/%d", user_fd);
    snprintf(net, sizeof net, "/proc/self/fd/%d", netns_fd);
    buf_init(&out, 64);
    if (spawn_run_at(&opts, NULL, &out, COOKIE_TIMEOUT_MS, NULL) == STATUS_OK)
        cookie = strtoull(out.data, NULL, 16);
    buf_done(&out);
    close(user_fd);
    return cookie;
}

/* The namespaces of the dead keeper that live on because processes do: their ids to ns[], and a
 * descriptor to pins[] (else -1), so that no other one gets the number meanwhile. */
static void find_strays(const struct lab_state *s, struct ns_id *ns, int *pins)
{
    bool is_asked[TOPOLOGY_NODES_MAX] = {false};
    DIR *d = opendir("/proc");
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char path[300];
        struct stat is;
        int fd, h = 0, n = topology_nodes(&s->topology);
        snprintf(path, sizeof path, "/proc/%s/ns/net", e->d_name);
        if (atoi(e->d_name) <= 0 || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            continue;
        while (fstat(fd, &is) == 0 && h < n &&
               (s->netns[h].ino != is.st_ino || s->netns[h].dev != is.st_dev))
            h++;
        if (h < n && !is_asked[h]) {
            is_asked[h] = true;
            if (cookie_of(fd) == s->netns[h].cookie) {
                ns[h] = (struct ns_id){is.st_dev, is.st_ino};
                pins[h] = fd;
                continue;
            }
        }
        close(fd);
    }
    if (d)
        closedir(d);
}

/* --- everybody's --------------------------------------------------------------------------------
 */

/* What is to be swept. */
struct site {
    const char *lab;
    struct topology topology;
    bool is_orphaned; /* the namespaces' paths lead nowhere any more, or to somebody else */
    struct ns_id ns[TOPOLOGY_NODES_MAX];
};

static enum status kill_processes(struct site *w, struct sweep_report *report, struct error *err)
{
    const char *lab = w->lab;
    const struct topology *t = &w->topology;
    struct ns_id *ns = w->ns, init = ns_of("/proc/1/ns/net"), self = ns_of("/proc/self/ns/net");
    bool has_any = false;
    int n = topology_nodes(t);
    for (int h = 0; h < n; h++) {
        char path[LAB_PATH_MAX];
        lab_netns_path(lab, topology_node(t, h).name, path, sizeof path);
        if (!w->is_orphaned)
            ns[h] = ns_of(path);
        /* A name bound to the machine's own namespace is only a name: nobody in there is ours. */
        if (is_same(ns[h], init))
            ns[h] = (struct ns_id){0};
        if (is_same(ns[h], self)) {
            error_set(err, STATUS_HOST, "testbed", "this shell runs inside %s of lab %s",
                      topology_node(t, h).name, lab);
            return err ? error_hint(err, "leave it (exit), then try again") : STATUS_HOST;
        }
        has_any |= ns[h].ino != 0;
    }
    int alive = 0, most = 0;
    for (int round = 0; has_any && round < KILL_ROUNDS; round++) {
        alive = kill_inside(ns, n);
        most = alive > most ? alive : most;
        if (alive == 0)
            break;
        poll(NULL, 0, 5);
    }
    report->processes += most;
    if (alive > 0)
        return error_set(err, STATUS_HOST, "testbed",
                         "%d processes in the namespaces of %s do not die", alive, lab);
    return STATUS_OK;
}

/* What ip-netns(8) does, without needing it. */
static enum status remove_namespaces(const struct site *w, struct sweep_report *report,
                                     struct error *err)
{
    enum status st = STATUS_OK;
    for (int h = 0; h < topology_nodes(&w->topology); h++) {
        char path[LAB_PATH_MAX];
        lab_netns_path(w->lab, topology_node(&w->topology, h).name, path, sizeof path);
        if (access(path, F_OK) != 0)
            continue;
        while (umount2(path, MNT_DETACH) == 0)
            ;
        if (unlink(path) == 0)
            report->namespaces++;
        else
            st = error_sys(err, STATUS_HOST, errno, "testbed", "cannot remove %s", path);
    }
    return st;
}

enum status sweep_lab(const char *lab, struct sweep_report *report, struct error *err)
{
    static const struct topology_router none = {.name = ""};
    struct site w = {.lab = lab};
    int pins[TOPOLOGY_NODES_MAX];
    struct lab_state s;
    memset(pins, -1, sizeof pins);
    /* Without a readable state there is nobody recorded, and the names are the usual ones. */
    topology_default(&w.topology, &none);
    if (lab_state_load(lab, &s, NULL) == STATUS_OK) {
        report->processes += s.keeper.pid != getpid() && proc_kill(&s.keeper);
        for (int i = 0; i < s.topology.nrouters; i++)
            report->processes += proc_kill(&s.links[i]);
        w.topology = s.topology;
        w.is_orphaned = !paths_is_root() && !proc_is_alive(&s.keeper);
        if (w.is_orphaned)
            find_strays(&s, w.ns, pins);
        lab_state_done(&s);
    }
    enum status st = kill_processes(&w, report, err);
    for (int i = 0; i < TOPOLOGY_NODES_MAX; i++)
        if (pins[i] >= 0)
            close(pins[i]);
    return st == STATUS_OK ? remove_namespaces(&w, report, err) : st;
}
