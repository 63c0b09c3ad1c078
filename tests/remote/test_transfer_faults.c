/* What goes wrong with files on their way, and what the next transfer makes of it. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/remote/transfer_fixture.h"

static bool has_disk; /* $dir/disk: 8 MiB, seen by nobody else */

static const char *in(const char *name)
{
    return sshd_path(&sshd, name);
}

/* A fresh directory `work` with a file of that size in it, and `there` beside. */
static struct host *start(const char *size)
{
    assert_true(
        sshd_sh("cd %s && rm -rf work there && mkdir work there && truncate -s %s work/f && "
                "printf begin | dd of=work/f conv=notrunc status=none",
                sshd.dir, size));
    return open_good();
}

static void succeed(struct outcome *o)
{
    if (o->end.error.status != STATUS_OK)
        fail_msg("%s", o->end.error.message);
    assert_true(o->is_verified);
    end_done(&o->end);
}

/* It failed with these words, and left nothing. */
static void fail_with(struct outcome *o, enum status status, const char *words, const char *hint)
{
    if (!strstr(o->end.error.message, words) || !strstr(o->end.error.hint, hint))
        fail_msg("'%s' and '%s' are not in: %s / %s", words, hint, o->end.error.message,
                 o->end.error.hint);
    assert_int_equal(o->end.error.status, status);
    end_done(&o->end);
    assert_true(sshd_sh("! find %s -path %s/inc -prune -o -name '*ccalab-part*' -print | grep .",
                        sshd.dir, sshd.dir));
}

/* Begin, and come back when the first bytes have moved; the host stands still until go_on(), so
 * that what is done meanwhile is done in mid-transfer. */
static void run_until_moving(struct host *h, bool is_upload, const char *local, const char *remote,
                             struct outcome *o)
{
    begin(h, is_upload, local, remote, o);
    while (o->progress < 2 && !o->end.is_done)
        pass_ms(5);
    sshd_signal(&sshd, SIGSTOP);
    assert_false(o->end.is_done);
}

static void go_on(void)
{
    sshd_signal(&sshd, SIGCONT);
}

static void wait_end(struct outcome *o)
{
    turn(&o->end.is_done);
    printf("  %s%s%s\n", o->end.error.message, o->end.error.hint[0] ? " / " : "",
           o->end.error.hint);
}

/* --- what need not move ----------------------------------------------------------------------- */

static void test_unchanged(void **state)
{
    (void)state;
    struct host *h = start("100000");
    assert_true(sshd_sh("cd %s/work; mkdir sub; for i in 1 2 3 4 5; do echo $i >sub/$i; done; "
                        "echo odd >sub/\"$(printf 'a\\nb')\"; echo odd >'sub/c\\d'",
                        sshd.dir));
    struct outcome o = move(h, true, in("work"), in("there/tree"));
    assert_int_equal(o.sent, 8);
    succeed(&o);
    o = move(h, true, in("work/"), in("there/tree/")); /* another way to say it */
    assert_int_equal(o.sent, 0);
    assert_int_equal(o.files, 8);
    assert_int_equal(o.bytes, 0);
    succeed(&o);
    /* Another time but the same bytes; the same size but other bytes, here and there. */
    assert_true(sshd_sh("cd %s; touch -d 2001-01-01 work/sub/1; echo 9 >work/sub/2; "
                        "echo 8 >there/tree/sub/3; chmod 700 work/sub/4",
                        sshd.dir));
    o = move(h, true, in("work"), in("there/tree"));
    assert_int_equal(o.sent, 2);
    succeed(&o);
    assert_true(sshd_sh("cd %s; diff -r work there/tree && test -x there/tree/sub/4", sshd.dir));
    o = move(h, false, in("work"), in("there/tree"));
    assert_int_equal(o.sent, 0);
    succeed(&o);
    assert_true(sshd_sh("echo 7 >%s/there/tree/sub/5", sshd.dir));
    o = move(h, false, in("work"), in("there/tree"));
    assert_int_equal(o.sent, 1);
    succeed(&o);
    assert_true(sshd_sh("cd %s; diff -r work there/tree", sshd.dir));
    close_host(h);
}

/* --- interrupted ------------------------------------------------------------------------------ */

static void test_resumed(void **state)
{
    (void)state;
    struct outcome o;
    struct host *h = start("160M");
    for (int up = 1; up >= 0; up--) {
        const char *local = up ? "work/f" : "there/back", *remote = up ? "there/f" : "work/f";
        run_until_moving(h, up, in(local), in(remote), &o);
        sshd_stop(&sshd);
        wait_end(&o);
        assert_int_equal(o.end.error.status, STATUS_HOST);
        end_done(&o.end);
        close_host(h);
        assert_true(sshd_start(&sshd));
        h = open_good();
        o = move(h, up, in(local), in(remote));
        printf("  %.1f MB were there, %.1f MB moved\n", o.resumed / 1e6, o.bytes / 1e6);
        assert_true(o.resumed > 0 && o.bytes + o.resumed == 160 << 20);
        succeed(&o);
        assert_true(sshd_sh("cmp %s %s", in(local), in(remote)));
    }
    close_host(h);
}

/* What lies there is not the beginning of what is sent. */
static void test_wrong_part(void **state)
{
    (void)state;
    struct host *h = start("1M");
    assert_true(sshd_sh(
        "cd %s; printf wrong >there/.f.ccalab-part; printf wrong >there/.g.ccalab-part", sshd.dir));
    struct outcome o = move(h, true, in("work/f"), in("there/f"));
    assert_int_equal(o.resumed, 0);
    succeed(&o);
    o = move(h, false, in("there/g"), in("work/f"));
    assert_int_equal(o.resumed, 0);
    succeed(&o);
    o = move(h, true, in("work/"), in("there/new/"));
    succeed(&o);
    o = move(h, false, in("there/new2/"), in("there/new/"));
    succeed(&o);
    assert_true(sshd_sh("cd %s; diff -r work there/new && diff -r work there/new2", sshd.dir));
    /* A tree that was not finished: files that are no longer wanted, a directory for a file. */
    assert_true(sshd_sh("cd %s; mkdir -p there/.t.ccalab-part/old/f there/.t.ccalab-part/f; "
                        "echo >there/.t.ccalab-part/old/f/x; echo >there/.t.ccalab-part/a",
                        sshd.dir));
    o = move(h, true, in("work"), in("there/t"));
    succeed(&o);
    assert_true(
        sshd_sh("cd %s; cmp work/f there/f && cmp work/f there/g && diff -r work there/t && "
                "! ls -A there | grep part",
                sshd.dir));
    close_host(h);
}

/* --- files that change, or cannot be read ----------------------------------------------------- */

static void test_changing(void **state)
{
    (void)state;
    struct outcome o;
    struct host *h = start("160M");
    run_until_moving(h, true, in("work/f"), in("there/f"), &o);
    assert_true(sshd_sh("printf x >>%s/work/f", sshd.dir));
    go_on();
    wait_end(&o);
    fail_with(&o, STATUS_IO, "/work/f changed while it was read", "");

    run_until_moving(h, true, in("work/f"), in("there/f"), &o);
    assert_true(
        sshd_sh("printf x | dd of=%s/there/.f.ccalab-part conv=notrunc status=none", sshd.dir));
    go_on();
    wait_end(&o);
    fail_with(&o, STATUS_HOST, "what arrived is not what was sent", "nothing was put in place");

    run_until_moving(h, false, in("there/f"), in("work/f"), &o);
    assert_true(sshd_sh("printf x >>%s/work/f", sshd.dir));
    go_on();
    wait_end(&o);
    fail_with(&o, STATUS_HOST, "/work/f changed on h while it was read", "");
    assert_true(sshd_sh("! ls -A %s/there | grep .", sshd.dir));
    close_host(h);
}

/* Files that even root cannot read, within trees that have good ones. */
static void test_unreadable(void **state)
{
    (void)state;
    struct host *h = start("1000");
    struct outcome o = move(h, true, "/proc/self/mem", in("there/f"));
    fail_with(&o, STATUS_IO, "cannot read /proc/self/mem", "");
    o = move(h, false, in("there/f"), "/proc/self/mem");
    fail_with(&o, STATUS_HOST, "cannot read /proc/self/mem on h", "");
    o = move(h, true, in("work/f"), "/proc/1");
    fail_with(&o, STATUS_HOST, "/proc/1 on h is a directory", "");
    o = move(h, true, in("work"), in("work/f"));
    fail_with(&o, STATUS_HOST, "is no directory", "");
    close_host(h);
}

/* --- full disks ------------------------------------------------------------------------------- */

static void test_full_disk(void **state)
{
    (void)state;
    if (!has_disk) {
        printf("  needs root, for a small disk of its own\n");
        skip();
    }
    struct host *h = start("20M");
    struct outcome o = move(h, true, in("work/f"), in("disk/f"));
    fail_with(&o, STATUS_HOST, "the disk of h is full: cannot write", "df -h");
    o = move(h, true, in("work"), in("disk/tree"));
    fail_with(&o, STATUS_HOST, "the disk of h is full: cannot write", "df -h");
    o = move(h, false, in("disk/f"), in("work/f"));
    fail_with(&o, STATUS_IO, "No space left on device", "free some space");
    assert_true(sshd_sh("! ls -A %s/disk | grep .", sshd.dir));
    close_host(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),  cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_wrong_part), cmocka_unit_test(test_changing),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_full_disk),
    };
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Before sshd, which so sees the same. */
    bool has_mounts = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    if (!sshd_make(&sshd))
        return 77;
    has_disk = has_mounts && sshd_sh("mkdir %s/disk && mount -t tmpfs -o size=8m none %s/disk",
                                     sshd.dir, sshd.dir);
    setenv("HOME", sshd.dir, 1);
    int failed = cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
    if (has_disk)
        sshd_sh("umount %s/disk", sshd.dir);
    return sshd_remove(&sshd) ? failed : failed + 1;
}
