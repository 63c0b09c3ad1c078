#include "core/clock.h"

#include <stdbool.h>

static bool is_frozen;
static double frozen_wall_s;
static uint64_t frozen_mono_ns;

double clock_wall_s(void)
{
    if (is_frozen)
        return frozen_wall_s;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

uint64_t clock_mono_ns(void)
{
    if (is_frozen)
        return frozen_mono_ns;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct timespec clock_until(uint64_t mono_ns)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t left_ns = mono_ns > now_ns ? mono_ns - now_ns : 0;
    return (struct timespec){.tv_sec = (time_t)(left_ns / 1000000000u),
                             .tv_nsec = (long)(left_ns % 1000000000u)};
}

void clock_freeze(double wall_s)
{
    is_frozen = true;
    frozen_wall_s = wall_s;
    frozen_mono_ns = 0;
}

void clock_advance(double seconds)
{
    frozen_wall_s += seconds;
    frozen_mono_ns += (uint64_t)(seconds * 1e9);
}

void clock_thaw(void)
{
    is_frozen = false;
}

void clock_format_utc(double wall_s, char *out, size_t size)
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    if (strftime(out, size, "%Y%m%dT%H%M%SZ", &tm) == 0 && size)
        out[0] = '\0';
}
