#include "model/serve_line.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/json.h"

static enum status bad(struct error *err, const char *field, const char *why)
{
    return error_set(err, STATUS_INPUT, "serve", "%s %s", field, why);
}

static enum status read_flow(const cJSON *o, struct serve_line *out, struct error *err)
{
    const cJSON *flow = json_get(o, "flow");
    if (!flow)
        return bad(err, "flow", "is missing");
    if (cJSON_IsNumber(flow) && isfinite(flow->valuedouble)) {
        snprintf(out->flow, sizeof out->flow, "%.15g", flow->valuedouble);
        return STATUS_OK;
    }
    if (!cJSON_IsString(flow) || !flow->valuestring[0])
        return bad(err, "flow", "is no text and no number");
    if (strlen(flow->valuestring) >= sizeof out->flow)
        return bad(err, "flow", "is longer than 63 bytes");
    strcpy(out->flow, flow->valuestring);
    return STATUS_OK;
}

/* NaN where it is absent or null. */
static enum status read_optional(const cJSON *o, const char *field, double *out, struct error *err)
{
    const cJSON *v = json_get(o, field);
    *out = NAN;
    if (!v || cJSON_IsNull(v))
        return STATUS_OK;
    if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble))
        return bad(err, field, "is no finite number");
    *out = v->valuedouble;
    return STATUS_OK;
}

static enum status read_state(const cJSON *o, int features, struct serve_line *out,
                              struct error *err)
{
    static const bool is_zero_allowed[] = {
        [POOL_THROUGHPUT_BPS] = true, [POOL_CE_SHARE] = true, [POOL_LOST_SHARE] = true};
    for (int k = 0; k < features; k++) {
        const char *name = pool_feature_name((enum pool_feature)k);
        enum status st;
        double v;
        if ((st = read_optional(o, name, &v, err)))
            return st;
        if (isnan(v))
            return bad(err, name, "is missing");
        if (v < 0 || v > (double)FLT_MAX || (!(float)v && !is_zero_allowed[k]))
            return bad(err, name, "is out of range");
        out->state[k] = (float)v;
    }
    return STATUS_OK;
}

enum status serve_line_parse(const char *text, size_t len, int features, struct serve_line *out,
                             struct error *err)
{
    enum status st = STATUS_OK;
    *out = (struct serve_line){.reward = NAN, .target = NAN};
    cJSON *o = json_parse(text, len, "the line", err);
    if (!o)
        return STATUS_INPUT;
    const cJSON *done = json_get(o, "done");
    if (!cJSON_IsObject(o)) {
        st = bad(err, "the line", "is no JSON object");
        goto out;
    }
    if (done && !cJSON_IsBool(done)) {
        st = bad(err, "done", "is neither true nor false");
        goto out;
    }
    out->is_done = cJSON_IsTrue(done);
    if ((st = read_flow(o, out, err)) || out->is_done)
        goto out;
    if ((st = read_state(o, features, out, err)) ||
        (st = read_optional(o, "reward", &out->reward, err)) ||
        (st = read_optional(o, "return", &out->target, err)))
        goto out;
    if (fabs(out->target) > (double)FLT_MAX)
        st = bad(err, "return", "is out of range");
out:
    cJSON_Delete(o);
    return st;
}
