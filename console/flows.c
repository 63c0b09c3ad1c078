#include "console/flows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void flow_table_clear(struct flow_table *t)
{
    t->len = 0;
}

static struct flow *find(struct flow_table *t, const char *src, bool may_make)
{
    struct flow *f = t->of;

    for (; f < t->of + t->len; f++)
        if (!strncmp(f->name, src, sizeof f->name - 1))
            return f;
    if (!may_make || t->len == FLOWS_MAX)
        return NULL;
    *f = (struct flow){.rate_bps = NAN,
                       .cwnd_bytes = NAN,
                       .srtt_us = NAN,
                       .delivered = NAN,
                       .delivered_ce = NAN,
                       .retrans = NAN};
    snprintf(f->name, sizeof f->name, "%s", src);
    t->len++;
    return f;
}

bool flow_table_add(struct flow_table *t, const char *src, const char *key, double value)
{
    struct flow *f = find(t, src, !strcmp(key, "cwnd_bytes"));

    if (!f)
        return false;
    if (!strcmp(key, "cwnd_bytes"))
        f->cwnd_bytes = value;
    else if (!strcmp(key, "srtt_us"))
        f->srtt_us = value;
    else if (!strcmp(key, "delivered"))
        f->delivered = value;
    else if (!strcmp(key, "delivered_ce"))
        f->delivered_ce = value;
    else if (!strcmp(key, "retrans"))
        f->retrans = value;
    else if (!strcmp(key, "throughput_bps"))
        f->rate_bps = value;
    else
        return false;
    if (!strcmp(key, "throughput_bps") && isfinite(value)) {
        f->rate_sum += value;
        f->rates++;
    }
    return true;
}

double flow_mean_bps(const struct flow *f)
{
    return f->rates ? f->rate_sum / (double)f->rates : (double)NAN;
}

double flow_mark_share(const struct flow *f)
{
    return f->delivered > 0 ? f->delivered_ce / f->delivered : (double)NAN;
}
