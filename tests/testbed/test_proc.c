/* Processes that died since: a stale pid must never be signalled. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testbed/proc.h"

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "odd) R 1 (name"); /* fields are counted from the last bracket */
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    return pid;
}

static void self(void **state)
{
    (void)state;
    struct proc_id id, none = {0};
    assert_true(proc_id_of(getpid(), &id));
    assert_int_equal(id.pid, getpid());
    assert_true(id.start > 0);
    assert_true(proc_is_alive(&id));
    assert_false(proc_is_alive(&none));
    assert_false(proc_id_of(0, &id));
    assert_false(proc_id_of(-1, &id));
    assert_int_equal(strlen(proc_boot_id()), 36);
}

static void reused_pid(void **state)
{
    (void)state;
    struct proc_id id;
    pid_t pid = sleeper();
    usleep(20000); /* until it has its odd name */
    assert_true(proc_id_of(pid, &id));
    struct proc_id stale = {id.pid, id.start - 1}; /* the pid's owner before this one */
    assert_false(proc_is_alive(&stale));
    assert_int_equal(proc_open(&stale), -1);
    assert_false(proc_kill(&stale));
    assert_true(proc_is_alive(&id)); /* and lives */
    assert_true(proc_kill(&id));
    int ws = 0;
    assert_int_equal(waitpid(pid, &ws, 0), pid);
    assert_true(WIFSIGNALED(ws) && WTERMSIG(ws) == SIGKILL);
}

static void ended(void **state)
{
    (void)state;
    struct proc_id id;
    pid_t pid = sleeper();
    assert_true(proc_id_of(pid, &id));
    int fd = proc_open(&id);
    assert_true(fd >= 0);
    assert_false(proc_wait(fd, 10));
    assert_true(proc_signal(fd, SIGTERM));
    assert_true(proc_wait(fd, 2000));
    assert_false(proc_is_alive(&id)); /* a zombie */
    assert_false(proc_kill(&id));
    waitpid(pid, NULL, 0);
    assert_false(proc_is_alive(&id)); /* nobody */
    assert_false(proc_signal(fd, SIGTERM));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(self),
        cmocka_unit_test(reused_pid),
        cmocka_unit_test(ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
