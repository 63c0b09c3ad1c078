#include "testbed/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"

/* State letter and start time. The command in field 2 may hold blanks and brackets, so fields are
 * counted from its last ')'. */
static bool read_stat(pid_t pid, char *state, uint64_t *start)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    unsigned long long ticks;
    if (!p || sscanf(p + 1,
                     " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
                     " %llu",
                     state, &ticks) != 2)
        return false;
    *start = ticks;
    return true;
}

bool proc_id_of(pid_t pid, struct proc_id *out)
{
    char state;
    *out = (struct proc_id){0};
    if (pid <= 0 || !read_stat(pid, &state, &out->start))
        return false;
    out->pid = pid;
    return true;
}

int proc_open(const struct proc_id *id)
{
    char state;
    uint64_t start;
    if (id->pid <= 0)
        return -1;
    int fd = (int)syscall(SYS_pidfd_open, id->pid, 0); /* close-on-exec by itself */
    if (fd < 0)
        return -1;
    /* In this order: if the process ended after this look, the pidfd knows. */
    if (!read_stat(id->pid, &state, &start) || start != id->start || proc_wait(fd, 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool proc_is_alive(const struct proc_id *id)
{
    int fd = proc_open(id);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool proc_signal(int pidfd, int signum)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signum, NULL, 0) == 0;
}

bool proc_wait(int pidfd, int timeout_ms)
{
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
    for (;;) {
        uint64_t now = clock_mono_ns();
        int left = now >= deadline ? 0 : (int)((deadline - now + 999999) / 1000000);
        struct pollfd p = {pidfd, POLLIN, 0};
        int r = poll(&p, 1, left);
        if (r > 0)
            return true;
        if (r == 0 || errno != EINTR)
            return false;
    }
}

bool proc_kill(const struct proc_id *id)
{
    int fd = proc_open(id);
    if (fd < 0)
        return false;
    bool was_running = proc_signal(fd, SIGKILL);
    proc_wait(fd, 1000);
    close(fd);
    return was_running;
}

const char *proc_boot_id(void)
{
    static char id[40];
    if (!id[0]) {
        int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, id, 36) : 0;
        id[n > 0 ? n : 0] = '\0';
        if (fd >= 0)
            close(fd);
    }
    return id;
}
