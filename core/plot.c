#include "core/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What an axis may show: far beyond any measurement, and no sum or product of two overflows. */
#define VALUE_MAX 1e120
/* The smallest a log axis may show, and what prints as 0. */
#define VALUE_MIN 1e-120

/* "%.*f" without the locale's decimal sign and without trailing zeros. |v| < 1e5, digits <= 9. */
static void format_fixed(double v, int digits, const char *suffix, char *out, size_t size)
{
    double unit = 1;
    for (int i = 0; i < digits; i++) {
        unit *= 10;
    }
    long long n = llround(fabs(v) * unit);
    const char *sign = v < 0 && n > 0 ? "-" : "";
    /* All digits, then the point set between them. */
    char number[40];
    int len = snprintf(number, sizeof(number), "%0*lld", digits + 1, n);
    int whole = len - digits;
    while (digits > 0 && number[len - 1] == '0') {
        len--;
        digits--;
    }
    snprintf(out, size, "%s%.*s%s%.*s%s", sign, whole, number, digits > 0 ? "." : "", digits,
             number + whole, suffix);
}

static int clamp_digits(int digits, int max)
{
    return digits < 0 ? 0 : digits > max ? max : digits;
}

/* Exponent of ten of the leading digit. */
static int decade(double v)
{
    int e = (int)floor(log10(fabs(v)));
    /* log10() may be a rounding below the power of ten itself. */
    return fabs(v) >= pow(10, e + 1) ? e + 1 : e;
}

/* A value with all digits down to 10^`lowest`. */
static void format_si(double v, int lowest, char *out, size_t size)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    int e = v == 0 ? 0 : decade(v);
    if (v != 0 && (e < -3 || e >= 21)) {
        /* The mantissa by hand: a prefix for 1e-5 would only puzzle, and %e knows the locale. */
        char suffix[8];
        snprintf(suffix, sizeof(suffix), "e%d", e);
        format_fixed(v / pow(10, e), clamp_digits(e - lowest, 6), suffix, out, size);
        return;
    }
    int group = e < 3 ? 0 : e / 3;
    format_fixed(v / pow(10, 3 * group), clamp_digits(3 * group - lowest, 9), prefixes[group], out,
                 size);
}

void plot_si(double v, char *out, size_t size)
{
    if (!isfinite(v)) {
        snprintf(out, size, "-");
        return;
    }
    v = fabs(v) < VALUE_MIN ? 0 : v;
    if (v != 0) {
        /* Round first, so that 999.7 becomes 1k and not 1000. */
        double unit = pow(10, decade(v) - 2);
        double rounded = round(v / unit) * unit;
        v = isfinite(rounded) ? rounded : v;
    }
    format_si(v, v == 0 ? 0 : decade(v) - 2, out, size);
}

static void tick_add(struct plot_ticks *out, double at, int lowest)
{
    if (out->n < PLOT_TICKS_MAX) {
        out->at[out->n] = at;
        format_si(at, lowest, out->label[out->n], sizeof(out->label[0]));
        out->n++;
    }
}

static void ticks_linear(double lo, double hi, size_t want, struct plot_ticks *out)
{
    static const int steps[] = {1, 2, 5};
    int e = decade((hi - lo) / (double)want);
    for (int i = 0; i < 12; i++) {
        double unit = pow(10, e + i / 3);
        double step = steps[i % 3] * unit;
        /* A tick on the very end of the range counts, in spite of rounding. */
        double first = ceil(lo / step - 1e-9), last = floor(hi / step + 1e-9);
        if (!(step > 0) || !(fabs(first) < 1e15) || !(fabs(last) < 1e15)) {
            break; /* finer than a double can tell */
        }
        if (last - first + 1 > (double)want) {
            continue;
        }
        for (double k = first; k <= last; k++) {
            tick_add(out, k * step, e + i / 3);
        }
        return;
    }
    tick_add(out, lo, decade(lo != 0 ? lo : hi) - 8);
}

static void ticks_log(double lo, double hi, size_t want, struct plot_ticks *out)
{
    int first = (int)ceil(log10(lo) - 1e-9), last = (int)floor(log10(hi) + 1e-9);
    int n = last - first + 1;
    bool has_room = 3 * (n + 1) <= (int)want;
    if (n >= 2 && !has_room) {
        int every = (n + (int)want - 1) / (int)want;
        for (int e = first; e <= last; e += every) {
            tick_add(out, pow(10, e), e);
        }
        return;
    }
    static const int steps[] = {1, 2, 5};
    size_t found = 0;
    for (int i = 0; i < 3 * (n + 2); i++) {
        int e = first - 1 + i / 3;
        double at = steps[i % 3] * pow(10, e);
        if (at >= lo * (1 - 1e-9) && at <= hi * (1 + 1e-9)) {
            tick_add(out, at, e);
            found++;
        }
    }
    if (found < 2 || found > want) {
        out->n = 0;
        ticks_linear(lo, hi, want, out);
    }
}

void plot_ticks(double lo, double hi, size_t want, bool is_log, struct plot_ticks *out)
{
    out->n = 0;
    want = want < 2 ? 2 : want > PLOT_TICKS_MAX ? PLOT_TICKS_MAX : want;
    if (!(fabs(lo) <= VALUE_MAX) || !(fabs(hi) <= VALUE_MAX) ||
        (is_log && !(lo >= VALUE_MIN && hi >= VALUE_MIN))) {
        return;
    }
    if (lo > hi) {
        double swap = lo;
        lo = hi;
        hi = swap;
    }
    if (lo == hi) {
        tick_add(out, lo, lo == 0 ? 0 : decade(lo) - 5);
    } else if (is_log) {
        ticks_log(lo, hi, want, out);
    } else {
        ticks_linear(lo, hi, want, out);
    }
}

/* Smallest and largest drawn value of a line in [x0, x1], widening *lo and *hi. */
static bool line_extremes(const struct plot_line *line, const struct plot_range *r, bool is_log,
                          double *lo, double *hi)
{
    const struct series *s = line->series;
    double scale = line->scale != 0 ? line->scale : 1;
    struct series_col all;
    bool has_any = false;
    series_columns(s, r->x0, nextafter(r->x1, INFINITY), 1, &all);
    if (all.count == 0) {
        return false;
    }
    double ends[] = {all.min * scale, all.max * scale};
    if (!is_log || fmin(ends[0], ends[1]) >= VALUE_MIN) {
        for (int i = 0; i < 2; i++) {
            if (fabs(ends[i]) <= VALUE_MAX) {
                *lo = fmin(*lo, ends[i]);
                *hi = fmax(*hi, ends[i]);
                has_any = true;
            }
        }
        return has_any;
    }
    /* Values that a log axis cannot show hide the smallest that it can: look at each. */
    for (size_t i = series_lower_bound(s, r->x0); i < s->len && s->t[i] <= r->x1; i++) {
        double v = s->v[i] * scale;
        if (v >= VALUE_MIN && v <= VALUE_MAX) {
            *lo = fmin(*lo, v);
            *hi = fmax(*hi, v);
            has_any = true;
        }
    }
    return has_any;
}

static void fit_x(const struct plot *p, struct plot_range *out)
{
    if (p->x1 > p->x0 && fabs(p->x0) <= VALUE_MAX && fabs(p->x1) <= VALUE_MAX) {
        out->x0 = p->x0;
        out->x1 = p->x1;
        return;
    }
    double x0 = INFINITY, x1 = -INFINITY;
    for (size_t i = 0; i < p->nlines; i++) {
        const struct series *s = p->lines[i].series;
        if (s && s->len > 0) {
            x0 = fmin(x0, s->t[0]);
            x1 = fmax(x1, s->t[s->len - 1]);
        }
    }
    if (!(fabs(x0) <= VALUE_MAX && fabs(x1) <= VALUE_MAX)) {
        x0 = x1 = 0;
    }
    /* One sample, or none: a second of axis, or what a double can tell from x0. */
    out->x0 = x0;
    out->x1 = x1 > x0 ? x1 : x0 + fmax(1, fabs(x0) * 1e-9);
}

void plot_fit(const struct plot *p, struct plot_range *out)
{
    *out = (struct plot_range){.is_empty = true};
    fit_x(p, out);
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < p->nlines; i++) {
        if (p->lines[i].series && line_extremes(&p->lines[i], out, p->is_log_y, &lo, &hi)) {
            out->is_empty = false;
        }
    }
    if (out->is_empty) {
        lo = p->is_log_y ? 0.1 : 0;
        hi = 1;
    }
    if (p->is_log_y) {
        double pad = hi > lo ? pow(hi / lo, 0.05) : 2;
        out->y0 = lo / pad;
        out->y1 = hi * pad;
        return;
    }
    bool is_positive = lo >= 0;
    if (p->has_zero) {
        lo = fmin(lo, 0);
        hi = fmax(hi, 0);
    }
    double size = fmax(fabs(lo), fabs(hi));
    double pad = out->is_empty ? 0 : (hi - lo) * 0.06;
    if (hi - lo <= size * 1e-6) {
        pad = size < VALUE_MIN ? 1 : size * 0.1; /* a constant */
    }
    /* Head room must not suggest negative values where there are none. */
    out->y0 = is_positive && (p->has_zero || lo - pad < 0) ? 0 : lo - pad;
    out->y1 = hi + pad;
}

double plot_y(const struct plot_range *r, bool is_log_y, double y)
{
    double pos;
    if (is_log_y) {
        pos = y > 0 ? (log10(y) - log10(r->y0)) / (log10(r->y1) - log10(r->y0)) : -1;
    } else {
        pos = (y - r->y0) / (r->y1 - r->y0);
    }
    return isfinite(pos) ? pos : -1;
}
