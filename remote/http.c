#include "remote/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/version.h"

#define CONNECT_MS 15000L

struct http_call {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    uv_loop_t *loop;
    uv_timer_t timer;
    http_done_fn done;
    void *user;
    struct buf body;
    char *sent_body;
    struct http_reply reply;
    char why[CURL_ERROR_SIZE];
    int open_handles; /* the timer, and the polls of sockets */
    bool is_over;
};

struct watched {
    uv_poll_t poll;
    struct http_call *call;
    curl_socket_t fd;
};

/* --- the end ---------------------------------------------------------------------------------- */

static void release(struct http_call *c)
{
    if (--c->open_handles > 0)
        return;
    buf_done(&c->body);
    free(c->sent_body);
    free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
    release(h->data);
}

static void on_poll_closed(uv_handle_t *h)
{
    struct watched *w = h->data;
    struct http_call *c = w->call;

    free(w);
    release(c);
}

/* Not from within one of curl's callbacks. Removing the transfer closes its sockets. */
static void finish(struct http_call *c)
{
    c->is_over = true;
    curl_multi_remove_handle(c->multi, c->easy);
    curl_easy_cleanup(c->easy);
    curl_multi_cleanup(c->multi);
    curl_slist_free_all(c->headers);
    uv_timer_stop(&c->timer);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

void http_cancel(struct http_call *c)
{
    finish(c);
}

static enum status why_failed(struct http_call *c, CURLcode code)
{
    struct error *e = &c->reply.error;
    const char *url = NULL;
    char host[128] = "the server";
    CURLU *u = curl_url();
    char *name = NULL;

    curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (u && url && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK)
        snprintf(host, sizeof host, "%s", name);
    curl_free(name);
    curl_url_cleanup(u);
    const char *why = c->why[0] ? c->why : curl_easy_strerror(code);
    switch (code) {
    case CURLE_WRITE_ERROR:
        return error_set(e, STATUS_NOMEM, "http", "the answer of %s is longer than %zu bytes", host,
                         c->body.max);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(e, STATUS_TIMEOUT, "http", "no answer of %s: %s", host, why);
    case CURLE_PEER_FAILED_VERIFICATION:
        error_set(e, STATUS_UNAVAILABLE, "http", "%s could not prove who it is: %s", host, why);
        return error_hint(e,
                          "nothing was sent; look at this machine's clock and ca-certificates, "
                          "and at who answers for %s here",
                          host);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        error_set(e, STATUS_HOST, "http", "cannot reach %s: %s", host, why);
        return error_hint(e,
                          "is this machine on the network, and is a proxy needed (https_proxy)?");
    default:
        return error_set(e, STATUS_HOST, "http", "%s: %s", host, why);
    }
}

static void check_done(struct http_call *c)
{
    CURLMsg *m;
    int left;

    while (!c->is_over && (m = curl_multi_info_read(c->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        if (m->data.result == CURLE_OK)
            curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->reply.status);
        else
            why_failed(c, m->data.result);
        c->reply.body = c->body.data;
        c->reply.len = c->body.len;
        finish(c); /* the handles live until the loop comes round: so do the call and its body */
        c->done(c->user, &c->reply);
    }
}

/* --- curl and the loop ------------------------------------------------------------------------ */

static void on_poll(uv_poll_t *p, int status, int events)
{
    struct watched *w = p->data;
    struct http_call *c = w->call;
    int running, flags = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(c->multi, w->fd, flags, &running);
    check_done(c);
}

static void on_timer(uv_timer_t *t)
{
    struct http_call *c = t->data;
    int running;

    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    check_done(c);
}

static int on_curl_timer(CURLM *m, long timeout_ms, void *user)
{
    struct http_call *c = user;

    (void)m;
    if (timeout_ms < 0)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct http_call *c = user;
    struct watched *w = socket_user;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            curl_multi_assign(c->multi, fd, NULL);
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, on_poll_closed);
        }
        return 0;
    }
    if (!w) {
        w = calloc(1, sizeof *w);
        if (!w || uv_poll_init(c->loop, &w->poll, fd) != 0) {
            free(w);
            return -1;
        }
        w->call = c;
        w->fd = fd;
        w->poll.data = w;
        c->open_handles++;
        curl_multi_assign(c->multi, fd, w);
    }
    uv_poll_start(&w->poll,
                  (what & CURL_POLL_IN ? UV_READABLE : 0) |
                      (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
                  on_poll);
    return 0;
}

static size_t on_body(char *data, size_t one, size_t n, void *user)
{
    struct http_call *c = user;

    return buf_append(&c->body, data, one * n) ? n : 0;
}

static void take_header(const char *line, size_t len, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return;
    for (line += n + 1, len -= n + 1; len && (*line == ' ' || *line == '\t'); line++, len--)
        ;
    while (len && strchr("\r\n ", line[len - 1]))
        len--;
    snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), line);
}

static size_t on_header(char *line, size_t one, size_t n, void *user)
{
    struct http_reply *r = user;
    size_t len = one * n;

    if (len > 5 && strncmp(line, "HTTP/", 5) == 0) /* the reply behind a redirect */
        r->retry_after[0] = r->rate_limit[0] = r->error_code[0] = '\0';
    take_header(line, len, "Retry-After", r->retry_after, sizeof r->retry_after);
    take_header(line, len, "RateLimit", r->rate_limit, sizeof r->rate_limit);
    take_header(line, len, "X-Error-Code", r->error_code, sizeof r->error_code);
    return n;
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* https, or http to this machine: a key must not cross a network that anybody can read. */
static bool is_allowed(const char *url, bool *is_here)
{
    static const char *const here[] = {"127.0.0.1", "localhost", "[::1]"};
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL;
    bool is_ok = false;

    *is_here = false;
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        for (size_t i = 0; !strcmp(scheme, "http") && i < sizeof here / sizeof *here; i++)
            *is_here |= !strcmp(host, here[i]);
        is_ok = *is_here || !strcmp(scheme, "https");
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return is_ok;
}

static void set_up(struct http_call *c, const struct http_request *r, bool is_here)
{
    CURL *e = c->easy;

    curl_easy_setopt(e, CURLOPT_URL, r->url);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https"); /* is_allowed() */
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    if (is_here) /* not through the proxy of $http_proxy, in the clear */
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, r->max_redirects > 0 ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)r->max_redirects);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(e, CURLOPT_USERAGENT, "ccalab/" CCALAB_VERSION);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, &c->reply);
    if (r->bearer) { /* unlike a header of ours, not handed on to where a redirect leads */
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, r->bearer);
    }
    if (c->sent_body) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->sent_body);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
    }
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
}

enum status http_start(uv_loop_t *loop, const struct http_request *request, http_done_fn done,
                       void *user, struct http_call **out, struct error *err)
{
    struct http_call *c = NULL;
    bool is_here;

    curl_global_init(CURL_GLOBAL_DEFAULT); /* counts its calls */
    if (!is_allowed(request->url, &is_here)) {
        error_set(err, STATUS_USAGE, "http", "%.200s is no https:// address", request->url);
        return error_hint(err, "a key is never sent in the clear but to this machine");
    }
    c = calloc(1, sizeof *c);
    if (!c)
        goto nomem;
    buf_init(&c->body, request->max_body);
    c->loop = loop;
    c->done = done;
    c->user = user;
    c->easy = curl_easy_init();
    c->multi = curl_multi_init();
    if (request->body) {
        c->sent_body = strdup(request->body);
        c->headers = curl_slist_append(NULL, "Content-Type: application/json");
    }
    if (!c->easy || !c->multi || (request->body && (!c->sent_body || !c->headers)))
        goto nomem;
    set_up(c, request, is_here);
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    c->open_handles = 1;
    if (curl_multi_add_handle(c->multi, c->easy) != CURLM_OK) { /* else it starts the timer */
        finish(c);
        return error_set(err, STATUS_NOMEM, "http", "out of memory");
    }
    *out = c;
    return STATUS_OK;
nomem:
    if (c) {
        curl_easy_cleanup(c->easy);
        curl_multi_cleanup(c->multi);
        curl_slist_free_all(c->headers);
        buf_done(&c->body);
        free(c->sent_body);
        free(c);
    }
    return error_set(err, STATUS_NOMEM, "http", "out of memory");
}
