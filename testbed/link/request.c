#include "testbed/link/request.h"

#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/units.h"
#include "testbed/link/aqm_spec.h"
#include "testbed/link/report.h"

/* --- set ---------------------------------------------------------------------------------------
 */

static enum status want_string(const cJSON *item, struct error *err)
{
    if (cJSON_IsString(item)) {
        return STATUS_OK;
    }
    error_set(err, STATUS_USAGE, "link", "'%.32s' must be a string", item->string);
    return error_hint(err, "as on the command line: \"25mbit\", \"10ms\"");
}

static enum status read_field(const cJSON *item, struct link_change *c, struct error *err)
{
    const char *name = item->string;
    enum status s;

    if (strcmp(name, "loss") == 0) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 1)) {
            return error_set(err, STATUS_USAGE, "link", "'loss' must be a number in 0 to 1");
        }
        c->has_loss = true;
        c->loss = (uint64_t)(item->valuedouble * LINK_LOSS_ONE);
        return STATUS_OK;
    }
    s = want_string(item, err);
    if (s != STATUS_OK) {
        return s;
    }
    if (strcmp(name, "rate") == 0) {
        c->has_rate = true;
        return parse_rate_bps(item->valuestring, &c->rate_bps, err);
    }
    if (strcmp(name, "delay") == 0) {
        c->has_delay = true;
        return link_options_delay(item->valuestring, "delay", &c->delay_us, err);
    }
    if (strcmp(name, "jitter") == 0) {
        c->has_jitter = true;
        return link_options_delay(item->valuestring, "jitter", &c->jitter_us, err);
    }
    if (strcmp(name, "aqm") == 0) {
        c->aqm = item->valuestring;
        return aqm_spec_check(c->aqm, err);
    }
    error_set(err, STATUS_USAGE, "link", "there is no '%.32s' to set", name);
    return error_hint(err, "rate, delay, jitter, loss, aqm");
}

static enum status read_change(const cJSON *obj, struct link_change *c, struct error *err)
{
    const cJSON *item;

    if (!cJSON_IsObject(obj)) {
        return error_set(err, STATUS_USAGE, "link", "'%s' must be an object", obj->string);
    }
    cJSON_ArrayForEach(item, obj)
    {
        enum status s = read_field(item, c, err);

        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

static enum status read_paths(const cJSON *obj, struct path_table *paths, struct error *err)
{
    const cJSON *item;

    if (!cJSON_IsObject(obj)) {
        return error_set(err, STATUS_USAGE, "link", "'paths' must be an object");
    }
    cJSON_ArrayForEach(item, obj)
    {
        uint8_t address[16];
        uint64_t us;
        enum status s = want_string(item, err);

        if (s != STATUS_OK || (s = path_address_parse(item->string, address, err)) != STATUS_OK ||
            (s = link_options_delay(item->valuestring, item->string, &us, err)) != STATUS_OK ||
            (s = path_table_set(paths, address, us * 1000, err)) != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

static enum status answer_set(struct link *l, const cJSON *request, uint64_t now_ns,
                              struct error *err)
{
    struct link_change change[LINK_DIRECTIONS] = {{0}};
    struct path_table paths = {.count = 0};
    const cJSON *item;
    enum status s = STATUS_OK;

    cJSON_ArrayForEach(item, request)
    {
        if (strcmp(item->string, "down") == 0) {
            s = read_change(item, &change[LINK_DOWN], err);
        } else if (strcmp(item->string, "up") == 0) {
            s = read_change(item, &change[LINK_UP], err);
        } else if (strcmp(item->string, "paths") == 0) {
            s = read_paths(item, &paths, err);
        } else if (strcmp(item->string, "cmd") != 0) {
            error_set(err, STATUS_USAGE, "link", "there is no '%.32s' to set", item->string);
            s = error_hint(err, "down, up, paths");
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    return link_apply(l, change, &paths, now_ns, err);
}

/* --- get ---------------------------------------------------------------------------------------
 */

static void add_direction(cJSON *root, const struct link *l, int dir, uint64_t now_ns)
{
    const struct direction *d = &l->dir[dir];
    cJSON *v = cJSON_AddObjectToObject(root, link_dir_names[dir]);
    struct report_queue q;
    struct buf spec;

    report_queue(l, dir, now_ns, &q);
    buf_init(&spec, 2 * AQM_SPEC_MAX);
    report_spec(l, dir, &spec);
    json_add_num(v, "rate_bps", q.rate_bps);
    json_add_num(v, "delay_us", (double)d->delay_ns / 1e3);
    json_add_num(v, "jitter_us", (double)d->jitter_ns / 1e3);
    json_add_num(v, "loss", (double)d->loss / LINK_LOSS_ONE);
    cJSON_AddStringToObject(v, "aqm", spec.data);
    buf_done(&spec);
    cJSON_AddItemToObject(v, "stats",
                          q.is_kernel ? kernel_queue_stats_json(l->kernel[dir])
                                      : aqm_stats_json(d->aqm, now_ns));
    json_add_num(v, "backlog_pkts", q.backlog_pkts);
    json_add_num(v, "backlog_bytes", q.backlog_bytes);
    json_add_num(v, "out_pkts", (double)d->totals.out_pkts);
    json_add_num(v, "out_bytes", (double)d->totals.out_bytes);
    json_add_num(v, "drop", q.drop);
}

static void answer_get(struct link *l, uint64_t now_ns, cJSON *out)
{
    struct hist late;
    cJSON *paths;

    link_late(l, &late);
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        direction_advance(&l->dir[dir], now_ns);
        add_direction(out, l, dir, now_ns);
    }
    report_add_late(out, &late);
    paths = cJSON_AddObjectToObject(out, "paths");
    for (size_t i = 0; i < l->paths.count; i++) {
        char text[64];

        path_address_format(l->paths.paths[i].address, text, sizeof(text));
        json_add_num(paths, text, (double)l->paths.paths[i].extra_ns / 1e3);
    }
}

/* --- both --------------------------------------------------------------------------------------
 */

/* Adds what is asked for to `out`. */
static enum status answer(struct link *l, const cJSON *request, uint64_t now_ns, cJSON *out,
                          struct error *err)
{
    const char *cmd = json_str(request, "cmd", "");

    if (strcmp(cmd, "get") == 0) {
        answer_get(l, now_ns, out);
        return STATUS_OK;
    }
    if (strcmp(cmd, "set") == 0) {
        return answer_set(l, request, now_ns, err);
    }
    error_set(err, STATUS_USAGE, "link", "unknown command '%.32s'", cmd);
    return error_hint(err, "{\"cmd\":\"get\"} or {\"cmd\":\"set\",...}");
}

void request_answer(struct link *l, const char *line, size_t len, uint64_t now_ns,
                    struct buf *reply)
{
    struct error err = {0};
    cJSON *request = json_parse(line, len, "request", &err);
    cJSON *out = cJSON_CreateObject();
    char *text;

    cJSON_AddBoolToObject(out, "ok", true);
    if (request != NULL && !cJSON_IsObject(request)) {
        error_set(&err, STATUS_INPUT, "link", "the request is no JSON object");
    } else if (request != NULL) {
        err.status = answer(l, request, now_ns, out, &err);
    }
    if (err.status != STATUS_OK) {
        cJSON_Delete(out);
        out = cJSON_CreateObject();
        cJSON_AddBoolToObject(out, "ok", false);
        cJSON_AddStringToObject(out, "status", status_name(err.status));
        cJSON_AddStringToObject(out, "message", err.message);
        if (err.hint[0] != '\0') {
            cJSON_AddStringToObject(out, "hint", err.hint);
        }
    }
    text = cJSON_PrintUnformatted(out);
    buf_puts(reply, text != NULL ? text : "{\"ok\":false,\"status\":\"nomem\"}");
    buf_puts(reply, "\n");
    cJSON_free(text);
    cJSON_Delete(out);
    cJSON_Delete(request);
}
