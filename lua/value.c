#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "lua/script_internal.h"

#define ERROR_META "lab.Error"
#define MAX_DEPTH  64
#define MAX_ARGS   256

/* --- errors ----------------------------------------------------------------------------------- */

void value_push_error(lua_State *L, const struct error *err)
{
    luaL_checkstack(L, 4, "error value");
    lua_createtable(L, 0, 4);
    lua_pushstring(L, status_name(err->status));
    lua_setfield(L, -2, "status");
    lua_pushstring(L, err->subsystem);
    lua_setfield(L, -2, "subsystem");
    lua_pushstring(L, err->message);
    lua_setfield(L, -2, "message");
    if (err->hint[0]) {
        lua_pushstring(L, err->hint);
        lua_setfield(L, -2, "hint");
    }
    luaL_setmetatable(L, ERROR_META);
}

int value_push_failure(lua_State *L, const struct error *err)
{
    luaL_checkstack(L, 5, "error value");
    lua_pushnil(L);
    value_push_error(L, err);
    return 2;
}

static const char *raw_string(lua_State *L, int index, const char *key, const char *def)
{
    lua_pushstring(L, key);
    lua_rawget(L, index);
    const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : def;
    lua_pop(L, 1); /* still referenced by the table */
    return s;
}

void value_to_error(lua_State *L, int index, struct error *err)
{
    index = lua_absindex(L, index);
    if (lua_istable(L, index) && raw_string(L, index, "message", NULL)) {
        error_set(err, status_from_name(raw_string(L, index, "status", "failed")),
                  raw_string(L, index, "subsystem", "script"), "%s",
                  raw_string(L, index, "message", ""));
        error_hint(err, "%s", raw_string(L, index, "hint", ""));
    } else if (lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER) {
        lua_pushvalue(L, index); /* lua_tostring changes numbers in place */
        error_set(err, STATUS_FAIL, "script", "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
    } else {
        error_set(err, STATUS_FAIL, "script", "(error object is a %s value)",
                  luaL_typename(L, index));
    }
}

static int l_error_tostring(lua_State *L)
{
    struct error e;
    value_to_error(L, 1, &e);
    lua_pushfstring(L, "%s: %s", e.subsystem, e.message);
    if (e.hint[0])
        lua_pushfstring(L, "\n  hint: %s", e.hint);
    lua_concat(L, e.hint[0] ? 2 : 1);
    return 1;
}

/* lab.failure(status, subsystem, message, hint): nil and the error, for `return lab.failure(...)`
 */
static int l_failure(lua_State *L)
{
    struct error e;
    enum status st = status_from_name(luaL_checkstring(L, 1));
    error_set(&e, st, luaL_checkstring(L, 2), "%s", luaL_checkstring(L, 3));
    error_hint(&e, "%s", luaL_optstring(L, 4, ""));
    return value_push_failure(L, &e);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void push_json(lua_State *L, const cJSON *v, int depth, bool is_in_array)
{
    luaL_checkstack(L, 4, "nested JSON");
    if (depth > MAX_DEPTH) {
        lua_pushliteral(L, "(nested too deeply)"); /* no error: often outside of any pcall */
    } else if (cJSON_IsString(v)) {
        lua_pushstring(L, v->valuestring);
    } else if (cJSON_IsNumber(v)) {
        double d = v->valuedouble;
        if (d == floor(d) && fabs(d) < 9007199254740992.0)
            lua_pushinteger(L, (lua_Integer)d);
        else
            lua_pushnumber(L, d);
    } else if (cJSON_IsBool(v)) {
        lua_pushboolean(L, cJSON_IsTrue(v));
    } else if (cJSON_IsArray(v) || cJSON_IsObject(v)) {
        bool is_array = cJSON_IsArray(v);
        lua_Integer i = 0;
        lua_newtable(L);
        for (const cJSON *c = v->child; c; c = c->next) {
            push_json(L, c, depth + 1, is_array);
            if (is_array)
                lua_rawseti(L, -2, ++i);
            else
                lua_setfield(L, -2, c->string);
        }
    } else if (is_in_array) {
        lua_pushlightuserdata(L, NULL); /* lab.null keeps the places of its neighbours */
    } else {
        lua_pushnil(L);
    }
}

void value_push_json(lua_State *L, const cJSON *v)
{
    push_json(L, v, 0, false);
}

static cJSON *to_json(lua_State *L, int index, int depth);

static cJSON *table_to_json(lua_State *L, int index, int depth)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    cJSON *o = n ? cJSON_CreateArray() : cJSON_CreateObject();
    luaL_checkstack(L, 4, "nested table");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        cJSON *v = to_json(L, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
        if (!v)
            goto fail;
        cJSON_AddItemToArray(o, v);
    }
    if (n)
        return o;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        cJSON *v = lua_type(L, -2) == LUA_TSTRING ? to_json(L, lua_gettop(L), depth + 1) : NULL;
        if (!v) {
            lua_pop(L, 2);
            goto fail;
        }
        cJSON_AddItemToObject(o, lua_tostring(L, -2), v);
        lua_pop(L, 1);
    }
    return o;
fail:
    cJSON_Delete(o);
    return NULL;
}

static cJSON *to_json(lua_State *L, int index, int depth)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return cJSON_CreateNull();
    case LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, index) ? NULL : cJSON_CreateNull();
    case LUA_TBOOLEAN:
        return cJSON_CreateBool(lua_toboolean(L, index));
    case LUA_TNUMBER: {
        double d = lua_tonumber(L, index);
        return isfinite(d) ? cJSON_CreateNumber(d) : cJSON_CreateNull();
    }
    case LUA_TSTRING:
        return cJSON_CreateString(lua_tostring(L, index));
    case LUA_TTABLE:
        return depth < MAX_DEPTH ? table_to_json(L, index, depth) : NULL;
    default:
        return NULL;
    }
}

cJSON *value_to_json(lua_State *L, int index)
{
    cJSON *v = to_json(L, lua_absindex(L, index), 0);
    if (!v)
        luaL_error(L, "not representable as JSON (functions, mixed keys, or nested too deeply)");
    return v;
}

static int l_json_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct error e;
    cJSON *v = json_parse(text, len, "text", &e);
    if (!v)
        return value_push_failure(L, &e);
    value_push_json(L, v);
    cJSON_Delete(v);
    return 1;
}

static int l_json_encode(lua_State *L)
{
    cJSON *v = value_to_json(L, 1);
    char *text = lua_toboolean(L, 2) ? cJSON_Print(v) : cJSON_PrintUnformatted(v);
    cJSON_Delete(v);
    if (!text)
        return luaL_error(L, "out of memory");
    lua_pushstring(L, text);
    cJSON_free(text);
    return 1;
}

/* --- option tables ---------------------------------------------------------------------------- */

static int opt_field(lua_State *L, int index, const char *key, int type)
{
    luaL_checktype(L, index, LUA_TTABLE);
    int got = lua_getfield(L, index, key);
    if (got != LUA_TNIL && got != type)
        luaL_error(L, "option '%s': %s expected, got %s", key, lua_typename(L, type),
                   lua_typename(L, got));
    return got;
}

const char *opt_string(lua_State *L, int index, const char *key, const char *def)
{
    const char *s = opt_field(L, index, key, LUA_TSTRING) == LUA_TNIL ? def : lua_tostring(L, -1);
    lua_pop(L, 1);
    return s;
}

double opt_number(lua_State *L, int index, const char *key, double def)
{
    double n = opt_field(L, index, key, LUA_TNUMBER) == LUA_TNIL ? def : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return n;
}

bool opt_bool(lua_State *L, int index, const char *key, bool def)
{
    bool b = opt_field(L, index, key, LUA_TBOOLEAN) == LUA_TNIL ? def : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return b;
}

const char **opt_argv(lua_State *L, int index)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    luaL_argcheck(L, n >= 1 && n < MAX_ARGS, index, "a command: {\"program\", \"argument\", ...}");
    const char **argv = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *argv, 1);
    lua_newtable(L); /* keeps the converted numbers alive */
    for (lua_Integer i = 1; i <= n; i++) {
        int type = lua_rawgeti(L, index, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            luaL_error(L, "argument %d of the command is a %s", (int)i, lua_typename(L, type));
        size_t len;
        argv[i - 1] = lua_tolstring(L, -1, &len);
        if (strlen(argv[i - 1]) != len)
            luaL_error(L, "argument %d of the command contains a zero byte", (int)i);
        lua_rawseti(L, -2, i);
    }
    lua_setiuservalue(L, -2, 1);
    argv[n] = NULL;
    return argv;
}

void bind_value(lua_State *L)
{
    luaL_newmetatable(L, ERROR_META);
    lua_pushcfunction(L, l_error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_failure);
    lua_setfield(L, -2, "failure");
    lua_pushcfunction(L, l_json_decode);
    lua_setfield(L, -2, "json_decode");
    lua_pushcfunction(L, l_json_encode);
    lua_setfield(L, -2, "json_encode");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}
