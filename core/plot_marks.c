#include "core/plot_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool plot_marks_add(struct plot_marks *m, double x, enum plot_mark_kind kind, const char *label)
{
    if (m->n == PLOT_MARKS_MAX) {
        memmove(m->at, m->at + 1, --m->n * sizeof(*m->at));
    }
    if (m->n == m->cap) {
        size_t cap = m->cap * 2 + 16;
        struct plot_mark *at = realloc(m->at, cap * sizeof(*at));
        if (!at) {
            return false;
        }
        m->at = at;
        m->cap = cap;
    }
    m->at[m->n] = (struct plot_mark){.x = x, .kind = kind};
    snprintf(m->at[m->n].label, sizeof(m->at[m->n].label), "%s", label);
    m->n++;
    return true;
}

void plot_marks_ce(struct plot_marks *m, double t)
{
    if (m->ce_t == 0 || t - m->ce_t > PLOT_CE_QUIET_S) {
        (void)plot_marks_add(m, t, PLOT_MARK_CE, "CE");
    }
    m->ce_t = t > m->ce_t ? t : m->ce_t;
}

void plot_marks_done(struct plot_marks *m)
{
    free(m->at);
    *m = (struct plot_marks){0};
}
