#include "testbed/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "testbed/lab.h"
#include "testbed/proc.h"

#define NSFS_MAGIC  0x6e736673 /* <linux/magic.h> */
#define KILL_ROUNDS 200        /* of 5 ms: processes may fork while we look */

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

static enum status kill_processes(const char *lab, const struct topology *t,
                                  struct sweep_report *report, struct error *err)
{
    struct ns_id ns[TOPOLOGY_NODES_MAX], init = ns_of("/proc/1/ns/net"),
                                         self = ns_of("/proc/self/ns/net");
    bool has_any = false;
    int n = topology_nodes(t);
    for (int h = 0; h < n; h++) {
        char path[LAB_PATH_MAX];
        lab_netns_path(lab, topology_node(t, h).name, path, sizeof path);
        ns[h] = ns_of(path);
        /* A name bound to the machine's own namespace is only a name: nobody in there is ours. */
        if (is_same(ns[h], init))
            ns[h] = (struct ns_id){0};
        if (is_same(ns[h], self)) {
            error_set(err, STATUS_HOST, "testbed", "this shell runs inside %s", path + 11);
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
static enum status remove_namespaces(const char *lab, const struct topology *t,
                                     struct sweep_report *report, struct error *err)
{
    enum status st = STATUS_OK;
    for (int h = 0; h < topology_nodes(t); h++) {
        char path[LAB_PATH_MAX];
        lab_netns_path(lab, topology_node(t, h).name, path, sizeof path);
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
    struct topology t;
    struct lab_state s;
    /* Without a readable state there is nobody recorded, and the names are the usual ones. */
    topology_default(&t, &none);
    if (lab_state_load(lab, &s, NULL) == STATUS_OK) {
        report->processes += s.keeper.pid != getpid() && proc_kill(&s.keeper);
        for (int i = 0; i < s.topology.nrouters; i++)
            report->processes += proc_kill(&s.links[i]);
        t = s.topology;
        lab_state_done(&s);
    }
    enum status st = kill_processes(lab, &t, report, err);
    if (st != STATUS_OK)
        return st;
    return remove_namespaces(lab, &t, report, err);
}
