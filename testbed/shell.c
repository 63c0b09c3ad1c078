#include "testbed/shell.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/netns.h"
#include "core/paths.h"
#include "core/units.h"
#include "testbed/lab.h"
#include "testbed/proc.h"

#define TEXT_MAX 65536

/* --- what the keeper prepares ----------------------------------------------------------------- */

static enum status write_file(const char *lab, const char *file, const struct buf *b, mode_t mode,
                              struct error *err)
{
    char path[LAB_PATH_MAX];
    lab_path(lab, file, path, sizeof path);
    enum status st = b->is_failed ? error_set(err, STATUS_NOMEM, "testbed", "%s is too long", path)
                                  : file_write_atomic(path, b->data, b->len, err);
    if (st == STATUS_OK && chmod(path, mode) != 0)
        st = error_sys(err, STATUS_IO, errno, "testbed", "cannot make %s usable", path);
    return st;
}

static enum status write_hosts(const char *lab, const struct topology *t, struct error *err)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_puts(&b, "127.0.0.1 localhost\n");
    for (int i = 0; i < topology_nodes(t); i++) {
        struct topology_node n = topology_node(t, i);
        buf_printf(&b, "%s %s\n", n.address, n.name);
    }
    enum status st = write_file(lab, "hosts", &b, 0644, err);
    buf_done(&b);
    return st;
}

/* As one word of sh(1). */
static void put_quoted(struct buf *b, const char *text)
{
    buf_puts(b, "'");
    for (const char *c = text; *c; c++)
        *c == '\'' ? buf_puts(b, "'\\''") : buf_append(b, c, 1);
    buf_puts(b, "'");
}

/* A script and not a link to us, so that what we are called by stays our own name. */
static enum status write_tc(const char *lab, struct error *err)
{
    char self[CCALAB_PATH_MAX], dir[LAB_PATH_MAX], runtime[LAB_PATH_MAX];
    struct buf b;
    lab_path(lab, "bin", dir, sizeof dir);
    enum status st = path_mkdirs(dir, err);
    if (st != STATUS_OK)
        return st;
    if (!paths_self(self, sizeof self) || !paths_runtime(runtime, sizeof runtime))
        return error_set(err, STATUS_INTERNAL, "testbed", "cannot find this program's own path");
    buf_init(&b, TEXT_MAX);
    buf_puts(&b, "#!/bin/sh\nCCALAB_RUNTIME_DIR=");
    put_quoted(&b, runtime);
    buf_puts(&b, " exec ");
    put_quoted(&b, self);
    buf_puts(&b, " testbed tc \"$@\"\n");
    st = write_file(lab, "bin/tc", &b, 0755, err);
    buf_done(&b);
    return st;
}

/* The user's own settings first, and then where this is, whatever they say about the prompt. */
static const char bashrc[] = "[ -r ~/.bashrc ] && . ~/.bashrc\n"
                             "PATH=$CCALAB_PATH\n"
                             "PS1='$CCALAB_LAB:$CCALAB_HOST:\\w\\$ '\n";

enum status shell_prepare(const char *lab, const struct topology *t, struct error *err)
{
    struct buf b;
    enum status st = write_hosts(lab, t, err);
    if (st == STATUS_OK)
        st = write_tc(lab, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&b, TEXT_MAX);
    buf_puts(&b, bashrc);
    st = write_file(lab, "bashrc", &b, 0644, err);
    buf_done(&b);
    return st;
}

/* --- going there ------------------------------------------------------------------------------ */

/* The lab, if it is up (or being built: sshd starts then), and the host's node. */
static enum status find_host(const struct testbed_options *o, struct lab_state *s,
                             struct topology_node *n, struct error *err)
{
    if (lab_state_load(o->name, s, NULL) != STATUS_OK || !proc_is_alive(&s->keeper)) {
        error_set(err, STATUS_FAIL, "testbed", "no lab %s is up", o->name);
        return err ? error_hint(err, "ccalab testbed status shows which are") : STATUS_FAIL;
    }
    int i = topology_find(&s->topology, o->host);
    if (i >= 0) {
        *n = topology_node(&s->topology, i);
        return STATUS_OK;
    }
    struct buf names;
    buf_init(&names, 200);
    for (int k = 0; k < topology_nodes(&s->topology); k++)
        buf_printf(&names, "%s%s", k ? ", " : "", topology_node(&s->topology, k).name);
    error_set(err, STATUS_FAIL, "testbed", "lab %s has no host '%.40s'", o->name, o->host);
    if (err)
        error_hint(err, "its hosts: %s", names.data);
    buf_done(&names);
    return STATUS_FAIL;
}

static enum status host_failed(const char *host, const char *what, struct error *err)
{
    return error_sys(err, STATUS_HOST, errno, "testbed", "%s: %s", host, what);
}

/* A view of the files in which /etc/hosts is the lab's, and a host name: for this process and its
 * children alone. */
static enum status enter(const char *lab, const char *host, struct error *err)
{
    char path[LAB_PATH_MAX];
    enum status st = lab_enter_user(lab, err);
    lab_netns_path(lab, host, path, sizeof path);
    if (st == STATUS_OK)
        st = netns_enter(path, NULL, err);
    if (st != STATUS_OK)
        return st;
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS) != 0)
        return host_failed(host, "cannot get a mount namespace", err);
    if (sethostname(host, strlen(host)) != 0)
        return host_failed(host, "cannot set the host name", err);
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
        return host_failed(host, "cannot keep its mounts to itself", err);
    lab_path(lab, "hosts", path, sizeof path);
    if (mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0)
        return STATUS_OK;
    if (errno != ENOENT)
        return host_failed(host, "cannot lay the lab's names over /etc/hosts", err);
    /* Nothing to lay them over, and the file is not ours to make: the addresses still work. */
    log_warn(
        "this machine has no /etc/hosts: the lab's names are not known here, its addresses are");
    return STATUS_OK;
}

static void set_environment(const struct lab_state *s, const struct topology_node *n)
{
    char bin[LAB_PATH_MAX], path[CCALAB_PATH_MAX], prompt[64];
    const char *old = getenv("PATH"), *cc = json_str(json_get(s->up, "prague"), "cc", NULL);
    lab_path(s->name, "bin:", bin, sizeof bin);
    snprintf(path, sizeof path, "%s%.3000s:/usr/sbin:/sbin", n->role == TOPOLOGY_ROUTER ? bin : "",
             old ? old : "/usr/local/bin:/usr/bin:/bin");
    snprintf(prompt, sizeof prompt, "%s:%s$ ", s->name, n->name);
    setenv("PATH", path, 1);
    setenv("CCALAB_PATH", path, 1); /* for our bashrc, after the user's */
    setenv("CCALAB_LAB", s->name, 1);
    setenv("CCALAB_HOST", n->name, 1);
    setenv("PS1", prompt, 1);
    if (cc)
        setenv("PRAGUE", cc, 1);
}

enum status shell_run(const struct testbed_options *o, struct error *err)
{
    struct lab_state s;
    struct topology_node n;
    enum status st = find_host(o, &s, &n, err);
    if (st == STATUS_OK)
        st = enter(o->name, n.name, err);
    if (st != STATUS_OK) {
        lab_state_done(&s);
        return st;
    }
    set_environment(&s, &n);
    char rc[LAB_PATH_MAX], program[CCALAB_PATH_MAX];
    const char *shell = getenv("SHELL");
    shell = shell && shell[0] ? shell : "/bin/sh";
    const char *base = strrchr(shell, '/');
    lab_path(o->name, "bashrc", rc, sizeof rc);
    const char *const bash[] = {shell, "--rcfile", rc, NULL}, *const other[] = {shell, NULL};
    const char *const *argv = strcmp(base ? base + 1 : shell, "bash") == 0 ? bash : other;
    if (o->argc > 0)
        argv = (const char *const *)o->argv;
    lab_state_done(&s);
    if (!paths_which(argv[0], program, sizeof program))
        return error_set(err, STATUS_UNAVAILABLE, "testbed", "command not found: %s", argv[0]);
    execv(program, (char *const *)argv);
    return error_sys(err, STATUS_HOST, errno, "testbed", "cannot execute %s", program);
}

/* --- dial ------------------------------------------------------------------------------------- */

/* Everything that has come from one side, to the other. False: the end of it. */
static bool pass_on(int from, int to)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof bytes);
    for (ssize_t at = 0, k; at < n; at += k)
        if ((k = write(to, bytes + at, (size_t)(n - at))) <= 0)
            return false;
    return n > 0;
}

/* Between stdin and stdout and the socket, until the host has said all. */
static void relay(int fd)
{
    struct pollfd p[2] = {{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}};
    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[1].revents && !pass_on(fd, STDOUT_FILENO))
            return;
        if (p[0].revents && !pass_on(STDIN_FILENO, fd)) {
            shutdown(fd, SHUT_WR);
            p[0].fd = -1;
        }
    }
}

enum status shell_dial(const struct testbed_options *o, struct error *err)
{
    struct lab_state s;
    struct topology_node n;
    char path[LAB_PATH_MAX];
    uint64_t port = 0;
    int fd = -1;
    /* A console that starts several of these at once leaves each with ends of the others' sockets,
     * and then none sees that the console is gone. */
    closefrom(STDERR_FILENO + 1);
    enum status st = parse_count(o->argv[0], "PORT", 1, 65535, &port, err);
    if (st != STATUS_OK)
        return st;
    st = find_host(o, &s, &n, err);
    if (st != STATUS_OK)
        goto out;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, n.address, &to.sin_addr);
    st = lab_enter_user(o->name, err);
    lab_netns_path(o->name, n.name, path, sizeof path);
    if (st == STATUS_OK)
        st = netns_enter(path, NULL, err);
    if (st != STATUS_OK)
        goto out;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        st = error_sys(err, STATUS_HOST, errno, "testbed", "cannot connect to port %s of %s",
                       o->argv[0], n.name);
    else
        relay(fd);
out:
    if (fd >= 0)
        close(fd);
    lab_state_done(&s);
    return st;
}
