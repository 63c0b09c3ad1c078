/* The rest of the lab table: events, programs, files, iperf3's documents. */
#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/suggest.h"
#include "lua/script_internal.h"
#include "remote/iperf3.h"
#include "remote/iperf3_text.h"
#include "remote/sha256.h"

#define FILE_MAX (256u << 20)

/* --- events ----------------------------------------------------------------------------------- */

void script_publish(lua_State *L, enum event_type type, const char *src, cJSON *body)
{
    struct event ev = {
        .type = type, .t = clock_wall_s(), .job = "script", .src = src, .body = body};
    cJSON_AddNumberToObject(body, "t", ev.t);
    cJSON_AddStringToObject(body, "type", event_type_name(type));
    cJSON_AddStringToObject(body, "job", ev.job);
    struct bus *bus = script_of(L)->opts.bus;
    if (bus)
        bus_publish(bus, &ev);
    cJSON_Delete(body);
}

/* lab.progress(done, total, text) */
static int l_progress(lua_State *L)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "done", luaL_checknumber(L, 1));
    if (!lua_isnoneornil(L, 2))
        cJSON_AddNumberToObject(o, "total", luaL_checknumber(L, 2));
    cJSON_AddStringToObject(o, "text", luaL_optstring(L, 3, ""));
    script_publish(L, EVENT_PROGRESS, "", o);
    return 0;
}

/* lab.log(text, level) */
static int l_log(lua_State *L)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    lua_settop(L, 2); /* the text goes on top */
    const char *text = luaL_tolstring(L, 1, NULL);
    const char *level = levels[luaL_checkoption(L, 2, "info", levels)];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "level", level);
    cJSON_AddStringToObject(o, "text", text);
    script_publish(L, EVENT_LOG, "", o);
    return 0;
}

/* lab.sample(src, {name = number, ...}) */
static int l_sample(lua_State *L)
{
    const char *src = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    cJSON *values = value_to_json(L, 2);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "src", src);
    cJSON_AddItemToObject(o, "values", values);
    script_publish(L, EVENT_SAMPLE, src, o);
    return 0;
}

/* --- programs and files ----------------------------------------------------------------------- */

static int l_now(lua_State *L)
{
    lua_pushnumber(L, clock_wall_s());
    return 1;
}

static int l_program(lua_State *L)
{
    char path[CCALAB_PATH_MAX];
    struct error e;
    const char *name = luaL_checkstring(L, 1);
    if (strcmp(name, "ccalab") == 0 && paths_self(path, sizeof path)) {
        lua_pushstring(L, path);
        return 1;
    }
    if (paths_program(name, path, sizeof path, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushstring(L, path);
    return 1;
}

static int l_write_file(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &len);
    struct error e;
    if (file_write_atomic(path, text, len, &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushboolean(L, true);
    return 1;
}

static int l_read_file(lua_State *L)
{
    struct buf b;
    struct error e;
    int n = 1;
    if (buf_read_file(&b, luaL_checkstring(L, 1), FILE_MAX, &e) == STATUS_OK)
        lua_pushlstring(L, b.data, b.len);
    else
        n = value_push_failure(L, &e);
    buf_done(&b);
    return n;
}

/* lab.list_dir(path): the names in a directory, sorted, without "." and "..". */
static int l_list_dir(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    if (n < 0) {
        struct error e;
        error_sys(&e, STATUS_IO, errno, "lua", "cannot list %s", path);
        return value_push_failure(L, &e);
    }
    lua_newtable(L);
    lua_Integer count = 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0) {
            lua_pushstring(L, names[i]->d_name);
            lua_rawseti(L, -2, ++count);
        }
        free(names[i]);
    }
    free(names);
    return 1;
}

/* lab.make_dir(path): it and the directories above it, where they are missing. */
static int l_make_dir(lua_State *L)
{
    struct error e;
    if (path_mkdirs(luaL_checkstring(L, 1), &e) != STATUS_OK)
        return value_push_failure(L, &e);
    lua_pushboolean(L, true);
    return 1;
}

/* --- iperf3 ----------------------------------------------------------------------------------- */

/* lab.iperf3_parse(text): the summary of what an iperf3 client printed; or nil, err, and the
 * summary of what there is of a run that did not come to its end. */
static int l_iperf3_parse(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct iperf3_result r;
    struct error e;
    enum status st = iperf3_parse(text, len, &r, &e);
    cJSON *summary = st == STATUS_OK || r.nrows > 0 ? iperf3_summary(&r) : NULL;
    iperf3_done(&r);
    int n = st == STATUS_OK ? 0 : value_push_failure(L, &e);
    value_push_json(L, summary);
    cJSON_Delete(summary);
    return n + 1;
}

/* lab.iperf3_document(text): the JSON document in what an iperf3 client printed, as --json prints
 * it, from the lines of --json-stream too; nil without one. */
static int l_iperf3_document(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct iperf3_text t;
    iperf3_text_read(text, len < IPERF3_TEXT_MAX ? len : IPERF3_TEXT_MAX, &t);
    if (t.root && t.is_stream && t.error[0])
        cJSON_AddStringToObject(t.root, "error", t.error);
    char *document = t.root ? cJSON_Print(t.root) : NULL;
    iperf3_text_done(&t);
    lua_pushstring(L, document); /* nil for NULL */
    cJSON_free(document);
    return 1;
}

/* lab.sha256(path): of a file, in hex; or nil, err */
static int l_sha256(lua_State *L)
{
    struct buf b;
    struct error e;
    struct sha256 hash;
    char hex[65];
    int n = 1;
    enum status st = buf_read_file(&b, luaL_checkstring(L, 1), FILE_MAX, &e);
    if (st == STATUS_OK && !sha256_init(&hash))
        st = error_set(&e, STATUS_NOMEM, "file", "out of memory");
    if (st == STATUS_OK) {
        sha256_add(&hash, b.data, b.len);
        sha256_hex(&hash, hex);
        lua_pushstring(L, hex);
    } else {
        n = value_push_failure(L, &e);
    }
    buf_done(&b);
    return n;
}

/* lab.did_you_mean(word, names): the name closest to the word, or nil. */
static int l_did_you_mean(lua_State *L)
{
    enum { NAMES_MAX = 256 };
    const char *names[NAMES_MAX + 1] = {0};
    const char *word = luaL_checkstring(L, 1);
    size_t n = 0;

    luaL_checktype(L, 2, LUA_TTABLE);
    while (n < NAMES_MAX && lua_rawgeti(L, 2, (lua_Integer)n + 1) == LUA_TSTRING) {
        names[n++] = lua_tostring(L, -1); /* alive in the table */
        lua_pop(L, 1);
    }
    lua_pushstring(L, did_you_mean(word, names));
    return 1;
}

void bind_lab(lua_State *L)
{
    static const luaL_Reg functions[] = {{"progress", l_progress},
                                         {"log", l_log},
                                         {"sample", l_sample},
                                         {"now", l_now},
                                         {"program", l_program},
                                         {"write_file", l_write_file},
                                         {"read_file", l_read_file},
                                         {"list_dir", l_list_dir},
                                         {"make_dir", l_make_dir},
                                         {"iperf3_parse", l_iperf3_parse},
                                         {"iperf3_document", l_iperf3_document},
                                         {"sha256", l_sha256},
                                         {"did_you_mean", l_did_you_mean},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushinteger(L, getpid());
    lua_setfield(L, -2, "pid");
}
