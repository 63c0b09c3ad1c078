/* Lines typed by hand, and what screens ask; the logic that needs no C is in
 * lua/prelude/{repl,runs}.lua. */
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "lua/script.h"
#include "lua/script_internal.h"
#include "lua/task.h"

#define CHUNK_NAME "=(line)"

/* Push the chunk of the text, or the message. Returns Lua's status. */
static int load(lua_State *L, const char *text)
{
    lua_pushfstring(L, "return %s", text);
    int r = luaL_loadbufferx(L, lua_tostring(L, -1), strlen(lua_tostring(L, -1)), CHUNK_NAME, "t");

    if (r != LUA_OK) {
        lua_pop(L, 1);
        r = luaL_loadbufferx(L, text, strlen(text), CHUNK_NAME, "t");
    }
    lua_remove(L, -2);
    return r;
}

/* Push lab[name], of the prelude. */
static void push_helper(lua_State *L, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushliteral(L, "lab");
    lua_rawget(L, -2);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Does the chunk lack something at its end? */
static bool lacks_end(lua_State *L, const char *text, size_t len)
{
    static const char mark[] = "<eof>"; /* where Lua's message says that it missed something */
    size_t n = sizeof mark - 1;
    bool lacks = false;

    if (luaL_loadbufferx(L, text, len, CHUNK_NAME, "t") == LUA_ERRSYNTAX) {
        const char *message = lua_tolstring(L, -1, &len);

        lacks = len >= n && !strcmp(message + len - n, mark);
    }
    lua_pop(L, 1);
    return lacks;
}

bool script_is_incomplete(struct script *s, const char *text)
{
    lua_State *L = s->L;
    bool is_incomplete = load(L, text) == LUA_ERRSYNTAX;
    size_t len;

    lua_pop(L, 1);
    if (!is_incomplete)
        return false;
    /* With its newline, at which a short string has no end: no line more would mend that. */
    lua_pushfstring(L, "return %s\n", text);
    text = lua_tolstring(L, -1, &len);
    is_incomplete =
        lacks_end(L, text, len) || lacks_end(L, text + strlen("return "), len - strlen("return "));
    lua_pop(L, 1);
    return is_incomplete;
}

static void warn_of_lost(lua_State *L, const char *text)
{
    push_helper(L, "_repl_lost");
    lua_pushstring(L, text);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_isstring(L, -1))
        log_warn("local %s: gone at the end of the line; without 'local' it stays",
                 lua_tostring(L, -1));
    lua_pop(L, 1);
}

enum status script_eval(struct script *s, const char *line, script_done_fn done, void *user,
                        struct error *err)
{
    lua_State *L = s->L;
    struct task *t;

    push_helper(L, "_repl_run");
    if (load(L, line) != LUA_OK) {
        error_set(err, STATUS_SYNTAX, "script", "%s", lua_tostring(L, -1));
        lua_pop(L, 2);
        return STATUS_SYNTAX;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "lab.repl");
    lua_setupvalue(L, -2, 1);
    warn_of_lost(L, line);
    t = task_start(s, L, 1, NULL, done, user);
    if (!t)
        return error_set(err, STATUS_NOMEM, "script", "out of memory");
    task_set_line(t);
    return STATUS_OK;
}

void script_complete(struct script *s, const char *text, size_t cursor, struct script_words *out)
{
    lua_State *L = s->L;
    lua_Unsigned len;

    *out = (struct script_words){.start = cursor};
    push_helper(L, "_repl_complete");
    lua_pushstring(L, text);
    lua_pushinteger(L, (lua_Integer)cursor);
    if (lua_pcall(L, 2, 3, 0) != LUA_OK) {
        log_debug("completion: %s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return;
    }
    out->start = (size_t)lua_tointeger(L, -3);
    len = lua_rawlen(L, -2);
    out->word = calloc(len + 1, sizeof *out->word);
    for (lua_Unsigned i = 1; out->word && i <= len; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i);
        out->word[out->len] = strdup(lua_tostring(L, -1));
        out->len += out->word[out->len] != NULL;
        lua_pop(L, 1);
    }
    out->hint = lua_isstring(L, -1) ? strdup(lua_tostring(L, -1)) : NULL;
    lua_pop(L, 3);
}

void script_words_done(struct script_words *w)
{
    for (size_t i = 0; i < w->len; i++)
        free(w->word[i]);
    free(w->word);
    free(w->hint);
    *w = (struct script_words){0};
}

struct ask {
    const char *name;
    const cJSON *argument;
    cJSON *answer;
};

static int ask(lua_State *L)
{
    struct ask *a = lua_touserdata(L, 1);

    push_helper(L, "_screen");
    if (lua_getfield(L, -1, a->name) != LUA_TFUNCTION)
        return luaL_error(L, "no %s to ask for", a->name);
    if (a->argument)
        value_push_json(L, a->argument);
    lua_call(L, a->argument != NULL, 1);
    a->answer = value_to_json(L, -1);
    return 0;
}

enum status script_ask(struct script *s, const char *name, const cJSON *argument, cJSON **out,
                       struct error *err)
{
    struct ask a = {.name = name, .argument = argument};
    enum status st = STATUS_OK;

    *out = NULL;
    lua_pushcfunction(s->L, ask);
    lua_pushlightuserdata(s->L, &a);
    if (lua_pcall(s->L, 1, 0, 0) != LUA_OK) {
        value_to_error(s->L, -1, err);
        lua_pop(s->L, 1);
        st = err->status;
    }
    *out = a.answer;
    return st;
}
