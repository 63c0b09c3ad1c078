#include "model/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/pool.h"

void trace_set_init(struct trace_set *s)
{
    *s = (struct trace_set){0};
}

void trace_set_done(struct trace_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->at[i].rows);
        free(s->at[i].source);
    }
    free(s->at);
    *s = (struct trace_set){0};
}

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "trace", "no memory for the traces");
}

enum status trace_add(struct trace_set *s, const char *source, struct trace **out,
                      struct error *err)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct trace *at = realloc(s->at, cap * sizeof *at);
        if (!at)
            return no_memory(err);
        s->at = at;
        s->cap = cap;
    }
    *out = &s->at[s->count];
    **out = (struct trace){.source = strdup(source)};
    if (!(*out)->source)
        return no_memory(err);
    s->count++;
    return STATUS_OK;
}

enum status trace_add_row(struct trace *t, const struct trace_row *row, struct error *err)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct trace_row *rows = realloc(t->rows, cap * sizeof *rows);
        if (!rows)
            return no_memory(err);
        t->rows = rows;
        t->cap = cap;
    }
    t->rows[t->count++] = *row;
    return STATUS_OK;
}

enum status trace_add_pool(struct trace_set *s, const struct pool *p, const char *name,
                           struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t e = 0; e < p->episode_count && st == STATUS_OK; e++) {
        const struct pool_episode *episode = &p->episodes[e];
        struct trace *t;

        st = trace_add(s, episode->source[0] ? episode->source : name, &t, err);
        if (st != STATUS_OK)
            break;
        memcpy(t->cc, episode->cc, sizeof t->cc);
        memcpy(t->scenario, episode->scenario, sizeof t->scenario);
        t->seed = episode->seed;
        t->stream = episode->stream;
        for (size_t i = episode->begin; i < episode->end && st == STATUS_OK; i++) {
            struct trace_row row = {.t_s = (double)(i - episode->begin),
                                    .rtt_s = p->states[i][POOL_RTT_S],
                                    .cwnd_bytes = p->states[i][POOL_CWND_BYTES],
                                    .throughput_bps = p->states[i][POOL_THROUGHPUT_BPS],
                                    .min_rtt_s = NAN,
                                    .ce_share = NAN,
                                    .lost_share = NAN,
                                    .advised_bytes = NAN};
            if (p->features == POOL_FEATURES) {
                row.t_s = p->t_s[i];
                row.has_outcome = true;
                row.action = p->actions[i];
                row.advice = p->advice[i];
                row.reward = p->rewards[i];
                row.min_rtt_s = p->states[i][POOL_MIN_RTT_S];
                row.ce_share = p->states[i][POOL_CE_SHARE];
                row.lost_share = p->states[i][POOL_LOST_SHARE];
            }
            st = trace_add_row(t, &row, err);
        }
    }
    return st;
}
