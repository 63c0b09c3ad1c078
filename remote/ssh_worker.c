/* The worker of an SSH link: connect, serve, connect again. It alone touches the session. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libssh/server.h> /* ssh_send_keepalive() */

#include "core/clock.h"
#include "remote/ssh_channel.h"
#include "remote/ssh_internal.h"

#define RETRIES_MAX  20
#define RETRY_MS     500
#define RETRY_MAX_MS 15000
#define TICK_MS      1000 /* keepalives and time limits are looked at this often */
#define FDS_MAX      64

struct worker {
    struct ssh_link *link;
    ssh_session session;
    ssh_event event;
    struct ssh_counter_struct counter;
    uint64_t seen_bytes, seen_ns, alive_ns; /* last byte from the host, last keepalive */
    struct ssh_channel_list channels;
};

static void drain_wake(struct ssh_link *l)
{
    uint64_t n;
    while (read(l->wake_fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
}

void link_poll(struct ssh_link *l, int fd, short events, int ms)
{
    struct pollfd p[2] = {{l->wake_fd, POLLIN, 0}, {fd, events, 0}};
    poll(p, fd >= 0 ? 2 : 1, ms);
    if (p[0].revents & POLLIN)
        drain_wake(l);
}

static void post_state(struct ssh_link *l, enum ssh_link_state state, const char *address,
                       const struct error *why)
{
    struct message *m = message_new(MESSAGE_STATE, address, strlen(address));
    if (!m)
        return;
    m->state = state;
    if (why)
        m->end.lost = *why;
    link_post(l, m);
}

/* --- while there is no session ---------------------------------------------------------------- */

/* Answer what came while the host is not up. True if it was a wish to try again. */
static bool refuse_requests(struct ssh_link *l, const struct error *why)
{
    bool is_retry = false;
    struct request *r;
    while ((r = link_take_request(l))) {
        if (r->kind == REQUEST_EXEC)
            ssh_channel_post_lost(l, r->id, why);
        else if (r->kind == REQUEST_PIPE)
            close(r->fd);
        is_retry |= r->kind == REQUEST_RETRY;
        request_free(r);
    }
    return is_retry;
}

/* Wait `ms` (-1: for ever), or until a retry is wished, or the end. */
static void rest(struct ssh_link *l, int ms, const struct error *why)
{
    uint64_t end_ns = clock_mono_ns() + (uint64_t)(ms < 0 ? 0 : ms) * 1000000u;
    while (!link_is_quitting(l) && !refuse_requests(l, why)) {
        uint64_t now = clock_mono_ns();
        if (ms >= 0 && now >= end_ns)
            return;
        link_poll(l, -1, 0, ms < 0 ? -1 : (int)((end_ns - now) / 1000000u) + 1);
    }
}

/* --- serving ---------------------------------------------------------------------------------- */

static void take_requests(struct worker *w)
{
    struct request *r;
    while ((r = link_take_request(w->link))) {
        switch (r->kind) {
        case REQUEST_EXEC:
        case REQUEST_PIPE:
            ssh_channel_start(&w->channels, w->link, w->session, r);
            break;
        case REQUEST_SIGNAL:
            ssh_channel_signal(&w->channels, r->id, r->signum);
            break;
        case REQUEST_RETRY:
            break;
        }
        request_free(r);
    }
}

/* False: no byte came for too long. */
static bool is_alive(struct worker *w, uint64_t now)
{
    uint64_t idle_ns = (uint64_t)w->link->idle_timeout_ms * 1000000u;
    if (w->counter.in_bytes != w->seen_bytes) {
        w->seen_bytes = w->counter.in_bytes;
        w->seen_ns = now;
    }
    if (now - w->seen_ns > idle_ns)
        return false;
    if (now - w->seen_ns > idle_ns / 3 && now - w->alive_ns > idle_ns / 3) {
        w->alive_ns = now;
        ssh_send_keepalive(w->session);
    }
    return true;
}

/* Until the connection is lost (*err says how) or the main thread wants no more. */
static void serve(struct worker *w, struct error *err)
{
    struct ssh_link *l = w->link;
    while (!link_is_quitting(l)) {
        struct pollfd fds[FDS_MAX];
        int n = 2, timeout = l->idle_timeout_ms / 6 < TICK_MS ? l->idle_timeout_ms / 6 : TICK_MS;
        take_requests(w);
        uint64_t before; /* reading one channel may bring bytes of another that had its turn */
        do {
            before = w->counter.in_bytes;
            ssh_channels_step(&w->channels, &timeout);
        } while (w->counter.in_bytes != before);
        uint64_t now = clock_mono_ns();
        if (!ssh_is_connected(w->session)) {
            error_set(err, STATUS_HOST, "ssh", "lost the connection to %s: %s", l->name,
                      ssh_get_error(w->session)[0] ? ssh_get_error(w->session)
                                                   : "the host closed it");
            return;
        }
        if (!is_alive(w, now)) {
            error_set(err, STATUS_HOST, "ssh", "lost the connection to %s: no answer for %.1f s",
                      l->name, l->idle_timeout_ms / 1000.0);
            return;
        }
        int flags = ssh_get_poll_flags(w->session);
        fds[0] = (struct pollfd){l->wake_fd, POLLIN, 0};
        fds[1] = (struct pollfd){ssh_get_fd(w->session),
                                 (short)(POLLIN | (flags & SSH_WRITE_PENDING ? POLLOUT : 0)), 0};
        n += ssh_channels_fds(&w->channels, fds + 2, FDS_MAX - 2);
        if (poll(fds, (nfds_t)n, timeout) < 0 && errno != EINTR)
            break;
        if (fds[0].revents & POLLIN)
            drain_wake(l);
        if (fds[1].revents)
            ssh_event_dopoll(w->event, 0);
    }
    error_set(err, STATUS_HOST, "ssh", "the connection to %s was closed", l->name);
}

static void serve_session(struct worker *w, struct error *err)
{
    w->counter = (struct ssh_counter_struct){0};
    w->seen_bytes = 0;
    w->seen_ns = w->alive_ns = clock_mono_ns();
    ssh_set_counters(w->session, &w->counter, NULL);
    w->event = ssh_event_new();
    if (!w->event || ssh_event_add_session(w->event, w->session) != SSH_OK)
        error_set(err, STATUS_NOMEM, "ssh", "no memory to serve %s", w->link->name);
    else
        serve(w, err);
    if (!link_is_quitting(w->link)) { /* before the ends of the jobs, which may look at it */
        post_state(w->link, SSH_LINK_CONNECTING, "", err);
        link_log(w->link, LOG_LEVEL_WARN, "%s; connecting again", err->message);
    }
    ssh_channels_end(&w->channels, err);
    if (w->event) {
        ssh_event_remove_session(w->event, w->session);
        ssh_event_free(w->event);
    }
    ssh_disconnect(w->session);
    ssh_free(w->session);
}

void *ssh_worker_main(void *arg)
{
    struct ssh_link *l = arg;
    struct worker w = {.link = l};
    int failures = 0;
    bool was_up = false;
    struct error why = {STATUS_OK};

    while (!link_is_quitting(l)) {
        char address[64] = "";
        bool is_final = false;
        post_state(l, SSH_LINK_CONNECTING, "", &why);
        enum status st = ssh_open(l, &w.session, address, sizeof address, &is_final, &why);
        if (st == STATUS_OK) {
            failures = 0;
            was_up = true;
            post_state(l, SSH_LINK_UP, address, NULL);
            serve_session(&w, &why);
        } else if (link_is_quitting(l)) {
            break;
        }
        if (st != STATUS_OK && (is_final || !was_up || ++failures > RETRIES_MAX)) {
            post_state(l, SSH_LINK_DOWN, "", &why);
            rest(l, -1, &why);
            failures = 0;
        } else {
            int ms = RETRY_MS << (failures < 6 ? failures : 6);
            rest(l, ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS, &why);
        }
    }
    error_set(&why, STATUS_HOST, "ssh", "the connection to %s was closed", l->name);
    refuse_requests(l, &why);
    link_drop(l);
    return NULL;
}
