/* Tasks: coroutines on the event loop that look synchronous.
 *
 * A binding that waits puts its task on a wait_list and returns task_wait(); whoever completes the
 * operation calls wait_list_wake(). A task owns the jobs and tasks it started: when it ends they
 * are cancelled, services last, and only then is its end reported. Between the two comes what
 * lab._defer() was given, on whatever end: tasks that an interruption does not reach, which may
 * wait and must bound themselves. Thread: main only. */
#ifndef CCALAB_LUA_TASK_H
#define CCALAB_LUA_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <uv.h>

#include "core/error.h"
#include "lua/script.h"

struct task;
struct task_job; /* a job as seen by its task: lua/bind_job.c */

/* Tasks waiting for one thing to happen. */
struct wait_list {
    struct task *first;
};

/* Push the results of a wait onto L and return their number. */
typedef int (*wait_push_fn)(lua_State *L, void *arg);

/* Create a task that runs the function with `nargs` arguments on top of L's stack (all popped), as
 * soon as the loop comes round. `done` may be NULL. NULL when out of memory. */
struct task *task_start(struct script *s, lua_State *L, int nargs, struct task *parent,
                        script_done_fn done, void *user);
/* The running task; raises a Lua error if there is none (a prelude file is being loaded). */
struct task *task_current(lua_State *L);
/* Wait: use as `return task_wait(...)` from a C function. With timeout_ms > 0 the wait ends by
 * itself with nil and an error of status timeout about `what`. timeout_ms == 0 waits for ever. */
int task_wait(lua_State *L, struct wait_list *list, uint64_t timeout_ms, const char *what);
/* As task_wait() with no list: returns true to the script after `ms`. */
int task_sleep(lua_State *L, uint64_t ms);
/* Resume everyone on the list, each with the values that `push` puts on its stack. */
void wait_list_wake(struct wait_list *list, wait_push_fn push, void *arg);

/* Ask it to end with STATUS_INTERRUPTED. */
void task_cancel(struct task *t);
/* Every task but those that clean up. */
void task_cancel_all(struct script *s);
/* Mark a task that has no parent as the task of a typed line: what it wants cleaned up at its end
 * waits for task_clean_up(). */
void task_set_line(struct task *t);
/* Start what typed lines have left to clean up. */
void task_clean_up(struct script *s);
bool task_is_done(const struct task *t);
struct task *task_next(const struct task *t); /* in the script's list */

/* Jobs report to their owner. */
void task_add_job(struct task *t, struct task_job *j);
void task_remove_job(struct task *t, struct task_job *j);
/* Provided by bind_job.c. */
struct task_job *task_job_next(const struct task_job *j);
void task_job_set_next(struct task_job *j, struct task_job *next);
bool task_job_is_service(const struct task_job *j);
void task_job_cancel(struct task_job *j);

/* Task userdata: lab.spawn(), task:join(), task:cancel(). */
void bind_task(lua_State *L);

#endif
