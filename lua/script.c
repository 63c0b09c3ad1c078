#include "lua/script.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/embed.h"
#include "core/paths.h"
#include "core/version.h"
#include "lua/script_internal.h"
#include "lua/task.h"
#include "remote/job.h"

#define MEMORY_BYTES ((size_t)2 << 30)
#define SCRIPT_MAX   (16u << 20)

/* Loaded in this order, each once, before any script. lua/CMakeLists.txt embeds the same. */
#define PRELUDE(X)                                                                                 \
    X(base)                                                                                        \
    X(args)                                                                                        \
    X(stats)                                                                                       \
    X(lab)                                                                                         \
    X(labfile)                                                                                     \
    X(change)                                                                                      \
    X(qdisc)                                                                                       \
    X(sampler)                                                                                     \
    X(capture)                                                                                     \
    X(run)                                                                                         \
    X(runs)                                                                                        \
    X(matrix) X(plot) X(report) X(report_sections) X(doctor) X(kernel) X(pods) X(guard) X(away)    \
        X(hub) X(drive) X(scenario) X(judge_cell) X(judge) X(judge_report) X(collect)              \
            X(course_step) X(course) X(course_prove) X(course_report) X(help)

/* The manual's chapters, lua/api/<name>.lua, in order; loaded when somebody asks. */
#define MANUAL(X)                                                                                  \
    X(tasks) X(hosts) X(laboratory) X(packets) X(records) X(grids) X(pods) X(course) X(values)

#define X(part) EMBED_DECLARE(prelude_##part);
PRELUDE(X)
#undef X
#define X(chapter) EMBED_DECLARE(api_##chapter);
MANUAL(X)
#undef X
#define X(name, help) EMBED_DECLARE(command_##name);
SCRIPT_COMMANDS(X)
#undef X
#define X(command, word) EMBED_DECLARE(command_##command##_##word);
SCRIPT_SUBCOMMANDS(X)
#undef X

static const struct embedded {
    const char *name;
    const unsigned char *text;
    const size_t *size;
} prelude[] =
    {
#define X(part) {"=[prelude " #part "]", prelude_##part##_data, &prelude_##part##_size},
        PRELUDE(X)
#undef X
},
  manual[] =
      {
#define X(chapter) {"=[manual " #chapter "]", api_##chapter##_data, &api_##chapter##_size},
          MANUAL(X)
#undef X
},
  commands[] = {
#define X(name, help) {#name, command_##name##_data, &command_##name##_size},
      SCRIPT_COMMANDS(X)
#undef X
#define X(command, word)                                                                           \
    {#command "_" #word, command_##command##_##word##_data, &command_##command##_##word##_size},
          SCRIPT_SUBCOMMANDS(X)
#undef X
              {NULL},
};

struct script *script_of(lua_State *L)
{
    return *(struct script **)lua_getextraspace(L); /* copied to every coroutine by lua_newthread */
}

void script_print(struct script *s, const char *text, size_t len)
{
    if (s->opts.on_print)
        s->opts.on_print(s->opts.user, text, len);
    else
        fwrite(text, 1, len, stdout);
}

static int l_print(lua_State *L)
{
    luaL_Buffer b;
    int n = lua_gettop(L);
    for (int i = 1; i <= n; i++)
        luaL_tolstring(L, i, NULL);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        lua_pushvalue(L, n + i);
        luaL_addvalue(&b);
    }
    luaL_addchar(&b, '\n');
    luaL_pushresult(&b);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    script_print(script_of(L), text, len);
    return 0;
}

static int l_exit(lua_State *L)
{
    return luaL_error(L, "os.exit() would leave the lab as it is: use error() or return");
}

static int l_unsafe(lua_State *L)
{
    return luaL_error(L, "io.popen() and os.execute() need --unsafe; host:run{...} does not");
}

static void set_in(lua_State *L, const char *table, const char *name, lua_CFunction fn)
{
    lua_getglobal(L, table);
    lua_pushcfunction(L, fn);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void load_text(lua_State *L, const struct embedded *e)
{
    if (luaL_loadbufferx(L, (const char *)e->text, *e->size, e->name, "t") != LUA_OK)
        lua_error(L);
}

/* lab._manual_chapters(): a list of them; lua/prelude/help.lua says what they hold */
static int l_manual(lua_State *L)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof manual / sizeof *manual; i++) {
        load_text(L, &manual[i]);
        lua_call(L, 0, 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int load_all(lua_State *L)
{
    struct script *s = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
    set_in(L, "os", "exit", l_exit);
    if (!s->opts.is_unsafe) {
        set_in(L, "os", "execute", l_unsafe);
        set_in(L, "io", "popen", l_unsafe);
    }
    lua_newtable(L);
    bind_value(L);
    bind_task(L);
    bind_job(L);
    bind_record(L);
    bind_doctor(L);
    bind_lab(L);
    bind_series(L);
    bind_plot(L);
    bind_tc(L);
    bind_labfile(L);
    bind_journal(L);
    bind_capture(L);
    bind_pods(L);
    lua_pushliteral(L, CCALAB_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushcfunction(L, l_manual);
    lua_setfield(L, -2, "_manual_chapters");
    lua_setglobal(L, "lab");
    lua_newtable(L); /* the globals of typed lines, over the strict ones */
    lua_createtable(L, 0, 1);
    lua_pushglobaltable(L);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, "lab.repl");
    for (size_t i = 0; i < sizeof prelude / sizeof *prelude; i++) {
        load_text(L, &prelude[i]);
        lua_call(L, 0, 0);
    }
    return 0;
}

enum status script_new(const struct script_opts *opts, struct script **out, struct error *err)
{
    struct script *s = calloc(1, sizeof *s);
    lua_State *L = luaL_newstate();
    if (!s || !L) {
        free(s);
        if (L)
            lua_close(L);
        return error_set(err, STATUS_NOMEM, "script", "out of memory");
    }
    s->opts = *opts;
    s->L = L;
    memory_watch(&s->memory, L, opts->memory_bytes ? opts->memory_bytes : MEMORY_BYTES);
    s->ready_tail = &s->ready;
    *(struct script **)lua_getextraspace(L) = s;
    uv_idle_init(opts->loop, &s->idle);
    s->idle.data = s;
    lua_pushcfunction(L, load_all);
    lua_pushlightuserdata(L, s);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        error_set(err, STATUS_INTERNAL, "script", "the prelude failed: %s", lua_tostring(L, -1));
        script_free(s);
        return STATUS_INTERNAL;
    }
    *out = s;
    return STATUS_OK;
}

static void on_idle_closed(uv_handle_t *h)
{
    free(h->data);
}

void script_free(struct script *s)
{
    lua_close(s->L);
    for (size_t i = 0; i < s->nhosts; i++)
        host_free(s->hosts[i]);
    free(s->hosts);
    uv_close((uv_handle_t *)&s->idle, on_idle_closed);
}

/* --- running ---------------------------------------------------------------------------------- */

/* Run `code` as a task; `name` is arg[0], `chunk` what tracebacks call it. */
static enum status run_text(struct script *s, const char *chunk, const char *name, const char *code,
                            size_t len, int argc, char *const argv[], script_done_fn done,
                            void *user, struct error *err)
{
    lua_State *L = s->L;

    if (luaL_loadbufferx(L, code, len, chunk, "t") != LUA_OK) {
        error_set(err, STATUS_SYNTAX, "script", "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return STATUS_SYNTAX;
    }
    lua_createtable(L, argc, 1);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_insert(L, -2);
    lua_pushliteral(L, "arg");
    lua_insert(L, -2);
    lua_rawset(L, -3); /* raw: globals are strict */
    lua_pop(L, 1);
    for (int i = 0; i < argc; i++)
        lua_pushstring(L, argv[i]);
    if (!task_start(s, L, argc, NULL, done, user))
        return error_set(err, STATUS_NOMEM, "script", "out of memory");
    return STATUS_OK;
}

enum status script_run_file(struct script *s, const char *path, int argc, char *const argv[],
                            script_done_fn done, void *user, struct error *err)
{
    struct buf text, chunk;
    enum status st = buf_read_file(&text, path, SCRIPT_MAX, err);
    const char *code = text.data;
    size_t len = text.len;

    buf_init(&chunk, SCRIPT_MAX);
    if (st != STATUS_OK)
        goto out;
    if (len && code[0] == '#') /* a #! line; its newline stays, so that line numbers hold */
        while (len && *code != '\n')
            code++, len--;
    if (!buf_printf(&chunk, "@%s", path)) {
        st = error_set(err, STATUS_NOMEM, "script", "out of memory");
        goto out;
    }
    st = run_text(s, chunk.data, path, code, len, argc, argv, done, user, err);
out:
    buf_done(&chunk);
    buf_done(&text);
    return st;
}

enum status script_run_command(struct script *s, const char *name, int argc, char *const argv[],
                               script_done_fn done, void *user, struct error *err)
{
    const struct embedded *c = commands;
    char chunk[64];

    while (c->name && strcmp(c->name, name))
        c++;
    if (!c->name)
        return error_set(err, STATUS_INTERNAL, "script", "no command %s", name);
    snprintf(chunk, sizeof chunk, "=[ccalab %s]", name);
    return run_text(s, chunk, name, (const char *)c->text, *c->size, argc, argv, done, user, err);
}

enum status script_eval(struct script *s, const char *line, script_done_fn done, void *user,
                        struct error *err)
{
    lua_State *L = s->L;
    lua_pushfstring(L, "return %s", line);
    int r = luaL_loadbufferx(L, lua_tostring(L, -1), strlen(lua_tostring(L, -1)), "=(line)", "t");
    if (r != LUA_OK) {
        lua_pop(L, 1);
        r = luaL_loadbufferx(L, line, strlen(line), "=(line)", "t");
    }
    lua_remove(L, -2);
    if (r != LUA_OK) {
        error_set(err, STATUS_SYNTAX, "script", "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return STATUS_SYNTAX;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "lab.repl");
    lua_setupvalue(L, -2, 1);
    struct task *t = task_start(s, L, 0, NULL, done, user);
    if (!t)
        return error_set(err, STATUS_NOMEM, "script", "out of memory");
    task_set_line(t);
    return STATUS_OK;
}

void script_clean_up(struct script *s)
{
    task_clean_up(s);
}

void script_cancel(struct script *s)
{
    task_cancel_all(s);
}

bool script_is_busy(const struct script *s)
{
    return s->tasks != NULL;
}

struct host *script_host_at(const struct script *s, size_t index)
{
    return index < s->nhosts ? s->hosts[index] : NULL;
}
