/* A real sshd of openssh-server for the tests: own keys, own port, own directory, on 127.0.0.1.
 * Needs no root: it logs in who runs the test. */
#ifndef CCALAB_TESTS_SSHD_H
#define CCALAB_TESTS_SSHD_H

#include <stdbool.h>
#include <sys/types.h>

struct sshd {
    char dir[64]; /* id, id.pub, locked (passphrase "sesame"), stranger, known_hosts, host_key,
                     config */
    int port;
    pid_t pid;
    bool has_own_netns;
};

/* Make the directory, the keys and known_hosts, and start the daemon. False with the reason on
 * stdout: this machine cannot (skip). */
bool sshd_make(struct sshd *d);
/* Start it (again), and wait until it listens. */
bool sshd_start(struct sshd *d);
/* Kill it with all its sessions. */
void sshd_stop(struct sshd *d);
/* Stop or continue its sessions, and itself: SIGSTOP, SIGCONT. */
void sshd_signal(struct sshd *d, int signum);
/* Stop it and remove the directory. False, and said, if the host is not as it was before: its
 * queues, its settings of TCP and forwarding (looked at as root, when all of it runs in a network
 * namespace of its own), and its processes. */
bool sshd_remove(struct sshd *d);
/* Path of a file in the directory; a static buffer, four calls deep. */
const char *sshd_path(const struct sshd *d, const char *name);
/* A free TCP port of 127.0.0.1. */
int sshd_free_port(void);
/* Run a command, true if it succeeded. */
bool sshd_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
