/* Series in Lua: those of the console, and those of a recorded run (Samples). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/run_series.h"
#include "lua/script_internal.h"

#define SAMPLES_META "lab.Samples"
#define SERIES_MAX   4096

struct series_set *samples_at(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return script_of(L)->opts.series;
    return luaL_checkudata(L, index, SAMPLES_META);
}

static int push_names(lua_State *L, const struct series_set *set)
{
    lua_Integer i = 0;
    lua_newtable(L);
    for (const struct series *s = set->first; s; s = s->next) {
        lua_pushstring(L, s->name);
        lua_rawseti(L, -2, ++i);
    }
    return 1;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* {count, min, max, mean, median, p95, p99, last} of [t0, t1), or nil without data */
static int push_stats(lua_State *L, const struct series *s, double t0, double t1)
{
    size_t from = s ? series_lower_bound(s, t0) : 0, to = s ? series_lower_bound(s, t1) : 0;
    size_t n = 0;
    double sum = 0;
    float *v = to > from ? malloc((to - from) * sizeof *v) : NULL, last = NAN;
    for (size_t i = from; v && i < to; i++)
        if (isfinite(s->v[i])) {
            last = v[n++] = s->v[i];
            sum += s->v[i];
        }
    if (!n) {
        free(v);
        lua_pushnil(L);
        return 1;
    }
    qsort(v, n, sizeof *v, compare_floats);
    const struct {
        const char *key;
        double value;
    } fields[] = {{"count", (double)n},
                  {"min", v[0]},
                  {"max", v[n - 1]},
                  {"mean", sum / (double)n},
                  {"median", v[(n - 1) / 2]},
                  {"p95", v[(size_t)((double)(n - 1) * 0.95)]},
                  {"p99", v[(size_t)((double)(n - 1) * 0.99)]},
                  {"last", last}};
    free(v);
    lua_createtable(L, 0, 8);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushnumber(L, fields[i].value);
        lua_setfield(L, -2, fields[i].key);
    }
    return 1;
}

/* --- of the console --------------------------------------------------------------------------- */

/* lab.series_names(): what has been sampled so far. */
static int l_series_names(lua_State *L)
{
    return push_names(L, script_of(L)->opts.series);
}

/* lab.series_stats(name, t0, t1) */
static int l_series_stats(lua_State *L)
{
    const struct series *s = series_set_find(script_of(L)->opts.series, luaL_checkstring(L, 1));
    return push_stats(L, s, luaL_optnumber(L, 2, -INFINITY), luaL_optnumber(L, 3, INFINITY));
}

/* lab.save_series(path): every sample of every series as CSV, in long form. A gap is an empty
 * value. */
static int l_save_series(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct buf b;
    struct error e;
    int n = 1;
    buf_init(&b, SIZE_MAX / 2);
    buf_puts(&b, "t_s,series,value\n");
    for (struct series *s = script_of(L)->opts.series->first; s; s = s->next)
        for (size_t i = 0; i < s->len; i++) {
            if (isfinite(s->v[i]))
                buf_printf(&b, "%.6f,%s,%.9g\n", s->t[i], s->name, (double)s->v[i]);
            else
                buf_printf(&b, "%.6f,%s,\n", s->t[i], s->name);
        }
    enum status st = b.is_failed ? error_set(&e, STATUS_NOMEM, "series", "out of memory")
                                 : file_write_atomic(path, b.data, b.len, &e);
    if (st != STATUS_OK)
        n = value_push_failure(L, &e);
    else
        lua_pushboolean(L, true);
    buf_done(&b);
    return n;
}

/* --- of a recorded run ------------------------------------------------------------------------ */

/* lab._samples(dir): the Samples of a run directory; or nil, err */
static int l_samples(lua_State *L)
{
    const char *dir = luaL_checkstring(L, 1);
    struct series_set *set = lua_newuserdatauv(L, sizeof *set, 0);
    struct error e;
    series_set_init(set, SERIES_MAX);
    luaL_setmetatable(L, SAMPLES_META);
    if (run_series_read(dir, set, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    return 1;
}

static int l_names(lua_State *L)
{
    return push_names(L, luaL_checkudata(L, 1, SAMPLES_META));
}

static int l_stats(lua_State *L)
{
    const struct series *s =
        run_series_find(luaL_checkudata(L, 1, SAMPLES_META), luaL_checkstring(L, 2));
    return push_stats(L, s, luaL_optnumber(L, 3, -INFINITY), luaL_optnumber(L, 4, INFINITY));
}

/* samples:values(name): two lists, times and values; false is a gap. Or nil. */
static int l_values(lua_State *L)
{
    const struct series *s =
        run_series_find(luaL_checkudata(L, 1, SAMPLES_META), luaL_checkstring(L, 2));
    if (!s) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, (int)s->len, 0);
    lua_createtable(L, (int)s->len, 0);
    for (size_t i = 0; i < s->len; i++) {
        lua_pushnumber(L, s->t[i]);
        lua_rawseti(L, -3, (lua_Integer)i + 1);
        if (isnan(s->v[i]))
            lua_pushboolean(L, false);
        else
            lua_pushnumber(L, s->v[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 2;
}

static int l_close(lua_State *L)
{
    series_set_done(luaL_checkudata(L, 1, SAMPLES_META));
    return 0;
}

void bind_series(lua_State *L)
{
    static const luaL_Reg functions[] = {{"series_names", l_series_names},
                                         {"series_stats", l_series_stats},
                                         {"save_series", l_save_series},
                                         {"_samples", l_samples},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"names", l_names}, {"stats", l_stats}, {"values", l_values}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, SAMPLES_META);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}
