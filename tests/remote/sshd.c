#include "tests/remote/sshd.h"

#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/paths.h"
#include "core/spawn.h"

const char *sshd_path(const struct sshd *d, const char *name)
{
    static char paths[4][128];
    static int at;
    char *p = paths[at++ & 3];
    snprintf(p, sizeof paths[0], "%s/%s", d->dir, name);
    return p;
}

bool sshd_sh(const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *argv[] = {"sh", "-c", text, NULL};
    struct error e;
    enum status st = spawn_run(argv, NULL, NULL, NULL, 120000, &e);
    if (st != STATUS_OK)
        printf("%s: %s\n", text, e.message);
    return st == STATUS_OK;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int sshd_free_port(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        a.sin_port = 0;
    close(fd);
    return ntohs(a.sin_port);
}

static bool is_listening(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return is;
}

bool sshd_start(struct sshd *d)
{
    const char *argv[] = {"/usr/sbin/sshd", "-D", "-e", "-f", sshd_path(d, "config"), NULL};
    struct spawn_opts o = {
        .argv = argv, .fd_in = -1, .fd_out = -1, .fd_err = -1, .has_own_session = true};
    struct error e;
    if (spawn_start(&o, &d->pid, &e) != STATUS_OK) {
        printf("%s\n", e.message);
        return false;
    }
    /* Until it listens, or has given up; the limit only ends what hangs. */
    for (int i = 0; i < 3000; i++) {
        if (is_listening(d->port))
            return true;
        if (waitpid(d->pid, NULL, WNOHANG) != 0) {
            d->pid = 0;
            return false;
        }
        usleep(20000);
    }
    return false;
}

/* The daemon's sessions lead sessions of their own: found by parent. */
static void signal_tree(pid_t pid, int signum)
{
    char path[64], line[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%63s", line) == 1)
        signal_tree(atoi(line), signum);
    if (f)
        fclose(f);
    char name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    f = fopen(path, "re");
    if (f && fgets(name, sizeof name, f) && strncmp(name, "sshd", 4) == 0)
        kill(pid, signum); /* commands must see for themselves that the connection is gone */
    if (f)
        fclose(f);
}

void sshd_signal(struct sshd *d, int signum)
{
    if (d->pid > 0)
        signal_tree(d->pid, signum);
}

void sshd_stop(struct sshd *d)
{
    if (d->pid <= 0)
        return;
    sshd_signal(d, SIGKILL);
    waitpid(d->pid, NULL, 0);
    d->pid = 0;
}

/* What must be as before when a test is over: the queues, and the settings of TCP and forwarding.
 */
static bool save_state(const struct sshd *d, const char *file)
{
    return !d->has_own_netns ||
           sshd_sh("PATH=$PATH:/usr/sbin:/sbin; { tc -j qdisc; sysctl -a 2>/dev/null | grep -E "
                   "'tcp_|ip_forward' | grep -v _congestion_control; } >%s/%s",
                   d->dir, file);
}

/* As root the test gets a host of its own, for the daemon and for itself: its own network
 * namespace. */
static bool make_netns(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
           sshd_sh("PATH=$PATH:/usr/sbin:/sbin; ip link set lo up");
}

bool sshd_make(struct sshd *d)
{
    *d = (struct sshd){.pid = 0};
    if (access("/usr/sbin/sshd", X_OK) != 0 || !paths_which("ssh-keygen", NULL, 0)) {
        printf("needs sshd and ssh-keygen (packages openssh-server, openssh-client)\n");
        return false;
    }
    if (geteuid() == 0)
        mkdir("/run/sshd", 0755); /* where its package would have made it */
    snprintf(d->dir, sizeof d->dir, "/tmp/ccalab-sshd-XXXXXX");
    if (!mkdtemp(d->dir))
        return false;
    d->has_own_netns = make_netns();
    d->port = sshd_free_port();
    bool ok = sshd_sh(
        "set -e; cd %s; for k in host_key id stranger; do ssh-keygen -q -t ed25519 -N '' -f $k; "
        "done\n"
        "ssh-keygen -q -t ed25519 -N sesame -f locked\n"
        "cat id.pub locked.pub >authorized\n"
        "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 host_key.pub)\" >known_hosts\n"
        "cat >config <<END\n"
        "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host_key\nPidFile none\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\nUseDNS no\n"
        "AuthorizedKeysFile %s/authorized\nMaxSessions 64\nMaxStartups 100\n"
        "SetEnv SHLVL=9 XDG_CACHE_HOME=%s/cache\nSubsystem sftp internal-sftp\nEND\n",
        d->dir, d->port, d->port, d->dir, d->dir, d->dir);
    ok = ok && save_state(d, "state_before");
    if (ok && !(ok = sshd_start(d)))
        printf("sshd does not start here\n");
    if (!ok)
        sshd_remove(d);
    return ok;
}

bool sshd_remove(struct sshd *d)
{
    sshd_stop(d);
    bool is_same = true;
    if (d->has_own_netns && access(sshd_path(d, "state_before"), F_OK) == 0)
        is_same = save_state(d, "state_after") &&
                  sshd_sh("cd %s; diff state_before state_after >&2", d->dir);
    /* Commands that outlive their connection have three seconds to end; they are known by what the
     * daemon gave them (SetEnv). */
    is_same &= sshd_sh("for i in $(seq 150); do left=$(grep -lzsx XDG_CACHE_HOME=%s/cache "
                       "/proc/[0-9]*/environ) || exit 0; sleep 0.2; done\n"
                       "for f in $left; do tr '\\0' ' ' <${f%%environ}cmdline; echo; done >&2; "
                       "exit 1",
                       d->dir);
    if (!is_same)
        printf("FAILED: the host is not as it was\n");
    sshd_sh("rm -r %s", d->dir);
    return is_same;
}
