/* A host of the lab: something that jobs can be started on. The transport is all that differs:
 * this machine, a network namespace on it, or SSH. Thread: main only. */
#ifndef CCALAB_REMOTE_HOST_H
#define CCALAB_REMOTE_HOST_H

#include "core/error.h"
#include "remote/process.h"
#include "remote/ssh.h"

enum host_kind { HOST_KIND_LOCAL, HOST_KIND_NETNS, HOST_KIND_SSH };
/* CONNECTING: an SSH host on its way up, for the first time or again. */
enum host_state { HOST_STATE_UP, HOST_STATE_DOWN, HOST_STATE_CONNECTING };

struct host;

/* The machine the console runs on. Name as in the lab: "local"; `address` its IP address there.
 * NULL when out of memory. */
struct host *host_local_new(const char *name, const char *address);
/* A virtual host: `netns` is a path for setns(2) ("/run/netns/ccalab-router"), `userns` that of the
 * user namespace that owns it (NULL: the machine's own, and then only root can go there), `address`
 * its IP address in the lab (may be ""), `bin` a directory of programs that are
 * its own, before those of $PATH (a virtual router's tc), or NULL. */
struct host *host_netns_new(const char *name, const char *netns, const char *userns,
                            const char *address, const char *bin);
/* A host behind SSH; connecting begins at once. `address` is its IP address in the lab, NULL: that
 * of the SSH connection. Errors: STATUS_UNAVAILABLE (built without libssh), STATUS_NOMEM,
 * STATUS_INTERNAL. */
CCALAB_MUST_USE enum status host_ssh_new(const char *name, const char *address, uv_loop_t *loop,
                                         const struct ssh_opts *opts, struct host **out,
                                         struct error *err);
/* The host must have no running job. */
void host_free(struct host *h);

/* Is it the host of this name at this place? The namespaces may be NULL. Never an SSH host. */
bool host_is(const struct host *h, const char *name, const char *netns, const char *userns);
const char *host_name(const struct host *h);
const char *host_address(const struct host *h);
/* Of virtual hosts, as they were given; NULL: none. */
const char *host_netns(const struct host *h);
const char *host_userns(const struct host *h);
const char *host_bin(const struct host *h);
enum host_kind host_kind(const struct host *h);
const char *host_kind_name(const struct host *h); /* "local", "netns", "ssh" */
enum host_state host_state(const struct host *h);
/* Why an SSH host is not up; status STATUS_OK if nothing is known to be wrong. */
const struct error *host_why(const struct host *h);
/* Of virtual hosts; an SSH host knows its own state. */
void host_set_state(struct host *h, enum host_state state);
/* `fn` is called whenever an SSH host's state has changed. One watcher; NULL for none. */
void host_watch(struct host *h, void (*fn)(void *user, struct host *h), void *user);
/* The link of an SSH host, else NULL. */
struct ssh_link *host_link(struct host *h);
/* Jobs running on it now. */
int host_jobs(const struct host *h);

/* For job.c: start a process on the host with its output on the loop. Only argv, env and cwd of
 * `opts` count; it is borrowed. Errors: those of process_local_start(), STATUS_HOST if it is not
 * up.
 */
CCALAB_MUST_USE enum status host_spawn(struct host *h, uv_loop_t *loop,
                                       const struct spawn_opts *opts,
                                       const struct process_callbacks *cb, void *user,
                                       struct process **out, struct error *err);
void host_job_count(struct host *h, int delta);

#endif
