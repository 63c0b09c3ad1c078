/* Files to and from a host over SSH, and the parts of that which need no host. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "remote/sha256.h"
#include "tests/remote/transfer_fixture.h"

/* FIPS 180-4's examples, and a length beside every edge against sha256sum(1). */
static void test_sha256(void **state)
{
    (void)state;
    struct sha256 s;
    char hex[65], want[65], data[300], command[400];
    assert_true(sha256_init(&s));
    sha256_add(&s, "abc", 3);
    sha256_hex(&s, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(data, 'x', sizeof data);
    for (size_t len = 0; len < 300; len += len < 50 || len > 70 ? 7 : 1) {
        assert_true(sha256_init(&s));
        sha256_add(&s, data, len / 3);
        sha256_add(&s, data, len - len / 3);
        sha256_hex(&s, hex);
        snprintf(command, sizeof command, "printf '%%s' '%.*s' | sha256sum", (int)len, data);
        FILE *f = popen(command, "r");
        assert_int_equal(fscanf(f, "%64s", want), 1);
        pclose(f);
        assert_string_equal(hex, want);
    }
}

static void test_tree(void **state)
{
    (void)state;
    assert_true(
        sshd_sh("set -e; cd %s; mkdir -p src/sub/deep src/empty; "
                "head -c 52428800 /dev/urandom >src/big; : >src/nothing; "
                "printf x >'src/sub/it'\\''s $odd \\name'; printf y >'src/sub/two\nlines'; "
                "printf '#!/bin/sh\\n' >src/sub/deep/run; chmod 755 src/sub/deep/run; "
                "head -c 32768 /dev/urandom >src/sub/one_piece; ln -s /etc/passwd src/link; "
                "i=0; while [ $i -lt 100 ]; do echo $i >src/sub/deep/$i; i=$((i+1)); done",
                sshd.dir));
    struct host *h = open_good();
    char src[128], there[128], back[128];
    snprintf(src, sizeof src, "%s/src", sshd.dir);
    snprintf(there, sizeof there, "%s/there", sshd.dir);
    snprintf(back, sizeof back, "%s/back", sshd.dir);
    struct outcome o = move(h, true, src, there);
    assert_int_equal(o.end.error.status, STATUS_OK);
    assert_int_equal(o.files, 106);
    assert_true(o.is_verified && o.progress > 1 && o.bytes > 52428800);
    end_done(&o.end);
    assert_true(sshd_sh("cd %s; rm src/link; diff -r src there && test -x there/sub/deep/run && "
                        "! find there -name '*.ccalab-part' | grep .",
                        sshd.dir));
    uint64_t began = clock_mono_ns();
    o = move(h, false, back, there);
    printf("  download of %.0f MB: %.2f s\n", o.bytes / 1e6,
           (double)(clock_mono_ns() - began) / 1e9);
    assert_int_equal(o.end.error.status, STATUS_OK);
    assert_true(o.is_verified);
    end_done(&o.end);
    assert_true(sshd_sh("cd %s; diff -r there back && test -x back/sub/deep/run && "
                        "! find back -name '*.ccalab-part' | grep .",
                        sshd.dir));
    /* One file, over an older one. */
    snprintf(src, sizeof src, "%s/src/sub/one_piece", sshd.dir);
    snprintf(there, sizeof there, "%s/there/nothing", sshd.dir);
    o = move(h, true, src, there);
    assert_int_equal(o.end.error.status, STATUS_OK);
    end_done(&o.end);
    assert_true(sshd_sh("cmp %s %s", src, there));
    close_host(h);
}

static void test_refusals(void **state)
{
    (void)state;
    struct host *h = open_good();
    char absent[128], file[128], below[160];
    snprintf(absent, sizeof absent, "%s/absent", sshd.dir);
    snprintf(file, sizeof file, "%s/id.pub", sshd.dir);
    snprintf(below, sizeof below, "%s/absent/x", sshd.dir);
    struct outcome o = move(h, true, absent, file);
    assert_int_equal(o.end.error.status, STATUS_IO);
    end_done(&o.end);
    o = move(h, false, file, absent);
    assert_non_null(strstr(o.end.error.message, "no file or directory"));
    end_done(&o.end);
    o = move(h, true, file, below);
    assert_non_null(strstr(o.end.error.message, "cannot create"));
    end_done(&o.end);
    o = move(h, false, below, file);
    assert_int_equal(o.end.error.status, STATUS_IO);
    end_done(&o.end);
    close_host(h);
}

/* A cancelled upload leaves neither the file nor its half. */
static void test_cancelled(void **state)
{
    (void)state;
    struct host *h = open_good();
    struct outcome o;
    assert_true(sshd_sh("mkdir %s/half; truncate -s 2G %s/sparse", sshd.dir, sshd.dir));
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/sparse", sshd.dir);
    snprintf(to, sizeof to, "%s/half/file", sshd.dir);
    struct job *job = begin(h, true, from, to, &o);
    while (!o.progress || !sshd_sh("ls -A %s/half | grep -q part", sshd.dir))
        pass_ms(50);
    job_cancel(job);
    turn(&o.end.is_done);
    assert_int_equal(o.end.error.status, STATUS_INTERRUPTED);
    end_done(&o.end);
    assert_true(sshd_sh("! ls -A %s/half | grep .", sshd.dir));

    job = begin(h, true, from, to, &o); /* and a lost connection ends it with the reason */
    while (!o.progress)
        pass_ms(50);
    sshd_stop(&sshd);
    turn(&o.end.is_done);
    printf("  %s\n", o.end.error.message);
    assert_int_equal(o.end.error.status, STATUS_HOST);
    assert_non_null(strstr(o.end.error.message, "was closed"));
    end_done(&o.end);
    close_host(h);
    assert_true(sshd_start(&sshd));
}

/* New keys in the middle of it, as after each GiB with some ciphers. */
static void test_new_keys(void **state)
{
    (void)state;
    sshd_stop(&sshd);
    assert_true(sshd_sh("cd %s; cp config saved; echo 'RekeyLimit 5M' >>config; mkdir keys; "
                        "head -c 60000000 /dev/urandom >keys/a",
                        sshd.dir));
    assert_true(sshd_start(&sshd));
    struct host *h = open_good();
    char a[128], b[128], c[128];
    snprintf(a, sizeof a, "%s/keys/a", sshd.dir);
    snprintf(b, sizeof b, "%s/keys/b", sshd.dir);
    snprintf(c, sizeof c, "%s/keys/c", sshd.dir);
    struct outcome o = move(h, true, a, b);
    assert_int_equal(o.end.error.status, STATUS_OK);
    end_done(&o.end);
    o = move(h, false, c, b);
    assert_int_equal(o.end.error.status, STATUS_OK);
    end_done(&o.end);
    close_host(h);
    sshd_stop(&sshd);
    assert_true(
        sshd_sh("cd %s; cmp keys/a keys/b && cmp keys/a keys/c && mv saved config", sshd.dir));
    assert_true(sshd_start(&sshd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),   cmocka_unit_test(test_tree),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_new_keys),
    };
    signal(SIGPIPE, SIG_IGN);
    if (!sshd_make(&sshd))
        return 77;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int failed = cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
    return sshd_remove(&sshd) ? failed : failed + 1;
}
