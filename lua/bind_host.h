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

/* lab._open_ssh, into the table on top of the stack. */
void bind_ssh(lua_State *L);

#endif
