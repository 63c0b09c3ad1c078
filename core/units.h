/* Rates, times and counts of the command line, as tc(8) writes them: "50mbit", "10ms", "500us".
 *
 * Strict: the whole text must be one unsigned decimal number and one known unit. No sign, no
 * spaces, no exponent, no hex, and nothing that would be rounded away to zero. */
#ifndef CCALAB_CORE_UNITS_H
#define CCALAB_CORE_UNITS_H

#include <stdint.h>

#include "core/error.h"

#define UNITS_RATE_MAX_BPS    1000000000000ull  /* 1 Tbit/s */
#define UNITS_TIME_MAX_US     86400000000ull    /* one day */
#define UNITS_DURATION_MAX_US 31536000000000ull /* 365 days */

/* Rate in bit/s. Units as in tc(8) "RATES", upper or lower case: none or bit, kbit, mbit, gbit,
 * tbit (powers of 1000), kibit, mibit, gibit, tibit (1024), and bps, kbps, mbps, gbps, tbps, which
 * are *bytes* per second there. "0" and "unlimited" give 0, which callers read as "no limit".
 * Errors: STATUS_USAGE with a hint; *out is then unchanged. */
CCALAB_MUST_USE enum status parse_rate_bps(const char *text, uint64_t *out, struct error *err);

/* Time in microseconds. Units: s, sec, secs, ms, msec, msecs, us, usec, usecs. Unlike tc(8), which
 * takes a bare number for microseconds, a unit is required (except for "0"): a forgotten unit in
 * an experiment is a wrong experiment.
 * Errors: STATUS_USAGE with a hint; *out is then unchanged. */
CCALAB_MUST_USE enum status parse_time_us(const char *text, uint64_t *out, struct error *err);

/* How long something runs, in microseconds, above 0: what every `--duration` takes. A bare number
 * is seconds ("90", "1.5"), as it is for sleep(1) and iperf3(1) -t; with a unit as parse_time_us().
 * Errors: STATUS_USAGE with a hint; *out is then unchanged. */
CCALAB_MUST_USE enum status parse_duration_us(const char *text, uint64_t *out, struct error *err);

/* An unsigned decimal integer in [min, max]. `what` names it in the message ("--limit").
 * Errors: STATUS_USAGE; *out is then unchanged. */
CCALAB_MUST_USE enum status parse_count(const char *text, const char *what, uint64_t min,
                                        uint64_t max, uint64_t *out, struct error *err);

#endif
