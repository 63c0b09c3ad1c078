/* Processes: started, watched, stopped, and gone when their parent is. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/loop.h"
#include "core/spawn.h"

static void test_run_collects_output(void **state)
{
    (void)state;
    struct error e;
    struct buf out;
    buf_init(&out, 1 << 20);
    const char *cat[] = {"cat", NULL};
    assert_int_equal(spawn_run(cat, NULL, "some text", &out, 30000, &e), STATUS_OK);
    assert_string_equal(out.data, "some text");
    buf_clear(&out);
    const char *big[] = {"sh", "-c", "head -c 3000000 /dev/zero; echo why it failed >&2", NULL};
    assert_int_equal(spawn_run(big, NULL, NULL, &out, 30000, &e), STATUS_NOMEM);
    buf_done(&out);
}

static void test_failures_say_why(void **state)
{
    (void)state;
    struct error e;
    const char *missing[] = {"no-such-command-here", NULL};
    assert_int_equal(spawn_run(missing, NULL, NULL, NULL, 30000, &e), STATUS_UNAVAILABLE);
    assert_non_null(strstr(e.message, "no-such-command-here"));
    const char *fails[] = {"sh", "-c", "echo the reason >&2; exit 3", NULL};
    assert_int_equal(spawn_run(fails, NULL, NULL, NULL, 30000, &e), STATUS_HOST);
    assert_string_equal(e.message, "sh failed with exit status 3: the reason");
    const char *dies[] = {"sh", "-c", "kill -9 $$", NULL};
    assert_int_equal(spawn_run(dies, NULL, NULL, NULL, 30000, &e), STATUS_HOST);
    assert_string_equal(e.message, "sh was killed by signal 9");
    const char *hangs[] = {"sleep", "60", NULL};
    uint64_t t0 = clock_mono_ns();
    assert_int_equal(spawn_run(hangs, NULL, NULL, NULL, 100, &e), STATUS_TIMEOUT);
    assert_true(clock_mono_ns() - t0 < 30000000000u);
    const char *any[] = {"true", NULL};
    assert_int_equal(spawn_run(any, "/run/netns/no-such-namespace", NULL, NULL, 30000, &e),
                     STATUS_HOST);
    const char *garbage[] = {"/dev/null", NULL};
    assert_int_equal(spawn_run(garbage, NULL, NULL, NULL, 30000, &e), STATUS_UNAVAILABLE);
}

/* What the child could not do before exec is named for what it was. */
static void test_failed_stages_are_named(void **state)
{
    (void)state;
    struct error e;
    pid_t pid;
    const char *argv[] = {"true", NULL};
    struct spawn_opts o = {
        .argv = argv, .cwd = "/no/such/directory", .fd_in = -1, .fd_out = -1, .fd_err = -1};
    assert_int_equal(spawn_start(&o, &pid, &e), STATUS_HOST);
    assert_non_null(strstr(e.message, "cannot enter its working directory: No such file"));
    o.cwd = NULL;
    o.netns = "/dev/null"; /* can be opened, is no namespace */
    assert_int_equal(spawn_start(&o, &pid, &e), STATUS_HOST);
    assert_non_null(strstr(e.message, "cannot enter its network namespace"));
    o.userns = "/dev/null";
    assert_int_equal(spawn_start(&o, &pid, &e), STATUS_HOST);
    assert_non_null(strstr(e.message, "cannot enter its user namespace"));
}

static void test_environment_is_laid_over(void **state)
{
    (void)state;
    struct error e;
    int fds[2];
    pid_t pid;
    char text[64] = "";
    setenv("CCALAB_A", "old", 1);
    setenv("CCALAB_AB", "kept", 1);
    assert_int_equal(pipe(fds), 0);
    const char *argv[] = {"sh", "-c", "echo $CCALAB_A $CCALAB_AB $CCALAB_C; pwd", NULL};
    const char *env[] = {"CCALAB_A=new", "CCALAB_C=added", NULL};
    struct spawn_opts o = {
        .argv = argv, .env = env, .cwd = "/", .fd_in = -1, .fd_out = fds[1], .fd_err = -1};
    assert_int_equal(spawn_start(&o, &pid, &e), STATUS_OK);
    waitpid(pid, NULL, 0);
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "new kept added\n/\n");
    close(fds[0]);
    close(fds[1]);
}

/* --- on the loop ------------------------------------------------------------------------------ */

struct watch {
    char out[256], err[256];
    int wait_status, exits;
    size_t bytes;
};

static void on_output(void *user, int fd, const char *data, size_t len)
{
    struct watch *w = user;
    char *to = fd == 1 ? w->out : w->err;
    size_t have = strlen(to), room = sizeof w->out - 1 - have;
    w->bytes += len;
    memcpy(to + have, data, len < room ? len : room);
}

static void on_exit_status(void *user, int wait_status)
{
    struct watch *w = user;
    w->wait_status = wait_status;
    w->exits++;
}

static const struct child_callbacks callbacks = {on_output, on_exit_status};

static void run_child(const char *script, struct watch *w, int kill_with)
{
    uv_loop_t loop;
    struct child *c;
    struct error e;
    const char *argv[] = {"sh", "-c", script, NULL};
    struct spawn_opts o = {.argv = argv};
    *w = (struct watch){0};
    uv_loop_init(&loop);
    assert_int_equal(child_start(&loop, &o, &callbacks, w, &c, &e), STATUS_OK);
    if (kill_with)
        child_kill(c, kill_with);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(w->exits, 1);
    assert_int_equal(uv_loop_close(&loop), 0); /* no handle leaks */
}

static void test_child_streams(void **state)
{
    (void)state;
    struct watch w;
    run_child("echo out; echo err >&2; exit 4", &w, 0);
    assert_string_equal(w.out, "out\n");
    assert_string_equal(w.err, "err\n");
    assert_int_equal(WEXITSTATUS(w.wait_status), 4);
    run_child("head -c 5000000 /dev/zero", &w, 0);
    assert_int_equal(w.bytes, 5000000);
    run_child("sleep 60", &w, SIGTERM);
    assert_int_equal(WTERMSIG(w.wait_status), SIGTERM);
}

static void test_daemon_does_not_hold_the_end(void **state)
{
    (void)state;
    struct watch w;
    uint64_t t0 = clock_mono_ns();
    run_child("sleep 60 & echo $!", &w, 0);
    assert_true(clock_mono_ns() - t0 < 30000000000u);
    pid_t daemon = atoi(w.out);
    assert_true(daemon > 1);
    assert_int_equal(kill(daemon, SIGKILL), 0);
}

static void test_child_dies_with_its_parent(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t console = fork();
    if (console == 0) { /* a console that gets killed */
        pid_t pid;
        const char *argv[] = {"sleep", "60", NULL};
        struct spawn_opts o = {.argv = argv, .fd_in = -1, .fd_out = fds[1], .fd_err = -1};
        if (spawn_start(&o, &pid, NULL) == STATUS_OK)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    close(fds[1]);
    int ws;
    waitpid(console, &ws, 0);
    assert_true(WIFSIGNALED(ws));
    char byte;
    alarm(50);
    assert_int_equal(read(fds[0], &byte, 1), 0); /* end of file: sleep is gone too */
    alarm(0);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_collects_output),
        cmocka_unit_test(test_failures_say_why),
        cmocka_unit_test(test_failed_stages_are_named),
        cmocka_unit_test(test_environment_is_laid_over),
        cmocka_unit_test(test_child_streams),
        cmocka_unit_test(test_daemon_does_not_hold_the_end),
        cmocka_unit_test(test_child_dies_with_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
