/* Hosts over SSH in Lua. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "lua/bind_host.h"
#include "lua/task.h"

/* One for every SSH host, as a userdata in the registry under the host's address. */
struct opening {
    struct script *script;
    struct host *host;
    struct wait_list waiters; /* tasks in lab._open_ssh() */
};

static int push_outcome(lua_State *L, void *arg)
{
    struct host *h = ((struct opening *)arg)->host;
    luaL_checkstack(L, 4, "host");
    if (host_state(h) != HOST_STATE_UP)
        return value_push_failure(L, host_why(h));
    host_push(L, h);
    return 1;
}

static void on_state(void *user, struct host *h)
{
    struct opening *o = user;
    if (host_state(h) != HOST_STATE_CONNECTING)
        wait_list_wake(&o->waiters, push_outcome, o);
}

/* Call the function that the script gave with the prompt; what it returns is the secret. */
static enum ssh_answer ask_script(void *user, struct ssh_link *l, enum ssh_question kind,
                                  const char *prompt, char *out, size_t size)
{
    struct opening *o = user;
    (void)l;
    (void)kind;
    lua_State *L = o->script->L;
    int top = lua_gettop(L);
    bool has = false;
    luaL_checkstack(L, 4, "prompt");
    lua_rawgetp(L, LUA_REGISTRYINDEX, o);
    lua_pushstring(L, prompt);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        log_warn("ask: %s", luaL_tolstring(L, -1, NULL));
    else if (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) < size) {
        snprintf(out, size, "%s", lua_tostring(L, -1));
        has = true;
    }
    lua_settop(L, top);
    return has ? SSH_ANSWER_GIVEN : SSH_ANSWER_NONE;
}

static struct host *find(struct script *s, const char *name)
{
    for (size_t i = 0; i < s->nhosts; i++)
        if (host_kind(s->hosts[i]) == HOST_KIND_SSH && strcmp(host_name(s->hosts[i]), name) == 0)
            return s->hosts[i];
    return NULL;
}

/* lab._open_ssh{name=, host=, ...}: waits until the host is up or cannot be reached. The same name
 * gives the same host. */
static int l_open_ssh(lua_State *L)
{
    struct script *s = script_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    task_current(L); /* raises where nobody could wait */
    const char *name = opt_string(L, 1, "name", NULL), *host = opt_string(L, 1, "host", name);
    luaL_argcheck(L, name || host, 1, "a host needs a name");
    name = name ? name : host;
    double port = opt_number(L, 1, "port", 0), limit_s = opt_number(L, 1, "connect_s", 0);
    double idle_s = opt_number(L, 1, "idle_s", 0);
    luaL_argcheck(L, port >= 0 && port <= 65535, 1, "port: 1 to 65535");
    luaL_argcheck(L, limit_s >= 0 && limit_s <= 3600, 1, "connect_s: up to 3600");
    luaL_argcheck(L, idle_s >= 0 && idle_s <= 86400, 1, "idle_s: up to 86400");
    struct ssh_opts opts = {.host = host,
                            .user = opt_string(L, 1, "user", NULL),
                            .identity = opt_string(L, 1, "identity", NULL),
                            .known_hosts = opt_string(L, 1, "known_hosts", NULL),
                            .config = opt_string(L, 1, "config", NULL),
                            .port = (int)port,
                            .ask = s->opts.ask,
                            .ask_user = s->opts.ask_user,
                            .accept_new = opt_bool(L, 1, "accept_new", s->opts.accepts_new_keys),
                            .connect_timeout_ms = (int)(limit_s * 1000),
                            .idle_timeout_ms = (int)(idle_s * 1000)};
    struct host *h = find(s, name);
    struct opening *o;
    if (h) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, h);
        o = lua_touserdata(L, -1);
        if (host_state(h) == HOST_STATE_UP)
            return push_outcome(L, o);
        if (host_state(h) == HOST_STATE_DOWN)
            ssh_link_retry(host_link(h));
        return task_wait(L, &o->waiters, 0, name);
    }
    o = lua_newuserdatauv(L, sizeof *o, 0);
    *o = (struct opening){.script = s};
    if (lua_getfield(L, 1, "ask") == LUA_TFUNCTION) {
        opts.ask = ask_script;
        opts.ask_user = o;
        lua_rawsetp(L, LUA_REGISTRYINDEX, o);
    } else {
        lua_pop(L, 1);
    }
    struct error e;
    if (host_ssh_new(name, opt_string(L, 1, "address", NULL), s->opts.loop, &opts, &h, &e) !=
        STATUS_OK)
        return value_push_failure(L, &e);
    host_adopt(L, h);
    o->host = h;
    lua_rawsetp(L, LUA_REGISTRYINDEX, h);
    host_watch(h, on_state, o);
    return task_wait(L, &o->waiters, 0, name);
}

void bind_ssh(lua_State *L)
{
    lua_pushcfunction(L, l_open_ssh);
    lua_setfield(L, -2, "_open_ssh");
}
