#include "remote/job.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "remote/detached.h"
#include "remote/sudo.h"

#define DEFAULT_MAX_OUTPUT (64u << 20)
#define DEFAULT_GRACE_MS   2000
#define ERR_TAIL           4096

struct job {
    struct job *prev, *next;
    char *label;
    struct host *host;
    struct bus *bus;
    struct process *process; /* NULL: it has ended */
    enum job_output output;
    int stop_signal, grace_ms, timeout_ms;
    struct job_callbacks cb;
    void *user;

    uv_timer_t timer; /* the time limit, then the grace period */
    bool is_stopping, is_left, is_sudo;
    enum status stop_reason; /* why we stopped it, STATUS_OK if we did not */

    struct buf out, err_tail;
    struct event_reader reader;
    struct reader *foreign; /* of a program that does not speak events, or NULL */
    cJSON *result;
    struct error reported; /* the command's own `error` event */
    struct process_end end;
};

static struct job *first, *last;

struct job *job_first(void)
{
    return first;
}

struct job *job_next(const struct job *job)
{
    return job->next;
}

const char *job_label(const struct job *job)
{
    return job->label;
}

struct host *job_host(const struct job *job)
{
    return job->host;
}

static void on_grace_over(uv_timer_t *t)
{
    struct job *job = t->data;
    job->process->kill(job->process, SIGKILL);
}

static void stop(struct job *job, enum status why)
{
    if (job->is_stopping)
        return;
    job->is_stopping = true;
    job->stop_reason = why;
    job->process->kill(job->process, job->stop_signal);
    uv_timer_start(&job->timer, on_grace_over, (uint64_t)job->grace_ms, 0);
}

void job_cancel(struct job *job)
{
    stop(job, STATUS_INTERRUPTED);
}

void job_finish(struct job *job)
{
    stop(job, STATUS_OK);
}

void job_leave(struct job *job)
{
    if (!job->process) {
        return;
    } else if (!job->process->leave) {
        job_cancel(job);
    } else if (!job->is_left) {
        job->is_stopping = job->is_left = true;
        job->process->leave(job->process);
    }
}

enum status job_write(struct job *job, const char *text, size_t len, struct error *err)
{
    if (!job->process)
        return error_set(err, STATUS_HOST, "job", "%s has ended", job->label);
    if (!job->process->write)
        return error_set(err, STATUS_UNAVAILABLE, "job", "%s has no standard input to write to",
                         job->label);
    return job->process->write(job->process, text, len, err);
}

static void on_time_out(uv_timer_t *t)
{
    stop(t->data, STATUS_TIMEOUT);
}

static void on_event(void *user, const struct event *ev, const char *line)
{
    struct job *job = user;
    if (!ev) {
        char clean[1024];
        log_warn("%s: %s", job->label, log_escape(line, clean, sizeof clean));
        return;
    }
    if (ev->type == EVENT_RESULT) {
        cJSON_Delete(job->result);
        job->result = cJSON_Duplicate(json_get(ev->body, "data"), true);
    } else if (ev->type == EVENT_ERROR) {
        const cJSON *b = ev->body;
        error_set(&job->reported, status_from_name(json_str(b, "status", "failed")),
                  json_str(b, "subsystem", job->label), "%s", json_str(b, "message", ""));
        error_hint(&job->reported, "%s", json_str(b, "hint", ""));
    }
    if (job->bus)
        bus_publish(job->bus, ev);
    if (job->cb.on_event)
        job->cb.on_event(job->user, job, ev);
}

static void read_foreign(struct job *job, const char *data, size_t len)
{
    struct buf events;
    buf_init(&events, EVENT_LINE_MAX);
    if (data)
        job->foreign->feed(job->foreign, data, len, &events);
    else
        job->foreign->end(job->foreign, &events);
    event_reader_feed(&job->reader, events.data, events.len, job->label, on_event, job);
    buf_done(&events);
}

static void on_output(void *user, int fd, const char *data, size_t len)
{
    struct job *job = user;
    if (fd == 2) {
        buf_append_tail(&job->err_tail, data, len);
        return;
    }
    if (job->foreign)
        read_foreign(job, data, len);
    if (job->output == JOB_OUTPUT_EVENTS) {
        if (job->foreign)
            return;
        event_reader_feed(&job->reader, data, len, job->label, on_event, job);
    } else if (!job->out.is_failed) {
        if (!buf_append(&job->out, data, len))
            stop(job, STATUS_NOMEM);
        else if (job->cb.on_text)
            job->cb.on_text(job->user, job, data, len);
    }
}

/* Last line of what the command said on stderr: usually the reason. */
static const char *last_words(struct job *job)
{
    struct buf *b = &job->err_tail;
    while (b->len && strchr("\r\n ", b->data[b->len - 1]))
        b->data[--b->len] = '\0';
    char *nl = b->len ? strrchr(b->data, '\n') : NULL;
    return nl ? nl + 1 : b->data;
}

static void judge(struct job *job, struct job_exit *how)
{
    struct error *e = &how->error;
    how->exit_code = job->end.exit_code;
    how->exit_signal = job->end.exit_signal;
    char words[512];
    log_escape(last_words(job), words, sizeof words);
    switch (job->stop_reason) {
    case STATUS_INTERRUPTED:
        error_set(e, STATUS_INTERRUPTED, "job", "%s was cancelled", job->label);
        return;
    case STATUS_TIMEOUT:
        error_set(e, STATUS_TIMEOUT, "job", "%s did not end within %.1f s", job->label,
                  job->timeout_ms / 1000.0);
        return;
    case STATUS_NOMEM:
        error_set(e, STATUS_NOMEM, "job", "%s wrote more than %zu bytes", job->label, job->out.max);
        return;
    default:
        break;
    }
    if (job->is_left && job->end.lost.status != STATUS_OK) {
        *e = job->end.lost;
        e->status = STATUS_INTERRUPTED;
    } else if (job->end.lost.status != STATUS_OK)
        *e = job->end.lost;
    else if (job->reported.status != STATUS_OK)
        *e = job->reported;
    else if (job->is_sudo && sudo_has_refused(how->exit_code, job->err_tail.data, job->label,
                                              host_name(job->host), e))
        return;
    else if (how->exit_signal)
        error_set(e, STATUS_HOST, "job", "%s was killed by signal %d (%s) on %s%s%s", job->label,
                  how->exit_signal, strsignal(how->exit_signal), host_name(job->host),
                  words[0] ? ": " : "", words);
    else if (how->exit_code != 0)
        error_set(e, STATUS_HOST, "job", "%s failed with exit status %d on %s%s%s", job->label,
                  how->exit_code, host_name(job->host), words[0] ? ": " : "", words);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct job *job = h->data;
    struct job_exit how = {.exit_code = -1};
    how.out = job->out.data;
    how.out_len = job->out.len;
    how.result = job->result;
    judge(job, &how);
    how.err_tail = job->err_tail.data;

    *(job->prev ? &job->prev->next : &first) = job->next;
    *(job->next ? &job->next->prev : &last) = job->prev;
    host_job_count(job->host, -1);
    job->cb.on_done(job->user, job, &how);
    buf_done(&job->out);
    buf_done(&job->err_tail);
    event_reader_done(&job->reader);
    if (job->foreign)
        job->foreign->free(job->foreign);
    cJSON_Delete(job->result);
    free(job->label);
    free(job);
}

static void on_exit_status(void *user, const struct process_end *end)
{
    struct job *job = user;
    job->end = *end;
    job->process = NULL;
    job->is_stopping = true; /* nobody may signal it any more */
    if (job->foreign)
        read_foreign(job, NULL, 0);
    else if (job->output == JOB_OUTPUT_EVENTS)
        event_reader_end(&job->reader, job->label, on_event, job);
    uv_close((uv_handle_t *)&job->timer, on_timer_closed);
}

enum status job_start_with(uv_loop_t *loop, struct bus *bus, struct host *host,
                           const struct job_opts *opts, process_start_fn start, void *arg,
                           const struct job_callbacks *cb, void *user, struct job **out,
                           struct error *err)
{
    struct job *job = calloc(1, sizeof *job);
    char *label = strdup(opts->label);
    if (!job || !label) {
        free(job);
        free(label);
        return error_set(err, STATUS_NOMEM, "job", "out of memory");
    }
    job->label = label;
    job->host = host;
    job->bus = bus;
    job->output = opts->output;
    job->foreign = opts->reader;
    job->is_sudo = opts->is_sudo;
    job->stop_signal = opts->stop_signal ? opts->stop_signal : SIGTERM;
    job->grace_ms = opts->grace_ms ? opts->grace_ms : DEFAULT_GRACE_MS;
    job->timeout_ms = opts->timeout_ms;
    job->cb = *cb;
    job->user = user;
    struct process_callbacks pcb = {on_output, on_exit_status};
    enum status st = start(host, loop, arg, &pcb, job, &job->process, err);
    if (st != STATUS_OK) {
        free(label);
        free(job);
        return st;
    }
    buf_init(&job->out, opts->max_output ? opts->max_output : DEFAULT_MAX_OUTPUT);
    buf_init(&job->err_tail, ERR_TAIL);
    event_reader_init(&job->reader);
    uv_timer_init(loop, &job->timer);
    job->timer.data = job;
    if (opts->timeout_ms)
        uv_timer_start(&job->timer, on_time_out, (uint64_t)opts->timeout_ms, 0);
    job->prev = last;
    *(last ? &last->next : &first) = job;
    last = job;
    host_job_count(host, 1);
    *out = job;
    return STATUS_OK;
}

static enum status start_command(struct host *host, uv_loop_t *loop, void *arg,
                                 const struct process_callbacks *cb, void *user,
                                 struct process **out, struct error *err)
{
    return host_spawn(host, loop, arg, cb, user, out, err);
}

enum status job_start(uv_loop_t *loop, struct bus *bus, struct host *host,
                      const struct job_opts *opts, const struct job_callbacks *cb, void *user,
                      struct job **out, struct error *err)
{
    const char **as_root = opts->is_sudo ? sudo_argv(opts->argv) : NULL;
    struct spawn_opts so = {.argv = as_root ? as_root : opts->argv,
                            .env = opts->env,
                            .cwd = opts->cwd,
                            .is_written_to = opts->has_input && !opts->detached};
    struct detached_opts detached = {.id = opts->detached, .label = opts->label, .what = &so};
    enum status st =
        opts->is_sudo && !as_root ? error_set(err, STATUS_NOMEM, "job", "out of memory")
        : opts->detached
            ? job_start_with(loop, bus, host, opts, detached_start, &detached, cb, user, out, err)
            : job_start_with(loop, bus, host, opts, start_command, &so, cb, user, out, err);
    free(as_root);
    return st;
}
