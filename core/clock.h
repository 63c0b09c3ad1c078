/* Time: one place to ask for it, so that tests can freeze it.
 *
 * Events carry wall-clock seconds since the epoch (CLOCK_REALTIME, as packet captures do);
 * durations are measured with the monotonic clock. Thread: any, but freeze from one thread only. */
#ifndef CCALAB_CORE_CLOCK_H
#define CCALAB_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Seconds since the epoch. */
double clock_wall_s(void);
/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_mono_ns(void);
/* How long it is until a point of that clock, 0 if it has passed: a time-out for ppoll(2) and
 * sigtimedwait(2). */
struct timespec clock_until(uint64_t mono_ns);
/* Stop both clocks at this wall time (the monotonic one at 0); clock_advance() moves them. */
void clock_freeze(double wall_s);
void clock_advance(double seconds);
void clock_thaw(void);
/* Write "20261121T085243Z" (UTC) for a wall time. `out` needs 17 bytes. */
void clock_format_utc(double wall_s, char *out, size_t size);

#endif
