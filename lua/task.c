#include "lua/task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/loop.h"
#include "lua/script_internal.h"

#define HOOK_INSTRUCTIONS 1000
#define SLICE_NS          4000000u   /* a CPU-bound script leaves the screen alive */
#define SWALLOW_NS        100000000u /* how long an interrupted script may tidy up */
#define TASK_META         "lab.Task"

/* The value of a yield that is ours: &wait_tag. That of a resume that must raise: &raise_tag.
 * Addresses, so that no script can forge them. */
static char wait_tag, raise_tag;

enum task_state { TASK_READY, TASK_WAITING, TASK_ENDING, TASK_DONE };

/* A function to run at a task's end. */
struct cleanup {
    struct cleanup *next;
    int ref;
};

struct task {
    struct script *script;
    struct task *parent;
    struct task *next;       /* in the script's list */
    struct task *ready_next; /* in the ready queue */
    lua_State *co;
    int co_ref;
    enum task_state state;
    int nargs;       /* to resume with */
    bool is_running; /* inside lua_resume() */
    bool is_in_hook; /* it yielded from the count hook */
    bool is_cancelled;
    bool is_cleanup; /* it puts things back: no Ctrl-C reaches it, nor its parent's end */
    bool is_line;
    struct cleanup *cleanups; /* the latest first */
    uint64_t slice_end_ns;
    uint64_t raised_ns; /* when the interruption was first raised in it, 0 if it was not */

    struct wait_list *list; /* what it waits for, if that is a list */
    struct task *wait_next;
    uv_timer_t timer;
    char what[64];

    struct task_job *jobs;
    struct wait_list joiners;
    struct error error; /* how it ended */
    char *traceback;
    int nresults; /* left on co's stack */
    script_done_fn done;
    void *user;
    bool has_handle; /* a userdata refers to it */
    bool is_timer_closed;
};

struct task_box {
    struct task *task;
};

static void resume(struct task *t);
static void settle(struct task *t);

/* --- the ready queue -------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle)
{
    struct script *s = idle->data;
    struct task *t = s->ready;
    s->ready = NULL;
    s->ready_tail = &s->ready;
    while (t) { /* who becomes ready now runs in the next round */
        struct task *next = t->ready_next;
        resume(t);
        t = next;
    }
    if (!s->ready)
        uv_idle_stop(idle);
}

static void make_ready(struct task *t, int nargs)
{
    struct script *s = t->script;
    t->state = TASK_READY;
    t->nargs = nargs;
    t->ready_next = NULL;
    *s->ready_tail = t;
    s->ready_tail = &t->ready_next;
    uv_idle_start(&s->idle, on_idle);
}

/* --- interruption ----------------------------------------------------------------------------- */

/* Raise the interruption in the script. */
static int raise_interrupted(lua_State *L, struct task *t)
{
    struct error e;
    if (!t->raised_ns)
        t->raised_ns = clock_mono_ns();
    error_set(&e, STATUS_INTERRUPTED, "script", "interrupted");
    value_push_error(L, &e);
    return lua_error(L);
}

static bool is_interrupted(const struct task *t)
{
    return t->is_cancelled || (loop_interrupted && !t->is_cleanup);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    struct task *t = script_of(L)->current;
    (void)ar;
    if (!t)
        return;
    uint64_t now = clock_mono_ns();
    if (is_interrupted(t)) {
        if (t->raised_ns && now - t->raised_ns < SWALLOW_NS)
            return; /* <close> variables and error handlers run in peace for a while */
        if (t->raised_ns) {
            /* A pcall swallowed it: from now on at every instruction, which no pcall survives. */
            lua_sethook(L, hook, LUA_MASKCOUNT, 1);
            lua_sethook(t->co, hook, LUA_MASKCOUNT, 1);
        }
        raise_interrupted(L, t);
    }
    /* Only the task's own coroutine may be put aside: inside a user's coroutine the yield would
     * look like that coroutine's own. */
    if (L == t->co && t->is_running && now > t->slice_end_ns && lua_isyieldable(L)) {
        t->is_in_hook = true;
        lua_yield(L, 0);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct task *task_start(struct script *s, lua_State *L, int nargs, struct task *parent,
                        script_done_fn done, void *user)
{
    struct task *t = calloc(1, sizeof *t);
    if (!t) {
        lua_pop(L, nargs + 1);
        return NULL;
    }
    t->script = s;
    t->parent = parent;
    t->is_cleanup = parent && parent->is_cleanup;
    t->done = done;
    t->user = user;
    t->co = lua_newthread(L);
    t->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_xmove(L, t->co, nargs + 1);
    lua_sethook(t->co, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    uv_timer_init(s->opts.loop, &t->timer);
    t->timer.data = t;
    t->next = s->tasks;
    s->tasks = t;
    make_ready(t, nargs);
    return t;
}

struct task *task_current(lua_State *L)
{
    struct task *t = script_of(L)->current;
    if (!t)
        luaL_error(L, "this function waits: it can only be called from a running script");
    return t;
}

struct task *task_next(const struct task *t)
{
    return t->next;
}

bool task_is_done(const struct task *t)
{
    return t->state == TASK_DONE;
}

static void free_if_unused(struct task *t)
{
    if (t->has_handle || !t->is_timer_closed)
        return;
    free(t->traceback);
    free(t);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct task *t = h->data;
    t->is_timer_closed = true;
    free_if_unused(t);
}

static int push_outcome(lua_State *L, void *arg)
{
    struct task *t = arg;
    if (t->error.status != STATUS_OK)
        return value_push_failure(L, &t->error);
    luaL_checkstack(L, t->nresults + 2, "results of a task");
    for (int i = 1; i <= t->nresults; i++)
        lua_pushvalue(t->co, i);
    lua_xmove(t->co, L, t->nresults);
    return t->nresults;
}

static void on_clean(void *user, const struct error *err, const char *traceback, const char *values)
{
    (void)user;
    (void)traceback;
    (void)values;
    if (err->status != STATUS_OK)
        log_err(err);
}

/* Start the latest thing to clean up, as a task of `parent` (NULL: of nobody). */
static bool start_cleanup(struct script *s, struct cleanup **list, struct task *parent)
{
    struct cleanup *c = *list;
    *list = c->next;
    lua_rawgeti(s->L, LUA_REGISTRYINDEX, c->ref);
    luaL_unref(s->L, LUA_REGISTRYINDEX, c->ref);
    free(c);
    struct task *t = task_start(s, s->L, 0, parent, on_clean, NULL);
    if (t)
        t->is_cleanup = true;
    else
        log_error("out of memory: something is not put back");
    return t != NULL;
}

static void keep_cleanups(struct script *s, struct task *t)
{
    struct cleanup **last = &t->cleanups;
    while (*last)
        last = &(*last)->next;
    *last = s->cleanups;
    s->cleanups = t->cleanups;
    t->cleanups = NULL;
}

void task_set_line(struct task *t)
{
    t->is_line = true;
}

void task_clean_up(struct script *s)
{
    while (s->cleanups)
        start_cleanup(s, &s->cleanups, NULL);
}

/* Report the end once nothing the task owns is left. */
static void settle(struct task *t)
{
    struct script *s = t->script;
    if (t->state != TASK_ENDING)
        return;
    bool has_children = false;
    for (struct task *c = s->tasks; c; c = c->next)
        if (c->parent == t && c->state != TASK_DONE) {
            has_children = true;
            if (t->is_cleanup || !c->is_cleanup)
                task_cancel(c);
        }
    bool has_plain = false; /* services (the virtual lab itself) go last */
    for (struct task_job *j = t->jobs; j; j = task_job_next(j))
        has_plain |= !task_job_is_service(j);
    for (struct task_job *j = t->jobs; j; j = task_job_next(j))
        if (!has_children && (has_plain || !t->cleanups || t->is_line) &&
            (!has_plain || !task_job_is_service(j)))
            task_job_cancel(j);
    if (!has_children && !has_plain && t->cleanups && !t->is_line) {
        if (!start_cleanup(s, &t->cleanups, t)) /* its end comes back here */
            settle(t);
        return;
    }
    if (has_children || t->jobs)
        return;
    keep_cleanups(s, t);

    t->state = TASK_DONE;
    if (t->done) {
        bool has_values = t->is_line && t->error.status == STATUS_OK && t->nresults;
        t->done(t->user, &t->error, t->traceback, has_values ? lua_tostring(t->co, 1) : NULL);
    }
    wait_list_wake(&t->joiners, push_outcome, t);

    struct task **p = &s->tasks;
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    if (t->parent)
        settle(t->parent);
    if (!t->has_handle)
        luaL_unref(s->L, LUA_REGISTRYINDEX, t->co_ref); /* else the handle still wants results */
    uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}

static void end_with(struct task *t)
{
    uv_timer_stop(&t->timer);
    t->state = TASK_ENDING;
    settle(t);
}

static void end_with_error(struct task *t, int how)
{
    value_to_error(t->co, -1, &t->error);
    if (how == LUA_ERRMEM)
        memory_error(&t->script->memory, &t->error);
    luaL_traceback(t->script->L, t->co, NULL, 0);
    const char *tb = lua_tostring(t->script->L, -1);
    t->traceback = tb ? strdup(tb) : NULL;
    lua_pop(t->script->L, 1);
    t->script->current = t; /* Ctrl-C must reach the <close> variables that run now */
    if (lua_resetthread(t->co) != LUA_OK && t->error.status == STATUS_OK)
        value_to_error(t->co, -1, &t->error);
    t->script->current = NULL;
    lua_settop(t->co, 0);
    end_with(t);
}

static void resume(struct task *t)
{
    struct script *s = t->script;
    int nres = 0, nargs = t->nargs;
    t->nargs = 0;
    t->is_in_hook = false;
    t->is_running = true;
    t->slice_end_ns = clock_mono_ns() + SLICE_NS;
    s->current = t;
    s->memory.is_strict = true;
    int r = lua_resume(t->co, NULL, nargs, &nres);
    s->memory.is_strict = false;
    s->current = NULL;
    t->is_running = false;
    if (r == LUA_YIELD && t->is_in_hook) {
        make_ready(t, 0);
    } else if (r == LUA_YIELD && nres == 1 && lua_touserdata(t->co, -1) == &wait_tag) {
        lua_pop(t->co, 1); /* task_wait() has set state, list and timer */
        if (t->is_cancelled)
            task_cancel(t);
    } else if (r == LUA_YIELD) {
        lua_settop(t->co, 0);
        lua_pushliteral(t->co, "coroutine.yield() outside of a coroutine");
        end_with_error(t, r);
    } else if (r == LUA_OK) {
        t->nresults = nres;
        while (lua_gettop(t->co) > nres)
            lua_remove(t->co, 1);
        end_with(t);
    } else {
        end_with_error(t, r);
    }
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void unlink_wait(struct task *t)
{
    if (t->list) {
        struct task **p = &t->list->first;
        while (*p != t)
            p = &(*p)->wait_next;
        *p = t->wait_next;
        t->list = NULL;
    }
    uv_timer_stop(&t->timer);
}

static int after_wait(lua_State *L, int status, lua_KContext base)
{
    (void)status;
    int n = lua_gettop(L) - (int)base;
    if (n == 1 && lua_touserdata(L, -1) == &raise_tag)
        return raise_interrupted(L, task_current(L));
    return n;
}

static int yield_wait(lua_State *L, struct task *t)
{
    if (is_interrupted(t)) {
        unlink_wait(t);
        return raise_interrupted(L, t);
    }
    t->state = TASK_WAITING;
    int base = lua_gettop(L);
    lua_pushlightuserdata(L, &wait_tag);
    return lua_yieldk(L, 1, base, after_wait);
}

static void on_wait_timeout(uv_timer_t *timer)
{
    struct task *t = timer->data;
    struct error e;
    error_set(&e, STATUS_TIMEOUT, "script", "%s did not happen in time", t->what);
    unlink_wait(t);
    make_ready(t, value_push_failure(t->co, &e));
}

int task_wait(lua_State *L, struct wait_list *list, uint64_t timeout_ms, const char *what)
{
    struct task *t = task_current(L);
    if (!lua_isyieldable(L))
        return luaL_error(L, "cannot wait here: inside a metamethod, a sort or a C call");
    snprintf(t->what, sizeof t->what, "%s", what);
    t->list = list;
    t->wait_next = list->first;
    list->first = t;
    if (timeout_ms) {
        uv_update_time(t->script->opts.loop); /* a long slice may have passed */
        uv_timer_start(&t->timer, on_wait_timeout, timeout_ms, 0);
    }
    return yield_wait(L, t);
}

static void on_slept(uv_timer_t *timer)
{
    struct task *t = timer->data;
    lua_pushboolean(t->co, true);
    make_ready(t, 1);
}

int task_sleep(lua_State *L, uint64_t ms)
{
    struct task *t = task_current(L);
    if (!lua_isyieldable(L))
        return luaL_error(L, "cannot sleep here: inside a metamethod, a sort or a C call");
    uv_update_time(t->script->opts.loop);
    uv_timer_start(&t->timer, on_slept, ms, 0);
    return yield_wait(L, t);
}

void wait_list_wake(struct wait_list *list, wait_push_fn push, void *arg)
{
    struct task *t = list->first;
    list->first = NULL;
    while (t) {
        struct task *next = t->wait_next;
        t->list = NULL;
        uv_timer_stop(&t->timer);
        make_ready(t, push(t->co, arg));
        t = next;
    }
}

void task_cancel(struct task *t)
{
    t->is_cancelled = true;
    if (t->state == TASK_WAITING) {
        unlink_wait(t);
        lua_pushlightuserdata(t->co, &raise_tag);
        make_ready(t, 1);
    }
}

void task_cancel_all(struct script *s)
{
    for (struct task *t = s->tasks; t; t = t->next)
        if (!t->is_cleanup)
            task_cancel(t);
}

/* --- jobs ------------------------------------------------------------------------------------- */

void task_add_job(struct task *t, struct task_job *j)
{
    task_job_set_next(j, t->jobs);
    t->jobs = j;
}

void task_remove_job(struct task *t, struct task_job *j)
{
    struct task_job **first = &t->jobs, *before = NULL;
    for (struct task_job *i = *first; i && i != j; i = task_job_next(i))
        before = i;
    if (before)
        task_job_set_next(before, task_job_next(j));
    else
        *first = task_job_next(j);
    settle(t);
}

/* --- Lua -------------------------------------------------------------------------------------- */

static struct task *check_task(lua_State *L)
{
    return ((struct task_box *)luaL_checkudata(L, 1, TASK_META))->task;
}

static int l_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int nargs = lua_gettop(L) - 1;
    struct task_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->task = NULL;
    luaL_setmetatable(L, TASK_META);
    lua_insert(L, 1);
    box->task = task_start(script_of(L), L, nargs, task_current(L), NULL, NULL);
    if (!box->task)
        return luaL_error(L, "out of memory");
    box->task->has_handle = true;
    return 1;
}

static int l_join(lua_State *L)
{
    struct task *t = check_task(L);
    double timeout_s = luaL_optnumber(L, 2, 0);
    if (t == script_of(L)->current)
        return luaL_error(L, "a task cannot wait for itself");
    if (t->state == TASK_DONE)
        return push_outcome(L, t);
    return task_wait(L, &t->joiners, (uint64_t)(timeout_s * 1000), "the end of a task");
}

static int l_cancel(lua_State *L)
{
    struct task *t = check_task(L);
    if (t->state != TASK_DONE)
        task_cancel(t);
    return 0;
}

static int l_task_gc(lua_State *L)
{
    struct task_box *box = luaL_checkudata(L, 1, TASK_META);
    struct task *t = box->task;
    if (!t)
        return 0;
    box->task = NULL;
    t->has_handle = false;
    if (t->state == TASK_DONE) {
        luaL_unref(L, LUA_REGISTRYINDEX, t->co_ref);
        free_if_unused(t);
    }
    return 0;
}

/* lab._defer(fn): run fn, as a task, when the script that the running task belongs to has ended,
 * however it did: after its jobs, before its services; the latest first. For a typed line, at the
 * end of the console. */
static int l_defer(lua_State *L)
{
    struct task *t = task_current(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    while (t->parent)
        t = t->parent;
    struct cleanup *c = calloc(1, sizeof *c);
    if (!c)
        return luaL_error(L, "out of memory");
    lua_settop(L, 1);
    c->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    c->next = t->cleanups;
    t->cleanups = c;
    return 0;
}

static int l_sleep(lua_State *L)
{
    double s = luaL_checknumber(L, 1);
    luaL_argcheck(L, s >= 0 && s < 1e7, 1, "seconds expected");
    return task_sleep(L, (uint64_t)(s * 1000));
}

void bind_task(lua_State *L)
{
    static const luaL_Reg methods[] = {{"join", l_join}, {"cancel", l_cancel}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"spawn", l_spawn}, {"sleep", l_sleep}, {"_defer", l_defer}, {NULL, NULL}};
    luaL_newmetatable(L, TASK_META);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_task_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, &wait_tag); /* for the prelude's coroutine.resume */
    lua_setfield(L, -2, "_wait");
}
