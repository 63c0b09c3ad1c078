/* What a virtual lab is on disk and in the kernel: its name, its four hosts, its state file.
 *
 *   <paths_runtime()>/<name>/lock          flock'ed by the keeper for as long as it lives
 *   <paths_runtime()>/<name>/lab.json      struct lab_state, written before things are created
 *   <paths_runtime()>/<name>/events.jsonl  the keeper's events, if `testbed up` started it
 *   /run/netns/<name>-client_x ...         the hosts (ip-netns(8)) */
#ifndef CCALAB_TESTBED_LAB_H
#define CCALAB_TESTBED_LAB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "testbed/proc.h"

#define LAB_NAME_MAX     16
#define LAB_NAME_DEFAULT "ccalab"
#define LAB_PATH_MAX     512

enum lab_host { LAB_CLIENT_X, LAB_CLIENT_Y, LAB_ROUTER, LAB_SERVER, LAB_HOSTS };

/* [a-z0-9][a-z0-9-]{0,15}: it becomes part of namespace and file names. */
bool lab_name_is_valid(const char *name);
/* "client_x" ... */
const char *lab_host_name(enum lab_host host);
/* Where the host answers, "10.98.1.2". */
const char *lab_host_address(enum lab_host host);
/* "<name>-client_x", as `ip netns` shows it. */
void lab_netns_name(const char *lab, enum lab_host host, char *out, size_t size);
/* "/run/netns/<name>-client_x", for setns(2). */
void lab_netns_path(const char *lab, enum lab_host host, char *out, size_t size);
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
/* Remove the lab's directory and all in it. The caller holds the lock. */
void lab_remove_dir(const char *lab);
/* Call `fn` with the name of every lab that has a directory, in no order. */
void lab_each(void (*fn)(void *user, const char *lab), void *user);

enum lab_phase { LAB_BUILDING, LAB_UP, LAB_STOPPING };

struct lab_state {
    char name[LAB_NAME_MAX + 1];
    enum lab_phase phase;
    double created_s; /* seconds since the epoch */
    struct proc_id keeper;
    struct proc_id link;  /* ccalab-link; pid 0 before it started */
    struct proc_id owner; /* pid 0 if there is none */
    uint64_t rate_bps;
    uint32_t rtt_us;
    char aqm[16];
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
