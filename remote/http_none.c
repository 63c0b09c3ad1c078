/* Built without libcurl. */
#include "remote/http.h"

enum status http_start(uv_loop_t *loop, const struct http_request *request, http_done_fn done,
                       void *user, struct http_call **out, struct error *err)
{
    (void)loop;
    (void)request;
    (void)done;
    (void)user;
    (void)out;
    error_set(err, STATUS_UNAVAILABLE, "http", "this ccalab was built without libcurl");
    return error_hint(err, "install libcurl4-openssl-dev and build again");
}

void http_cancel(struct http_call *c)
{
    (void)c;
}
