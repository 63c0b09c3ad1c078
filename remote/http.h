/* HTTP requests on the event loop, by libcurl's multi interface: verified TLS, a limit for the
 * whole time, for the body and for redirects. Thread: main only. */
#ifndef CCALAB_REMOTE_HTTP_H
#define CCALAB_REMOTE_HTTP_H

#include <uv.h>

#include "core/error.h"

struct http_request {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;    /* https; http only to this machine (127.0.0.1, localhost, [::1]) */
    const char *bearer; /* sent to the URL's own host only, or NULL */
    const char *body;   /* JSON, or NULL */
    size_t max_body;    /* of the reply; more is an error */
    int timeout_ms;
    int max_redirects; /* 0: a redirect is a reply like any other */
};

struct http_reply {
    struct error error; /* not STATUS_OK: there was no reply; a hint says what might help */
    long status;
    const char *body; /* NUL-terminated */
    size_t len;
    /* Headers, "" if absent. */
    char retry_after[64], rate_limit[256], error_code[64]; /* X-Error-Code, of the hub */
};

struct http_call;

/* Called once, never from within http_start(); the call is over then. */
typedef void (*http_done_fn)(void *user, const struct http_reply *reply);

/* The request is copied. Errors: STATUS_UNAVAILABLE (built without libcurl), STATUS_USAGE (the
 * URL), STATUS_NOMEM. */
CCALAB_MUST_USE enum status http_start(uv_loop_t *loop, const struct http_request *request,
                                       http_done_fn done, void *user, struct http_call **out,
                                       struct error *err);
/* Give it up; `done` is not called. */
void http_cancel(struct http_call *c);

#endif
