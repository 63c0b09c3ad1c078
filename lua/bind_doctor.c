/* Surveys and checks of hosts in Lua, and a person's answer at the terminal. */
#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "lua/script_internal.h"
#include "remote/checks.h"
#include "remote/grub.h"
#include "remote/survey.h"

#define LIST_MAX 64

/* lab._survey_parse(text): the facts of remote/survey.h, or nil, err */
static int l_survey_parse(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct error e;
    cJSON *facts;
    if (survey_parse(text, len, &facts, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    value_push_json(L, facts);
    cJSON_Delete(facts);
    return 1;
}

/* The strings of list `key` of the table at `index`, which keeps them alive. */
static size_t opt_list(lua_State *L, int index, const char *key, const char *out[LIST_MAX])
{
    size_t n = 0;
    if (lua_getfield(L, index, key) == LUA_TTABLE)
        while (n < LIST_MAX && lua_rawgeti(L, -1, (lua_Integer)n + 1) == LUA_TSTRING) {
            out[n++] = lua_tostring(L, -1);
            lua_pop(L, 1);
        }
    lua_settop(L, index);
    return n;
}

static unsigned opt_roles(lua_State *L, int index)
{
    const char *names[LIST_MAX];
    unsigned roles = 0;
    size_t n = opt_list(L, index, "roles", names);
    for (size_t i = 0; i < n; i++)
        roles |= strcmp(names[i], "client") == 0   ? CHECKS_CLIENT
                 : strcmp(names[i], "router") == 0 ? CHECKS_ROUTER
                 : strcmp(names[i], "server") == 0 ? CHECKS_SERVER
                                                   : 0;
    return roles ? roles : CHECKS_ALL;
}

/* lab._judge_survey(text, want): the checks of remote/checks.h for the output of a survey, or nil,
 * err. `want` has the fields of struct checks_want, its roles as {"client", ...}. */
static int l_judge_survey(lua_State *L)
{
    size_t len, nports = 0;
    const char *text = luaL_checklstring(L, 1, &len), *ccs[LIST_MAX], *to[LIST_MAX];
    int ports[LIST_MAX];
    struct error e;
    cJSON *facts;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_getfield(L, 2, "ports") == LUA_TTABLE)
        while (nports < LIST_MAX && lua_rawgeti(L, -1, (lua_Integer)nports + 1) == LUA_TNUMBER) {
            ports[nports++] = (int)lua_tonumber(L, -1);
            lua_pop(L, 1);
        }
    lua_settop(L, 2);
    struct checks_want want = {
        .roles = opt_roles(L, 2),
        .ccs = ccs,
        .nccs = opt_list(L, 2, "ccs", ccs),
        .to = to,
        .nto = opt_list(L, 2, "to", to),
        .ports = ports,
        .nports = nports,
        .aqm = opt_string(L, 2, "aqm", NULL),
        .egress = opt_string(L, 2, "egress", NULL),
        .rate_bps = opt_number(L, 2, "rate_bps", NAN),
        .rtt_s = opt_number(L, 2, "rtt_s", NAN),
        .clock_offset_s = opt_number(L, 2, "clock_offset_s", NAN),
        .clock_error_s = opt_number(L, 2, "clock_error_s", NAN),
        .is_virtual = opt_bool(L, 2, "is_virtual", false),
    };
    if (survey_parse(text, len, &facts, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    cJSON *checks = checks_judge(facts, &want);
    cJSON_Delete(facts);
    value_push_json(L, checks);
    cJSON_Delete(checks);
    return 1;
}

/* lab._publish_checks(host, role, checks): the event `checks` of docs/events.md */
static int l_publish_checks(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1), *role = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    cJSON *checks = value_to_json(L, 3), *body = cJSON_CreateObject();
    if (!cJSON_IsArray(checks)) { /* an empty table is an object */
        cJSON_Delete(checks);
        checks = cJSON_CreateArray();
    }
    cJSON_AddStringToObject(body, "host", host);
    cJSON_AddStringToObject(body, "role", role);
    cJSON_AddItemToObject(body, "checks", checks);
    script_publish(L, EVENT_CHECKS, "", body);
    return 0;
}

/* lab._publish_lab(data): the event `result` of a lab that goes up or down (docs/events.md) */
static int l_publish_lab(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    cJSON *data = value_to_json(L, 1), *body = cJSON_CreateObject();
    cJSON_AddItemToObject(body, "data", data);
    script_publish(L, EVENT_RESULT, "", body);
    return 0;
}

/* lab._grub_entry(grub_cfg, release): what to give to grub-reboot(8), or nil, err */
static int l_grub_entry(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len), *release = luaL_checkstring(L, 2);
    char entry[GRUB_ENTRY_MAX];
    struct error e;
    if (grub_find_entry(text, len, release, entry, sizeof entry, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushstring(L, entry);
    return 1;
}

/* lab._typed_line(): a line typed at the terminal; nil: none yet, false: there will be none */
static int l_typed_line(lua_State *L)
{
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};
    char line[256];
    if (poll(&p, 1, 0) <= 0)
        return 0;
    ssize_t n = read(STDIN_FILENO, line, sizeof line); /* a whole line: the terminal is canonical */
    if (n > 0)
        lua_pushlstring(L, line, strcspn(line, "\n") < (size_t)n ? strcspn(line, "\n") : (size_t)n);
    else
        lua_pushboolean(L, false);
    return 1;
}

void bind_doctor(lua_State *L)
{
    static const luaL_Reg functions[] = {{"_survey_parse", l_survey_parse},
                                         {"_judge_survey", l_judge_survey},
                                         {"_publish_checks", l_publish_checks},
                                         {"_publish_lab", l_publish_lab},
                                         {"_grub_entry", l_grub_entry},
                                         {"_typed_line", l_typed_line},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushstring(L, survey_script());
    lua_setfield(L, -2, "_survey_script");
    lua_pushboolean(L, script_of(L)->opts.can_ask);
    lua_setfield(L, -2, "_can_ask");
}
