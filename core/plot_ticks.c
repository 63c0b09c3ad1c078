/* Numbers on axes: 1-2-5 ticks and SI prefixes. */
#include "core/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX PLOT_VALUE_MAX
#define VALUE_MIN PLOT_VALUE_MIN

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

void plot_unit(const char *label, char *out, size_t size)
{
    const char *open = label ? strrchr(label, '[') : NULL;
    const char *close = open ? strchr(open, ']') : NULL;
    snprintf(out, size, "%.*s", close ? (int)(close - open - 1) : 0, close ? open + 1 : "");
}
