#include "lua/job_samples.h"

#include <lauxlib.h>

#include "core/json.h"
#include "lua/script_internal.h"

static cJSON *take(struct job_samples *s)
{
    if (s->count == 0)
        return NULL;
    cJSON *event = s->kept[s->first];
    s->first = (s->first + 1) % JOB_SAMPLES_MAX;
    s->count--;
    return event;
}

void job_samples_done(struct job_samples *s)
{
    for (cJSON *event; (event = take(s));)
        cJSON_Delete(event);
}

static int push_next(lua_State *L, void *arg)
{
    cJSON *event = take(arg);
    luaL_checkstack(L, 8, "sample");
    if (event == NULL) {
        lua_pushnil(L);
        return 1;
    }
    value_push_json(L, json_get(event, "values"));
    lua_pushnumber(L, json_num(event, "t", 0));
    lua_pushstring(L, json_str(event, "src", ""));
    cJSON_Delete(event);
    return 3;
}

void job_samples_add(struct job_samples *s, const cJSON *event)
{
    cJSON *copy = s->is_wanted ? cJSON_Duplicate(event, true) : NULL;
    if (copy == NULL)
        return;
    if (s->count == JOB_SAMPLES_MAX)
        cJSON_Delete(take(s));
    s->kept[(s->first + s->count++) % JOB_SAMPLES_MAX] = copy;
    if (s->waiters.first)
        wait_list_wake(&s->waiters, push_next, s);
}

void job_samples_end(struct job_samples *s)
{
    s->is_over = true;
    wait_list_wake(&s->waiters, push_next, s);
}

int job_samples_next(lua_State *L, struct job_samples *s)
{
    s->is_wanted = true;
    if (s->count || s->is_over)
        return push_next(L, s);
    if (s->waiters.first)
        return luaL_error(L, "another task waits for this job's samples already");
    return task_wait(L, &s->waiters, 0, "a sample");
}
