/* Lab files in Lua. */
#include <lauxlib.h>

#include "lua/labfile.h"
#include "lua/script_internal.h"

/* lab.read_labfile(path): what the file says (lua/labfile.h), or nil, err; err.mistakes lists all
 * that is wrong with it */
static int l_read_labfile(lua_State *L)
{
    struct error e;
    cJSON *lab, *mistakes;
    if (labfile_load(luaL_checkstring(L, 1), &lab, &mistakes, &e) == STATUS_OK) {
        value_push_json(L, lab);
        cJSON_Delete(lab);
        return 1;
    }
    int n = value_push_failure(L, &e);
    if (mistakes) {
        value_push_json(L, mistakes);
        lua_setfield(L, -2, "mistakes");
        cJSON_Delete(mistakes);
    }
    return n;
}

void bind_labfile(lua_State *L)
{
    lua_pushcfunction(L, l_read_labfile);
    lua_setfield(L, -2, "read_labfile");
}
