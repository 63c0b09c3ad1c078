/* with_sshd COMMAND...: run it with an sshd in $SSHD_DIR (see sshd.h) on $SSHD_PORT. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/remote/sshd.h"

int main(int argc, char **argv)
{
    struct sshd d;
    char port[16];
    int ws = 0;
    if (argc < 2)
        return 2;
    if (!sshd_make(&d))
        return 77;
    snprintf(port, sizeof port, "%d", d.port);
    setenv("SSHD_DIR", d.dir, 1);
    setenv("SSHD_PORT", port, 1);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    waitpid(pid, &ws, 0);
    bool is_same = sshd_remove(&d);
    if (WIFSIGNALED(ws))
        printf("%s was killed by signal %d\n", argv[1], WTERMSIG(ws));
    int status = WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws);
    return status == 0 && !is_same ? 1 : status;
}
