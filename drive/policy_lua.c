/* A congestion control in Lua: on_sample(flow, s) returns the next window in packets, and perhaps a
 * pacing rate in bit/s (docs/drive.md).
 *
 * netllm runs as root, the script is a student's: it gets arithmetic, tables and strings, nothing
 * that reaches a file, and no function of C whose time it could choose. Instructions and memory
 * have a ceiling; what passes it, or fails, is no decision, and the kernel's watchdog takes over.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/event.h"
#include "drive/policy.h"
#include "lua/memory.h"

#define MEMORY_BYTES ((size_t)64 << 20)
#define LOAD_BUDGET  100 /* times a decision's: what the script's main part may take */
#define HOOK_STRIDE  100 /* instructions between two looks at the budget */
/* An instruction may be long, as one that joins long strings. */
#define DECISION_MAX_NS  100000000u
#define COMPLAIN_EACH_NS 1000000000u

struct lua_policy {
    struct drive_policy base;
    lua_State *L;
    struct memory memory;
    bool is_advisor;
    uint64_t budget; /* instructions a decision */
    int64_t left;    /* of it */
    uint64_t deadline_ns;
    int flows[AGENT_SLOTS]; /* references to the scripts' tables; LUA_NOREF */
    uint64_t complained_ns, unheard;
    double target;
};

static struct lua_policy *policy_of(lua_State *L)
{
    return *(struct lua_policy **)lua_getextraspace(L);
}

/* Once the budget is spent every further instruction fails: no pcall() of the script's outlives
 * that. */
static void on_count(lua_State *L, lua_Debug *ar)
{
    struct lua_policy *p = policy_of(L);

    p->left -= HOOK_STRIDE;
    bool is_late = clock_mono_ns() > p->deadline_ns;
    if (p->left > 0 && !is_late)
        return;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    lua_getinfo(L, "Sl", ar); /* where it was: luaL_error() would name the caller */
    if (is_late)
        lua_pushfstring(L, "%s:%d: over the budget of %d ms a decision", ar->short_src,
                        ar->currentline, (int)(DECISION_MAX_NS / 1000000));
    else
        lua_pushfstring(L, "%s:%d: over the budget of %I instructions a decision", ar->short_src,
                        ar->currentline, (lua_Integer)p->budget);
    lua_error(L);
}

/* Call what is on the stack within a budget. Errors: the message is left on the stack. */
static int call(struct lua_policy *p, int args, int results, uint64_t budget)
{
    p->left = (int64_t)budget;
    p->deadline_ns = clock_mono_ns() + DECISION_MAX_NS;
    p->memory.is_strict = true;
    lua_sethook(p->L, on_count, LUA_MASKCOUNT, HOOK_STRIDE);
    int r = lua_pcall(p->L, args, results, 0);
    lua_sethook(p->L, NULL, 0, 0);
    p->memory.is_strict = false;
    return r;
}

static const char *message_on_top(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    return text ? text : "an error that is no text";
}

/* --- the script's world ----------------------------------------------------------------------- */

static int l_print(lua_State *L)
{
    luaL_Buffer b;
    int n = lua_gettop(L);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, ' ');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    event_write_log(stdout, LOG_LEVEL_INFO, "%.1000s", lua_tostring(L, -1));
    return 0;
}

/* No xpcall(): its handler would run within the hook that found the budget spent, and so without
 * one. Nothing that takes metatables or coroutines, for the same reason. */

/* Of the library on the stack keep the functions of the list, in a new table of that name. */
static void keep(lua_State *L, const char *library, const char *const *names)
{
    lua_newtable(L);
    for (; *names; names++) {
        lua_getfield(L, -2, *names);
        lua_setfield(L, -2, *names);
    }
    lua_setglobal(L, library);
    lua_pop(L, 1);
}

static int open_world(lua_State *L)
{
    static const char *const base[] = {"assert", "error",    "ipairs",   "next",   "pairs",
                                       "pcall",  "rawequal", "rawget",   "rawlen", "rawset",
                                       "select", "tonumber", "tostring", "type",   NULL};
    static const char *const strings[] = {"byte",  "char", "format", "len",
                                          "lower", "sub",  "upper",  NULL};
    static const char *const tables[] = {"concat", "insert", "pack", "remove",
                                         "sort",   "unpack", NULL};
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 0);
    lua_pushglobaltable(L);
    lua_newtable(L); /* the world to be */
    for (const char *const *name = base; *name; name++) {
        lua_getfield(L, -2, *name);
        lua_setfield(L, -2, *name);
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pop(L, 1);

    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
    lua_setglobal(L, LUA_MATHLIBNAME);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 0);
    keep(L, LUA_TABLIBNAME, tables);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
    keep(L, LUA_STRLIBNAME, strings);
    lua_pushliteral(L, ""); /* ("x"):rep(n) must not find the whole library either */
    lua_getmetatable(L, -1);
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
    return 0;
}

/* --- deciding --------------------------------------------------------------------------------- */

static void set_num(lua_State *L, const char *key, double v)
{
    if (isnan(v))
        return; /* nil: was not measured */
    lua_pushnumber(L, v);
    lua_setfield(L, -2, key);
}

static double us(uint32_t v)
{
    return v ? v / 1e6 : NAN;
}

/* Runs protected: making the tables may run out of memory. */
static int l_decide(lua_State *L)
{
    struct lua_policy *p = policy_of(L);
    const struct drive_seen *seen = lua_touserdata(L, 1);
    const struct agent_sample *s = &seen->sample;

    lua_getglobal(L, "on_sample");
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->flows[seen->flow->slot]);
    lua_createtable(L, 0, 18);
    set_num(L, "t", seen->row.t_s);
    set_num(L, "interval", seen->interval_s);
    set_num(L, "rtt", us(s->rtt_us));
    set_num(L, "srtt", us(s->srtt_us));
    set_num(L, "min_rtt", us(s->min_rtt_us));
    set_num(L, "cwnd", seen->row.cwnd_bytes / s->h.mss);
    set_num(L, "in_flight", s->in_flight);
    set_num(L, "delivered", seen->delivered);
    set_num(L, "ce", seen->ce);
    set_num(L, "lost", seen->lost);
    set_num(L, "throughput", seen->row.throughput_bps);
    set_num(L, "rate", s->delivery_rate ? (double)s->delivery_rate * 8 : NAN);
    set_num(L, "pacing", (double)s->pacing_rate * 8);
    set_num(L, "mss", s->h.mss);
    set_num(L, "target", p->target);
    lua_pushboolean(L, s->is_app_limited);
    lua_setfield(L, -2, "app_limited");
    lua_pushboolean(L, s->is_driven);
    lua_setfield(L, -2, "driven");
    lua_call(L, 2, 2);
    if (lua_type(L, -2) != LUA_TNUMBER)
        return luaL_error(L, "on_sample returned %s, not a number of packets",
                          luaL_typename(L, -2));
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
        return luaL_error(L, "on_sample returned %s as its second value, not a rate in bit/s",
                          luaL_typename(L, -1));
    return 2;
}

static void complain(struct lua_policy *p, const struct agent_flow *flow)
{
    uint64_t now = clock_mono_ns();

    if (p->complained_ns && now - p->complained_ns < COMPLAIN_EACH_NS) {
        p->unheard++;
        return;
    }
    event_write_log(stdout, LOG_LEVEL_ERROR,
                    "flow %s: %s: %.300s (%llu more since the last message)", flow->local,
                    p->is_advisor ? "no advice" : "no decision, the watchdog takes over",
                    message_on_top(p->L), (unsigned long long)p->unheard);
    p->complained_ns = now;
    p->unheard = 0;
}

static enum status lua_decide(struct drive_policy *base, const struct drive_seen *seen,
                              struct drive_answer *answers, size_t count, struct error *err)
{
    struct lua_policy *p = (struct lua_policy *)base;

    (void)err;
    for (size_t i = 0; i < count; i++) {
        lua_pushcfunction(p->L, l_decide);
        lua_pushlightuserdata(p->L, (void *)&seen[i]);
        if (call(p, 1, 2, p->budget) != LUA_OK) {
            complain(p, seen[i].flow);
            answers[i].is_none = true;
        } else {
            answers[i].cwnd = lua_tonumber(p->L, -2);
            answers[i].pacing_bps = lua_tonumber(p->L, -1);
        }
        lua_settop(p->L, 0);
    }
    return STATUS_OK;
}

/* --- flows ------------------------------------------------------------------------------------ */

/* The table that is the script's own for this flow. */
static int l_open(lua_State *L)
{
    const struct agent_flow *flow = lua_touserdata(L, 1);

    lua_newtable(L);
    lua_pushstring(L, flow->local);
    lua_setfield(L, -2, "src");
    lua_pushstring(L, flow->remote);
    lua_setfield(L, -2, "dst");
    set_num(L, "netns", flow->netns);
    policy_of(L)->flows[flow->slot] = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void lua_open(struct drive_policy *base, const struct agent_flow *flow)
{
    struct lua_policy *p = (struct lua_policy *)base;

    p->flows[flow->slot] = LUA_NOREF;
    lua_pushcfunction(p->L, l_open);
    lua_pushlightuserdata(p->L, (void *)flow);
    if (call(p, 1, 0, p->budget) != LUA_OK)
        complain(p, flow);
    lua_settop(p->L, 0);
}

static void lua_close_flow(struct drive_policy *base, const struct agent_flow *flow)
{
    struct lua_policy *p = (struct lua_policy *)base;

    luaL_unref(p->L, LUA_REGISTRYINDEX, p->flows[flow->slot]);
    p->flows[flow->slot] = LUA_NOREF;
}

static void lua_set_target(struct drive_policy *base, double scale)
{
    ((struct lua_policy *)base)->target = scale;
}

static void lua_free(struct drive_policy *base)
{
    struct lua_policy *p = (struct lua_policy *)base;

    if (p->L)
        lua_close(p->L);
    free(p);
}

/* --- loading ---------------------------------------------------------------------------------- */

static enum status load(struct lua_policy *p, const char *path, struct error *err)
{
    lua_State *L = p->L;

    lua_pushcfunction(L, open_world);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        return error_set(err, STATUS_NOMEM, "drive", "Lua: %s", message_on_top(L));
    int r = luaL_loadfilex(L, path, "t");
    if (r != LUA_OK)
        return error_set(err, r == LUA_ERRSYNTAX ? STATUS_SYNTAX : STATUS_IO, "drive", "%s",
                         message_on_top(L));
    if (call(p, 0, 0, p->budget * LOAD_BUDGET) != LUA_OK)
        return error_set(err, STATUS_FAIL, "drive", "%s cannot be loaded: %s", path,
                         message_on_top(L));
    if (lua_getglobal(L, "on_sample") != LUA_TFUNCTION) {
        error_set(err, STATUS_INPUT, "drive", "%s defines no function on_sample(flow, s)", path);
        error_hint(err, "it is called for every interval and returns the next window in packets");
        return STATUS_INPUT;
    }
    lua_settop(L, 0);
    return STATUS_OK;
}

enum status drive_lua_new(const char *argument, const struct drive_policy_opts *opts,
                          struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {.open = lua_open,
                                                .close = lua_close_flow,
                                                .decide = lua_decide,
                                                .set_target = lua_set_target,
                                                .free = lua_free};
    struct lua_policy *p = calloc(1, sizeof *p);

    if (!p || !(p->L = luaL_newstate())) {
        free(p);
        return error_set(err, STATUS_NOMEM, "drive", "no memory for Lua");
    }
    p->base.ops = &ops;
    p->is_advisor = opts->is_advisor;
    p->budget = opts->lua_budget;
    p->target = opts->target_scale;
    for (size_t i = 0; i < AGENT_SLOTS; i++)
        p->flows[i] = LUA_NOREF;
    *(struct lua_policy **)lua_getextraspace(p->L) = p;
    memory_watch(&p->memory, p->L, MEMORY_BYTES);
    enum status st = load(p, argument, err);
    if (st)
        lua_free(&p->base);
    else
        *out = &p->base;
    return st;
}
