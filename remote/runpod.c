#include "remote/runpod.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "remote/web.h"

#define LIST_MAX 1000
#define TEXT_MAX 128

static const struct {
    const char *name, *method, *path;
    bool has_body;
} ops[] = {
#define X(id, name, method, path, has_body) {name, method, path, has_body},
    RUNPOD_OPS(X)
#undef X
};

enum runpod_op runpod_op_from_name(const char *name)
{
    int op = 0;

    while (op < RUNPOD_OP_COUNT && strcmp(ops[op].name, name) != 0)
        op++;
    return (enum runpod_op)op;
}

const char *runpod_op_method(enum runpod_op op)
{
    return ops[op].method;
}

enum status runpod_url(enum runpod_op op, const char *id, const char *query, struct buf *out,
                       struct error *err)
{
    const char *base = getenv("CCALAB_RUNPOD_URL"), *path = ops[op].path;
    const char *place = strstr(path, "%s");

    if ((place != NULL) != (id != NULL) || (id && !web_is_word(id, RUNPOD_ID_MAX)))
        return error_set(err, STATUS_USAGE, "runpod", "no such pod: %.80s", id ? id : "(none)");
    buf_printf(out, "%s/v2", base && base[0] ? base : RUNPOD_URL);
    if (place) {
        buf_append(out, path, (size_t)(place - path));
        buf_puts(out, id);
        path = place + 2;
    }
    buf_puts(out, path);
    if (query)
        buf_printf(out, "%c%s", strchr(ops[op].path, '?') ? '&' : '?', query);
    return out->is_failed ? error_set(err, STATUS_NOMEM, "runpod", "the address is too long")
                          : STATUS_OK;
}

/* --- what a yes holds ------------------------------------------------------------------------- */

static void copy_text(cJSON *to, const char *name, const cJSON *from, const char *key)
{
    const char *s = json_str(from, key, NULL);

    if (web_is_text(s, TEXT_MAX))
        cJSON_AddStringToObject(to, name, s);
}

/* A price, or a count: finite, not negative, not absurd. */
static void copy_num(cJSON *to, const char *name, const cJSON *from, const char *key)
{
    double v = json_num(from, key, -1);

    if (v >= 0 && v < 1e6)
        cJSON_AddNumberToObject(to, name, v);
}

/* ssh.direct: nothing of it unless all of it can be connected to. A host name is no option and no
 * command to anybody. */
static void copy_ssh(cJSON *to, const cJSON *pod)
{
    const cJSON *direct = json_get(json_get(pod, "ssh"), "direct");
    const char *host = json_str(direct, "host", NULL), *user = json_str(direct, "username", NULL);
    double port = json_num(direct, "port", 0);
    bool is_v6 =
        host && strchr(host, ':') && strspn(host, "0123456789abcdefABCDEF:") == strlen(host);

    if (!(web_is_word(host, 253) || is_v6) || !web_is_word(user, TEXT_MAX) || !(port >= 1) ||
        port > 65535 || port != (int)port)
        return;
    cJSON *ssh = cJSON_AddObjectToObject(to, "ssh");
    cJSON_AddStringToObject(ssh, "host", host);
    cJSON_AddNumberToObject(ssh, "port", port);
    cJSON_AddStringToObject(ssh, "user", user);
}

static cJSON *read_pod(const cJSON *pod)
{
    const cJSON *gpu = json_get(pod, "gpu");
    const char *id = json_str(pod, "id", NULL);
    double count = json_num(gpu, "count", gpu ? 1 : 0);
    cJSON *o;

    if (!web_is_word(id, RUNPOD_ID_MAX) || !web_is_text(json_str(pod, "status", NULL), 32))
        return NULL;
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddStringToObject(o, "name", "");
    if (web_is_text(json_str(pod, "name", NULL), TEXT_MAX))
        cJSON_ReplaceItemInObject(o, "name", cJSON_CreateString(json_str(pod, "name", "")));
    copy_text(o, "status", pod, "status");
    copy_text(o, "gpu", gpu, "id");
    cJSON_AddNumberToObject(o, "gpu_count", count >= 0 && count < 1e6 ? (int)count : 0);
    copy_num(o, "cost_per_h", pod, "cost");
    copy_text(o, "data_center", pod, "dataCenterId");
    copy_text(o, "created", pod, "createdAt");
    copy_text(o, "started", pod, "startedAt");
    copy_ssh(o, pod);
    return o;
}

static cJSON *read_gpu(const cJSON *gpu)
{
    const cJSON *price = json_get(gpu, "price"), *dc;
    cJSON *o, *centers;
    int n = 0;

    if (!web_is_text(json_str(gpu, "id", NULL), TEXT_MAX))
        return NULL;
    o = cJSON_CreateObject();
    copy_text(o, "id", gpu, "id");
    copy_text(o, "name", gpu, "name");
    copy_num(o, "memory_gb", gpu, "memory");
    if (json_bool(gpu, "secure", false))
        copy_num(o, "secure", price, "secure");
    if (json_bool(gpu, "community", false))
        copy_num(o, "community", price, "community");
    copy_text(o, "availability", gpu, "availability");
    centers = cJSON_AddArrayToObject(o, "data_centers");
    cJSON_ArrayForEach(dc, json_get(gpu, "dataCenters"))
    {
        const char *id = json_str(dc, "id", NULL);

        if (n++ < LIST_MAX && web_is_word(id, RUNPOD_ID_MAX) &&
            strcmp(json_str(dc, "availability", "NONE"), "NONE") != 0)
            cJSON_AddItemToArray(centers, cJSON_CreateString(id));
    }
    return o;
}

static cJSON *read_volume(const cJSON *volume)
{
    cJSON *o;

    if (!web_is_word(json_str(volume, "id", NULL), RUNPOD_ID_MAX))
        return NULL;
    o = cJSON_CreateObject();
    copy_text(o, "id", volume, "id");
    copy_text(o, "name", volume, "name");
    copy_num(o, "size_gb", volume, "size");
    copy_text(o, "data_center", volume, "dataCenter");
    return o;
}

static cJSON *read_key(const cJSON *key)
{
    return cJSON_IsString(key) && web_is_text(key->valuestring, 16384)
               ? cJSON_CreateString(key->valuestring)
               : NULL;
}

/* The list under `name`; NULL where there is none, or it is longer than anybody needs. What cannot
 * be read in it is left out: one odd entry hides no pod that costs money. */
static cJSON *read_list(const cJSON *body, const char *name, cJSON *(*read)(const cJSON *))
{
    const cJSON *from = json_get(body, name), *item;
    cJSON *list;
    int n = 0;

    if (!cJSON_IsArray(from))
        return NULL;
    list = cJSON_CreateArray();
    cJSON_ArrayForEach(item, from)
    {
        cJSON *one = n++ < LIST_MAX ? read(item) : NULL;

        if (one)
            cJSON_AddItemToArray(list, one);
    }
    return list;
}

static cJSON *read_body(enum runpod_op op, const cJSON *body)
{
    switch (op) {
    case RUNPOD_GPUS:
        return read_list(body, "gpus", read_gpu);
    case RUNPOD_VOLUMES:
        return read_list(body, "networkVolumes", read_volume);
    case RUNPOD_KEYS:
        return read_list(body, "keys", read_key);
    case RUNPOD_LIST:
        return read_list(body, "pods", read_pod);
    case RUNPOD_BILLING: {
        double total = json_num(json_get(json_get(body, "metadata"), "totals"), "totalAmount", -1);
        cJSON *o = total >= 0 ? cJSON_CreateObject() : NULL;

        if (o)
            cJSON_AddNumberToObject(o, "total_usd", total);
        return o;
    }
    default:
        return read_pod(body);
    }
}

/* --- what a no means -------------------------------------------------------------------------- */

static const struct {
    long from, to;
    const char *kind;
    enum status status;
    const char *hint;
} noes[] = {
    {400, 400, "contract", STATUS_INPUT, NULL},
    {401, 401, "auth", STATUS_UNAVAILABLE,
     "the key is not known there: make one in Runpod's settings, and set $RUNPOD_API_KEY"},
    {402, 402, "money", STATUS_HOST, "the account's balance does not allow it: top it up"},
    {403, 403, "forbidden", STATUS_UNAVAILABLE,
     "the key is not allowed to do that, or the account not to use that GPU: look at its scopes"},
    {404, 404, "missing", STATUS_HOST, "see ccalab pods list"},
    {409, 409, "conflict", STATUS_HOST, "its state does not allow it now: see ccalab pods list"},
    {422, 422, "contract", STATUS_INPUT, "a name or a limit in the request is wrong"},
    {429, 429, "rate", STATUS_HOST, "too many requests: it goes on after a pause"},
    {500, 599, "transient", STATUS_HOST, "a fault of the service: try again later"},
};

int runpod_wait_s(const char *retry_after, const char *rate_limit)
{
    char *end;
    long s = strtol(retry_after, &end, 10), longest = 0;

    if (end == retry_after || *end || s <= 0) {
        for (const char *p = rate_limit; p && *p;) {
            const char *comma = strchr(p, ','), *left = strstr(p, ";r="), *reset = strstr(p, ";t=");

            if (left && reset && (!comma || (left < comma && reset < comma)) &&
                strtol(left + 3, NULL, 10) == 0) {
                long t = strtol(reset + 3, NULL, 10);

                longest = t > longest ? t : longest;
            }
            p = comma ? comma + 1 : NULL;
        }
        s = longest > 0 ? longest : 5;
    }
    return s < 1 ? 1 : s > 3600 ? 3600 : (int)s;
}

/* RFC 9457, with `errors`, one for each thing that is wrong with the request. */
static void problem_text(const struct http_reply *reply, char *out, size_t size)
{
    cJSON *body = json_parse(reply->body, reply->len, "the reply", NULL);
    const char *detail = json_str(body, "detail", NULL), *title = json_str(body, "title", NULL);
    const cJSON *one = cJSON_GetArrayItem(json_get(body, "errors"), 0);
    char raw[400];

    snprintf(raw, sizeof raw, "%.150s%s%.240s",
             detail  ? detail
             : title ? title
                     : "no reason given",
             cJSON_IsString(one) ? ": " : "", cJSON_IsString(one) ? one->valuestring : "");
    log_escape(raw, out, size);
    cJSON_Delete(body);
}

static cJSON *say_no(const struct http_reply *reply, enum runpod_op op)
{
    struct error e = {0};
    char text[400];
    cJSON *o;

    problem_text(reply, text, sizeof text);
    for (size_t i = 0; i < sizeof noes / sizeof *noes; i++) {
        const char *kind = noes[i].kind;

        if (reply->status < noes[i].from || reply->status > noes[i].to)
            continue;
        if (reply->status == 400 && op == RUNPOD_CREATE)
            kind = "candidate";
        error_set(&e, noes[i].status, "runpod", "Runpod refuses (%ld): %s", reply->status, text);
        if (noes[i].hint)
            error_hint(&e, "%s", noes[i].hint);
        o = web_no(kind, reply->status, &e);
        if (reply->status == 429)
            cJSON_AddNumberToObject(o, "retry_s",
                                    runpod_wait_s(reply->retry_after, reply->rate_limit));
        return o;
    }
    error_set(&e, STATUS_HOST, "runpod", "an answer that nobody expected (%ld): %s", reply->status,
              text);
    return web_no("malformed", reply->status, &e);
}

cJSON *runpod_judge(const struct http_reply *reply, int op)
{
    struct error e = {0};
    cJSON *body, *data;

    if (reply->error.status != STATUS_OK)
        return web_no_reply(reply);
    if (reply->status < 200 || reply->status > 299)
        return say_no(reply, (enum runpod_op)op);
    if (op == RUNPOD_DELETE || reply->status == 204)
        return web_yes(reply->status, cJSON_CreateNull());
    body = json_parse(reply->body, reply->len, "Runpod's answer", &e);
    data = body ? read_body((enum runpod_op)op, body) : NULL;
    cJSON_Delete(body);
    if (data)
        return web_yes(reply->status, data);
    if (e.status == STATUS_OK)
        error_set(&e, STATUS_INPUT, "runpod", "Runpod's answer to %s lacks what it should hold",
                  ops[op].name);
    error_hint(&e, "is $CCALAB_RUNPOD_URL its API v2? A newer ccalab may know a newer API");
    return web_no("malformed", reply->status, &e);
}
