/* A host of the lab: something that jobs can be started on. The transport is all that differs:
 * this machine, a network namespace on it, later SSH. Thread: main only. */
#ifndef CCALAB_REMOTE_HOST_H
#define CCALAB_REMOTE_HOST_H

#include "core/error.h"
#include "core/loop.h"

enum host_kind { HOST_KIND_LOCAL, HOST_KIND_NETNS };
enum host_state { HOST_STATE_UP, HOST_STATE_DOWN };

struct host;

/* The machine the console runs on. Name as in the lab: "local". NULL when out of memory. */
struct host *host_local_new(const char *name);
/* A virtual host: `netns` is a path for setns(2) ("/run/netns/ccalab-router"), `userns` that of the
 * user namespace that owns it (NULL: the machine's own, and then only root can go there), `address`
 * its IP address in the lab (may be ""). */
struct host *host_netns_new(const char *name, const char *netns, const char *userns,
                            const char *address);
/* The host must have no running job. */
void host_free(struct host *h);

/* Is it the host of this name at this place? The namespaces may be NULL. */
bool host_is(const struct host *h, const char *name, const char *netns, const char *userns);
const char *host_name(const struct host *h);
const char *host_address(const struct host *h);
enum host_kind host_kind(const struct host *h);
const char *host_kind_name(const struct host *h); /* "local", "netns" */
enum host_state host_state(const struct host *h);
void host_set_state(struct host *h, enum host_state state);
/* Jobs running on it now. */
int host_jobs(const struct host *h);

/* For job.c: start a process on the host with its output on the loop. */
CCALAB_MUST_USE enum status host_spawn(struct host *h, uv_loop_t *loop,
                                       const struct spawn_opts *opts,
                                       const struct child_callbacks *cb, void *user,
                                       struct child **out, struct error *err);
void host_job_count(struct host *h, int delta);

#endif
