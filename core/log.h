/* The log: leveled lines to one sink. Standard error by default, the TUI's log pane when it runs.
 * Thread: main only, except where a program has set its own sink. */
#ifndef CCALAB_CORE_LOG_H
#define CCALAB_CORE_LOG_H

#include "core/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

typedef void (*log_sink_fn)(void *user, enum log_level level, const char *text);

/* NULL restores standard error. */
void log_set_sink(log_sink_fn fn, void *user);
/* Lines below this level are dropped. Default LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
const char *log_level_name(enum log_level level);

void log_debug(const char *fmt, ...) CCALAB_PRINTF(1, 2);
void log_info(const char *fmt, ...) CCALAB_PRINTF(1, 2);
void log_warn(const char *fmt, ...) CCALAB_PRINTF(1, 2);
void log_error(const char *fmt, ...) CCALAB_PRINTF(1, 2);
/* Message and hint of an error, at level error. */
void log_err(const struct error *e);
/* Write `src` into `out` with control bytes and broken UTF-8 replaced, so that text from a host
 * can be shown on a terminal. Returns `out`. */
char *log_escape(const char *src, char *out, size_t size);

#endif
