#include "console/training.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"

static const char *const names[TRAINING_VALUES] = {
    [TRAINING_LOSS] = "loss",       [TRAINING_LR] = "lr",       [TRAINING_GRAD_NORM] = "grad_norm",
    [TRAINING_STEP] = "step",       [TRAINING_EPOCH] = "epoch", [TRAINING_TOKENS_S] = "tokens_s",
    [TRAINING_RSS_MIB] = "rss_mib", [TRAINING_ETA_S] = "eta_s",
};

void training_init(struct training *t)
{
    *t = (struct training){
        .valid_loss = NAN, .best_valid_loss = NAN, .best_epoch = NAN, .fraction = -1};
    for (int i = 0; i < TRAINING_VALUES; i++)
        t->value[i] = NAN;
}

static bool is_same(const struct training *t, const struct event *ev)
{
    return t->is_known && !strcmp(t->job, ev->job ? ev->job : "");
}

static bool sample(struct training *t, const struct event *ev)
{
    const cJSON *values = json_get(ev->body, "values");
    double loss = json_num(values, "loss", NAN);

    if (!strcmp(ev->src, "train")) {
        if (!is_same(t, ev) || t->end[0]) {
            training_init(t);
            t->is_known = true;
            snprintf(t->job, sizeof t->job, "%s", ev->job ? ev->job : "");
        }
        for (int i = 0; i < TRAINING_VALUES; i++)
            if (json_get(values, names[i]))
                t->value[i] = json_num(values, names[i], NAN);
        return true;
    }
    if (strcmp(ev->src, "valid") || !is_same(t, ev))
        return false;
    t->valid_loss = loss;
    if (isfinite(loss) && !(loss >= t->best_valid_loss)) {
        t->best_valid_loss = loss;
        t->best_epoch = json_num(values, "epoch", NAN);
    }
    return true;
}

static bool result(struct training *t, const struct event *ev)
{
    const cJSON *data = json_get(ev->body, "data"), *b;

    if (!is_same(t, ev) || !json_get(data, "train_loss"))
        return false;
    t->nbaselines = 0;
    cJSON_ArrayForEach(b, json_get(data, "baselines"))
    {
        if (t->nbaselines == TRAINING_BASELINES || !b->string || !cJSON_IsNumber(b) ||
            !isfinite(b->valuedouble))
            continue; /* b->string: in an array they would have no names */
        log_escape(b->string, t->baseline[t->nbaselines].name, sizeof t->baseline[0].name);
        t->baseline[t->nbaselines++].loss = b->valuedouble;
    }
    t->fraction = 1;
    t->value[TRAINING_ETA_S] = NAN;
    snprintf(t->end, sizeof t->end, "in %.0f s%s", json_num(data, "seconds", 0),
             json_bool(data, "stopped_early", false) ? ", stopped early" : "");
    return true;
}

bool training_event(struct training *t, const struct event *ev)
{
    double done, total;

    switch (ev->type) {
    case EVENT_SAMPLE:
        return sample(t, ev);
    case EVENT_RESULT:
        return result(t, ev);
    case EVENT_PROGRESS:
        if (!is_same(t, ev) || t->end[0])
            return false;
        done = json_num(ev->body, "done", 0);
        total = json_num(ev->body, "total", 0);
        t->fraction = total > 0 ? fmin(1, fmax(0, done / total)) : -1;
        log_escape(json_str(ev->body, "text", ""), t->progress, sizeof t->progress);
        return true;
    case EVENT_ERROR:
        if (!is_same(t, ev))
            return false;
        t->has_failed = true;
        log_escape(json_str(ev->body, "message", "failed"), t->end, sizeof t->end);
        return true;
    default:
        return false;
    }
}
