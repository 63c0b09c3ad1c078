#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/paths.h"

extern char **environ;

enum stage {
    STAGE_PARENT,
    STAGE_USERNS,
    STAGE_NETNS,
    STAGE_HOSTNAME,
    STAGE_CWD,
    STAGE_FDS,
    STAGE_EXEC
};

struct failure {
    enum stage stage;
    int sys_errno;
};

static void fail(int report, enum stage stage)
{
    struct failure f = {stage, errno};
    ssize_t n = write(report, &f, sizeof f);
    (void)n;
    _exit(127);
}

/* In the child, between fork and exec: async-signal-safe calls only. */
static void become(const struct spawn_opts *o, const char *path, char *const *envp, int userns_fd,
                   int netns_fd, pid_t parent, int report)
{
    if (o->has_own_session)
        setsid();
    else
        setpgid(0, 0);
    if (!o->survives_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) { /* it died before prctl: nobody would tell us any more */
            errno = ESRCH;
            fail(report, STAGE_PARENT);
        }
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    if (userns_fd >= 0 && setns(userns_fd, CLONE_NEWUSER) != 0)
        fail(report, STAGE_USERNS);
    if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) != 0)
        fail(report, STAGE_NETNS);
    if (o->netns && o->hostname &&
        (unshare(CLONE_NEWUTS) != 0 || sethostname(o->hostname, strlen(o->hostname)) != 0))
        fail(report, STAGE_HOSTNAME);
    if (o->cwd && chdir(o->cwd) != 0)
        fail(report, STAGE_CWD);
    int fds[3] = {o->fd_in, o->fd_out, o->fd_err};
    for (int i = 0; i < 3; i++) { /* first out of the way of 0 to 2, then into place */
        fds[i] = fds[i] < 0 ? open("/dev/null", O_RDWR) : fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (fds[i] >= 0 && fds[i] < 3)
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (fds[i] < 0)
            fail(report, STAGE_FDS);
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            fail(report, STAGE_FDS);
    for (int i = 0; i < 3; i++)
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    execve(path, (char *const *)o->argv, envp);
    fail(report, STAGE_EXEC);
}

/* environ with o->env laid over it. The strings stay the owners'. */
static char **merge_env(const char *const *add)
{
    size_t n = 0, m = 0, len = 0;
    while (environ[n])
        n++;
    while (add && add[m])
        m++;
    char **env = calloc(n + m + 1, sizeof *env);
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        bool is_replaced = false;
        for (size_t k = 0; k < m; k++) {
            size_t key = strcspn(add[k], "=") + 1;
            is_replaced |= strncmp(environ[i], add[k], key) == 0;
        }
        if (!is_replaced)
            env[len++] = environ[i];
    }
    for (size_t k = 0; k < m; k++)
        env[len++] = (char *)add[k];
    return env;
}

enum status spawn_start(const struct spawn_opts *o, pid_t *pid, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    int report[2] = {-1, -1}, userns_fd = -1, netns_fd = -1;
    char **envp = NULL;
    enum status st = STATUS_OK;

    if (!paths_which(o->argv[0], path, sizeof path)) {
        error_set(err, STATUS_UNAVAILABLE, "spawn", "command not found: %s", o->argv[0]);
        return err ? error_hint(err, "install the package that provides %s", o->argv[0])
                   : STATUS_UNAVAILABLE;
    }
    if (o->userns && (userns_fd = open(o->userns, O_RDONLY | O_CLOEXEC)) < 0) {
        st =
            error_sys(err, STATUS_HOST, errno, "spawn", "cannot open user namespace %s", o->userns);
        goto out;
    }
    if (o->netns && (netns_fd = open(o->netns, O_RDONLY | O_CLOEXEC)) < 0) {
        st = error_sys(err, STATUS_HOST, errno, "spawn", "cannot open network namespace %s",
                       o->netns);
        goto out;
    }
    envp = merge_env(o->env);
    if (!envp || pipe2(report, O_CLOEXEC) != 0) {
        st = error_sys(err, STATUS_HOST, errno, "spawn", "cannot start %s", o->argv[0]);
        goto out;
    }
    /* A report pipe on 0..2 would be closed by the child's dup2. */
    for (int i = 0; i < 2; i++) {
        if (report[i] < 3) {
            int fd = fcntl(report[i], F_DUPFD_CLOEXEC, 3);
            close(report[i]);
            report[i] = fd;
        }
    }
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old); /* no handler of ours may run in the child */
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0)
        become(o, path, envp, userns_fd, netns_fd, parent, report[1]);
    int fork_errno = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (*pid < 0) {
        st = error_sys(err, STATUS_HOST, fork_errno, "spawn", "cannot fork for %s", o->argv[0]);
        goto out;
    }
    close(report[1]);
    report[1] = -1;
    struct failure f;
    ssize_t n;
    do
        n = read(report[0], &f, sizeof f);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof f) {
        static const char *const what[] = {
            [STAGE_PARENT] = "parent ended",
            [STAGE_USERNS] = "cannot enter its user namespace",
            [STAGE_NETNS] = "cannot enter its network namespace",
            [STAGE_HOSTNAME] = "cannot set its host name",
            [STAGE_CWD] = "cannot enter its working directory",
            [STAGE_FDS] = "cannot set up its descriptors",
            [STAGE_EXEC] = "cannot execute it",
        };
        waitpid(*pid, NULL, 0);
        st = error_sys(err, f.stage == STAGE_EXEC ? STATUS_UNAVAILABLE : STATUS_HOST, f.sys_errno,
                       "spawn", "cannot start %s: %s", o->argv[0], what[f.stage]);
        if (f.sys_errno == EPERM && err)
            st = error_hint(err, "this needs root: run ccalab with sudo");
    }
out:
    free(envp);
    if (userns_fd >= 0)
        close(userns_fd);
    if (netns_fd >= 0)
        close(netns_fd);
    for (int i = 0; i < 2; i++)
        if (report[i] >= 0)
            close(report[i]);
    return st;
}

/* --- blocking --------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Move bytes until both outputs are at their end. False when the deadline passed. */
static bool pump(int in, const char *input, int fds[2], struct buf *bufs[2], uint64_t deadline_ns)
{
    size_t left = input ? strlen(input) : 0;
    if (!left)
        close_fd(&in);
    while (fds[0] >= 0 || fds[1] >= 0) {
        uint64_t now = clock_mono_ns();
        if (now >= deadline_ns) {
            close_fd(&in);
            return false;
        }
        struct pollfd p[3] = {{in, POLLOUT, 0}, {fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}};
        if (poll(p, 3, (int)((deadline_ns - now) / 1000000) + 1) < 0 && errno != EINTR)
            break;
        if (in >= 0 && p[0].revents) {
            ssize_t n = write(in, input, left);
            if (n > 0) {
                input += n;
                left -= (size_t)n;
            }
            if (!left || (n < 0 && errno != EAGAIN && errno != EINTR))
                close_fd(&in);
        }
        for (int i = 0; i < 2; i++) {
            char chunk[16384];
            if (fds[i] < 0 || !p[i + 1].revents)
                continue;
            ssize_t n = read(fds[i], chunk, sizeof chunk);
            if (n > 0 && bufs[i])
                (void)(i == 0 ? buf_append(bufs[i], chunk, (size_t)n)
                              : (buf_append_tail(bufs[i], chunk, (size_t)n), true));
            else if (n == 0 || (n < 0 && errno != EINTR))
                close_fd(&fds[i]);
        }
    }
    close_fd(&in);
    return true;
}

enum status spawn_run(const char *const *argv, const char *netns, const char *input,
                      struct buf *out, int timeout_ms, struct error *err)
{
    struct spawn_opts opts = {.argv = argv, .netns = netns};
    return spawn_run_at(&opts, input, out, timeout_ms, err);
}

enum status spawn_run_at(const struct spawn_opts *at, const char *input, struct buf *out,
                         int timeout_ms, struct error *err)
{
    const char *const *argv = at->argv;
    struct spawn_opts opts = *at;
    int in[2] = {-1, -1}, o[2] = {-1, -1}, e[2] = {-1, -1};
    struct buf tail;
    enum status st;
    pid_t pid = -1;
    buf_init(&tail, 400); /* what fits into an error message */
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(o, O_CLOEXEC) != 0 || pipe2(e, O_CLOEXEC) != 0) {
        st = error_sys(err, STATUS_HOST, errno, "spawn", "cannot start %s", argv[0]);
        goto out;
    }
    opts.fd_in = in[0];
    opts.fd_out = o[1];
    opts.fd_err = e[1];
    st = spawn_start(&opts, &pid, err);
    if (st != STATUS_OK)
        goto out;
    close_fd(&in[0]);
    close_fd(&o[1]);
    close_fd(&e[1]);
    int write_end = in[1], fds[2] = {o[0], e[0]};
    in[1] = o[0] = e[0] = -1;
    fcntl(write_end, F_SETFL, O_NONBLOCK);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigaction(SIGPIPE, &ignore, &old);
    struct buf *bufs[2] = {out, &tail};
    bool in_time =
        pump(write_end, input, fds, bufs, clock_mono_ns() + (uint64_t)timeout_ms * 1000000u);
    sigaction(SIGPIPE, &old, NULL);
    close_fd(&fds[0]);
    close_fd(&fds[1]);
    if (!in_time)
        kill(-pid, SIGKILL);
    int ws = 0;
    while (waitpid(pid, &ws, 0) < 0 && errno == EINTR)
        ;
    while (tail.len && strchr("\r\n ", tail.data[tail.len - 1]))
        tail.data[--tail.len] = '\0';
    if (!in_time)
        st = error_set(err, STATUS_TIMEOUT, "spawn", "%s did not end within %d ms", argv[0],
                       timeout_ms);
    else if (WIFSIGNALED(ws))
        st = error_set(err, STATUS_HOST, "spawn", "%s was killed by signal %d", argv[0],
                       WTERMSIG(ws));
    else if (WEXITSTATUS(ws))
        st = error_set(err, STATUS_HOST, "spawn", "%s failed with exit status %d: %s", argv[0],
                       WEXITSTATUS(ws), tail.len ? tail.data : "it said nothing");
    else if (out && out->is_failed)
        st = error_set(err, STATUS_NOMEM, "spawn", "%s wrote more than %zu bytes", argv[0],
                       out->max);
out:
    for (int i = 0; i < 2; i++) {
        close_fd(&in[i]);
        close_fd(&o[i]);
        close_fd(&e[i]);
    }
    buf_done(&tail);
    return st;
}
