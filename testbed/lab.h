/* What a virtual lab is on disk and in the kernel: its name, its namespaces, its state file.
 *
 *   <paths_runtime()>/<name>/lock          flock'ed by the keeper for as long as it lives
 *   <paths_runtime()>/<name>/lab.json      struct lab_state, written before things are created
 *   <paths_runtime()>/<name>/events.jsonl  the keeper's events, if `testbed up` started it
 *   <paths_runtime()>/<name>/<router>.sock the control socket of that router's ccalab-link
 *   <paths_runtime()>/<name>/hosts         /etc/hosts of the lab's shells
 *   <paths_runtime()>/<name>/bin/tc        `ccalab testbed tc`, for the PATH of a router
 *   <paths_runtime()>/<name>/ssh/          keys and configuration, with --sshd
 *   /run/netns/<name>-client_x ...         the hosts (ip-netns(8))
 *
 * Of somebody who is not root the hosts are descriptors of the keeper, which is in a user namespace
 * of the lab's own, and end with it:
 *   <paths_runtime()>/<name>/userns        link to /proc/<keeper>/ns/user
 *   <paths_runtime()>/<name>/netns/<host>  link to /proc/<keeper>/fd/<n> */
#ifndef CCALAB_TESTBED_LAB_H
#define CCALAB_TESTBED_LAB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "testbed/proc.h"
#include "testbed/topology.h"

#define LAB_NAME_MAX     16
#define LAB_NAME_DEFAULT "ccalab"
#define LAB_PATH_MAX     512

/* [a-z0-9][a-z0-9-]{0,15}: it becomes part of namespace and file names. */
bool lab_name_is_valid(const char *name);
/* "<name>-client_x", as `ip netns` shows it. */
void lab_netns_name(const char *lab, const char *host, char *out, size_t size);
/* "/run/netns/<name>-client_x", or the link in the lab's directory: for setns(2), after
 * lab_enter_user(). */
void lab_netns_path(const char *lab, const char *host, char *out, size_t size);
/* The link to the lab's user namespace. False (and "") for root's labs, which have none. */
bool lab_userns_path(const char *lab, char *out, size_t size);
/* For us and what we start: the labs' directory stays where it is now, also in a user namespace,
 * where we have another id. */
void lab_keep_runtime(void);
/* Go into the lab's user namespace, for good, if it has one. Errors: those of userns_enter(). */
CCALAB_MUST_USE enum status lab_enter_user(const char *lab, struct error *err);
/* Path of a file in the lab's directory; `file` "" is the directory itself. */
void lab_path(const char *lab, const char *file, char *out, size_t size);

/* Take the lab's lock, making its directory; wait for it up to wait_ms. *fd is -1 if someone else
 * still holds it (a living keeper, or another command at work). close() gives it back.
 * Errors: STATUS_IO. */
CCALAB_MUST_USE enum status lab_lock(const char *lab, int wait_ms, int *fd, struct error *err);
/* The same for who wants to build: a lock that is held is an error, STATUS_FAIL. Waits a moment,
 * as the lock of a keeper that is just being killed lives on for some milliseconds. */
CCALAB_MUST_USE enum status lab_claim(const char *lab, int *fd, struct error *err);
/* Is the lock held by someone else? False where there is no such lab. */
bool lab_is_locked(const char *lab);
/* Where a router's ccalab-link listens. */
void lab_control_path(const char *lab, const char *router, char *out, size_t size);
/* Remove the lab's directory and all in it, one level of folders too. The caller holds the lock. */
void lab_remove_dir(const char *lab);
/* Call `fn` with the name of every lab that has a directory, in no order. */
void lab_each(void (*fn)(void *user, const char *lab), void *user);

enum lab_phase { LAB_BUILDING, LAB_UP, LAB_STOPPING };

/* A namespace without a path that would keep it: the inode number finds the processes in it, and
 * netns_cookie() tells it from a later one of that number. */
struct lab_netns {
    uint64_t dev, ino; /* ino 0: none */
    uint64_t cookie;
};

struct lab_state {
    char name[LAB_NAME_MAX + 1];
    enum lab_phase phase;
    double created_s; /* seconds since the epoch */
    struct proc_id keeper;
    struct proc_id links[TOPOLOGY_ROUTERS_MAX]; /* ccalab-link; pid 0 before it started */
    struct proc_id sshds[TOPOLOGY_NODES_MAX];   /* by node; pid 0 without --sshd */
    struct proc_id owner;                       /* pid 0 if there is none */
    struct lab_netns netns[TOPOLOGY_NODES_MAX]; /* by node; of labs in a user namespace */
    struct topology topology;
    cJSON *up; /* data of the keeper's result "up", or NULL. Owned */
};

const char *lab_phase_name(enum lab_phase phase);
/* Write lab.json atomically. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status lab_state_save(const struct lab_state *s, struct error *err);
/* Read it; caller calls lab_state_done(). Process ids of an earlier boot come back as 0.
 * Errors: STATUS_IO (no such lab), STATUS_INPUT. */
CCALAB_MUST_USE enum status lab_state_load(const char *lab, struct lab_state *s, struct error *err);
/* To and from JSON, apart from the file. from_json() checks everything: STATUS_INPUT. */
cJSON *lab_state_to_json(const struct lab_state *s);
CCALAB_MUST_USE enum status lab_state_from_json(const cJSON *o, struct lab_state *s,
                                                struct error *err);
void lab_state_done(struct lab_state *s);

#endif
