/* Files to hosts and back, in Lua. */
#include <lauxlib.h>

#include "lua/bind_host.h"
#include "remote/transfer.h"

/* host:upload(local, remote, {resume=, delta=}), host:download(remote, local, ...): a file or a
 * tree. On this machine and in its namespaces, which see the same files, cp(1) does it. */
static int transfer(lua_State *L, bool is_upload)
{
    struct host *h = host_check(L, 1);
    const char *from = luaL_checkstring(L, 2), *to = luaL_checkstring(L, 3);
    char label[128];
    struct error e;
    struct task_job *j;
    lua_settop(L, 4);
    if (lua_isnil(L, 4)) {
        lua_newtable(L);
        lua_replace(L, 4);
    }
    luaL_checktype(L, 4, LUA_TTABLE);
    snprintf(label, sizeof label, "%s %s", is_upload ? "upload" : "download", host_name(h));
    struct job_opts opts = {.label = label};
    if (host_kind(h) == HOST_KIND_SSH) {
        struct transfer_opts t = {.is_upload = is_upload,
                                  .can_resume = opt_bool(L, 4, "resume", true),
                                  .is_delta = opt_bool(L, 4, "delta", true),
                                  .local = is_upload ? from : to,
                                  .remote = is_upload ? to : from};
        opts.output = JOB_OUTPUT_EVENTS;
        opts.grace_ms = 5000;
        j = task_job_begin(L, h, &opts, transfer_start, &t, &e);
    } else {
        const char *argv[] = {"cp", "-rT", "--preserve=mode", "--", from, to, NULL};
        opts.argv = argv;
        j = task_job_begin(L, h, &opts, NULL, NULL, &e);
    }
    return j ? task_job_wait(L, j) : value_push_failure(L, &e);
}

int host_upload(lua_State *L)
{
    return transfer(L, true);
}

int host_download(lua_State *L)
{
    return transfer(L, false);
}
