#include "core/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor; /* base units in one of these */
};

static const struct unit rate_units[] = {
    {"", 1},
    {"bit", 1},
    {"kbit", 1000},
    {"mbit", 1000000},
    {"gbit", 1000000000},
    {"tbit", 1000000000000},
    {"kibit", 1ull << 10},
    {"mibit", 1ull << 20},
    {"gibit", 1ull << 30},
    {"tibit", 1ull << 40},
    {"bps", 8},
    {"kbps", 8000},
    {"mbps", 8000000},
    {"gbps", 8000000000},
    {"tbps", 8000000000000},
};

/* The first is for durations only: elsewhere a time has its unit. */
static const struct unit duration_units[] = {
    {"", 1000000},  {"us", 1},       {"usec", 1},    {"usecs", 1},     {"ms", 1000},
    {"msec", 1000}, {"msecs", 1000}, {"s", 1000000}, {"sec", 1000000}, {"secs", 1000000},
};
#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

/* More digits than any sensible value has, and few enough that number * factor fits 128 bits. */
#define DIGITS_MAX 18

/* Split "1.5mbit" into 15, 10 and "mbit". False if it does not start with a decimal number. */
static bool split_decimal(const char *text, uint64_t *number, uint64_t *divisor, const char **rest)
{
    int digits = 0;
    bool is_fraction = false;

    *number = 0;
    *divisor = 1;
    if (*text < '0' || *text > '9') {
        return false;
    }
    for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
        if (*text == '.') {
            if (is_fraction || text[1] < '0' || text[1] > '9') {
                return false;
            }
            is_fraction = true;
            continue;
        }
        if (++digits > DIGITS_MAX) {
            return false;
        }
        *number = *number * 10 + (uint64_t)(*text - '0');
        if (is_fraction) {
            *divisor *= 10;
        }
    }
    *rest = text;
    return true;
}

enum scaled { SCALED_OK, SCALED_SYNTAX, SCALED_UNIT, SCALED_RANGE };

/* Number times unit, rounded to the nearest base unit. A zero needs no unit. */
static enum scaled scale(const char *text, const struct unit *units, size_t count, uint64_t max,
                         uint64_t *out)
{
    uint64_t number, divisor;
    const char *rest;

    if (!split_decimal(text, &number, &divisor, &rest)) {
        return SCALED_SYNTAX;
    }
    if (number == 0 && *rest == '\0') {
        *out = 0;
        return SCALED_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(rest, units[i].name) == 0) {
            unsigned __int128 value = (unsigned __int128)number * units[i].factor;

            value = (value + divisor / 2) / divisor;
            if (value > max || (value == 0 && number != 0)) {
                return SCALED_RANGE;
            }
            *out = (uint64_t)value;
            return SCALED_OK;
        }
    }
    return SCALED_UNIT;
}

enum status parse_rate_bps(const char *text, uint64_t *out, struct error *err)
{
    if (strcasecmp(text, "unlimited") == 0) {
        *out = 0;
        return STATUS_OK;
    }
    switch (scale(text, rate_units, sizeof(rate_units) / sizeof(rate_units[0]), UNITS_RATE_MAX_BPS,
                  out)) {
    case SCALED_OK:
        return STATUS_OK;
    case SCALED_RANGE:
        error_set(err, STATUS_USAGE, "units", "rate '%.64s' is out of range", text);
        return error_hint(err, "between 1bit and 1tbit, or \"unlimited\"");
    case SCALED_UNIT:
        error_set(err, STATUS_USAGE, "units", "rate '%.64s' has an unknown unit", text);
        break;
    case SCALED_SYNTAX:
        error_set(err, STATUS_USAGE, "units", "'%.64s' is not a rate", text);
        break;
    }
    return error_hint(err,
                      "write it as tc does: 50mbit, 1gbit, 500kbit, or a plain number of bit/s");
}

enum status parse_time_us(const char *text, uint64_t *out, struct error *err)
{
    switch (scale(text, duration_units + 1, DURATION_UNITS - 1, UNITS_TIME_MAX_US, out)) {
    case SCALED_OK:
        return STATUS_OK;
    case SCALED_RANGE:
        error_set(err, STATUS_USAGE, "units", "time '%.64s' is out of range", text);
        return error_hint(err, "between 1us and one day (86400s)");
    case SCALED_UNIT:
        error_set(err, STATUS_USAGE, "units", "time '%.64s' lacks a unit, or has an unknown one",
                  text);
        break;
    case SCALED_SYNTAX:
        error_set(err, STATUS_USAGE, "units", "'%.64s' is not a time", text);
        break;
    }
    return error_hint(err, "write a number and its unit: 10ms, 500us, 1s");
}

enum status parse_duration_us(const char *text, uint64_t *out, struct error *err)
{
    uint64_t us = 0;
    enum scaled scaled = scale(text, duration_units, DURATION_UNITS, UNITS_DURATION_MAX_US, &us);

    if (scaled == SCALED_OK && us > 0) {
        *out = us;
        return STATUS_OK;
    }
    if (scaled == SCALED_OK || scaled == SCALED_RANGE) {
        error_set(err, STATUS_USAGE, "units", "duration '%.64s' is out of range", text);
        return error_hint(err, "above 0, at most 365 days (31536000)");
    }
    error_set(err, STATUS_USAGE, "units",
              scaled == SCALED_UNIT ? "duration '%.64s' has an unknown unit"
                                    : "'%.64s' is not a duration",
              text);
    return error_hint(err, "write seconds, or a number and its unit: 90, 1.5, 500ms");
}

enum status parse_count(const char *text, const char *what, uint64_t min, uint64_t max,
                        uint64_t *out, struct error *err)
{
    uint64_t number, divisor;
    const char *rest;

    if (!split_decimal(text, &number, &divisor, &rest) || *rest != '\0' || divisor != 1 ||
        number < min || number > max) {
        error_set(err, STATUS_USAGE, "units", "%s '%.64s' is not a whole number in its range", what,
                  text);
        return error_hint(err, "from %" PRIu64 " to %" PRIu64, min, max);
    }
    *out = number;
    return STATUS_OK;
}
