#include "core/event.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"

static const char *const type_names[] = {"progress", "sample", "log", "result", "error", "checks"};

const char *event_type_name(enum event_type type)
{
    return type_names[type];
}

/* --- writing ---------------------------------------------------------------------------------- */

static cJSON *begin(double t, enum event_type type)
{
    cJSON *o = cJSON_CreateObject();
    char num[32];
    snprintf(num, sizeof num, "%.6f", t < 0 ? clock_wall_s() : t);
    cJSON_AddRawToObject(o, "t", num); /* microseconds, which cJSON's %1.15g would cut */
    cJSON_AddStringToObject(o, "type", type_names[type]);
    return o;
}

static void end(FILE *f, cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);
    if (text) {
        /* One write a line: several programs may share the pipe. */
        size_t n = strlen(text);
        text[n] = '\n';
        fwrite(text, 1, n + 1, f);
        fflush(f);
        cJSON_free(text);
    }
    cJSON_Delete(o);
}

void event_write_progress(FILE *f, double done, double total, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cJSON *o = begin(-1, EVENT_PROGRESS);
    cJSON_AddNumberToObject(o, "done", done);
    if (total > 0)
        cJSON_AddNumberToObject(o, "total", total);
    cJSON_AddStringToObject(o, "text", text);
    end(f, o);
}

void event_write_sample(FILE *f, double t, const char *src, cJSON *values)
{
    cJSON *o = begin(t, EVENT_SAMPLE);
    cJSON_AddStringToObject(o, "src", src);
    cJSON_AddItemToObject(o, "values", values);
    end(f, o);
}

void event_write_log(FILE *f, enum log_level level, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cJSON *o = begin(-1, EVENT_LOG);
    cJSON_AddStringToObject(o, "level", log_level_name(level));
    cJSON_AddStringToObject(o, "text", text);
    end(f, o);
}

void event_write_result(FILE *f, cJSON *data)
{
    cJSON *o = begin(-1, EVENT_RESULT);
    cJSON_AddItemToObject(o, "data", data);
    end(f, o);
}

void event_write_error(FILE *f, const struct error *e)
{
    cJSON *o = begin(-1, EVENT_ERROR);
    cJSON_AddStringToObject(o, "status", status_name(e->status));
    cJSON_AddStringToObject(o, "subsystem", e->subsystem);
    cJSON_AddStringToObject(o, "message", e->message);
    if (e->hint[0])
        cJSON_AddStringToObject(o, "hint", e->hint);
    end(f, o);
}

/* --- reading ---------------------------------------------------------------------------------- */

void event_reader_init(struct event_reader *r)
{
    line_splitter_init(&r->lines, EVENT_LINE_MAX);
}

void event_reader_done(struct event_reader *r)
{
    line_splitter_done(&r->lines);
}

bool event_parse(const char *line, size_t len, const char *job, struct event *ev, cJSON **root)
{
    *root = NULL;
    if (len == 0 || line[0] != '{')
        return false;
    cJSON *o = json_parse(line, len, "event", NULL);
    const char *type = json_str(o, "type", NULL);
    double t = json_num(o, "t", NAN);
    int found = -1;
    for (int i = 0; type && i <= EVENT_CHECKS; i++)
        if (strcmp(type, type_names[i]) == 0)
            found = i;
    bool ok = found >= 0 && isfinite(t);
    /* What a type promises is checked here, so that no subscriber has to. */
    switch (found) {
    case EVENT_SAMPLE:
        ok = ok && json_str(o, "src", NULL) && cJSON_IsObject(json_get(o, "values"));
        break;
    case EVENT_PROGRESS:
        ok = ok && cJSON_IsNumber(json_get(o, "done"));
        break;
    case EVENT_LOG:
        ok = ok && json_str(o, "text", NULL);
        break;
    case EVENT_RESULT:
        ok = ok && cJSON_IsObject(json_get(o, "data"));
        break;
    case EVENT_ERROR:
        ok = ok && json_str(o, "message", NULL);
        break;
    case EVENT_CHECKS:
        ok = ok && json_str(o, "host", NULL) && cJSON_IsArray(json_get(o, "checks"));
        break;
    }
    if (!ok) {
        cJSON_Delete(o);
        return false;
    }
    if (job && job[0] && !json_get(o, "job"))
        cJSON_AddStringToObject(o, "job", job);
    *ev = (struct event){.type = (enum event_type)found,
                         .t = t,
                         .job = json_str(o, "job", ""),
                         .src = json_str(o, "src", ""),
                         .body = o};
    *root = o;
    return true;
}

struct delivery {
    const char *job;
    event_fn fn;
    void *user;
};

static void deliver(void *user, const char *line, size_t len)
{
    const struct delivery *d = user;
    struct event ev;
    cJSON *root;
    while (len && line[len - 1] == '\r')
        len--;
    if (len == 0)
        return;
    if (event_parse(line, len, d->job, &ev, &root)) {
        d->fn(d->user, &ev, line);
        cJSON_Delete(root);
    } else {
        d->fn(d->user, NULL, line);
    }
}

void event_reader_feed(struct event_reader *r, const char *data, size_t len, const char *job,
                       event_fn fn, void *user)
{
    struct delivery d = {job, fn, user};
    line_splitter_feed(&r->lines, data, len, deliver, &d);
}

void event_reader_end(struct event_reader *r, const char *job, event_fn fn, void *user)
{
    struct delivery d = {job, fn, user};
    line_splitter_end(&r->lines, deliver, &d);
}
