/* What tc says, in Lua. */
#include <lauxlib.h>

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

void bind_tc(lua_State *L)
{
    lua_pushcfunction(L, l_tc_qdiscs);
    lua_setfield(L, -2, "tc_qdiscs");
}
