/* Hosts over SSH against a real sshd: who may log in, what jobs see, and what breaks. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/remote/ssh_fixture.h"

/* It must fail with these words in message or hint. */
static void refuse(const struct ssh_opts *o, enum status status, const char *words,
                   const char *more)
{
    bool is_up;
    struct host *h = open_host(o, &is_up);
    const struct error *why = host_why(h);
    char all[1024];
    snprintf(all, sizeof all, "%s / %s", why->message, why->hint);
    printf("  %s\n", all);
    assert_false(is_up);
    assert_int_equal(why->status, status);
    if (!strstr(all, words) || !strstr(all, more))
        fail_msg("'%s' or '%s' is not in: %s", words, more, all);
    close_host(h);
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* How many processes have this word in their command line? */
static int count_processes(const char *word)
{
    char command[256], text[32] = "";
    snprintf(command, sizeof command, "pgrep -cf '[%c]%s'", word[0], word + 1);
    FILE *f = popen(command, "r");
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    pclose(f);
    return atoi(text);
}

static void wait_processes(const char *word, int wanted)
{
    uint64_t end = clock_mono_ns() + 60000000000u;
    int n;
    while ((n = count_processes(word)) != wanted && clock_mono_ns() < end)
        pass_ms(50);
    assert_int_equal(n, wanted);
}

/* --- logging in ------------------------------------------------------------------------------- */

static void test_login(void **state)
{
    (void)state;
    struct host *h = open_good();
    assert_string_equal(host_address(h), "127.0.0.1");
    assert_string_equal(host_kind_name(h), "ssh");
    struct end e = run_sh(h, "echo out; echo err >&2; exit 3");
    assert_string_equal(e.out, "out\n");
    assert_string_equal(e.err, "err");
    assert_int_equal(e.exit_code, 3);
    end_done(&e);
    close_host(h);
}

static void test_wrong_key(void **state)
{
    (void)state;
    struct ssh_opts o = usual();
    o.identity = sshd_path(&sshd, "stranger");
    refuse(&o, STATUS_HOST, "refused the login", "ssh-copy-id");
    o.identity = sshd_path(&sshd, "absent");
    refuse(&o, STATUS_IO, "cannot read the key", "absent");
}

static enum ssh_answer say_sesame(void *user, struct ssh_link *l, enum ssh_question kind,
                                  const char *prompt, char *out, size_t size)
{
    int *asked = user;
    (void)l;
    assert_int_equal(kind, SSH_QUESTION_SECRET);
    assert_non_null(strstr(prompt, "locked"));
    snprintf(out, size, "%s", ++*asked == 1 ? "sesame" : "wrong");
    return SSH_ANSWER_GIVEN;
}

static void test_passphrase(void **state)
{
    (void)state;
    struct ssh_opts o = usual();
    int asked = 0;
    bool is_up;
    o.identity = sshd_path(&sshd, "locked");
    refuse(&o, STATUS_HOST, "refused the login", "passphrase");
    o.ask = say_sesame;
    o.ask_user = &asked;
    struct host *h = open_host(&o, &is_up);
    assert_true(is_up);
    assert_int_equal(asked, 1);
    close_host(h);
}

static void test_host_key(void **state)
{
    (void)state;
    struct ssh_opts o = usual();
    bool is_up;
    o.known_hosts = sshd_path(&sshd, "new_hosts");
    refuse(&o, STATUS_HOST, "is not known: ssh-ed25519 SHA256:", "accept_new");
    o.accept_new = true;
    struct host *h = open_host(&o, &is_up);
    assert_true(is_up);
    close_host(h);
    o.accept_new = false; /* it is written down now */
    h = open_host(&o, &is_up);
    assert_true(is_up);
    close_host(h);

    /* Another key of the same type under the host's name. */
    assert_true(sshd_sh("cd %s; echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 stranger.pub)\" >bad_hosts",
                        sshd.dir, sshd.port));
    char known[128];
    FILE *f;
    char command[256];
    snprintf(command, sizeof command, "ssh-keygen -lf %s/stranger.pub | cut -d' ' -f2", sshd.dir);
    f = popen(command, "r");
    assert_non_null(fgets(known, sizeof known, f));
    pclose(f);
    known[strcspn(known, "\n")] = '\0';
    o.known_hosts = sshd_path(&sshd, "bad_hosts");
    o.accept_new = true; /* never a changed key */
    refuse(&o, STATUS_HOST, "CHANGED", known);
    refuse(&o, STATUS_HOST, "it shows SHA256:", "ssh-keygen -f");
}

static void test_no_sshd(void **state)
{
    (void)state;
    struct ssh_opts o = usual();
    o.port = sshd_free_port();
    refuse(&o, STATUS_HOST, "Connection refused", "sshd");
    o.host = "no-such-host.invalid";
    refuse(&o, STATUS_HOST, "cannot find the address", "DNS");
}

static void test_mute_host(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    struct ssh_opts o = usual();
    o.port = ntohs(a.sin_port);
    o.connect_timeout_ms = 400;
    refuse(&o, STATUS_TIMEOUT, "no SSH greeting", "0.4 s");
    /* One that is being connected to does not hold up the end. */
    struct host *h;
    struct error e;
    o.connect_timeout_ms = 60000;
    assert_int_equal(host_ssh_new("mute", NULL, &loop, &o, &h, &e), STATUS_OK);
    pass_ms(50);
    uint64_t began = clock_mono_ns();
    close_host(h);
    assert_true(clock_mono_ns() - began < 30000000000u);
    close(fd);
}

static void test_config(void **state)
{
    (void)state;
    assert_true(sshd_sh(
        "cd %s; mkdir -p inc; cat >ssh_config <<END\n"
        "Include %s/inc/*.conf\nHost elsewhere\n  Port 1\nHost lab-*\n  HostName 127.0.0.1\n"
        "  Port %d\n  IdentityFile %s/id\n  IdentitiesOnly yes\n  UserKnownHostsFile "
        "%s/known_hosts\n"
        "  ControlMaster auto\n"
        "Host jumped\n  HostName 127.0.0.1\n  Port %d\n  IdentityFile %s/id\n"
        "  UserKnownHostsFile %s/known_hosts\n  ProxyJump lab-jump\n"
        "END\nprintf 'Host other\\n  Port 2\\n' >inc/a.conf\n",
        sshd.dir, sshd.dir, sshd.port, sshd.dir, sshd.dir, sshd.port, sshd.dir, sshd.dir));
    struct ssh_opts o = {.host = "lab-server", .config = sshd_path(&sshd, "ssh_config")};
    bool is_up;
    struct host *h = open_host(&o, &is_up);
    if (!is_up)
        fail_msg("%s", host_why(h)->message);
    close_host(h);
    o.port = sshd_free_port(); /* explicit options prevail */
    refuse(&o, STATUS_HOST, "Connection refused", "");
    o.port = 0;
    o.host = "jumped";
    h = open_host(&o, &is_up);
    if (!is_up)
        fail_msg("%s", host_why(h)->message);
    struct end e = run_sh(h, "echo through");
    assert_string_equal(e.out, "through\n");
    end_done(&e);
    close_host(h);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void test_exit(void **state)
{
    (void)state;
    struct host *h = open_good();
    struct end e = run_sh(h, "kill -SEGV $$");
    assert_int_equal(e.exit_signal, SIGSEGV);
    assert_non_null(strstr(e.error.message, "killed by signal 11"));
    end_done(&e);
    const char *absent[] = {"no-such-command-here", NULL};
    struct job_opts o = {.label = "absent", .argv = absent};
    start_job(h, &o, &e);
    turn(&e.is_done);
    assert_int_equal(e.error.status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(e.error.message, "command not found on h: no-such-command-here"));
    end_done(&e);
    const char *env[] = {"A=1 2", "B='", NULL}, *argv[] = {"sh", "-c", "pwd; echo \"$A$B\"", NULL};
    o = (struct job_opts){.label = "env", .argv = argv, .env = env, .cwd = "/usr"};
    start_job(h, &o, &e);
    turn(&e.is_done);
    assert_string_equal(e.out, "/usr\n1 2'\n");
    end_done(&e);
    o.cwd = "/no/such/directory";
    start_job(h, &o, &e);
    turn(&e.is_done);
    assert_non_null(strstr(e.error.message, "cannot enter the working directory"));
    end_done(&e);
    close_host(h);
}

static void test_quoting(void **state)
{
    (void)state;
    struct host *h = open_good();
    char all[256], odd[] = "-n 'a'\"b\" $HOME `x` \\ \n ! # ~ * '";
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    const char *argv[] = {"printf", "%s|", all, odd, "", "''", NULL};
    struct job_opts o = {.label = "quote", .argv = argv};
    struct end e;
    start_job(h, &o, &e);
    turn(&e.is_done);
    char want[512];
    int n = snprintf(want, sizeof want, "%s|%s||''|", all, odd);
    assert_int_equal(e.out_len, n);
    assert_memory_equal(e.out, want, (size_t)n);
    end_done(&e);
    close_host(h);
}

static void test_binary(void **state)
{
    (void)state;
    struct host *h = open_good();
    struct end e = run_sh(h, "i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %o $i)\"; "
                             "i=$((i+1)); done; head -c 100000 /dev/zero");
    assert_int_equal(e.out_len, 100256);
    for (int i = 0; i < 256; i++)
        assert_int_equal((unsigned char)e.out[i], i);
    end_done(&e);
    close_host(h);
}

static void test_parallel(void **state)
{
    (void)state;
    enum { N = 20 };
    struct host *h = open_good();
    struct end e[N];
    assert_true(sshd_sh("mkdir %s/all", sshd.dir));
    for (int i = 0; i < N; i++) { /* each waits for all the others */
        char script[300];
        snprintf(script, sizeof script,
                 ": >%s/all/%d; until [ $(ls %s/all | wc -l) = %d ]; do sleep 0.05; done; echo %d; "
                 "head -c 200000 /dev/zero >&2",
                 sshd.dir, i, sshd.dir, N, i);
        start_sh(h, script, &e[i]);
    }
    for (int i = 0; i < N; i++)
        turn(&e[i].is_done);
    for (int i = 0; i < N; i++) {
        assert_int_equal(e[i].error.status, STATUS_OK);
        assert_int_equal(atoi(e[i].out), i);
        end_done(&e[i]);
    }
    close_host(h);
}

struct counter {
    bool is_done;
    size_t bytes;
    uint64_t pause_until_ns;
    struct process_end end;
};

static void count_output(void *user, int fd, const char *data, size_t len)
{
    struct counter *c = user;
    (void)data;
    assert_int_equal(fd, 1);
    c->bytes += len;
    if (c->bytes < 2000000)
        usleep(2000); /* a slow reader at first: the rest must wait at the host, not here */
}

static void count_exit(void *user, const struct process_end *end)
{
    struct counter *c = user;
    c->end = *end;
    c->is_done = true;
}

static void test_flood(void **state)
{
    (void)state;
    struct host *h = open_good();
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    const char *argv[] = {"head", "-c", "104857600", "/dev/zero", NULL};
    struct spawn_opts so = {.argv = argv};
    struct process_callbacks cb = {count_output, count_exit};
    struct counter c = {0};
    struct process *p;
    struct error err;
    assert_int_equal(host_spawn(h, &loop, &so, &cb, &c, &p, &err), STATUS_OK);
    uint64_t began = clock_mono_ns();
    turn(&c.is_done);
    getrusage(RUSAGE_SELF, &after);
    printf("  100 MiB in %.2f s, peak memory %+ld KiB\n", (double)(clock_mono_ns() - began) / 1e9,
           after.ru_maxrss - before.ru_maxrss);
    assert_int_equal(c.bytes, 104857600);
    assert_int_equal(c.end.lost.status, STATUS_OK);
    assert_int_equal(c.end.exit_code, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
#endif
    /* A job's bound is an error, and ends the command. */
    struct end e;
    struct job_opts o = {.label = "flood", .argv = argv, .max_output = 1 << 20};
    start_job(h, &o, &e);
    turn(&e.is_done);
    assert_int_equal(e.error.status, STATUS_NOMEM);
    assert_string_equal(e.error.message, "flood wrote more than 1048576 bytes");
    end_done(&e);
    close_host(h);
}

static void test_cancel(void **state)
{
    (void)state;
    struct host *h = open_good();
    struct end e;
    struct job *job = start_sh(h, "sleep 7101 & sleep 7101", &e);
    wait_processes("sleep 7101", 3); /* the shell has the words too */
    job_cancel(job);
    turn(&e.is_done);
    assert_int_equal(e.error.status, STATUS_INTERRUPTED);
    wait_processes("sleep 7101", 0);
    end_done(&e);

    job = start_sh(h, "sleep 7102", &e); /* before the pid is known */
    job_cancel(job);
    turn(&e.is_done);
    wait_processes("sleep 7102", 0);
    end_done(&e);

    job = start_sh(h, "trap '' TERM; echo on; while :; do sleep 0.1; done # 7103", &e);
    turn_until_said(&e, "on\n");
    uint64_t began = clock_mono_ns();
    job_cancel(job);
    turn(&e.is_done);
    printf("  SIGTERM ignored, grace 0.3 s: ended after %.2f s\n",
           (double)(clock_mono_ns() - began) / 1e9);
    assert_string_equal(e.error.message, "test was cancelled");
    assert_string_equal(e.out, "on\n");
    assert_true(clock_mono_ns() - began >= 290000000u);
    wait_processes("sleep 0.1; done # 7103", 0);
    end_done(&e);
    close_host(h);
}

/* --- what breaks ------------------------------------------------------------------------------ */

static void test_killed_sshd(void **state)
{
    (void)state;
    struct host *h = open_good();
    struct state s = {false, true};
    struct end e;
    host_watch(h, on_state, &s);
    start_sh(h, "echo begun; sleep 7201", &e);
    turn_until_said(&e, "begun\n");
    sshd_stop(&sshd);
    turn(&e.is_done);
    printf("  %s\n", e.error.message);
    assert_int_equal(e.error.status, STATUS_HOST);
    assert_non_null(strstr(e.error.message, "lost the connection to h"));
    assert_string_equal(e.out, "begun\n");
    end_done(&e);
    assert_int_not_equal(host_state(h), HOST_STATE_UP);
    /* What ran there does not outlive the connection. */
    wait_processes("sleep 7201", 0);
    const char *argv[] = {"true", NULL};
    struct job_opts o = {.label = "late", .argv = argv};
    struct job_callbacks cb = {NULL, NULL, on_done};
    struct job *job;
    struct error err;
    assert_int_equal(job_start(&loop, NULL, h, &o, &cb, &e, &job, &err), STATUS_HOST);
    assert_non_null(strstr(err.message, "not connected"));
    assert_true(sshd_start(&sshd));
    turn(&s.is_up); /* by itself */
    host_watch(h, NULL, NULL);
    e = run_sh(h, "echo again");
    assert_string_equal(e.out, "again\n");
    end_done(&e);
    close_host(h);
}

static void test_frozen_host(void **state)
{
    (void)state;
    struct ssh_opts o = usual();
    bool is_up;
    struct host *fine = open_good(), *h;
    o.idle_timeout_ms = 2000;
    h = open_host(&o, &is_up);
    assert_true(is_up);
    struct state s = {false, true};
    host_watch(h, on_state, &s);
    pass_ms(4500); /* keepalives are answered: a silent host is not a dead one */
    assert_true(s.is_up && !s.is_settled);
    host_watch(h, NULL, NULL);
    struct end e;
    start_sh(h, "echo on; sleep 7301", &e);
    struct end stuck;
    struct job *job = start_sh(fine, "echo on; sleep 7302", &stuck);
    turn_until_said(&e, "on\n");
    turn_until_said(&stuck, "on\n");
    sshd_signal(&sshd, SIGSTOP);
    job_cancel(job);
    turn(&e.is_done);
    turn(&stuck.is_done); /* a cancelled job ends, whatever the host does */
    assert_int_equal(stuck.error.status, STATUS_INTERRUPTED);
    end_done(&stuck);
    sshd_signal(&sshd, SIGCONT);
    printf("  %s\n", e.error.message);
    assert_non_null(strstr(e.error.message, "no answer for 2.0 s"));
    end_done(&e);
    e = run_sh(fine, "echo fine");
    assert_string_equal(e.out, "fine\n");
    end_done(&e);
    close_host(h);
    close_host(fine);
    wait_processes("sleep 730", 0);
}

/* --- speed ------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void test_round_trip(void **state)
{
    (void)state;
    enum { N = 200 };
    struct host *h = open_good();
    const char *argv[] = {"true", NULL};
    struct job_opts o = {.label = "true", .argv = argv};
    double ms[N];
    for (int i = 0; i < N; i++) {
        struct end e;
        uint64_t began = clock_mono_ns();
        start_job(h, &o, &e);
        while (!e.is_done)
            uv_run(&loop, UV_RUN_ONCE);
        ms[i] = (double)(clock_mono_ns() - began) / 1e6;
        assert_int_equal(e.error.status, STATUS_OK);
        end_done(&e);
    }
    qsort(ms, N, sizeof *ms, by_size);
    printf("  exec round trip of %d: median %.2f ms, p95 %.2f ms\n", N, ms[N / 2],
           ms[N * 95 / 100]);
    close_host(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),       cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_passphrase),  cmocka_unit_test(test_host_key),
        cmocka_unit_test(test_no_sshd),     cmocka_unit_test(test_mute_host),
        cmocka_unit_test(test_config),      cmocka_unit_test(test_exit),
        cmocka_unit_test(test_quoting),     cmocka_unit_test(test_binary),
        cmocka_unit_test(test_parallel),    cmocka_unit_test(test_flood),
        cmocka_unit_test(test_cancel),      cmocka_unit_test(test_killed_sshd),
        cmocka_unit_test(test_frozen_host), cmocka_unit_test(test_round_trip),
    };
    signal(SIGPIPE, SIG_IGN);
    if (!sshd_make(&sshd))
        return 77;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int failed = cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
    return sshd_remove(&sshd) ? failed : failed + 1;
}
