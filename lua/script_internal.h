/* What the files of lua/ share: the script behind a lua_State, and conversions. */
#ifndef CCALAB_LUA_SCRIPT_INTERNAL_H
#define CCALAB_LUA_SCRIPT_INTERNAL_H

#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <lua.h>
#include <uv.h>

#include "lua/memory.h"
#include "lua/script.h"

struct script {
    struct script_opts opts;
    lua_State *L;
    struct memory memory;
    struct task *tasks;   /* all that live, newest first */
    struct task *current; /* the one Lua is running now */
    struct task *ready, **ready_tail;
    uv_idle_t idle;           /* runs while `ready` is not empty */
    struct cleanup *cleanups; /* of typed lines that have ended (task.c) */
    struct host **hosts;
    size_t nhosts;
    struct record_box *records; /* open ones, the innermost first: bind_record.c */
};

struct script *script_of(lua_State *L);
void script_print(struct script *s, const char *text, size_t len);
/* Publish an event of the script itself; takes `body`, to which t, type and job are added. */
void script_publish(lua_State *L, enum event_type type, const char *src, cJSON *body);

/* --- values (value.c) ------------------------------------------------------------------------- */

/* nil, err: an expected failure. Returns 2. */
int value_push_failure(lua_State *L, const struct error *err);
/* The error table alone: {status, subsystem, message, hint} with __tostring. */
void value_push_error(lua_State *L, const struct error *err);
/* Read an error value of any kind (our table, a string, anything) into *err. */
void value_to_error(lua_State *L, int index, struct error *err);
/* JSON to Lua; null becomes nil in objects and lab.null in arrays. What is nested deeper than 64
 * levels becomes a string that says so. Raises only when out of memory. */
void value_push_json(lua_State *L, const cJSON *v);
/* Lua to JSON; raises on functions, cycles and mixed tables. Caller deletes. A table with [1] is an
 * array, an empty one an object. NaN and infinities become null. */
cJSON *value_to_json(lua_State *L, int index);
void bind_value(lua_State *L);

/* --- option tables ---------------------------------------------------------------------------- */

/* Field of the table at `index`, of the right type or nil; raises otherwise. Strings are valid
 * while the table is. */
const char *opt_string(lua_State *L, int index, const char *key, const char *def);
double opt_number(lua_State *L, int index, const char *key, double def);
bool opt_bool(lua_State *L, int index, const char *key, bool def);
/* The command in the array part of the table at `index`, strings and numbers, with a NULL behind;
 * raises otherwise. Pushes the value that keeps it alive. */
const char **opt_argv(lua_State *L, int index);

/* --- series (bind_series.c) ------------------------------------------------------------------- */

/* The set of a Samples at `index`, else that of the console where there is nothing; raises
 * otherwise. */
struct series_set *samples_at(lua_State *L, int index);

/* --- the rest of the lab table ---------------------------------------------------------------- */

void bind_job(lua_State *L);    /* Host, Job */
void bind_record(lua_State *L); /* Record: the run directory */
void bind_doctor(lua_State *L); /* surveys, checks, answers of a person */
void bind_lab(lua_State *L);    /* log, progress, files, iperf3 */
void bind_series(lua_State *L); /* series, live and of recorded runs */
void bind_plot(lua_State *L);   /* plots of them */
void bind_tc(lua_State *L);     /* what tc says */
void bind_labfile(lua_State *L);
void bind_journal(lua_State *L);
void bind_capture(lua_State *L); /* capture files */
void bind_pods(lua_State *L);    /* web services, and the keys to them */

/* A command as it is noted in the innermost run record that is open. */
struct record_note {
    unsigned long record; /* 0: there was none */
    size_t command;
};
struct record_note record_command_start(struct script *s, const char *host, const char *label,
                                        const char *const *argv);
void record_command_end(struct script *s, const struct record_note *note, enum status how,
                        int exit_code);

#endif
