#include "drive/account.h"

#include <math.h>

#include "core/json.h"

void drive_account_interval(struct drive_account *a, const struct agent_sample *s)
{
    a->intervals++;
    if (!s->seq)
        return;
    if (s->is_driven)
        a->driven++;
    else
        a->undriven++;
    if (s->is_clamped)
        a->clamped++;
    serve_latency_add(&a->stale, (uint64_t)s->age_us * 1000);
}

static void add_percentiles(cJSON *o, const char *p50, const char *p99,
                            const struct serve_latency *l)
{
    json_add_num(o, p50, serve_latency_ms(l, 0.5) * 1e3);
    json_add_num(o, p99, serve_latency_ms(l, 0.99) * 1e3);
}

cJSON *drive_account_json(const struct drive_account *a)
{
    cJSON *o = cJSON_CreateObject();
    double told = (double)(a->driven + a->undriven);

    cJSON_AddNumberToObject(o, "intervals", (double)a->intervals);
    cJSON_AddNumberToObject(o, "decisions", (double)a->decisions);
    cJSON_AddNumberToObject(o, "refused", (double)a->refused);
    cJSON_AddNumberToObject(o, "clamped", (double)a->clamped);
    cJSON_AddNumberToObject(o, "batches", (double)a->batches);
    cJSON_AddNumberToObject(o, "largest_batch", (double)a->largest_batch);
    json_add_num(o, "watchdog_share", told > 0 ? (double)a->undriven / told : NAN);
    add_percentiles(o, "event_p50_us", "event_p99_us", &a->event);
    add_percentiles(o, "decide_p50_us", "decide_p99_us", &a->decide);
    add_percentiles(o, "stale_p50_us", "stale_p99_us", &a->stale);
    return o;
}
