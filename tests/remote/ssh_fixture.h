/* One loop, one sshd, and what the tests of SSH hosts do with them. Include it behind <cmocka.h>.
 */
#ifndef CCALAB_TESTS_SSH_FIXTURE_H
#define CCALAB_TESTS_SSH_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "remote/job.h"
#include "tests/remote/sshd.h"

static struct sshd sshd;
static uv_loop_t loop;

/* --- turning the loop ------------------------------------------------------------------------- */

static inline void on_tick(uv_timer_t *t)
{
    (void)t;
}

/* Turn the loop until *is_done. The limit, here as below, only ends what hangs. */
static inline void turn(const bool *is_done)
{
    uv_timer_t tick;
    uint64_t end = clock_mono_ns() + 120000000000u;
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 10, 10);
    while (!*is_done && clock_mono_ns() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(*is_done);
}

static inline void pass_ms(int ms)
{
    uv_timer_t tick;
    uint64_t end = clock_mono_ns() + (uint64_t)ms * 1000000u;
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    while (clock_mono_ns() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* --- hosts ------------------------------------------------------------------------------------ */

struct state {
    bool is_settled, is_up;
};

static inline void on_state(void *user, struct host *h)
{
    struct state *s = user;
    s->is_up = host_state(h) == HOST_STATE_UP;
    s->is_settled = host_state(h) != HOST_STATE_CONNECTING;
}

static inline struct ssh_opts usual(void)
{
    return (struct ssh_opts){.host = "127.0.0.1",
                             .port = sshd.port,
                             .identity = sshd_path(&sshd, "id"),
                             .known_hosts = sshd_path(&sshd, "known_hosts"),
                             .config = "/dev/null"};
}

/* Connect, and wait until that has worked or not. */
static inline struct host *open_host(const struct ssh_opts *o, bool *is_up)
{
    struct host *h = NULL;
    struct error e;
    struct state s = {false, false};
    if (host_ssh_new("h", NULL, &loop, o, &h, &e) != STATUS_OK)
        fail_msg("%s", e.message);
    host_watch(h, on_state, &s);
    turn(&s.is_settled);
    host_watch(h, NULL, NULL);
    *is_up = s.is_up;
    return h;
}

static inline struct host *open_good(void)
{
    struct ssh_opts o = usual();
    bool is_up;
    struct host *h = open_host(&o, &is_up);
    if (!is_up)
        fail_msg("%s", host_why(h)->message);
    return h;
}

static inline void close_host(struct host *h)
{
    host_free(h);
    pass_ms(20);
}

/* --- jobs ------------------------------------------------------------------------------------- */

struct end {
    bool is_done;
    struct error error;
    int exit_code, exit_signal;
    char *out, *err;
    size_t out_len;
    char said[64]; /* the beginning of stdout, as it comes */
};

static inline void on_text(void *user, struct job *job, const char *data, size_t len)
{
    struct end *e = user;
    size_t n = strlen(e->said), room = sizeof e->said - 1 - n;
    (void)job;
    memcpy(e->said + n, data, len < room ? len : room); /* the rest is zero */
}

/* Turn the loop until the job's command has said these first words. */
static inline void turn_until_said(const struct end *e, const char *words)
{
    uint64_t end = clock_mono_ns() + 120000000000u;
    while (strncmp(e->said, words, strlen(words)) != 0 && !e->is_done && clock_mono_ns() < end)
        pass_ms(5);
    if (strncmp(e->said, words, strlen(words)) != 0)
        fail_msg("it said '%s', not '%s'", e->said, words);
}

static inline void on_done(void *user, struct job *job, const struct job_exit *how)
{
    struct end *e = user;
    (void)job;
    e->error = how->error;
    e->exit_code = how->exit_code;
    e->exit_signal = how->exit_signal;
    e->out_len = how->out_len;
    e->out = malloc(how->out_len + 1);
    memcpy(e->out, how->out, how->out_len + 1);
    e->err = strdup(how->err_tail);
    e->is_done = true;
}

static inline void end_done(struct end *e)
{
    free(e->out);
    free(e->err);
    *e = (struct end){0};
}

static inline struct job *start_job(struct host *h, const struct job_opts *o, struct end *e)
{
    struct job_callbacks cb = {NULL, on_text, on_done};
    struct job *job = NULL;
    struct error err;
    *e = (struct end){0};
    if (job_start(&loop, NULL, h, o, &cb, e, &job, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    return job;
}

static inline struct job *start_sh(struct host *h, const char *script, struct end *e)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct job_opts o = {.label = "test", .argv = argv, .grace_ms = 300};
    return start_job(h, &o, e);
}

static inline struct end run_sh(struct host *h, const char *script)
{
    struct end e;
    start_sh(h, script, &e);
    turn(&e.is_done);
    return e;
}

static inline int fixture_set_up(void **state)
{
    (void)state;
    return uv_loop_init(&loop);
}

static inline int fixture_tear_down(void **state)
{
    (void)state;
    int busy = UV_EBUSY;
    for (int i = 0; busy == UV_EBUSY && i < 2000; i++) {
        pass_ms(5);
        busy = uv_loop_close(&loop);
    }
    return busy;
}

#endif
