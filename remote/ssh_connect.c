/* From nothing to an authenticated session. Thread: the link's worker. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/paths.h"
#include "remote/shell.h"
#include "remote/ssh_config.h"
#include "remote/ssh_internal.h"

#define SLICE_MS 100

static int ms_until(uint64_t deadline_ns)
{
    uint64_t now = clock_mono_ns();
    return now >= deadline_ns ? 0 : (int)((deadline_ns - now) / 1000000u) + 1;
}

/* False with *err set if there is no more time, or no more wish. */
static bool may_go_on(struct ssh_link *l, uint64_t deadline_ns, const char *what, struct error *err)
{
    if (link_is_quitting(l)) {
        error_set(err, STATUS_INTERRUPTED, "ssh", "connecting to %s was given up", l->name);
        return false;
    }
    if (clock_mono_ns() < deadline_ns)
        return true;
    error_set(err, STATUS_TIMEOUT, "ssh", "cannot connect to %s: %s within %.1f s", l->name, what,
              l->connect_timeout_ms / 1000.0);
    return false;
}

bool ssh_again(struct ssh_link *l, ssh_session s, uint64_t deadline_ns, const char *what,
               struct error *err)
{
    if (!may_go_on(l, deadline_ns, what, err))
        return false;
    int ms = ms_until(deadline_ns), flags = ssh_get_poll_flags(s);
    link_poll(l, ssh_get_fd(s), (short)(POLLIN | (flags & SSH_WRITE_PENDING ? POLLOUT : 0)),
              ms < SLICE_MS ? ms : SLICE_MS);
    return true;
}

/* --- TCP -------------------------------------------------------------------------------------- */

/* Connect to one address. Returns the descriptor, or -1 with errno (0: *err is set). */
static int connect_one(struct ssh_link *l, const struct addrinfo *a, uint64_t deadline_ns,
                       struct error *err)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failure;
    socklen_t len = sizeof failure;
    int on = 1;
    if (fd < 0)
        return -1;
    /* Small messages go at once: else each round trip waits for a delayed ACK, 40 ms. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return fd;
    failure = errno;
    while (failure == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        if (!may_go_on(l, deadline_ns, "no answer", err)) {
            failure = 0;
            break;
        }
        int ms = ms_until(deadline_ns);
        link_poll(l, fd, POLLOUT, ms < SLICE_MS ? ms : SLICE_MS);
        if (poll(&p, 1, 0) == 1) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len);
            if (failure == 0)
                return fd;
        }
    }
    close(fd);
    errno = failure;
    return -1;
}

static enum status tcp_connect(struct ssh_link *l, const char *host, unsigned port,
                               uint64_t deadline_ns, int *fd, char *address, size_t size,
                               struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char service[16];
    snprintf(service, sizeof service, "%u", port);
    int r = getaddrinfo(host, service, &hints, &list);
    if (r != 0) {
        error_set(err, STATUS_HOST, "ssh", "cannot find the address of %s (%s): %s", l->name, host,
                  gai_strerror(r));
        return error_hint(err, "is the name right? Is it in DNS, /etc/hosts or ~/.ssh/config?");
    }
    error_set(err, STATUS_OK, "ssh", "%s", "");
    *fd = -1;
    int failure = 0;
    for (struct addrinfo *a = list; a && *fd < 0 && err->status == STATUS_OK; a = a->ai_next) {
        *fd = connect_one(l, a, deadline_ns, err);
        failure = errno;
        if (*fd >= 0)
            getnameinfo(a->ai_addr, a->ai_addrlen, address, (socklen_t)size, NULL, 0,
                        NI_NUMERICHOST);
    }
    freeaddrinfo(list);
    if (*fd >= 0)
        return STATUS_OK;
    if (err->status != STATUS_OK)
        return err->status;
    error_sys(err, STATUS_HOST, failure, "ssh", "cannot connect to %s (%s port %u)", l->name, host,
              port);
    return failure == ECONNREFUSED ? error_hint(err, "is sshd running there, and on this port?")
                                   : err->status;
}

/* --- configuration ---------------------------------------------------------------------------- */

static void scan_config(struct ssh_link *l, struct ssh_config_facts *f)
{
    char dir[CCALAB_PATH_MAX] = "", path[CCALAB_PATH_MAX];
    const char *home = getenv("HOME");
    path_join(dir, sizeof dir, home ? home : "", ".ssh");
    if (l->config) {
        ssh_config_scan(f, l->config, dir, l->host);
    } else {
        if (path_join(path, sizeof path, dir, "config"))
            ssh_config_scan(f, path, dir, l->host);
        ssh_config_scan(f, "/etc/ssh/ssh_config", "/etc/ssh", l->host);
    }
    if (f->ignored.len && !l->is_config_told)
        link_log(l, LOG_LEVEL_INFO, "ssh_config keywords without effect here: %s", f->ignored.data);
    l->is_config_told = true;
}

/* A proxy that is ssh itself (so it is with ProxyJump) must neither ask on our terminal nor wait
 * longer than we do. */
static bool set_proxy(struct ssh_link *l, ssh_session s)
{
    char *command = NULL;
    struct buf b;
    if (ssh_options_get(s, SSH_OPTIONS_PROXYCOMMAND, &command) != SSH_OK || !command)
        return false;
    buf_init(&b, 8192);
    if (strncmp(command, "ssh ", 4) == 0) {
        buf_printf(&b, "ssh -o BatchMode=yes -o ConnectTimeout=%d ",
                   (l->connect_timeout_ms + 999) / 1000);
        if (l->config) {
            buf_puts(&b, "-F ");
            shell_quote(&b, l->config);
            buf_puts(&b, " ");
        }
        buf_puts(&b, command + 4);
        ssh_options_set(s, SSH_OPTIONS_PROXYCOMMAND, b.data);
    }
    buf_done(&b);
    ssh_string_free_char(command);
    return true;
}

/* The configuration files first, then what was given explicitly, which so prevails. */
static enum status configure(struct ssh_link *l, ssh_session s, struct error *err)
{
    bool no = false;
    int strict = 1;
    /* The first two at several times the speed of libssh's first choice, ChaCha20, which is the
     * third here; a line Ciphers of the configuration prevails. */
    static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                                  "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
    struct ssh_config_facts facts;
    ssh_config_facts_init(&facts);
    if (ssh_options_set(s, SSH_OPTIONS_HOST, l->host) < 0) {
        ssh_config_facts_done(&facts);
        error_set(err, STATUS_INPUT, "ssh", "%s: libssh does not take '%.100s' for a host's name",
                  l->name, l->host);
        return error_hint(err, "letters, digits, '-' and '.' only: another alias, or the address");
    }
    if (ssh_options_set(s, SSH_OPTIONS_CIPHERS_C_S, ciphers) < 0 ||
        ssh_options_set(s, SSH_OPTIONS_CIPHERS_S_C, ciphers) < 0)
        goto fail;
    ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no);
    if (ssh_options_parse_config(s, l->config) < 0)
        goto fail;
    scan_config(l, &facts);
    if (facts.is_identities_only)
        ssh_options_set(s, SSH_OPTIONS_IDENTITY_AGENT, "/nonexistent");
    if ((l->port && ssh_options_set(s, SSH_OPTIONS_PORT, &l->port) < 0) ||
        (l->user && ssh_options_set(s, SSH_OPTIONS_USER, l->user) < 0))
        goto fail;
    if (l->known_hosts && (ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, l->known_hosts) < 0 ||
                           ssh_options_set(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") < 0))
        goto fail;
    ssh_options_set(s, SSH_OPTIONS_STRICTHOSTKEYCHECK, &strict);
    ssh_config_facts_done(&facts);
    return STATUS_OK;
fail:
    error_set(err, STATUS_INPUT, "ssh", "the SSH configuration of %s is not usable: %s", l->name,
              ssh_get_error(s));
    ssh_config_facts_done(&facts);
    return STATUS_INPUT;
}

/* --- all together ----------------------------------------------------------------------------- */

static enum status dial(struct ssh_link *l, ssh_session s, uint64_t deadline_ns, char *address,
                        size_t size, struct error *err)
{
    char *host = NULL;
    unsigned port = 22;
    int fd = -1, r;
    enum status st = STATUS_OK;
    if (!set_proxy(l, s)) {
        ssh_options_get_port(s, &port);
        if (ssh_options_get(s, SSH_OPTIONS_HOST, &host) != SSH_OK)
            return error_set(err, STATUS_INPUT, "ssh", "%s has no host name", l->name);
        st = tcp_connect(l, host, port, deadline_ns, &fd, address, size, err);
        ssh_string_free_char(host);
        if (st != STATUS_OK)
            return st;
        ssh_options_set(s, SSH_OPTIONS_FD, &fd); /* the session closes it */
    }
    ssh_set_blocking(s, 0);
    while ((r = ssh_connect(s)) == SSH_AGAIN)
        if (!ssh_again(l, s, deadline_ns, "no SSH greeting or key exchange", err))
            return err->status;
    if (r != SSH_OK)
        return error_set(err, STATUS_HOST, "ssh", "no SSH connection to %s: %s", l->name,
                         ssh_get_error(s));
    return STATUS_OK;
}

enum status ssh_open(struct ssh_link *l, ssh_session *out, char *address, size_t size,
                     bool *is_final, struct error *err)
{
    uint64_t deadline_ns = clock_mono_ns() + (uint64_t)l->connect_timeout_ms * 1000000u;
    ssh_session s = ssh_new();
    if (!s)
        return error_set(err, STATUS_NOMEM, "ssh", "no memory for a session to %s", l->name);
    *is_final = true;
    enum status st = configure(l, s, err);
    if (st == STATUS_OK) {
        *is_final = false;
        st = dial(l, s, deadline_ns, address, size, err);
    }
    if (st == STATUS_OK) {
        *is_final = true;
        st = ssh_check_host_key(l, s, &deadline_ns, err);
    }
    if (st == STATUS_OK)
        st = ssh_authenticate(l, s, deadline_ns, err);
    if (st == STATUS_TIMEOUT)
        *is_final = false;
    if (st == STATUS_OK) {
        *out = s;
        return STATUS_OK;
    }
    ssh_disconnect(s);
    ssh_free(s);
    return st;
}
