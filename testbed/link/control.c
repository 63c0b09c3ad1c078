#include "testbed/link/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES 4096
#define OUT_MAX    (1u << 20)

struct client {
    int fd; /* -1: free */
    struct buf in, out;
};

struct control {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int listen_fd, epoll_fd;
    control_answer_fn answer;
    void *user;
    struct client clients[CONTROL_CLIENTS_MAX];
};

/* --- opening -----------------------------------------------------------------------------------
 */

/* Is the path a socket that nobody listens on? */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat st;
    int fd;
    bool is_refused;

    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    is_refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                 errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

static enum status listen_on(struct control *c, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int failed;

    memcpy(address.sun_path, c->path, sizeof(c->path));
    c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->listen_fd < 0) {
        return error_sys(err, STATUS_IO, errno, "link", "cannot open a socket");
    }
    if (is_stale(&address)) {
        unlink(c->path);
    }
    mask = umask(0177);
    failed =
        bind(c->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ? errno : 0;
    umask(mask);
    if (failed == 0 && listen(c->listen_fd, CONTROL_CLIENTS_MAX) != 0) {
        failed = errno;
        unlink(c->path);
    }
    if (failed != 0) {
        close(c->listen_fd);
        c->listen_fd = -1; /* so that somebody else's path is not removed */
        error_sys(err, STATUS_IO, failed, "link", "cannot listen on %.100s", c->path);
        return failed == EADDRINUSE
                   ? error_hint(err, "something is there already; choose another path")
                   : STATUS_IO;
    }
    return STATUS_OK;
}

static bool watch(struct control *c, int fd, int op, uint32_t events, void *what)
{
    struct epoll_event e = {.events = events, .data.ptr = what};

    return epoll_ctl(c->epoll_fd, op, fd, &e) == 0;
}

enum status control_open(const char *path, control_answer_fn answer, void *user,
                         struct control **out, struct error *err)
{
    struct control *c;
    enum status s;

    *out = NULL;
    if (path[0] == '\0' || strlen(path) >= sizeof(c->path)) {
        error_set(err, STATUS_IO, "link", "'%.128s' is no path for a socket", path);
        return error_hint(err, "at most %zu characters", sizeof(c->path) - 1);
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return error_set(err, STATUS_NOMEM, "link", "no memory for the control socket");
    }
    strcpy(c->path, path);
    c->answer = answer;
    c->user = user;
    c->listen_fd = -1;
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        c->clients[i].fd = -1;
        buf_init(&c->clients[i].in, CONTROL_LINE_MAX + READ_BYTES);
        buf_init(&c->clients[i].out, OUT_MAX);
    }
    s = listen_on(c, err);
    if (s == STATUS_OK &&
        (c->epoll_fd < 0 || !watch(c, c->listen_fd, EPOLL_CTL_ADD, EPOLLIN, NULL))) {
        s = error_sys(err, STATUS_IO, errno, "link", "cannot watch %.100s", path);
    }
    if (s != STATUS_OK) {
        control_close(c);
        return s;
    }
    *out = c;
    return STATUS_OK;
}

int control_fd(const struct control *c)
{
    return c->epoll_fd;
}

static void drop_client(struct client *k)
{
    close(k->fd);
    k->fd = -1;
    buf_clear(&k->in);
    buf_clear(&k->out);
}

void control_close(struct control *c)
{
    if (c == NULL) {
        return;
    }
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (c->clients[i].fd >= 0) {
            drop_client(&c->clients[i]);
        }
        buf_done(&c->clients[i].in);
        buf_done(&c->clients[i].out);
    }
    if (c->listen_fd >= 0) {
        unlink(c->path);
        close(c->listen_fd);
    }
    if (c->epoll_fd >= 0) {
        close(c->epoll_fd);
    }
    free(c);
}

/* --- clients -----------------------------------------------------------------------------------
 */

static void accept_client(struct control *c)
{
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *k = c->clients;

    if (fd < 0) {
        return;
    }
    while (k < c->clients + CONTROL_CLIENTS_MAX && k->fd >= 0) {
        k++;
    }
    if (k == c->clients + CONTROL_CLIENTS_MAX || !watch(c, fd, EPOLL_CTL_ADD, EPOLLIN, k)) {
        close(fd);
        return;
    }
    k->fd = fd;
}

/* Read some; false when the client is gone or says too much. */
static bool take_bytes(struct client *k)
{
    char bytes[READ_BYTES];
    ssize_t n = read(k->fd, bytes, sizeof(bytes));

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    return n > 0 && buf_append(&k->in, bytes, (size_t)n);
}

/* Answer the first line, if there is a whole one; false if there is none to come. */
static bool answer_line(struct control *c, struct client *k)
{
    const char *end = memchr(k->in.data, '\n', k->in.len);

    if (end == NULL) {
        return k->in.len <= CONTROL_LINE_MAX;
    }
    c->answer(c->user, k->in.data, (size_t)(end - k->in.data), &k->out);
    buf_consume(&k->in, (size_t)(end - k->in.data) + 1);
    return !k->out.is_failed;
}

static bool send_bytes(struct client *k)
{
    ssize_t n;

    if (k->out.len == 0) {
        return true;
    }
    n = send(k->fd, k->out.data, k->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    buf_consume(&k->out, (size_t)n);
    return true;
}

static bool has_line(const struct client *k)
{
    return memchr(k->in.data, '\n', k->in.len) != NULL;
}

/* One line at a time: nothing is read while one waits or its answer has not been fetched, so a
 * client that only asks fills its own socket and not our memory. */
static void serve(struct control *c, struct client *k)
{
    bool is_good = true;

    if (k->out.len == 0 && !has_line(k)) {
        is_good = take_bytes(k);
    }
    if (is_good && k->out.len == 0) {
        is_good = answer_line(c, k);
    }
    is_good =
        is_good && send_bytes(k) &&
        watch(c, k->fd, EPOLL_CTL_MOD, k->out.len != 0 || has_line(k) ? EPOLLOUT : EPOLLIN, k);
    if (!is_good) {
        drop_client(k);
    }
}

void control_step(struct control *c)
{
    struct epoll_event e;

    if (epoll_wait(c->epoll_fd, &e, 1, 0) != 1) {
        return;
    }
    if (e.data.ptr == NULL) {
        accept_client(c);
    } else {
        serve(c, e.data.ptr);
    }
}
