/* A question to a web service as a process (remote/process.h), so that a job can hold it and its
 * task can cancel it. Its standard output is one JSON text: what the service's own judge makes of
 * the reply. A reply that says no is an answer too; it ends the process with exit code 0. */
#ifndef CCALAB_REMOTE_WEB_H
#define CCALAB_REMOTE_WEB_H

#include <cjson/cJSON.h>

#include "remote/host.h"
#include "remote/http.h"

/* Makes an object of the reply, for cJSON_Delete(); NULL when out of memory. `arg` must not point
 * to what the process would outlive. */
typedef cJSON *(*web_judge_fn)(const struct http_reply *reply, int arg);

struct web_opts {
    const struct http_request *request;
    web_judge_fn judge;
    int arg; /* for the judge */
};

/* A process_start_fn of remote/job.h; `opts` is a struct web_opts. Errors: of http_start(). */
CCALAB_MUST_USE enum status web_start(struct host *host, uv_loop_t *loop, void *opts,
                                      const struct process_callbacks *cb, void *user,
                                      struct process **out, struct error *err);

/* For judges: {"kind": KIND, "status": of HTTP, "error": {"status", "message", "hint"}} of a no.
 * The texts of the service are bounded by struct error. NULL when out of memory. */
cJSON *web_no(const char *kind, long http_status, const struct error *e);
/* The no of a reply that did not come: "transient" where the same again may work, else (TLS, size,
 * memory) "malformed". */
cJSON *web_no_reply(const struct http_reply *reply);
/* {"kind": "ok", "status": ..., "data": data}; takes `data`. */
cJSON *web_yes(long http_status, cJSON *data);

/* A word for URLs and file names: 1 to `max` of letters, digits and "._-", not beginning with '.'
 * or '-'. */
bool web_is_word(const char *s, size_t max);
/* Printable ASCII of at most `max` characters and not empty: safe to show and to log. */
bool web_is_text(const char *s, size_t max);

#endif
