/* Record in Lua: the run directory. */
#include <lauxlib.h>
#include <string.h>

#include "core/paths.h"
#include "core/run.h"
#include "lua/script_internal.h"

#define RECORD_META "lab.Record"

struct record_box {
    struct record_box *next; /* in the script's list while `run` is there */
    struct run *run;         /* NULL once finished */
    unsigned long serial;
    char dir[CCALAB_PATH_MAX];
};

static struct record_box *check_record(lua_State *L)
{
    struct record_box *box = luaL_checkudata(L, 1, RECORD_META);
    if (!box->run)
        luaL_error(L, "this run record is finished");
    return box;
}

static void finish(struct script *s, struct record_box *box, const char *status,
                   const char *message)
{
    struct record_box **at = &s->records;
    while (*at != box)
        at = &(*at)->next;
    *at = box->next;
    run_finish(box->run, status, message);
    box->run = NULL;
}

struct record_note record_command_start(struct script *s, const char *host, const char *label,
                                        const char *const *argv)
{
    struct record_box *box = s->records;
    if (!box)
        return (struct record_note){0};
    return (struct record_note){box->serial, run_command_start(box->run, host, label, argv)};
}

void record_command_end(struct script *s, const struct record_note *note, enum status how,
                        int exit_code)
{
    for (struct record_box *box = s->records; box; box = box->next)
        if (box->serial == note->record)
            run_command_end(box->run, note->command, how, exit_code);
}

/* lab.record{name=, base=} */
static int l_record(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *name = opt_string(L, 1, "name", "run"), *base = opt_string(L, 1, "base", NULL);
    struct record_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    struct error e;
    *box = (struct record_box){0};
    if (run_new(base, name, script_of(L)->opts.bus, &box->run, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    static unsigned long serials;
    struct script *s = script_of(L);
    box->serial = ++serials;
    box->next = s->records;
    s->records = box;
    snprintf(box->dir, sizeof box->dir, "%s", run_dir(box->run));
    luaL_setmetatable(L, RECORD_META);
    return 1;
}

static int l_path(lua_State *L)
{
    char path[CCALAB_PATH_MAX];
    struct error e;
    if (run_path(check_record(L)->run, luaL_checkstring(L, 2), path, sizeof path, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushstring(L, path);
    return 1;
}

static int l_set(lua_State *L)
{
    struct run *run = check_record(L)->run;
    const char *key = luaL_checkstring(L, 2);
    luaL_checkany(L, 3);
    struct error e;
    if (run_set(run, key, value_to_json(L, 3), &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushboolean(L, true);
    return 1;
}

static int l_finish(lua_State *L)
{
    struct record_box *box = check_record(L);
    const char *status = luaL_optstring(L, 2, "ok"), *message = luaL_optstring(L, 3, NULL);
    finish(script_of(L), box, status, message);
    return 0;
}

/* local r <close> = lab.record{...}: what the block did not finish is recorded as what stopped it.
 */
static int l_close(lua_State *L)
{
    struct record_box *box = luaL_checkudata(L, 1, RECORD_META);
    if (!box->run)
        return 0;
    struct error e = {0};
    if (!lua_isnoneornil(L, 2))
        value_to_error(L, 2, &e);
    finish(script_of(L), box,
           e.status == STATUS_INTERRUPTED ? "interrupted"
           : e.status != STATUS_OK        ? "failed"
                                          : "unfinished",
           e.message[0] ? e.message : NULL);
    return 0;
}

static int l_gc(lua_State *L)
{
    lua_settop(L, 1); /* no error value */
    return l_close(L);
}

static int l_index(lua_State *L)
{
    struct record_box *box = luaL_checkudata(L, 1, RECORD_META);
    if (strcmp(luaL_checkstring(L, 2), "dir") == 0) {
        lua_pushstring(L, box->dir);
        return 1;
    }
    luaL_getmetafield(L, 1, "methods");
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
}

void bind_record(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"path", l_path}, {"set", l_set}, {"finish", l_finish}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__index", l_index}, {"__close", l_close}, {"__gc", l_gc}, {NULL, NULL}};
    luaL_newmetatable(L, RECORD_META);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "methods");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_record);
    lua_setfield(L, -2, "record");
}
