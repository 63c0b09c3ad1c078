#include "remote/qdisc_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "remote/tc_parse.h"

#define BLOCK_MAX (1u << 20)

struct watch {
    struct process base;
    struct process *inner;
    struct process_callbacks cb;
    void *user;
    struct buf text; /* since the last mark */
    double bytes, t; /* of the sample before; bytes < 0: there was none */
    bool is_up, is_odd;
    char src[64];
};

/* --- values ----------------------------------------------------------------------------------- */

static bool is_shaper(const cJSON *q)
{
    static const char *const kinds[] = {"htb", "tbf", "mq", "hfsc", "prio", NULL};
    const char *kind = json_str(q, "kind", "");
    for (int i = 0; kinds[i]; i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return strcmp(kind, "ingress") == 0 || strcmp(kind, "clsact") == 0;
}

static void add(cJSON *values, const char *name, const cJSON *q, const char *of)
{
    const cJSON *v = json_get(q, of);
    if (cJSON_IsNumber(v) && !json_get(values, name))
        json_add_num(values, name, v->valuedouble);
}

cJSON *qdisc_watch_values(const cJSON *qdiscs, double *bytes, double dt_s)
{
    static const struct {
        const char *name, *of;
    } names[] = {{"drop", "drops"},       {"backlog_bytes", "backlog"}, {"backlog_pkts", "qlen"},
                 {"prob", "prob"},        {"delay_c_us", "delay_c"},    {"delay_l_us", "delay_l"},
                 {"delay_c_us", "delay"}, {"delay_c_us", "ldelay"},     {"pkts_c", "pkts_in_c"},
                 {"pkts_l", "pkts_in_l"}, {"ecn_mark", "ecn_mark"},     {"step_mark", "step_mark"}};
    cJSON *values = cJSON_CreateObject();
    const cJSON *q, *root = NULL, *aqm = NULL;
    cJSON_ArrayForEach(q, qdiscs)
    {
        if (json_bool(q, "root", false))
            root = q;
        if (!aqm && !is_shaper(q))
            aqm = q;
    }
    /* The children of mq queue side by side: only their root speaks for all. */
    if (!aqm || (root && strcmp(json_str(root, "kind", ""), "mq") == 0))
        aqm = root;
    double now = json_num(root, "bytes", NAN);
    json_add_num(values, "rate_bps",
                 *bytes >= 0 && dt_s > 0 && now >= *bytes ? 8 * (now - *bytes) / dt_s : NAN);
    *bytes = isfinite(now) ? now : -1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add(values, names[i].name, aqm, names[i].of);
    return values;
}

/* --- the filter ------------------------------------------------------------------------------- */

static void say(struct watch *w, const char *type, const char *name, cJSON *value)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "t", clock_wall_s());
    cJSON_AddStringToObject(o, "type", type);
    if (strcmp(type, "sample") == 0)
        cJSON_AddStringToObject(o, "src", w->src);
    if (strcmp(type, "log") == 0)
        cJSON_AddStringToObject(o, "level", "warn");
    cJSON_AddItemToObject(o, name, value);
    char *text = cJSON_PrintUnformatted(o);
    if (text) {
        w->cb.on_output(w->user, 1, text, strlen(text));
        w->cb.on_output(w->user, 1, "\n", 1);
    }
    cJSON_free(text);
    cJSON_Delete(o);
}

static void take_block(struct watch *w, size_t len)
{
    struct error e;
    cJSON *qdiscs;
    double now = clock_wall_s();
    if (tc_qdisc_parse(w->text.data, len, &qdiscs, &e) != STATUS_OK) {
        if (!w->is_odd)
            say(w, "log", "text", cJSON_CreateString(e.message));
        w->is_odd = true; /* once is enough */
        return;
    }
    if (!w->is_up) {
        cJSON *data = cJSON_CreateObject();
        cJSON_AddStringToObject(data, "state", "up");
        say(w, "result", "data", data);
        w->is_up = true;
    }
    say(w, "sample", "values", qdisc_watch_values(qdiscs, &w->bytes, now - w->t));
    w->t = now;
    cJSON_Delete(qdiscs);
}

static void on_output(void *user, int fd, const char *data, size_t len)
{
    struct watch *w = user;
    char *mark;
    if (fd != 1) {
        w->cb.on_output(w->user, fd, data, len);
        return;
    }
    if (!buf_append(&w->text, data, len)) { /* no tc says that much: begin anew */
        buf_clear(&w->text);
        return;
    }
    while ((mark = strstr(w->text.data, QDISC_WATCH_MARK "\n"))) {
        size_t at = (size_t)(mark - w->text.data);
        take_block(w, at);
        buf_consume(&w->text, at + strlen(QDISC_WATCH_MARK) + 1);
    }
}

static void on_exit_status(void *user, const struct process_end *end)
{
    struct watch *w = user;
    w->cb.on_exit(w->user, end);
    buf_done(&w->text);
    free(w);
}

static void watch_kill(struct process *p, int signum)
{
    struct watch *w = (struct watch *)p;
    w->inner->kill(w->inner, signum);
}

enum status qdisc_watch_start(struct host *h, uv_loop_t *loop, void *arg,
                              const struct process_callbacks *cb, void *user, struct process **out,
                              struct error *err)
{
    const struct qdisc_watch_opts *o = arg;
    struct process_callbacks mine = {on_output, on_exit_status};
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(err, STATUS_NOMEM, "qdisc", "out of memory");
    *w = (struct watch){.base = {watch_kill}, .cb = *cb, .user = user, .bytes = -1};
    snprintf(w->src, sizeof w->src, "%s", o->src);
    buf_init(&w->text, BLOCK_MAX);
    enum status st = host_spawn(h, loop, o->spawn, &mine, w, &w->inner, err);
    if (st != STATUS_OK) {
        buf_done(&w->text);
        free(w);
        return st;
    }
    *out = &w->base;
    return STATUS_OK;
}
