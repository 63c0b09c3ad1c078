#include "core/series.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "core/plot.h"

/* By a half, not by doubling: the room to spare of a series of 10 million samples stays below
 * 60 MB. */
static bool series_reserve(struct series *s)
{
    if (s->len < s->cap) {
        return true;
    }
    if (s->len >= SERIES_LEN_MAX) {
        return false;
    }
    size_t cap = s->cap + s->cap / 2 + SERIES_BLOCK;
    cap = cap > SERIES_LEN_MAX ? SERIES_LEN_MAX : cap;
    /* Where the second fails the first is larger than `cap` says: no harm. */
    double *t = realloc(s->t, cap * sizeof(*t));
    s->t = t ? t : s->t;
    float *v = t ? realloc(s->v, cap * sizeof(*v)) : NULL;
    s->v = v ? v : s->v;
    if (!v) {
        return false;
    }
    s->cap = cap;
    return true;
}

static bool level_reserve(struct series_level *l)
{
    if (l->n < l->cap) {
        return true;
    }
    size_t cap = l->cap + l->cap / 2 + SERIES_FAN;
    struct series_block *at = realloc(l->at, cap * sizeof(*at));
    if (!at) {
        return false;
    }
    l->at = at;
    l->cap = cap;
    return true;
}

static void block_merge(struct series_block *b, const struct series_block *more)
{
    if (more->count == 0) {
        return;
    }
    b->min = b->count && b->min < more->min ? b->min : more->min;
    b->max = b->count && b->max > more->max ? b->max : more->max;
    b->last = more->last;
    b->count += more->count;
}

/* n samples into a block. The hot loop of every frame: gaps fail all three comparisons. */
static void block_add(struct series_block *b, const float *v, size_t n)
{
    struct series_block sum = {.min = INFINITY, .max = -INFINITY};
    for (size_t i = 0; i < n; i++) {
        sum.min = v[i] < sum.min ? v[i] : sum.min;
        sum.max = v[i] > sum.max ? v[i] : sum.max;
        sum.count += v[i] == v[i];
    }
    while (sum.count > 0 && isnan(v[n - 1])) {
        n--;
    }
    sum.last = sum.count > 0 ? v[n - 1] : 0;
    block_merge(b, &sum);
}

/* The blocks that the newest sample completes. */
static void pyramid_grow(struct series *s)
{
    size_t size = SERIES_BLOCK;
    for (int i = 0; i < SERIES_LEVELS && s->len % size == 0; i++, size *= SERIES_FAN) {
        struct series_block b = {0};
        if (i == 0) {
            block_add(&b, s->v + s->len - SERIES_BLOCK, SERIES_BLOCK);
        } else {
            const struct series_level *below = &s->level[i - 1];
            for (size_t k = below->n - SERIES_FAN; k < below->n; k++) {
                block_merge(&b, &below->at[k]);
            }
        }
        s->level[i].at[s->level[i].n++] = b;
    }
}

bool series_append(struct series *s, double t, double v)
{
    if (!series_reserve(s)) {
        return false;
    }
    if ((s->len + 1) % SERIES_BLOCK == 0) {
        for (int i = 0; i < SERIES_LEVELS; i++) {
            if (!level_reserve(&s->level[i])) {
                return false;
            }
        }
    }
    double prev = s->len ? s->t[s->len - 1] : (isfinite(t) ? t : 0);
    s->t[s->len] = isfinite(t) && t > prev ? t : prev;
    s->v[s->len] = fabs(v) <= FLT_MAX ? (float)v : NAN; /* false for NaN too */
    s->len++;
    pyramid_grow(s);
    return true;
}

void series_done(struct series *s)
{
    free(s->t);
    free(s->v);
    for (int i = 0; i < SERIES_LEVELS; i++) {
        free(s->level[i].at);
        s->level[i] = (struct series_level){0};
    }
    s->t = NULL;
    s->v = NULL;
    s->len = s->cap = 0;
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

/* The same from `from` on, where t[from] < t, in steps that double away from a guess: columns have
 * about as many samples each, so that few cache lines are touched. */
static size_t gallop(const struct series *s, size_t from, double t, size_t guess)
{
    size_t at = from + guess < s->len ? from + guess : s->len - 1, lo, hi, step = 1;
    if (s->t[at] < t) {
        for (lo = at; lo + step < s->len && s->t[lo + step] < t; step *= 2) {
            lo += step;
        }
        hi = lo + step < s->len ? lo + step : s->len;
    } else {
        for (hi = at; hi - from > step && s->t[hi - step] >= t; step *= 2) {
            hi -= step;
        }
        lo = hi - from > step ? hi - step : from;
    }
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

/* Samples i to j - 1, by the largest blocks that lie within. */
static struct series_block summary(const struct series *s, size_t i, size_t j)
{
    struct series_block sum = {0};
    while (i < j) {
        size_t size = SERIES_BLOCK;
        if (i % size != 0 || i + size > j) {
            size_t end = i + size - i % size < j ? i + size - i % size : j;
            block_add(&sum, s->v + i, end - i);
            i = end;
            continue;
        }
        int l = 0;
        while (l + 1 < SERIES_LEVELS && i % (size * SERIES_FAN) == 0 &&
               i + size * SERIES_FAN <= j) {
            size *= SERIES_FAN;
            l++;
        }
        block_merge(&sum, &s->level[l].at[i / size]);
        i += size;
    }
    return sum;
}

void series_columns(const struct series *s, double t0, double t1, size_t n, struct series_col *cols)
{
    memset(cols, 0, n * sizeof(*cols));
    if (!(t0 < t1)) {
        return;
    }
    size_t i = series_lower_bound(s, t0), guess = 0;
    for (size_t c = 0; c < n && i < s->len; c++) {
        struct series_col *col = &cols[c];
        double end = t0 + (t1 - t0) * (double)(c + 1) / (double)n;
        end = c + 1 == n || !(end < t1) ? t1 : end; /* rounding must not pass t1 */
        if (s->t[i] >= end) {
            continue;
        }
        size_t next = gallop(s, i, end, guess);
        struct series_block sum = summary(s, i, next);
        *col = (struct series_col){.min = sum.min,
                                   .max = sum.max,
                                   .last = sum.last,
                                   .count = sum.count,
                                   .starts_gap = isnan(s->v[i]),
                                   .ends_gap = isnan(s->v[next - 1])};
        guess = next - i;
        i = next;
    }
}

size_t series_nearest(const struct series *s, double t, double t0, double t1)
{
    t = fmin(fmax(t, t0), t1);
    size_t at = series_lower_bound(s, t), after = at, before = at, found = s->len;
    while (after < s->len && s->t[after] <= t1 && isnan(s->v[after])) {
        after++;
    }
    while (before > 0 && s->t[before - 1] >= t0 && isnan(s->v[before - 1])) {
        before--;
    }
    if (after < s->len && s->t[after] >= t0 && s->t[after] <= t1) {
        found = after;
    }
    if (before > 0 && s->t[before - 1] >= t0 && s->t[before - 1] <= t1 &&
        (found == s->len || t - s->t[before - 1] < s->t[found] - t)) {
        found = before - 1;
    }
    return found;
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
        series_done(s);
        free(s);
        s = next;
    }
    plot_marks_done(&set->marks);
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

static bool is_named(const char *key, const char *const *names)
{
    while (*names && strcmp(*names, key) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Is `v` worth a mark? Before it is appended. */
static void look_for_mark(struct plot_marks *m, const struct series *s, const char *key, double t,
                          double v)
{
    static const char *const ce[] = {"ce", "ecn_mark", "delivered_ce", NULL};
    char label[24] = "rate ";
    double before = s->len ? s->v[s->len - 1] : NAN;
    if (is_named(key, ce)) {
        if (v > before) {
            plot_marks_ce(m, t);
        }
    } else if (strcmp(key, "link_rate_bps") == 0) {
        if (!isnan(before) && (float)v != (float)before) {
            plot_si(v, label + 5, sizeof(label) - 5);
            (void)plot_marks_add(m, t, PLOT_MARK_STEP, label);
        }
    } else if (strcmp(s->name, "valid/loss") == 0) {
        struct series_col all;
        series_columns(s, -INFINITY, INFINITY, 1, &all);
        if (isfinite(v) && (all.count == 0 || (float)v < all.min)) {
            (void)plot_marks_add(m, t, PLOT_MARK_CHECKPOINT, "checkpoint");
        }
    }
}

void series_set_add(struct series_set *set, const char *src, const char *key, double t, double v)
{
    char name[SERIES_NAME_MAX];
    int n = snprintf(name, sizeof(name), "%s%s%s", src, *src ? "/" : "", key);
    /* A name cut short would merge two series into one. */
    struct series *s = n > 0 && (size_t)n < sizeof(name) ? series_set_get(set, name) : NULL;
    if (s) {
        look_for_mark(&set->marks, s, key, t, v);
        (void)series_append(s, t, v);
    }
}

void series_set_add_event(struct series_set *set, const struct event *ev)
{
    if (ev->type != EVENT_SAMPLE) {
        return;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(ev->body, "values"))
    {
        if (item->string && (cJSON_IsNumber(item) || cJSON_IsNull(item))) {
            series_set_add(set, ev->src, item->string, ev->t,
                           cJSON_IsNull(item) ? (double)NAN : item->valuedouble);
        }
    }
}
