#include "remote/ssh_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh/callbacks.h>

#include "core/clock.h"

#define DRAIN_NS  500000000u  /* a grandchild may hold the outputs open: as core/loop.c */
#define KILLED_NS 3000000000u /* after SIGKILL was sent: the host is stuck, do not wait for it */
#define PIECE     65536
#define HEAD_MAX  65536
#define PIPE_HOLD (1u << 20)
#define HELD_MAX  (512u << 10)
#define SIGNALS   4
#define RETRY_NS  50000000 /* sshd may still count a channel that is over */
#define RETRIES   40

/* QUEUED: it has no channel, the host takes no more at a time. */
enum chan_step { CHAN_QUEUED, CHAN_OPEN, CHAN_REQUEST, CHAN_RUN, CHAN_DONE };

struct ssh_chan {
    struct ssh_chan *next;
    struct ssh_link *link;
    ssh_session session;
    ssh_channel channel;
    struct ssh_channel_callbacks_struct cb;
    bool is_pipe;
    enum ssh_pipe pipe;
    enum chan_step step;
    uint32_t id;
    char *text, *what;
    char marker[40];      /* "ccalab:NONCE:" */
    struct buf to_remote; /* input not yet sent: of commands */
    char *held;           /* of pipes, HOLD bytes: from held_at to held_end is not yet sent */
    size_t held_at, held_end;
    struct buf head; /* stdout before the marker line; pipes: bytes for fd */
    bool is_marked;
    int fd; /* pipes */
    bool is_fd_eof, is_eof_sent;
    int signals[SIGNALS], nsignals; /* wished before the pid was known */
    bool is_eof[2];
    bool has_status;
    uint64_t status_ns, kill_ns, retry_ns;
    unsigned refusals;
    struct process_end end;
};

void ssh_channel_post_lost(struct ssh_link *l, uint32_t id, const struct error *why)
{
    struct message *m = message_new(MESSAGE_EXIT, NULL, 0);
    if (!m)
        return;
    m->id = id;
    m->end = (struct process_end){.exit_code = -1, .lost = *why};
    link_post(l, m);
}

/* --- how it ended ----------------------------------------------------------------------------- */

static void on_exit_status(ssh_session s, ssh_channel ch, int status, void *user)
{
    struct ssh_chan *c = user;
    (void)s;
    (void)ch;
    c->end.exit_code = status;
    c->has_status = true;
    c->status_ns = clock_mono_ns();
}

/* RFC 4254 section 6.10: names without "SIG". */
static int signal_number(const char *name)
{
    for (int n = 1; n < 32; n++) {
        const char *abbrev = sigabbrev_np(n);
        if (abbrev && strcmp(abbrev, name) == 0)
            return n;
    }
    return SIGKILL;
}

static void on_exit_signal(ssh_session s, ssh_channel ch, const char *name, int has_core,
                           const char *message, const char *lang, void *user)
{
    struct ssh_chan *c = user;
    (void)s;
    (void)ch;
    (void)has_core;
    (void)message;
    (void)lang;
    c->end.exit_code = -1;
    c->end.exit_signal = signal_number(name);
    c->has_status = true;
    c->status_ns = clock_mono_ns();
}

static void finish(struct ssh_chan *c)
{
    if (!c->is_pipe) {
        struct message *m = message_new(MESSAGE_EXIT, NULL, 0);
        if (m) {
            m->id = c->id;
            m->end = c->end;
            link_post(c->link, m);
        }
    } else if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    c->step = CHAN_DONE;
}

static void fail(struct ssh_chan *c, const char *what)
{
    if (!ssh_is_connected(c->session))
        return; /* the whole session is lost: ssh_channels_end() will say how */
    const char *why = ssh_get_error(c->session);
    c->end.exit_code = -1;
    error_set(&c->end.lost, STATUS_HOST, "ssh", "%s on %s: %s: %s", c->what ? c->what : c->text,
              c->link->name, what, why);
    if (c->step == CHAN_OPEN)
        error_hint(&c->end.lost, "does its sshd_config forbid commands (MaxSessions 0)?");
    if (c->is_pipe)
        link_log(c->link, LOG_LEVEL_WARN, "%s", c->end.lost.message);
    finish(c);
}

/* The channel is at its end, with an exit status or without. */
static void finish_at_end(struct ssh_chan *c)
{
    if (!c->has_status && !ssh_is_connected(c->session))
        return; /* as in fail() */
    if (!c->has_status) {
        c->end.exit_code = -1;
        error_set(&c->end.lost, STATUS_HOST, "ssh",
                  "%s on %s: the host closed the channel without an exit status", c->what,
                  c->link->name);
    }
    finish(c);
}

/* --- commands --------------------------------------------------------------------------------- */

static void post_output(struct ssh_chan *c, int fd, const char *data, size_t len)
{
    struct message *m = len ? message_new(MESSAGE_OUTPUT, data, len) : NULL;
    if (!m)
        return;
    m->id = c->id;
    m->fd = fd;
    link_post(c->link, m);
}

static void send_signal(struct ssh_chan *c, int signum)
{
    buf_printf(&c->to_remote, "%d\n", signum);
}

/* Look for the script's first word to us; what the host's start-up files print comes before it. */
static void look_for_marker(struct ssh_chan *c)
{
    char *at = strstr(c->head.data, c->marker); /* bytes before a NUL are all that can hold it */
    char *nl = at ? strchr(at, '\n') : NULL;
    if (!nl)
        return;
    const char *word = at + strlen(c->marker);
    *nl = '\0';
    if (at > c->head.data)
        link_log(c->link, LOG_LEVEL_DEBUG, "%.*s (said by the host's start-up files)",
                 (int)(at - c->head.data), c->head.data);
    if (strcmp(word, "missing") == 0) {
        error_set(&c->end.lost, STATUS_UNAVAILABLE, "ssh", "command not found on %s: %s",
                  c->link->name, c->what);
        error_hint(&c->end.lost, "install the package that provides %s there", c->what);
    } else if (strcmp(word, "cwd") == 0) {
        error_set(&c->end.lost, STATUS_HOST, "ssh", "cannot enter the working directory on %s",
                  c->link->name);
    }
    c->is_marked = true;
    post_output(c, 1, nl + 1, c->head.len - (size_t)(nl + 1 - c->head.data));
    buf_clear(&c->head);
    for (int i = 0; i < c->nsignals; i++)
        send_signal(c, c->signals[i]);
}

static void take_output(struct ssh_chan *c, int fd, const char *data, size_t len)
{
    if (fd == 2 || c->is_marked) {
        post_output(c, fd, data, len);
        return;
    }
    buf_append_tail(&c->head, data, len);
    look_for_marker(c);
}

/* True if bytes were read. */
static bool read_stream(struct ssh_chan *c, int fd)
{
    char piece[PIECE];
    bool has_read = false;
    while (!c->is_eof[fd - 1] && link_has_room(c->link)) {
        int n = ssh_channel_read_nonblocking(c->channel, piece, sizeof piece, fd == 2);
        if (n == 0)
            break;
        if (n < 0) { /* SSH_EOF, or the session is broken and serve() will see that */
            c->is_eof[fd - 1] = true;
            break;
        }
        take_output(c, fd, piece, (size_t)n);
        has_read = true;
    }
    return has_read;
}

static void write_input(struct ssh_chan *c)
{
    while (c->to_remote.len) {
        uint32_t window = ssh_channel_window_size(c->channel);
        if (!window)
            return;
        size_t len = c->to_remote.len < window ? c->to_remote.len : window;
        int n = ssh_channel_write(c->channel, c->to_remote.data, (uint32_t)len);
        if (n <= 0)
            return;
        buf_consume(&c->to_remote, (size_t)n);
    }
}

/* Killed, and nothing heard of its end: a start-up file that hangs, a process that cannot die, a
 * host that does not answer. */
static bool is_given_up(struct ssh_chan *c, int *timeout_ms)
{
    if (!c->kill_ns || c->has_status)
        return false;
    uint64_t age = clock_mono_ns() - c->kill_ns;
    if (age < KILLED_NS) {
        int left_ms = (int)((KILLED_NS - age) / 1000000u) + 1;
        *timeout_ms = left_ms < *timeout_ms ? left_ms : *timeout_ms;
        return false;
    }
    c->end.exit_code = -1;
    error_set(&c->end.lost, STATUS_HOST, "ssh", "%s on %s was killed, but its end was not seen",
              c->what, c->link->name);
    link_log(c->link, LOG_LEVEL_WARN, "%s", c->end.lost.message);
    return true;
}

static void step_command(struct ssh_chan *c, int *timeout_ms)
{
    write_input(c);
    read_stream(c, 1);
    read_stream(c, 2);
    if (!c->is_marked && c->is_eof[0] && c->has_status && c->end.lost.status == STATUS_OK) {
        char text[200];
        log_escape(c->head.data, text, sizeof text);
        error_set(&c->end.lost, STATUS_HOST, "ssh", "no shell for commands on %s%s%s",
                  c->link->name, text[0] ? ": " : "", text);
    }
    bool is_at_end = c->is_eof[0] && c->is_eof[1];
    if (is_given_up(c, timeout_ms)) {
        finish(c);
    } else if (is_at_end && (c->has_status || ssh_channel_is_closed(c->channel))) {
        finish_at_end(c);
    } else if (c->has_status && link_has_room(c->link)) {
        uint64_t age = clock_mono_ns() - c->status_ns;
        if (age > DRAIN_NS)
            finish(c);
        else if (*timeout_ms > (int)((DRAIN_NS - age) / 1000000u) + 1)
            *timeout_ms = (int)((DRAIN_NS - age) / 1000000u) + 1;
    }
}

/* --- pipes ------------------------------------------------------------------------------------ */

/* Move what the descriptor gives to the channel, until one of them takes or gives no more. */
static void feed_channel(struct ssh_chan *c)
{
    for (;;) {
        while (c->held_at < c->held_end) {
            uint32_t window = ssh_channel_window_size(c->channel);
            size_t len = c->held_end - c->held_at;
            int n = window ? ssh_channel_write(c->channel, c->held + c->held_at,
                                               len < window ? (uint32_t)len : window)
                           : 0;
            if (n <= 0)
                return;
            c->held_at += (size_t)n;
        }
        c->held_at = c->held_end = 0;
        if (c->is_fd_eof)
            return;
        ssize_t n = recv(c->fd, c->held, HELD_MAX, MSG_DONTWAIT);
        if (n > 0)
            c->held_end = (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            c->is_fd_eof = true;
        else
            return;
    }
}

static void step_pipe(struct ssh_chan *c)
{
    char piece[PIECE];
    feed_channel(c);
    if (c->is_fd_eof && c->held_at == c->held_end && !c->is_eof_sent) {
        c->is_eof_sent = true;
        ssh_channel_send_eof(c->channel);
    }
    for (;;) {
        ssize_t sent =
            c->head.len ? send(c->fd, c->head.data, c->head.len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (sent > 0)
            buf_consume(&c->head, (size_t)sent);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) { /* the other side is gone */
            finish(c);
            return;
        }
        if (c->head.len >= PIPE_HOLD / 2 || c->is_eof[0])
            break;
        int got = ssh_channel_read_nonblocking(c->channel, piece, sizeof piece, 0);
        if (got > 0)
            buf_append(&c->head, piece, (size_t)got);
        else if (got < 0)
            c->is_eof[0] = true;
        else
            break;
    }
    while (ssh_channel_read_nonblocking(c->channel, piece, sizeof piece, 1) > 0)
        ; /* nobody asked for its stderr; left unread it would stop the channel */
    if (c->is_eof[0] && !c->head.len)
        finish(c);
}

int ssh_channels_fds(struct ssh_channel_list *list, struct pollfd *fds, int max)
{
    int n = 0;
    for (struct ssh_chan *c = list->first; c && n < max; c = c->next) {
        short events = 0;
        if (!c->is_pipe || c->step != CHAN_RUN)
            continue;
        if (!c->is_fd_eof && c->held_at == c->held_end)
            events |= POLLIN;
        if (c->head.len)
            events |= POLLOUT;
        if (events)
            fds[n++] = (struct pollfd){c->fd, events, 0};
    }
    return n;
}

/* --- MaxSessions ------------------------------------------------------------------------------ */

/* Channels that have come as far as `from`, and are not at their end. */
static unsigned count_channels(const struct ssh_channel_list *list, enum chan_step from)
{
    unsigned n = 0;
    for (const struct ssh_chan *c = list->first; c; c = c->next)
        n += c->step >= from && c->step < CHAN_DONE;
    return n;
}

static void close_channel(struct ssh_chan *c)
{
    if (!c->channel)
        return;
    ssh_remove_channel_callbacks(c->channel, &c->cb);
    ssh_channel_free(c->channel);
    c->channel = NULL;
}

static bool open_channel(struct ssh_chan *c)
{
    c->channel = ssh_channel_new(c->session);
    if (c->channel)
        ssh_set_channel_callbacks(c->channel, &c->cb);
    return c->channel != NULL;
}

/* The host has refused a channel: sshd takes MaxSessions of them at a time. False: there is nobody
 * to wait for. */
static bool wait_for_turn(struct ssh_channel_list *list, struct ssh_chan *c, int *timeout_ms)
{
    unsigned others = count_channels(list, CHAN_REQUEST);
    if (!others && c->refusals >= RETRIES)
        return false;
    if (others && !list->limit)
        link_log(c->link, LOG_LEVEL_INFO,
                 "it takes %u commands at a time (MaxSessions in its sshd_config): others wait",
                 others);
    list->limit = others ? others : 1;
    c->refusals++;
    c->retry_ns = clock_mono_ns() + RETRY_NS;
    *timeout_ms = *timeout_ms < RETRY_NS / 1000000 ? *timeout_ms : RETRY_NS / 1000000;
    close_channel(c);
    c->step = CHAN_QUEUED;
    return true;
}

/* In the order in which they came, as the list is. */
static bool leave_queue(struct ssh_channel_list *list, struct ssh_chan *c, int *timeout_ms)
{
    if (count_channels(list, CHAN_OPEN) >= list->limit)
        return false;
    if (clock_mono_ns() < c->retry_ns) {
        *timeout_ms = *timeout_ms < RETRY_NS / 1000000 ? *timeout_ms : RETRY_NS / 1000000;
        return false;
    }
    if (open_channel(c))
        c->step = CHAN_OPEN;
    return c->step == CHAN_OPEN;
}

/* --- all -------------------------------------------------------------------------------------- */

static int ask(struct ssh_chan *c)
{
    if (!c->is_pipe)
        return ssh_channel_request_exec(c->channel, "exec /bin/sh");
    return c->pipe == SSH_PIPE_SUBSYSTEM ? ssh_channel_request_subsystem(c->channel, c->text)
                                         : ssh_channel_request_exec(c->channel, c->text);
}

static void step(struct ssh_channel_list *list, struct ssh_chan *c, int *timeout_ms)
{
    if (c->step < CHAN_RUN && !c->is_pipe && is_given_up(c, timeout_ms)) {
        finish(c);
        return;
    }
    if (c->step == CHAN_QUEUED && !leave_queue(list, c, timeout_ms))
        return;
    if (c->step == CHAN_OPEN) {
        int r = ssh_channel_open_session(c->channel);
        if (r == SSH_AGAIN)
            return;
        if (r != SSH_OK) {
            if (!ssh_is_connected(c->session) || !wait_for_turn(list, c, timeout_ms))
                fail(c, "no channel");
            return;
        }
        c->step = CHAN_REQUEST;
    }
    if (c->step == CHAN_REQUEST) {
        int r = ask(c);
        if (r == SSH_AGAIN)
            return;
        if (r != SSH_OK) {
            fail(c, "the host refuses it");
            return;
        }
        c->step = CHAN_RUN;
    }
    if (c->step == CHAN_RUN && c->is_pipe)
        step_pipe(c);
    else if (c->step == CHAN_RUN)
        step_command(c, timeout_ms);
}

static void chan_free(struct ssh_chan *c)
{
    close_channel(c);
    buf_done(&c->to_remote);
    buf_done(&c->head);
    free(c->held);
    free(c->text);
    free(c->what);
    free(c);
}

void ssh_channels_step(struct ssh_channel_list *list, int *timeout_ms)
{
    for (struct ssh_chan **at = &list->first; *at;) {
        struct ssh_chan *c = *at;
        step(list, c, timeout_ms);
        if (c->step == CHAN_DONE) {
            *at = c->next;
            chan_free(c);
        } else {
            at = &c->next;
        }
    }
}

void ssh_channels_end(struct ssh_channel_list *list, const struct error *why)
{
    struct ssh_chan *c;
    while ((c = list->first)) {
        list->first = c->next;
        if (!c->has_status) {
            c->end.exit_code = -1;
            c->end.lost = *why;
        }
        finish(c);
        chan_free(c);
    }
}

void ssh_channel_start(struct ssh_channel_list *list, struct ssh_link *l, ssh_session s,
                       struct request *r)
{
    struct ssh_chan *c = calloc(1, sizeof *c);
    ssh_channel channel = c ? ssh_channel_new(s) : NULL;
    if (channel && r->kind == REQUEST_PIPE && !(c->held = malloc(HELD_MAX))) {
        ssh_channel_free(channel);
        channel = NULL;
    }
    if (!channel) {
        struct error e;
        error_set(&e, STATUS_NOMEM, "ssh", "no memory for a channel to %s", l->name);
        if (r->kind == REQUEST_EXEC)
            ssh_channel_post_lost(l, r->id, &e);
        else
            close(r->fd);
        free(c);
        return;
    }
    c->link = l;
    c->session = s;
    c->channel = channel;
    c->id = r->id;
    c->is_pipe = r->kind == REQUEST_PIPE;
    c->pipe = r->pipe;
    c->fd = r->fd;
    buf_init(&c->to_remote, r->text_len + 4096);
    buf_init(&c->head, c->is_pipe ? PIPE_HOLD : HEAD_MAX);
    c->what = r->what;
    r->what = NULL;
    if (c->is_pipe) {
        c->text = r->text;
        r->text = NULL;
    } else {
        buf_append(&c->to_remote, r->text, r->text_len);
        snprintf(c->marker, sizeof c->marker, "ccalab:%s:", r->nonce);
    }
    c->cb.userdata = c;
    c->cb.channel_exit_status_function = on_exit_status;
    c->cb.channel_exit_signal_function = on_exit_signal;
    ssh_callbacks_init(&c->cb);
    c->step = CHAN_QUEUED;
    if (!list->limit || count_channels(list, CHAN_OPEN) < list->limit) {
        ssh_set_channel_callbacks(channel, &c->cb);
        c->step = CHAN_OPEN;
    } else {
        ssh_channel_free(channel);
        c->channel = NULL;
    }
    struct ssh_chan **at = &list->first;
    while (*at)
        at = &(*at)->next;
    *at = c;
}

void ssh_channel_signal(struct ssh_channel_list *list, uint32_t id, int signum)
{
    struct ssh_chan *c = list->first;
    while (c && (c->id != id || c->is_pipe))
        c = c->next;
    if (!c || c->has_status)
        return;
    if (signum == SIGKILL && !c->kill_ns)
        c->kill_ns = clock_mono_ns();
    if (c->step == CHAN_QUEUED) { /* it has not begun */
        c->end.exit_code = -1;
        c->end.exit_signal = signum;
        finish(c);
        return;
    }
    if (c->is_marked)
        send_signal(c, signum);
    else if (c->nsignals < SIGNALS)
        c->signals[c->nsignals++] = signum;
}
