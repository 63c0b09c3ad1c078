/* What tc says, in Lua. */
#include <lauxlib.h>

#include "core/units.h"
#include "lua/script_internal.h"
#include "remote/tc_parse.h"

/* lab.tc_qdiscs(text): the qdiscs in the output of `tc [-j] [-s] qdisc show` (remote/tc_parse.h),
 * or nil, err */
static int l_tc_qdiscs(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct error e;
    cJSON *list;
    if (tc_qdisc_parse(text, len, &list, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    value_push_json(L, list);
    cJSON_Delete(list);
    return 1;
}

/* lab.rate_bps(text): a rate in tc's words ("50mbit") in bit/s, or nil, err */
static int l_rate_bps(lua_State *L)
{
    struct error e;
    uint64_t bps;
    if (parse_rate_bps(luaL_checkstring(L, 1), &bps, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushinteger(L, (lua_Integer)bps);
    return 1;
}

void bind_tc(lua_State *L)
{
    lua_pushcfunction(L, l_rate_bps);
    lua_setfield(L, -2, "rate_bps");
    lua_pushcfunction(L, l_tc_qdiscs);
    lua_setfield(L, -2, "tc_qdiscs");
}
