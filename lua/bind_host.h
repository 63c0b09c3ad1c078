/* Hosts as bind_job.c and bind_ssh.c share them. */
#ifndef CCALAB_LUA_BIND_HOST_H
#define CCALAB_LUA_BIND_HOST_H

#include "lua/script_internal.h"
#include "remote/job.h"

/* The host of the Host userdata at `index`; raises if it is none. */
struct host *host_check(lua_State *L, int index);
/* Push a Host userdata. */
void host_push(lua_State *L, struct host *h);
/* Give the host to the script, which frees it at its end. Raises when out of memory. */
void host_adopt(lua_State *L, struct host *h);

/* Start what is no command of its own (job_start_with()), or a command (`process` is NULL), as a
 * job of the running task; pushes its Job. NULL with *e set. */
struct task_job *task_job_begin(lua_State *L, struct host *h, const struct job_opts *opts,
                                process_start_fn process, void *arg, struct error *e);
/* Wait for its end: use as `return task_job_wait(...)`. Gives what host:run() gives. */
int task_job_wait(lua_State *L, struct task_job *j);

/* host:upload() and host:download() (bind_transfer.c). */
int host_upload(lua_State *L);
int host_download(lua_State *L);

/* lab._open_ssh, into the table on top of the stack. */
void bind_ssh(lua_State *L);

#endif
