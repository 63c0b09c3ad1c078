/* The journal of changes to hosts, and rebuilding queues, in Lua; for the prelude's change.lua. */
#include <lauxlib.h>

#include "lua/script_internal.h"
#include "remote/journal.h"
#include "remote/tc_rebuild.h"

#define JOURNAL_META "lab.Journal"

struct journal_box {
    struct journal *journal;
};

static struct journal *check_journal(lua_State *L)
{
    struct journal *j = ((struct journal_box *)luaL_checkudata(L, 1, JOURNAL_META))->journal;
    luaL_argcheck(L, j, 1, "the journal is closed");
    return j;
}

/* lab._journal(key, host or nil): open it, to change the host, or (nil) to put it back */
static int l_journal(lua_State *L)
{
    const char *key = luaL_checkstring(L, 1);
    struct error e;
    struct journal_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->journal = NULL;
    luaL_setmetatable(L, JOURNAL_META);
    cJSON *host = lua_istable(L, 2) ? value_to_json(L, 2) : NULL;
    enum status st =
        journal_open(key, host ? JOURNAL_CHANGE : JOURNAL_RESTORE, host, &box->journal, &e);
    cJSON_Delete(host);
    return st == STATUS_OK ? 1 : value_push_failure(L, &e);
}

/* lab._journals(): all there are, as journal_list() gives them */
static int l_journals(lua_State *L)
{
    struct error e;
    cJSON *list;
    if (journal_list(&list, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    value_push_json(L, list);
    cJSON_Delete(list);
    return 1;
}

/* journal:add(entry): its id, once it is on the disk */
static int l_add(lua_State *L)
{
    struct journal *j = check_journal(L);
    struct error e;
    int id;
    if (journal_add(j, value_to_json(L, 2), &id, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushinteger(L, id);
    return 1;
}

static int l_done(lua_State *L)
{
    struct error e;
    if (journal_done(check_journal(L), (int)luaL_checkinteger(L, 2), &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushboolean(L, true);
    return 1;
}

static int l_pending(lua_State *L)
{
    value_push_json(L, journal_pending(check_journal(L)));
    return 1;
}

static int l_close(lua_State *L)
{
    struct journal_box *box = luaL_checkudata(L, 1, JOURNAL_META);
    journal_close(box->journal);
    box->journal = NULL;
    return 0;
}

/* lab._tc_rebuild(qdiscs, dev): the steps, {{argv=, may_fail=}, ...} */
static int l_tc_rebuild(lua_State *L)
{
    struct error e;
    cJSON *qdiscs = value_to_json(L, 1), *steps;
    enum status st = tc_rebuild(qdiscs, luaL_checkstring(L, 2), &steps, &e);
    cJSON_Delete(qdiscs);
    if (st != STATUS_OK)
        return value_push_failure(L, &e);
    value_push_json(L, steps);
    cJSON_Delete(steps);
    return 1;
}

/* lab._tc_is_same(a, b): do these lists of qdiscs describe the same queues? */
static int l_tc_is_same(lua_State *L)
{
    cJSON *a = value_to_json(L, 1), *b = value_to_json(L, 2);
    lua_pushboolean(L, tc_is_same(a, b));
    cJSON_Delete(a);
    cJSON_Delete(b);
    return 1;
}

void bind_journal(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add", l_add}, {"done", l_done}, {"pending", l_pending}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"_journal", l_journal},
                                         {"_journals", l_journals},
                                         {"_tc_rebuild", l_tc_rebuild},
                                         {"_tc_is_same", l_tc_is_same},
                                         {NULL, NULL}};
    luaL_newmetatable(L, JOURNAL_META);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
