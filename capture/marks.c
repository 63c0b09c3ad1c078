#include "capture/marks.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define CAP_MIN  8u

static bool grow(struct marks *m, uint32_t *total, uint32_t count)
{
    uint32_t cap = m->cap ? m->cap : CAP_MIN;
    while (cap < count)
        cap *= 2;
    if (cap == m->cap)
        return true;
    if (*total - m->cap + cap > MARKS_BINS_TOTAL)
        return false;
    struct marks_bin *bins = realloc(m->bins, cap * sizeof(*bins));
    if (bins == NULL)
        return false;
    memset(bins + m->cap, 0, (cap - m->cap) * sizeof(*bins));
    *total += cap - m->cap;
    m->bins = bins;
    m->cap = cap;
    return true;
}

/* Two bins become one. */
static void halve(struct marks *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct marks_bin b = m->bins[i];
        if (i % 2 == 0)
            m->bins[i / 2] = b;
        else {
            m->bins[i / 2].capable += b.capable;
            m->bins[i / 2].ce += b.ce;
        }
    }
    uint32_t count = (m->count + 1) / 2;
    memset(m->bins + count, 0, (m->count - count) * sizeof(*m->bins));
    m->count = count;
    m->step_s *= 2;
    m->bin = 0;
    m->bin_ns = m->start_ns;
}

/* The bin of the time, made if it is new; false where there is no room. */
static bool find_bin(struct marks *m, uint32_t *total, int64_t t_ns)
{
    if (m->step_s == 0) {
        if (!grow(m, total, 1))
            return false;
        m->start_ns = t_ns - t_ns % NS_PER_S;
        m->step_s = 1;
    }
    uint64_t since_s = t_ns > m->start_ns ? (uint64_t)(t_ns - m->start_ns) / NS_PER_S : 0;
    /* A clock that jumps by years: 2^30 s is as far as we follow. */
    if (since_s > UINT32_MAX / 4)
        since_s = UINT32_MAX / 4;
    while (since_s / m->step_s >= MARKS_BINS)
        halve(m);
    uint32_t i = (uint32_t)(since_s / m->step_s);
    if (!grow(m, total, i + 1))
        return false;
    if (i >= m->count)
        m->count = i + 1;
    m->bin = i;
    m->bin_ns = m->start_ns + (int64_t)i * m->step_s * NS_PER_S;
    return true;
}

bool marks_add(struct marks *m, uint32_t *total, int64_t t_ns, bool is_ce)
{
    /* Nearly always the bin of the packet before: divisions are slow. */
    bool is_same = m->count > 0 && t_ns >= m->bin_ns && t_ns - m->bin_ns < NS_PER_S;
    if (!is_same && !find_bin(m, total, t_ns))
        return false;
    m->bins[m->bin].capable++;
    m->bins[m->bin].ce += is_ce;
    return true;
}

void marks_done(struct marks *m)
{
    free(m->bins);
    *m = (struct marks){0};
}
