/* The main thread's side of an SSH link: processes by number, the two queues, the life of both. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "remote/shell.h"
#include "remote/ssh_internal.h"

#define SCRIPT_MAX  (4u << 20)
#define JOIN_S      3
#define PIPE_BUFFER (1 << 20)

struct ssh_process {
    struct process base;
    struct ssh_link *link;
    struct ssh_process *next;
    uint32_t id;
    struct process_callbacks cb;
    void *user;
};

/* --- queues ----------------------------------------------------------------------------------- */

void request_free(struct request *r)
{
    if (!r)
        return;
    free(r->text);
    free(r->what);
    free(r);
}

static void wake(struct ssh_link *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof one); /* full means: awake already */
    (void)n;
}

static void send_request(struct ssh_link *l, struct request *r)
{
    pthread_mutex_lock(&l->lock);
    *l->requests_tail = r;
    l->requests_tail = &r->next;
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

struct request *link_take_request(struct ssh_link *l)
{
    pthread_mutex_lock(&l->lock);
    struct request *r = l->requests;
    if (r && !(l->requests = r->next))
        l->requests_tail = &l->requests;
    pthread_mutex_unlock(&l->lock);
    return r;
}

bool link_is_quitting(struct ssh_link *l)
{
    pthread_mutex_lock(&l->lock);
    bool is = l->is_quitting;
    pthread_mutex_unlock(&l->lock);
    return is;
}

bool link_has_room(struct ssh_link *l)
{
    pthread_mutex_lock(&l->lock);
    bool has = l->in_flight < SSH_IN_FLIGHT_MAX;
    pthread_mutex_unlock(&l->lock);
    return has;
}

struct message *message_new(int kind, const void *data, size_t len)
{
    struct message *m = calloc(1, sizeof *m + len + 1);
    if (!m)
        return NULL;
    m->kind = kind;
    m->len = len;
    if (len)
        memcpy(m->data, data, len);
    return m;
}

void link_post(struct ssh_link *l, struct message *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&l->lock);
    *l->messages_tail = m;
    l->messages_tail = &m->next;
    if (m->kind == MESSAGE_OUTPUT)
        l->in_flight += m->len;
    if (l->is_async_open)
        uv_async_send(&l->async);
    pthread_mutex_unlock(&l->lock);
}

void link_log(struct ssh_link *l, enum log_level level, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct message *m = message_new(MESSAGE_LOG, text, strlen(text));
    if (m)
        m->level = level;
    link_post(l, m);
}

bool link_ask(struct ssh_link *l, enum ssh_question kind, const char *prompt, char *out,
              size_t size)
{
    if (!l->can_ask)
        return false;
    pthread_mutex_lock(&l->lock);
    l->has_answer = false;
    pthread_mutex_unlock(&l->lock);
    struct message *m = message_new(MESSAGE_ASK, prompt, strlen(prompt));
    if (!m)
        return false;
    m->question = kind;
    link_post(l, m);
    pthread_mutex_lock(&l->lock);
    while (!l->has_answer && !l->is_quitting)
        pthread_cond_wait(&l->answered, &l->lock);
    bool has = l->has_answer && l->has_secret;
    if (has)
        snprintf(out, size, "%s", l->answer);
    explicit_bzero(l->answer, sizeof l->answer);
    pthread_mutex_unlock(&l->lock);
    return has;
}

/* --- messages --------------------------------------------------------------------------------- */

static struct ssh_process *find(struct ssh_link *l, uint32_t id)
{
    struct ssh_process *p = l->processes;
    while (p && p->id != id)
        p = p->next;
    return p;
}

static void on_exit_message(struct ssh_link *l, struct ssh_process *p, const struct message *m)
{
    struct ssh_process **at = &l->processes;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->cb.on_exit(p->user, &m->end);
    free(p);
}

void ssh_link_answer(struct ssh_link *l, const char *text)
{
    pthread_mutex_lock(&l->lock);
    l->has_answer = true;
    l->has_secret = text && strlen(text) < sizeof l->answer;
    if (l->has_secret)
        strcpy(l->answer, text);
    pthread_cond_signal(&l->answered);
    pthread_mutex_unlock(&l->lock);
}

static void on_ask_message(struct ssh_link *l, const struct message *m)
{
    char secret[sizeof l->answer] = "";
    enum ssh_answer a = l->ask(l->ask_user, l, m->question, m->data, secret, sizeof secret);
    if (a != SSH_ANSWER_LATER)
        ssh_link_answer(l, a == SSH_ANSWER_GIVEN ? secret : NULL);
    explicit_bzero(secret, sizeof secret);
}

static void dispatch(struct ssh_link *l, const struct message *m)
{
    struct ssh_process *p = find(l, m->id);
    switch (m->kind) {
    case MESSAGE_STATE:
        if (m->state == SSH_LINK_UP)
            snprintf(l->address, sizeof l->address, "%s", m->data);
        l->on_state(l->user_data, m->state, &m->end.lost);
        break;
    case MESSAGE_OUTPUT:
        if (p)
            p->cb.on_output(p->user, m->fd, m->data, m->len);
        break;
    case MESSAGE_EXIT:
        if (p)
            on_exit_message(l, p, m);
        break;
    case MESSAGE_LOG: {
        char clean[1024];
        log_escape(m->data, clean, sizeof clean);
        (m->level == LOG_LEVEL_WARN   ? log_warn
         : m->level == LOG_LEVEL_INFO ? log_info
                                      : log_debug)("%s: %s", l->name, clean);
        break;
    }
    case MESSAGE_ASK:
        on_ask_message(l, m);
        break;
    }
}

static void on_async(uv_async_t *a)
{
    struct ssh_link *l = a->data;
    for (;;) { /* one at a time: a callback may end in ssh_link_free() of another link, not ours */
        pthread_mutex_lock(&l->lock);
        struct message *m = l->messages;
        bool is_full = l->in_flight >= SSH_IN_FLIGHT_MAX;
        if (m) {
            if (!(l->messages = m->next))
                l->messages_tail = &l->messages;
            if (m->kind == MESSAGE_OUTPUT)
                l->in_flight -= m->len;
        }
        bool is_wanted = is_full && l->in_flight < SSH_IN_FLIGHT_MAX;
        pthread_mutex_unlock(&l->lock);
        if (!m)
            return;
        if (is_wanted)
            wake(l);
        dispatch(l, m);
        free(m);
    }
}

/* --- processes -------------------------------------------------------------------------------- */

static void process_kill(struct process *base, int signum)
{
    struct ssh_process *p = (struct ssh_process *)base;
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return;
    r->kind = REQUEST_SIGNAL;
    r->id = p->id;
    r->signum = signum;
    send_request(p->link, r);
}

enum status ssh_link_exec(struct ssh_link *l, const struct spawn_opts *opts,
                          const struct process_callbacks *cb, void *user, struct process **out,
                          struct error *err)
{
    struct ssh_process *p = calloc(1, sizeof *p);
    struct request *r = calloc(1, sizeof *r);
    struct buf script;
    uint64_t random = 0;
    buf_init(&script, SCRIPT_MAX);
    if (!p || !r || getrandom(&random, sizeof random, 0) != sizeof random)
        goto fail;
    r->kind = REQUEST_EXEC;
    snprintf(r->nonce, sizeof r->nonce, "%016llx", (unsigned long long)random);
    shell_script(&script, r->nonce, opts);
    r->text_len = script.len;
    r->text = buf_take(&script);
    r->what = strdup(opts->argv[0]);
    if (!r->text || !r->what)
        goto fail;
    *p = (struct ssh_process){.base = {.kill = process_kill}, .link = l, .cb = *cb, .user = user};
    p->id = r->id = ++l->last_id;
    p->next = l->processes;
    l->processes = p;
    buf_done(&script);
    send_request(l, r);
    *out = &p->base;
    return STATUS_OK;
fail:
    buf_done(&script);
    request_free(r);
    free(p);
    return error_set(err, STATUS_NOMEM, "ssh", "no memory for a command of %s", opts->argv[0]);
}

enum status ssh_link_pipe(struct ssh_link *l, enum ssh_pipe kind, const char *name, int *fd,
                          struct error *err)
{
    int pair[2], size = PIPE_BUFFER;
    struct request *r = calloc(1, sizeof *r);
    if (!r || !(r->text = strdup(name))) {
        request_free(r);
        return error_set(err, STATUS_NOMEM, "ssh", "out of memory");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        request_free(r);
        return error_sys(err, STATUS_HOST, errno, "ssh", "cannot make a socket");
    }
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    r->kind = REQUEST_PIPE;
    r->pipe = kind;
    r->fd = pair[1];
    send_request(l, r);
    *fd = pair[0];
    return STATUS_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static void destroy(struct ssh_link *l)
{
    struct request *r;
    while ((r = link_take_request(l))) {
        if (r->kind == REQUEST_PIPE)
            close(r->fd);
        request_free(r);
    }
    while (l->messages) {
        struct message *m = l->messages;
        l->messages = m->next;
        free(m);
    }
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->answered);
    free(l->name);
    free(l->host);
    free(l->user);
    free(l->identity);
    free(l->known_hosts);
    free(l->config);
    free(l);
}

void link_drop(struct ssh_link *l)
{
    pthread_mutex_lock(&l->lock);
    bool is_last = --l->owners == 0;
    pthread_mutex_unlock(&l->lock);
    if (is_last)
        destroy(l);
}

static char *copy(const char *s, bool *has_failed)
{
    char *c = s ? strdup(s) : NULL;
    *has_failed |= s && !c;
    return c;
}

enum status ssh_link_new(const char *name, uv_loop_t *loop, const struct ssh_opts *o,
                         ssh_state_fn on_state, void *user, struct ssh_link **out,
                         struct error *err)
{
    struct ssh_link *l = calloc(1, sizeof *l);
    bool has_failed = false;
    if (!l)
        return error_set(err, STATUS_NOMEM, "ssh", "out of memory");
    l->name = copy(name, &has_failed);
    l->host = copy(o->host, &has_failed);
    l->user = copy(o->user, &has_failed);
    l->identity = copy(o->identity, &has_failed);
    l->known_hosts = copy(o->known_hosts, &has_failed);
    l->config = copy(o->config, &has_failed);
    l->port = o->port;
    l->accept_new = o->accept_new;
    l->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : 10000;
    l->idle_timeout_ms = o->idle_timeout_ms ? o->idle_timeout_ms : 15000;
    l->ask = o->ask;
    l->ask_user = o->ask_user;
    l->can_ask = o->ask != NULL;
    l->on_state = on_state;
    l->user_data = user;
    l->requests_tail = &l->requests;
    l->messages_tail = &l->messages;
    l->is_async_open = true;
    l->owners = 2;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->answered, NULL);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (has_failed || l->wake_fd < 0) {
        destroy(l);
        return error_set(err, STATUS_NOMEM, "ssh", "no memory or descriptor for host %s", name);
    }
    uv_async_init(loop, &l->async, on_async); /* fails only without descriptors, as above */
    l->async.data = l;
    /* Signals are the main thread's. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&l->thread, NULL, ssh_worker_main, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        l->owners = 1;
        ssh_link_free(l);
        return error_sys(err, STATUS_INTERNAL, r, "ssh", "no thread for host %s", name);
    }
    *out = l;
    return STATUS_OK;
}

static void on_async_closed(uv_handle_t *h)
{
    link_drop(h->data);
}

void ssh_link_free(struct ssh_link *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_quitting = true;
    bool has_thread = l->owners == 2;
    l->is_async_open = false;
    pthread_cond_signal(&l->answered);
    pthread_mutex_unlock(&l->lock);
    if (has_thread) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += JOIN_S;
        wake(l);
        if (pthread_timedjoin_np(l->thread, NULL, &until) != 0)
            pthread_detach(l->thread); /* in the resolver, most likely: it frees the link later */
    }
    uv_close((uv_handle_t *)&l->async, on_async_closed);
}

const char *ssh_link_address(const struct ssh_link *l)
{
    return l->address;
}

void ssh_link_retry(struct ssh_link *l)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return;
    r->kind = REQUEST_RETRY;
    send_request(l, r);
}
