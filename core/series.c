#include "core/series.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"

/* By a half, not by doubling: the room to spare of a series of 10 million samples stays below
 * 60 MB. Capacities are whole blocks. */
static bool series_reserve(struct series *s)
{
    if (s->len < s->cap) {
        return true;
    }
    if (s->len >= SERIES_LEN_MAX) {
        return false;
    }
    size_t nblocks = s->cap / SERIES_BLOCK;
    nblocks += nblocks / 2 + 1;
    if (nblocks > SERIES_LEN_MAX / SERIES_BLOCK) {
        nblocks = SERIES_LEN_MAX / SERIES_BLOCK;
    }
    /* Where a later one fails the earlier arrays are larger than `cap` says: no harm. */
    double *t = realloc(s->t, nblocks * SERIES_BLOCK * sizeof(*t));
    s->t = t ? t : s->t;
    float *v = t ? realloc(s->v, nblocks * SERIES_BLOCK * sizeof(*v)) : NULL;
    s->v = v ? v : s->v;
    struct series_block *blocks = v ? realloc(s->blocks, nblocks * sizeof(*blocks)) : NULL;
    s->blocks = blocks ? blocks : s->blocks;
    if (!blocks) {
        return false;
    }
    s->cap = nblocks * SERIES_BLOCK;
    s->blocks_cap = nblocks;
    return true;
}

static void block_fill(struct series_block *b, const float *v)
{
    *b = (struct series_block){0};
    for (size_t i = 0; i < SERIES_BLOCK; i++) {
        if (isnan(v[i])) {
            continue;
        }
        b->min = b->count && b->min < v[i] ? b->min : v[i];
        b->max = b->count && b->max > v[i] ? b->max : v[i];
        b->last = v[i];
        b->count++;
    }
}

bool series_append(struct series *s, double t, double v)
{
    if (!series_reserve(s)) {
        return false;
    }
    double prev = s->len ? s->t[s->len - 1] : (isfinite(t) ? t : 0);
    s->t[s->len] = isfinite(t) && t > prev ? t : prev;
    s->v[s->len] = fabs(v) <= FLT_MAX ? (float)v : NAN; /* false for NaN too */
    s->len++;
    if (s->len % SERIES_BLOCK == 0) {
        block_fill(&s->blocks[s->nblocks++], s->v + s->len - SERIES_BLOCK);
    }
    return true;
}

size_t series_lower_bound(const struct series *s, double t)
{
    size_t lo = 0, hi = s->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->t[mid] < t) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void col_merge(struct series_col *c, float min, float max, float last, size_t count)
{
    if (count == 0) {
        return;
    }
    c->min = c->count && c->min < min ? c->min : min;
    c->max = c->count && c->max > max ? c->max : max;
    c->last = last;
    c->count += count;
}

void series_columns(const struct series *s, double t0, double t1, size_t n, struct series_col *cols)
{
    memset(cols, 0, n * sizeof(*cols));
    if (!(t0 < t1)) {
        return;
    }
    size_t i = series_lower_bound(s, t0);
    for (size_t c = 0; c < n && i < s->len; c++) {
        struct series_col *col = &cols[c];
        double end = t0 + (t1 - t0) * (double)(c + 1) / (double)n;
        end = c + 1 == n || !(end < t1) ? t1 : end; /* rounding must not pass t1 */
        size_t start = i;
        while (i < s->len && s->t[i] < end) {
            const struct series_block *b = &s->blocks[i / SERIES_BLOCK];
            if (i % SERIES_BLOCK == 0 && i / SERIES_BLOCK < s->nblocks &&
                s->t[i + SERIES_BLOCK - 1] < end) {
                col_merge(col, b->min, b->max, b->last, b->count);
                i += SERIES_BLOCK;
            } else {
                col_merge(col, s->v[i], s->v[i], s->v[i], !isnan(s->v[i]));
                i++;
            }
        }
        if (i > start) {
            col->starts_gap = isnan(s->v[start]);
            col->ends_gap = isnan(s->v[i - 1]);
        }
    }
}

void series_set_init(struct series_set *set, size_t max)
{
    *set = (struct series_set){.max = max};
}

void series_set_done(struct series_set *set)
{
    struct series *s = set->first;
    while (s) {
        struct series *next = s->next;
        free(s->t);
        free(s->v);
        free(s->blocks);
        free(s);
        s = next;
    }
    *set = (struct series_set){.max = set->max};
}

struct series *series_set_find(const struct series_set *set, const char *name)
{
    for (struct series *s = set->first; s; s = s->next) {
        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    return NULL;
}

struct series *series_set_get(struct series_set *set, const char *name)
{
    struct series *s = series_set_find(set, name);
    size_t len = strlen(name);
    if (s || set->count >= set->max || len >= sizeof(s->name)) {
        return s;
    }
    s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    memcpy(s->name, name, len + 1);
    if (set->last) {
        set->last->next = s;
    } else {
        set->first = s;
    }
    set->last = s;
    set->count++;
    return s;
}

void series_set_add_event(struct series_set *set, const struct event *ev)
{
    if (ev->type != EVENT_SAMPLE) {
        return;
    }
    const cJSON *values = json_get(ev->body, "values");
    const cJSON *item;
    cJSON_ArrayForEach(item, values)
    {
        char name[SERIES_NAME_MAX];
        if (!item->string || !(cJSON_IsNumber(item) || cJSON_IsNull(item))) {
            continue;
        }
        int n = snprintf(name, sizeof(name), "%s%s%s", ev->src, *ev->src ? "/" : "", item->string);
        /* A name cut short would merge two series into one. */
        struct series *s = n > 0 && (size_t)n < sizeof(name) ? series_set_get(set, name) : NULL;
        if (s) {
            (void)series_append(s, ev->t, cJSON_IsNull(item) ? (double)NAN : item->valuedouble);
        }
    }
}
