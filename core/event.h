/* Events: the one protocol between the programs. JSON Lines, one object a line (docs/events.md).
 *
 *   {"t":1795251163.25,"type":"progress","done":3,"total":10,"text":"epoch 3 of 10"}
 *   {"t":...,"type":"sample","src":"link/down","values":{"delay_l_us":412,"prob":0.02}}
 *   {"t":...,"type":"log","level":"warn","text":"..."}
 *   {"t":...,"type":"result","data":{...}}
 *   {"t":...,"type":"checks","host":"router","role":"router","checks":[{...},...]}
 *   {"t":...,"type":"error","status":"host","message":"...","hint":"..."}
 *
 * `t` is seconds since the epoch. The console adds "job" (the job's label) when it passes an
 * event on. A value that was not measured is null, never a guess. */
#ifndef CCALAB_CORE_EVENT_H
#define CCALAB_CORE_EVENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/line.h"
#include "core/log.h"

enum event_type { EVENT_PROGRESS, EVENT_SAMPLE, EVENT_LOG, EVENT_RESULT, EVENT_ERROR, EVENT_CHECKS };

struct event {
    enum event_type type;
    double t;          /* seconds since the epoch */
    const char *job;   /* label of the job it came from; "" for our own */
    const char *src;   /* samples: what was measured, "link/down"; else "" */
    const cJSON *body; /* the whole object, borrowed for the duration of the callback */
};

const char *event_type_name(enum event_type type);

/* --- writing: one line a call, flushed. Thread: one writer a stream. ------------------------- */

/* `f` is usually stdout. `done`/`total` in any one unit; total <= 0 means unknown. */
void event_write_progress(FILE *f, double done, double total, const char *fmt, ...)
    CCALAB_PRINTF(4, 5);
/* Takes ownership of `values` (an object of numbers, null for "not measured").
 * `t` < 0 means now. */
void event_write_sample(FILE *f, double t, const char *src, cJSON *values);
void event_write_log(FILE *f, enum log_level level, const char *fmt, ...) CCALAB_PRINTF(3, 4);
/* Takes ownership of `data`. */
void event_write_result(FILE *f, cJSON *data);
void event_write_error(FILE *f, const struct error *e);

/* --- reading ---------------------------------------------------------------------------------- */

/* Called for each event. A line that is not a valid event comes as ev == NULL with the raw text:
 * the caller decides whether that is a log line or noise. */
typedef void (*event_fn)(void *user, const struct event *ev, const char *line);

struct event_reader {
    struct line_splitter lines;
};

#define EVENT_LINE_MAX (4u << 20)

void event_reader_init(struct event_reader *r);
void event_reader_done(struct event_reader *r);
/* Feed bytes as they come; calls `fn` for every complete line. `job` labels the events. */
void event_reader_feed(struct event_reader *r, const char *data, size_t len, const char *job,
                       event_fn fn, void *user);
/* End of stream: hand out a last line without newline. */
void event_reader_end(struct event_reader *r, const char *job, event_fn fn, void *user);
/* Parse one line. Returns false if it is no event; *root is then NULL. On true the caller deletes
 * *root after use of *ev. */
bool event_parse(const char *line, size_t len, const char *job, struct event *ev, cJSON **root);

/* --- the bus: everyone who watches (run record, series, screen, --events) ----------------------
 */

struct bus;
typedef void (*bus_fn)(void *user, const struct event *ev);

struct bus *bus_new(void);
void bus_free(struct bus *b);
/* Subscribers are called in order of subscription, on the main thread. A subscriber may
 * unsubscribe itself from within its callback. Returns an id for bus_unsubscribe(). */
int bus_subscribe(struct bus *b, bus_fn fn, void *user);
void bus_unsubscribe(struct bus *b, int id);
void bus_publish(struct bus *b, const struct event *ev);

#endif
