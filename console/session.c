#include "console/session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/log.h"
#include "core/loop.h"
#include "remote/job.h"

#define SERIES_MAX 1024

static void write_event(struct session *s, const struct event *ev)
{
    char *line = cJSON_PrintUnformatted(ev->body);

    if (line)
        fprintf(s->events, "%s\n", line);
    cJSON_free(line);
    if ((!line || ferror(s->events)) && !s->has_events_failed) {
        s->has_events_failed = true;
        log_error("events: %s: %s", s->options->events_path, strerror(errno));
    }
}

static void log_event(const struct event *ev)
{
    static void (*const log_at[])(const char *fmt, ...) = {log_debug, log_info, log_warn,
                                                           log_error};
    const char *level = json_str(ev->body, "level", "info");
    char job[96], text[1024];
    int at = LOG_LEVEL_INFO;

    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
        if (!strcmp(level, log_level_name((enum log_level)i)))
            at = i;
    log_escape(ev->job, job, sizeof job);
    log_escape(json_str(ev->body, "text", ""), text, sizeof text);
    log_at[at]("%s%s%s", job, job[0] ? ": " : "", text);
}

static void on_event(void *user, const struct event *ev)
{
    struct session *s = user;

    lab_map_event(&s->map, ev);
    switch (ev->type) {
    case EVENT_SAMPLE:
        series_set_add_event(&s->series, ev);
        break;
    case EVENT_PROGRESS:
        progress_update(&s->progress, ev);
        break;
    case EVENT_LOG:
        log_event(ev);
        break;
    case EVENT_CHECKS:
        checks_table_update(&s->checks, ev);
        break;
    case EVENT_ERROR: /* whoever waits for the job says why it failed, else lua/bind_job.c */
    case EVENT_RESULT:
        break;
    }
    if (s->events)
        write_event(s, ev);
}

enum status session_open(struct session *s, const struct options *o,
                         void (*on_interrupt)(void *user, int signum), void *user,
                         struct error *err)
{
    enum status st;
    int r;

    memset(s, 0, sizeof *s);
    s->options = o;
    series_set_init(&s->series, SERIES_MAX);
    if (o->events_path) {
        s->events = fopen(o->events_path, "we");
        if (!s->events)
            return error_sys(err, STATUS_IO, errno, "events", "%s", o->events_path);
        setvbuf(s->events, NULL, _IOLBF, 0); /* whoever follows the file sees whole lines */
    }
    s->bus = bus_new();
    if (!s->bus || !bus_subscribe(s->bus, on_event, s)) {
        st = error_set(err, STATUS_NOMEM, "console", "out of memory");
        goto fail;
    }
    r = uv_loop_init(&s->loop);
    if (r) {
        st = error_set(err, STATUS_INTERNAL, "loop", "%s", uv_strerror(r));
        goto fail;
    }
    uv_timer_init(&s->loop, &s->deadline);
    s->deadline.data = s;
    st = loop_interrupt_start(&s->loop, on_interrupt, user, err);
    if (st == STATUS_OK)
        return STATUS_OK;
    uv_close((uv_handle_t *)&s->deadline, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
fail:
    bus_free(s->bus);
    if (s->events)
        fclose(s->events);
    return st;
}

enum status session_script(struct session *s,
                           void (*on_print)(void *user, const char *text, size_t len), void *user,
                           struct error *err)
{
    struct script_opts opts = {.loop = &s->loop,
                               .bus = s->bus,
                               .series = &s->series,
                               .on_print = on_print,
                               .user = user,
                               .can_ask = s->options->mode == OPTIONS_RUN && isatty(STDIN_FILENO) &&
                                          isatty(STDERR_FILENO),
                               .memory_bytes = s->options->memory_bytes,
                               .is_unsafe = s->options->is_unsafe,
                               .accepts_new_keys = s->options->accepts_new_hosts,
                               .ask = s->ask,
                               .ask_user = s->ask_user};

    return script_new(&opts, &s->script, err);
}

bool session_is_busy(const struct session *s)
{
    return (s->script && script_is_busy(s->script)) || job_first();
}

void session_cancel(struct session *s)
{
    /* A task ends its jobs itself, in the order that leaves the hosts clean. */
    if (s->script)
        script_cancel(s->script);
}

static void on_deadline(uv_timer_t *t)
{
    struct session *s = t->data;

    s->is_late = true;
}

bool session_drain(struct session *s, int limit_ms)
{
    s->is_late = false;
    uv_update_time(&s->loop);
    uv_timer_start(&s->deadline, on_deadline, (uint64_t)limit_ms, 0);
    while (session_is_busy(s) && !s->is_late)
        uv_run(&s->loop, UV_RUN_ONCE);
    uv_timer_stop(&s->deadline);
    return !session_is_busy(s);
}

enum status session_close(struct session *s, struct error *err)
{
    enum status st = STATUS_OK;
    bool is_idle;

    if (s->script)
        script_clean_up(s->script);
    if (session_is_busy(s))
        session_cancel(s);
    is_idle = session_drain(s, SESSION_STOP_MS);
    if (!is_idle) {
        for (struct job *j = job_first(); j; j = job_next(j))
            job_cancel(j);
        is_idle = session_drain(s, SESSION_STOP_MS / 3);
    }
    if (is_idle && s->script)
        script_free(s->script);
    if (s->events && (fclose(s->events) || s->has_events_failed))
        st = error_set(err, STATUS_IO, "events", "%s is not complete", s->options->events_path);
    if (!is_idle) {
        for (struct job *j = job_first(); j; j = job_next(j))
            log_error("%s did not end and will be killed", job_label(j));
        /* Tasks and jobs still point into the loop and the bus: leave them to the exit. */
        return error_set(err, STATUS_TIMEOUT, "console", "not everything ended within %d s",
                         SESSION_STOP_MS / 1000);
    }
    loop_interrupt_stop();
    uv_close((uv_handle_t *)&s->deadline, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&s->loop))
        log_debug("the loop still has open handles");
    bus_free(s->bus);
    series_set_done(&s->series);
    checks_table_done(&s->checks);
    return st;
}
