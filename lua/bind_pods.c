/* Web services in Lua: questions to Runpod and to the model hub, and the scripts that run on hosts.
 * lua/prelude/pods.lua and hub.lua make of them what scripts use. */
#include <lauxlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/embed.h"
#include "core/paths.h"
#include "lua/bind_host.h"
#include "remote/hub.h"
#include "remote/runpod.h"
#include "remote/secret.h"
#include "remote/web.h"

#define URL_MAX    2048
#define TIMEOUT_MS 60000
#define OUTPUT_MAX (32u << 20)

EMBED_DECLARE(remote_watchdog);
EMBED_DECLARE(remote_build_netllm);
EMBED_DECLARE(remote_hub_get);

/* Ask, with the key of `kind` if there is one (or an error, if there must be); the answer is what
 * host:run() gives of a program that prints it. */
static int ask(lua_State *L, struct host *h, struct http_request *request, enum secret_kind kind,
               bool must_have_key, struct web_opts *web, const char *label)
{
    char key[SECRET_MAX];
    struct error e;
    enum status st = secret_get(kind, key, &e);

    if (st != STATUS_OK && (must_have_key || st != STATUS_UNAVAILABLE))
        return value_push_failure(L, &e);
    request->bearer = st == STATUS_OK ? key : NULL;
    request->timeout_ms = TIMEOUT_MS;
    web->request = request;
    struct job_opts opts = {.label = label, .max_output = OUTPUT_MAX};
    struct task_job *j = task_job_begin(L, h, &opts, web_start, web, &e);
    secret_wipe(key); /* the request was copied */
    return j ? task_job_wait(L, j) : value_push_failure(L, &e);
}

/* lab._runpod(localhost, {op=, id=, query=, body=}): remote/runpod.h */
static int l_runpod(lua_State *L)
{
    struct host *h = host_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    enum runpod_op op = runpod_op_from_name(opt_string(L, 2, "op", ""));
    struct buf url;
    struct error e;
    char address[URL_MAX], label[64];

    luaL_argcheck(L, op < RUNPOD_OP_COUNT, 2, "op: no such operation");
    buf_init(&url, sizeof address - 1);
    enum status st =
        runpod_url(op, opt_string(L, 2, "id", NULL), opt_string(L, 2, "query", NULL), &url, &e);
    snprintf(address, sizeof address, "%s", url.data);
    buf_done(&url);
    if (st != STATUS_OK)
        return value_push_failure(L, &e);
    snprintf(label, sizeof label, "runpod %s", opt_string(L, 2, "op", ""));
    struct http_request request = {.method = runpod_op_method(op),
                                   .url = address,
                                   .body = opt_string(L, 2, "body", NULL),
                                   .max_body = RUNPOD_REPLY_MAX};
    struct web_opts web = {.judge = runpod_judge, .arg = op};
    return ask(L, h, &request, SECRET_RUNPOD, true, &web, label);
}

/* lab._hub(localhost, repo, revision): remote/hub.h */
static int l_hub(lua_State *L)
{
    struct host *h = host_check(L, 1);
    struct buf url;
    struct error e;
    char address[URL_MAX];

    buf_init(&url, sizeof address - 1);
    enum status st = hub_url(luaL_checkstring(L, 2), luaL_checkstring(L, 3), &url, &e);
    snprintf(address, sizeof address, "%s", url.data);
    buf_done(&url);
    if (st != STATUS_OK)
        return value_push_failure(L, &e);
    struct http_request request = {
        .method = "GET", .url = address, .max_body = HUB_REPLY_MAX, .max_redirects = 3};
    struct web_opts web = {.judge = hub_judge};
    return ask(L, h, &request, SECRET_HUB, false, &web, "hub");
}

/* lab._secret_file("runpod" or "hub", path): write the key to a new file of mode 0600, to be
 * uploaded and removed. False where there is none; nil, err. */
static int l_secret_file(lua_State *L)
{
    static const char *const kinds[] = {"runpod", "hub", NULL};
    enum secret_kind kind = luaL_checkoption(L, 1, NULL, kinds) == 0 ? SECRET_RUNPOD : SECRET_HUB;
    const char *path = luaL_checkstring(L, 2);
    char key[SECRET_MAX];
    struct error e;
    enum status st = secret_get(kind, key, &e);

    if (st == STATUS_UNAVAILABLE) {
        lua_pushboolean(L, false);
        return 1;
    } else if (st != STATUS_OK)
        return value_push_failure(L, &e);
    st = file_write_new(path, key, strlen(key), 0600, &e);
    secret_wipe(key);
    if (st != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushboolean(L, true);
    return 1;
}

/* lab._state_dir(): $XDG_STATE_HOME/ccalab */
static int l_state_dir(lua_State *L)
{
    char path[CCALAB_PATH_MAX];

    if (!paths_state(path, sizeof path))
        return luaL_error(L, "there is no home directory");
    lua_pushstring(L, path);
    return 1;
}

void bind_pods(lua_State *L)
{
    static const luaL_Reg functions[] = {{"_runpod", l_runpod},
                                         {"_hub", l_hub},
                                         {"_secret_file", l_secret_file},
                                         {"_state_dir", l_state_dir},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushstring(L, hub_base());
    lua_setfield(L, -2, "_hub_base");
    lua_newtable(L);
    lua_pushlstring(L, (const char *)remote_watchdog_data, remote_watchdog_size);
    lua_setfield(L, -2, "watchdog");
    lua_pushlstring(L, (const char *)remote_build_netllm_data, remote_build_netllm_size);
    lua_setfield(L, -2, "build_netllm");
    lua_pushlstring(L, (const char *)remote_hub_get_data, remote_hub_get_size);
    lua_setfield(L, -2, "hub_get");
    lua_setfield(L, -2, "_scripts");
}
