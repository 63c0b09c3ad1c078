/* Into a network namespace and back; as root, else the refusals only. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/netns.h"

struct where {
    char name[64]; /* "net:[4026531840]" */
};

static struct where where_of(const char *path)
{
    struct where w = {""};
    assert_true(readlink(path, w.name, sizeof w.name - 1) > 0);
    return w;
}

static struct where where_now(void)
{
    return where_of("/proc/thread-self/ns/net");
}

static void refuse(const char *path, int sys_errno)
{
    struct where before = where_now();
    struct error err = {0};
    int home = 5;

    assert_int_equal(netns_enter(path, &home, &err), STATUS_HOST);
    assert_int_equal(err.sys_errno, sys_errno);
    assert_non_null(strstr(err.message, path));
    assert_true(err.hint[0] != '\0');
    assert_int_equal(home, -1);
    assert_int_equal(netns_enter(path, NULL, NULL), STATUS_HOST);
    assert_int_equal(netns_leave(&home, NULL), STATUS_OK); /* there is nothing to leave */
    assert_string_equal(where_now().name, before.name);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("/run/netns/ccalab-test-none", ENOENT);
    refuse("/dev/null", EINVAL); /* a file, but no namespace */
}

/* A process in a namespace of its own: the pid, or -1 where that is not allowed. */
static pid_t stranger(void)
{
    int ready[2];
    char c = 'n';

    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        c = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
        if (write(ready[1], &c, 1) == 1 && c == 'y')
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    if (c == 'y')
        return pid;
    waitpid(pid, NULL, 0);
    return -1;
}

static void test_there_and_back(void **state)
{
    char path[64];
    struct error err = {0};
    int home;
    pid_t pid = stranger();

    (void)state;
    if (pid < 0) {
        print_message("not allowed to make a network namespace: needs root\n");
        skip();
    }
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    struct where here = where_now(), there = where_of(path);
    assert_string_not_equal(here.name, there.name);

    enum status in = netns_enter(path, &home, &err);
    struct where inside = where_now();
    enum status out = netns_leave(&home, &err);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(in, STATUS_OK);
    assert_string_equal(inside.name, there.name);
    assert_int_equal(out, STATUS_OK);
    assert_int_equal(home, -1);
    assert_string_equal(where_now().name, here.name);
}

static void test_no_way_back(void **state)
{
    (void)state;
    struct error err = {0};
    int home = dup(STDIN_FILENO); /* no namespace */

    assert_true(home >= 0);
    assert_int_equal(netns_leave(&home, &err), STATUS_INTERNAL);
    assert_int_equal(home, -1);
    assert_true(err.message[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_no_way_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
