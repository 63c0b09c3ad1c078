/* Host and Job in Lua. */
#include <ctype.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/json.h"
#include "core/log.h"
#include "lua/bind_host.h"
#include "lua/job_samples.h"
#include "lua/task.h"
#include "remote/detached.h"
#include "remote/piped.h"
#include "remote/qdisc_watch.h"

#define HOST_META "lab.Host"
#define JOB_META  "lab.Job"
#define INPUT_MAX 65536 /* bytes a job:write(): a socket takes more at once */

struct host_box {
    struct host *host;
};

/* Lives from start until both the job has ended and no Lua value refers to it. */
struct task_job {
    struct task_job *next; /* in its task's list */
    struct task *owner;    /* NULL once it has ended */
    struct job *job;       /* NULL once it has ended */
    struct script *script;
    bool is_service, has_handle;
    char *id;       /* of a detached one, else NULL */
    bool is_ending; /* on_done() still needs it, whatever the woken tasks let go of */
    bool is_up;     /* a result with state "up" came, or the ready text */
    char *ready;    /* text that means "up", or NULL */
    cJSON *up, *result;
    struct buf seen; /* stdout so far, while looking for `ready` */
    struct wait_list up_waiters, done_waiters;
    struct job_samples samples;
    struct error error;
    int exit_code;
    char *out, *err_tail;
    size_t out_len;
    struct record_note note; /* in the run record */
};

struct job_box {
    struct task_job *j;
};

struct task_job *task_job_next(const struct task_job *j)
{
    return j->next;
}

void task_job_set_next(struct task_job *j, struct task_job *next)
{
    j->next = next;
}

bool task_job_is_service(const struct task_job *j)
{
    return j->is_service;
}

void task_job_cancel(struct task_job *j)
{
    job_leave(j->job); /* what is not detached is cancelled by it */
}

static void free_if_unused(struct task_job *j)
{
    if (j->job || j->has_handle || j->is_ending)
        return;
    free(j->ready);
    free(j->id);
    free(j->out);
    free(j->err_tail);
    buf_done(&j->seen);
    job_samples_done(&j->samples);
    cJSON_Delete(j->up);
    cJSON_Delete(j->result);
    free(j);
}

/* --- results ---------------------------------------------------------------------------------- */

/* {exit_code, out, err, data}: what a command left. A failed one gives nil, error, and that. */
static int push_done(lua_State *L, void *arg)
{
    struct task_job *j = arg;
    luaL_checkstack(L, 8, "job result");
    bool has_failed = j->error.status != STATUS_OK;
    if (has_failed)
        value_push_failure(L, &j->error);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, j->exit_code);
    lua_setfield(L, -2, "exit_code");
    lua_pushlstring(L, j->out, j->out_len);
    lua_setfield(L, -2, "out");
    lua_pushstring(L, j->err_tail);
    lua_setfield(L, -2, "err");
    if (j->result) {
        value_push_json(L, j->result);
        lua_setfield(L, -2, "data");
    }
    return has_failed ? 3 : 1;
}

static int push_up(lua_State *L, void *arg)
{
    struct task_job *j = arg;
    if (!j->is_up)
        return push_done(L, arg); /* it ended before: its error, or its result */
    if (j->up)
        value_push_json(L, j->up);
    else
        lua_pushboolean(L, true);
    return 1;
}

static void become_up(struct task_job *j, const cJSON *data)
{
    j->is_up = true;
    j->up = data ? cJSON_Duplicate(data, true) : NULL;
    wait_list_wake(&j->up_waiters, push_up, j);
}

/* Why a job failed. Who waits for it is told, and has the say; else it would be lost. */
static void log_unheard(const struct task_job *j, const struct event *ev)
{
    char name[96], text[1024];
    if (j->up_waiters.first || j->done_waiters.first)
        return;
    log_error("%s: %s", log_escape(ev->job, name, sizeof name),
              log_escape(json_str(ev->body, "message", ""), text, sizeof text));
    const char *hint = json_str(ev->body, "hint", "");
    if (hint[0])
        log_info("hint: %s", log_escape(hint, text, sizeof text));
}

static void on_event(void *user, struct job *job, const struct event *ev)
{
    struct task_job *j = user;
    (void)job;
    if (ev->type == EVENT_ERROR)
        log_unheard(j, ev);
    if (ev->type == EVENT_SAMPLE)
        job_samples_add(&j->samples, ev->body);
    if (ev->type != EVENT_RESULT || j->is_up)
        return;
    const cJSON *data = json_get(ev->body, "data");
    if (strcmp(json_str(data, "state", ""), "up") == 0)
        become_up(j, data);
}

static void on_text(void *user, struct job *job, const char *data, size_t len)
{
    struct task_job *j = user;
    (void)job;
    if (!j->ready || j->is_up)
        return;
    buf_append_tail(&j->seen, data, len);
    if (strstr(j->seen.data, j->ready))
        become_up(j, NULL);
}

static void on_done(void *user, struct job *job, const struct job_exit *how)
{
    struct task_job *j = user;
    (void)job;
    j->job = NULL;
    j->is_ending = true;
    j->error = how->error;
    j->exit_code = how->exit_code;
    record_command_end(j->script, &j->note, how->error.status, how->exit_code);
    j->out_len = how->out_len;
    j->out = malloc(how->out_len + 1);
    j->err_tail = strdup(how->err_tail);
    j->result = how->result ? cJSON_Duplicate(how->result, true) : NULL;
    if (!j->out || !j->err_tail) {
        error_set(&j->error, STATUS_NOMEM, "job", "no memory for the output");
        j->out_len = 0;
    } else {
        memcpy(j->out, how->out, how->out_len + 1);
    }
    struct task *owner = j->owner;
    j->owner = NULL;
    if (!j->is_up)
        wait_list_wake(&j->up_waiters, push_up, j);
    wait_list_wake(&j->done_waiters, push_done, j);
    job_samples_end(&j->samples);
    task_remove_job(owner, j);
    j->is_ending = false;
    free_if_unused(j);
}

/* --- Host ------------------------------------------------------------------------------------- */

struct host *host_check(lua_State *L, int index)
{
    return ((struct host_box *)luaL_checkudata(L, index, HOST_META))->host;
}

void host_push(lua_State *L, struct host *h)
{
    struct host_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->host = h;
    luaL_setmetatable(L, HOST_META);
}

/* Begin a job of the running task on a host: `process` starts it, NULL a command. Pushes a Job, or
 * returns NULL with *e set. */
static struct task_job *begin(lua_State *L, struct host *h, const struct job_opts *opts,
                              const char *ready, bool is_service, process_start_fn process,
                              void *arg, struct error *e)
{
    struct script *s = script_of(L);
    struct task *owner = task_current(L);
    struct task_job *j = calloc(1, sizeof *j);
    if (!j) {
        error_set(e, STATUS_NOMEM, "job", "out of memory");
        return NULL;
    }
    buf_init(&j->seen, 65536);
    j->script = s;
    j->owner = owner;
    j->is_service = is_service;
    j->ready = ready ? strdup(ready) : NULL;
    struct job_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->j = j;
    j->has_handle = true;
    luaL_setmetatable(L, JOB_META);
    struct job_callbacks cb = {on_event, on_text, on_done};
    enum status st = process ? job_start_with(s->opts.loop, s->opts.bus, h, opts, process, arg, &cb,
                                              j, &j->job, e)
                             : job_start(s->opts.loop, s->opts.bus, h, opts, &cb, j, &j->job, e);
    if (st != STATUS_OK)
        return NULL; /* the box is garbage and takes j with it */
    j->note = record_command_start(s, host_name(h), opts->label, opts->argv);
    task_add_job(owner, j);
    return j;
}

/* The field `reader` of the table at `index`: {kind="ss" or "iperf3", label=, peer=, dport=,
 * sport=}, or NULL without it. */
static struct reader *check_reader(lua_State *L, int index)
{
    if (lua_getfield(L, index, "reader") != LUA_TTABLE) {
        lua_pop(L, 1);
        return NULL;
    }
    int t = lua_gettop(L);
    struct reader_opts opts = {.kind = opt_string(L, t, "kind", ""),
                               .label = opt_string(L, t, "label", ""),
                               .peer = opt_string(L, t, "peer", NULL),
                               .dport = (uint16_t)opt_number(L, t, "dport", 0),
                               .sport = (uint16_t)opt_number(L, t, "sport", 0)};
    struct reader *r = reader_new(&opts);
    if (!r)
        luaL_error(L, "no reader of kind '%s'", opts.kind);
    lua_pop(L, 1);
    return r;
}

/* The name of a detached job: `detached` is it, or true for one made of the label, which so must
 * not be shown before. Valid as long as the value that is pushed. NULL: not detached. */
static const char *detached_id(lua_State *L, int index, const char *label)
{
    int type = lua_getfield(L, index, "detached");
    if (type == LUA_TSTRING || !lua_toboolean(L, -1))
        return type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    char id[40], *p = id;
    uint32_t random = 0;
    for (; *label && p < id + 24; label++)
        *p++ = isalnum((unsigned char)*label) ? *label : '-';
    *p = '\0';
    if (getrandom(&random, sizeof random, 0) < 0)
        random = (uint32_t)uv_hrtime();
    return lua_pushfstring(L, "%s%s-%d", isalnum((unsigned char)id[0]) ? "" : "job", id,
                           (int)(random % 1000000000));
}

/* Start the command described by the table at index 2 on the host at index 1, as begin() does. */
static struct task_job *start(lua_State *L, struct error *e)
{
    struct host *h = host_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const char **argv = opt_argv(L, 2);
    const char *label = opt_string(L, 2, "label", argv[0]);
    const char *id = detached_id(L, 2, label);
    struct job_opts opts = {
        .argv = argv,
        .is_sudo = opt_bool(L, 2, "sudo", false),
        .detached = id,
        .label = label,
        .has_input = opt_bool(L, 2, "input", false),
        .cwd = opt_string(L, 2, "cwd", NULL),
        .output = opt_bool(L, 2, "events", false) ? JOB_OUTPUT_EVENTS : JOB_OUTPUT_TEXT,
        .timeout_ms = (int)(opt_number(L, 2, "timeout_s", 0) * 1000),
        .grace_ms = (int)(opt_number(L, 2, "grace_s", 0) * 1000),
    };
    const char *ready = opt_string(L, 2, "ready", NULL);
    bool is_service = opt_bool(L, 2, "service", false);
    const char *src = opt_string(L, 2, "qdisc_samples", NULL); /* of lab.watch_qdisc() */
    if (src) {
        struct spawn_opts so = {.argv = argv, .cwd = opts.cwd};
        struct qdisc_watch_opts watch = {&so, src};
        opts.output = JOB_OUTPUT_EVENTS;
        return begin(L, h, &opts, ready, is_service, qdisc_watch_start, &watch, e);
    }
    if (lua_getfield(L, 2, "stdin_of") == LUA_TTABLE) { /* of lab.capture() */
        struct spawn_opts so = {.argv = argv, .cwd = opts.cwd};
        struct piped_opts piped = {&so, opt_argv(L, lua_gettop(L))};
        return begin(L, h, &opts, ready, is_service, piped_start, &piped, e);
    }
    lua_pop(L, 1);
    opts.reader = check_reader(L, 2); /* last: nothing raises while we hold it */
    struct task_job *j = begin(L, h, &opts, ready, is_service, NULL, NULL, e);
    if (!j && opts.reader)
        opts.reader->free(opts.reader);
    if (j && id)
        j->id = strdup(id);
    return j;
}

/* host:attach(id, {events=, label=, out_from=, err_from=, timeout_s=, ready=}) */
static int l_host_attach(lua_State *L)
{
    struct host *h = host_check(L, 1);
    const char *id = luaL_checkstring(L, 2);
    struct error e;
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    double out_from = opt_number(L, 3, "out_from", 0), err_from = opt_number(L, 3, "err_from", 0);
    luaL_argcheck(L, out_from >= 0 && err_from >= 0 && out_from < 1e15 && err_from < 1e15, 3,
                  "out_from, err_from: bytes");
    struct detached_opts d = {
        .id = id, .out_from = (uint64_t)out_from, .err_from = (uint64_t)err_from};
    struct job_opts opts = {
        .label = opt_string(L, 3, "label", id),
        .output = opt_bool(L, 3, "events", false) ? JOB_OUTPUT_EVENTS : JOB_OUTPUT_TEXT,
        .timeout_ms = (int)(opt_number(L, 3, "timeout_s", 0) * 1000),
    };
    struct task_job *j =
        begin(L, h, &opts, opt_string(L, 3, "ready", NULL), false, detached_start, &d, &e);
    if (!j)
        return value_push_failure(L, &e);
    j->id = strdup(id);
    return 1;
}

static int l_host_start(lua_State *L)
{
    struct error e;
    return start(L, &e) ? 1 : value_push_failure(L, &e);
}

static int l_host_run(lua_State *L)
{
    struct error e;
    struct task_job *j = start(L, &e);
    return j ? task_wait(L, &j->done_waiters, 0, "") : value_push_failure(L, &e);
}

struct task_job *task_job_begin(lua_State *L, struct host *h, const struct job_opts *opts,
                                process_start_fn process, void *arg, struct error *e)
{
    return begin(L, h, opts, NULL, false, process, arg, e);
}

int task_job_wait(lua_State *L, struct task_job *j)
{
    return task_wait(L, &j->done_waiters, 0, "");
}

static int l_host_index(lua_State *L)
{
    struct host *h = host_check(L, 1);
    const char *key = luaL_checkstring(L, 2);
    if (strcmp(key, "name") == 0)
        lua_pushstring(L, host_name(h));
    else if (strcmp(key, "address") == 0)
        lua_pushstring(L, host_address(h));
    else if (strcmp(key, "kind") == 0)
        lua_pushstring(L, host_kind_name(h));
    else if (strcmp(key, "netns") == 0)
        lua_pushstring(L, host_netns(h));
    else if (strcmp(key, "userns") == 0)
        lua_pushstring(L, host_userns(h));
    else if (strcmp(key, "bin") == 0)
        lua_pushstring(L, host_bin(h));
    else if (strcmp(key, "is_up") == 0)
        lua_pushboolean(L, host_state(h) == HOST_STATE_UP);
    else if (luaL_getmetafield(L, 1, "methods") != LUA_TNIL)
        lua_getfield(L, -1, key);
    return 1;
}

static int l_host_tostring(lua_State *L)
{
    struct host *h = host_check(L, 1);
    lua_pushfstring(L, "Host %s (%s %s)", host_name(h), host_kind_name(h), host_address(h));
    return 1;
}

static int l_host_set_up(lua_State *L)
{
    host_set_state(host_check(L, 1), lua_toboolean(L, 2) ? HOST_STATE_UP : HOST_STATE_DOWN);
    return 0;
}

void host_adopt(lua_State *L, struct host *h)
{
    struct script *s = script_of(L);
    struct host **hosts = realloc(s->hosts, (s->nhosts + 1) * sizeof *hosts);
    if (!hosts) {
        host_free(h);
        luaL_error(L, "out of memory");
    }
    s->hosts = hosts;
    s->hosts[s->nhosts++] = h;
}

/* lab._open_host{name=, netns=, userns=, address=, bin=}: the same name and place give the same
 * host. */
static int l_open_host(lua_State *L)
{
    struct script *s = script_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *name = opt_string(L, 1, "name", NULL), *netns = opt_string(L, 1, "netns", NULL);
    const char *userns = opt_string(L, 1, "userns", NULL);
    const char *address = opt_string(L, 1, "address", netns ? "" : "127.0.0.1");
    luaL_argcheck(L, name, 1, "a host needs a name");
    for (size_t i = 0; i < s->nhosts; i++)
        if (host_is(s->hosts[i], name, netns, userns)) {
            host_set_state(s->hosts[i], HOST_STATE_UP);
            host_push(L, s->hosts[i]);
            return 1;
        }
    struct host *h =
        netns ? host_netns_new(name, netns, userns, address, opt_string(L, 1, "bin", NULL))
              : host_local_new(name, address);
    if (!h)
        return luaL_error(L, "out of memory");
    host_adopt(L, h);
    host_push(L, h);
    return 1;
}

/* --- Job -------------------------------------------------------------------------------------- */

static struct task_job *check_job(lua_State *L)
{
    return ((struct job_box *)luaL_checkudata(L, 1, JOB_META))->j;
}

static int l_job_wait(lua_State *L)
{
    struct task_job *j = check_job(L);
    if (!j->job)
        return push_done(L, j);
    return task_wait(L, &j->done_waiters, (uint64_t)(luaL_optnumber(L, 2, 0) * 1000),
                     job_label(j->job));
}

static int l_job_wait_up(lua_State *L)
{
    struct task_job *j = check_job(L);
    if (!j->job || j->is_up)
        return push_up(L, j);
    return task_wait(L, &j->up_waiters, (uint64_t)(luaL_optnumber(L, 2, 30) * 1000),
                     job_label(j->job));
}

static int l_job_cancel(lua_State *L)
{
    struct task_job *j = check_job(L);
    if (j->job)
        job_cancel(j->job);
    return 0;
}

static int l_job_leave(lua_State *L)
{
    struct task_job *j = check_job(L);
    if (j->job)
        job_leave(j->job);
    return 0;
}

static int l_job_id(lua_State *L)
{
    lua_pushstring(L, check_job(L)->id);
    return 1;
}

/* job:write(text) */
static int l_job_write(lua_State *L)
{
    struct task_job *j = check_job(L);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct error e;
    luaL_argcheck(L, len <= INPUT_MAX, 2, "at most 64 KiB at a time");
    if (!j->job)
        error_set(&e, STATUS_HOST, "job", "it has ended");
    else if (job_write(j->job, text, len, &e) == STATUS_OK)
        return lua_pushboolean(L, true), 1;
    return value_push_failure(L, &e);
}

static int l_job_finish(lua_State *L)
{
    struct task_job *j = check_job(L);
    if (!j->job)
        return push_done(L, j);
    job_finish(j->job);
    return task_wait(L, &j->done_waiters, 0, "");
}

/* job:next_sample(): its next sample, as job_samples_next() gives it */
static int l_job_next_sample(lua_State *L)
{
    return job_samples_next(L, &check_job(L)->samples);
}

static int l_job_is_running(lua_State *L)
{
    lua_pushboolean(L, check_job(L)->job != NULL);
    return 1;
}

static int l_job_gc(lua_State *L)
{
    struct job_box *box = luaL_checkudata(L, 1, JOB_META);
    if (box->j) {
        box->j->has_handle = false;
        free_if_unused(box->j);
        box->j = NULL;
    }
    return 0;
}

void bind_job(lua_State *L)
{
    static const luaL_Reg host_methods[] = {{"start", l_host_start},
                                            {"run", l_host_run},
                                            {"upload", host_upload},
                                            {"download", host_download},
                                            {"attach", l_host_attach},
                                            {"_set_up", l_host_set_up},
                                            {NULL, NULL}};
    static const luaL_Reg job_methods[] = {{"leave", l_job_leave},
                                           {"id", l_job_id},
                                           {"wait", l_job_wait},
                                           {"write", l_job_write},
                                           {"wait_up", l_job_wait_up},
                                           {"cancel", l_job_cancel},
                                           {"finish", l_job_finish},
                                           {"next_sample", l_job_next_sample},
                                           {"is_running", l_job_is_running},
                                           {NULL, NULL}};
    luaL_newmetatable(L, HOST_META);
    luaL_newlib(L, host_methods);
    lua_setfield(L, -2, "methods");
    lua_pushcfunction(L, l_host_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_host_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);

    luaL_newmetatable(L, JOB_META);
    luaL_newlib(L, job_methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_job_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_job_leave);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);

    lua_pushcfunction(L, l_open_host);
    lua_setfield(L, -2, "_open_host");
    bind_ssh(L);
}
