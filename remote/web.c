#include "remote/web.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct web {
    struct process base;
    struct process_callbacks cb;
    void *user;
    struct http_call *call; /* NULL: over, or cancelled */
    web_judge_fn judge;
    int arg;
    uv_timer_t timer; /* cancelled: the end comes from the loop */
    struct process_end end;
};

static void on_closed(uv_handle_t *h)
{
    struct web *w = h->data;

    w->cb.on_exit(w->user, &w->end);
    free(w);
}

static void on_reply(void *user, const struct http_reply *reply)
{
    struct web *w = user;
    cJSON *answer = w->judge(reply, w->arg);
    char *text = answer ? cJSON_PrintUnformatted(answer) : NULL;

    w->call = NULL;
    if (text)
        w->cb.on_output(w->user, 1, text, strlen(text));
    else
        error_set(&w->end.lost, STATUS_NOMEM, "http", "out of memory");
    free(text);
    cJSON_Delete(answer);
    if (!uv_is_closing((uv_handle_t *)&w->timer))
        uv_close((uv_handle_t *)&w->timer, on_closed);
}

static void on_kill(struct process *p, int signum)
{
    struct web *w = (struct web *)p;

    if (!w->call)
        return;
    http_cancel(w->call);
    w->call = NULL;
    w->end.exit_code = -1;
    w->end.exit_signal = signum;
    uv_close((uv_handle_t *)&w->timer, on_closed);
}

enum status web_start(struct host *host, uv_loop_t *loop, void *opts,
                      const struct process_callbacks *cb, void *user, struct process **out,
                      struct error *err)
{
    const struct web_opts *o = opts;
    struct web *w = calloc(1, sizeof *w);
    enum status st;

    (void)host;
    if (!w)
        return error_set(err, STATUS_NOMEM, "http", "out of memory");
    w->base.kill = on_kill;
    w->cb = *cb;
    w->user = user;
    w->judge = o->judge;
    w->arg = o->arg;
    st = http_start(loop, o->request, on_reply, w, &w->call, err);
    if (st != STATUS_OK) {
        free(w);
        return st;
    }
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    *out = &w->base;
    return STATUS_OK;
}

cJSON *web_no(const char *kind, long http_status, const struct error *e)
{
    cJSON *o = cJSON_CreateObject(), *error = cJSON_AddObjectToObject(o, "error");

    cJSON_AddStringToObject(o, "kind", kind);
    cJSON_AddNumberToObject(o, "status", (double)http_status);
    cJSON_AddStringToObject(error, "status", status_name(e->status));
    cJSON_AddStringToObject(error, "message", e->message);
    if (e->hint[0])
        cJSON_AddStringToObject(error, "hint", e->hint);
    return o;
}

cJSON *web_no_reply(const struct http_reply *reply)
{
    enum status st = reply->error.status;

    return web_no(st == STATUS_HOST || st == STATUS_TIMEOUT ? "transient" : "malformed", 0,
                  &reply->error);
}

cJSON *web_yes(long http_status, cJSON *data)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "kind", "ok");
    cJSON_AddNumberToObject(o, "status", (double)http_status);
    cJSON_AddItemToObject(o, "data", data);
    return o;
}

bool web_is_word(const char *s, size_t max)
{
    size_t len = 0;

    if (!s || *s == '.' || *s == '-')
        return false;
    for (; *s; s++, len++)
        if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
            return false;
    return len > 0 && len <= max;
}

bool web_is_text(const char *s, size_t max)
{
    size_t len = 0;

    if (!s)
        return false;
    for (; *s; s++, len++)
        if (*s < ' ' || *s > '~')
            return false;
    return len > 0 && len <= max;
}
