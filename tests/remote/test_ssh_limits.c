/* Hosts over SSH against a real sshd: what its configuration does to us, questions to a person, and
 * root by sudo. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "remote/ssh_config.h"
#include "tests/remote/transfer_fixture.h"

/* sshd with these lines before its own, until restore(). */
static void configure(const char *lines)
{
    sshd_stop(&sshd);
    assert_true(sshd_sh("cd %s; test -e own || mv config own; printf '%s\n' | cat - own >config",
                        sshd.dir, lines));
    assert_true(sshd_start(&sshd));
}

static void restore(void)
{
    sshd_stop(&sshd);
    assert_true(sshd_sh("cd %s; mv own config", sshd.dir));
    assert_true(sshd_start(&sshd));
}

/* --- questions -------------------------------------------------------------------------------- */

struct person {
    const char *says;
    bool takes_time;
    int asked;
    struct ssh_link *link; /* whom to answer later */
};

static enum ssh_answer ask(void *user, struct ssh_link *l, enum ssh_question kind,
                           const char *prompt, char *out, size_t size)
{
    struct person *p = user;
    assert_int_equal(kind, SSH_QUESTION_KEY);
    assert_non_null(strstr(prompt, "ssh-ed25519 SHA256:"));
    assert_non_null(strstr(prompt, "\nAccept the key of h (yes/no)? "));
    p->asked++;
    p->link = l;
    if (p->takes_time)
        return SSH_ANSWER_LATER;
    snprintf(out, size, "%s", p->says);
    return SSH_ANSWER_GIVEN;
}

static void test_new_key(void **state)
{
    (void)state;
    struct person p = {.says = "no"};
    struct ssh_opts o = usual();
    bool is_up;
    o.known_hosts = sshd_path(&sshd, "asked_hosts");
    o.ask = ask;
    o.ask_user = &p;
    struct host *h = open_host(&o, &is_up);
    assert_false(is_up);
    assert_non_null(strstr(host_why(h)->message, "is not known"));
    assert_non_null(strstr(host_why(h)->hint, "--accept-new-hosts"));
    close_host(h);
    /* Who thinks longer than the time limit of connecting is waited for. */
    struct error e;
    struct state s = {false, false};
    p = (struct person){.takes_time = true};
    o.connect_timeout_ms = 2000;
    assert_int_equal(host_ssh_new("h", NULL, &loop, &o, &h, &e), STATUS_OK);
    host_watch(h, on_state, &s);
    while (!p.asked && !s.is_settled)
        pass_ms(10);
    assert_true(p.asked);
    pass_ms(2200);
    assert_false(s.is_settled);
    ssh_link_answer(p.link, "yes");
    turn(&s.is_settled);
    assert_true(s.is_up);
    close_host(h);
    p.asked = 0; /* it is written down */
    h = open_host(&o, &is_up);
    assert_true(is_up && !p.asked);
    close_host(h);
}

/* --- MaxSessions ------------------------------------------------------------------------------ */

static void test_queue(void **state)
{
    (void)state;
    enum { N = 12 };
    struct end e[N];
    for (int max = 1; max <= 3; max += 2) {
        configure(max == 1 ? "MaxSessions 1" : "MaxSessions 3");
        struct host *h = open_good();
        for (int i = 0; i < N; i++) {
            char script[64];
            snprintf(script, sizeof script, "sleep 0.1; echo %d", i);
            struct job *job = start_sh(h, script, &e[i]);
            if (i == N - 1)
                job_cancel(job); /* while it waits for its turn */
        }
        turn(&e[N - 1].is_done);
        assert_false(e[N - 2].is_done);
        assert_int_equal(e[N - 1].error.status, STATUS_INTERRUPTED);
        end_done(&e[N - 1]);
        for (int i = 0; i < N - 1; i++) {
            turn(&e[i].is_done);
            if (e[i].error.status != STATUS_OK)
                fail_msg("%s", e[i].error.message);
            assert_int_equal(atoi(e[i].out), i);
            end_done(&e[i]);
        }
        close_host(h);
    }
    configure("MaxSessions 0");
    struct host *h = open_good();
    struct end none = run_sh(h, "echo no");
    printf("  %s / %s\n", none.error.message, none.error.hint);
    assert_int_equal(none.error.status, STATUS_HOST);
    assert_non_null(strstr(none.error.hint, "MaxSessions"));
    end_done(&none);
    close_host(h);
    restore();
}

/* --- hosts that do something else ------------------------------------------------------------- */

static void test_forced_command(void **state)
{
    (void)state;
    configure("ForceCommand echo This account is closed");
    struct host *h = open_good();
    struct end e = run_sh(h, "echo no");
    printf("  %s\n", e.error.message);
    assert_non_null(strstr(e.error.message, "no shell for commands on h: This account is closed"));
    end_done(&e);
    assert_true(sshd_sh("cd %s; head -c 100000 /dev/urandom >plain", sshd.dir));
    struct outcome o = move(h, true, sshd_path(&sshd, "plain"), sshd_path(&sshd, "there"));
    assert_non_null(strstr(o.end.error.message, "does not speak SFTP"));
    end_done(&o.end);
    close_host(h);
    /* The command's shell dies without a word: the channel is closed. */
    configure("ForceCommand kill -9 $PPID");
    h = open_good();
    e = run_sh(h, "echo no");
    printf("  %s\n", e.error.message);
    assert_int_equal(e.error.status, STATUS_HOST);
    assert_non_null(strstr(e.error.message, "lost the connection to h"));
    end_done(&e);
    close_host(h);
    /* SFTP and nothing else: files go there, but nobody hashes them. */
    configure("ForceCommand internal-sftp");
    h = open_good();
    o = move(h, true, sshd_path(&sshd, "plain"), sshd_path(&sshd, "there"));
    assert_int_equal(o.end.error.status, STATUS_OK);
    assert_false(o.is_verified);
    end_done(&o.end);
    assert_true(sshd_sh("cd %s; cmp plain there", sshd.dir));
    close_host(h);
    restore();
}

/* --- root ------------------------------------------------------------------------------------- */

static struct end run_as_root(struct host *h, const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct job_opts o = {.label = "setter", .argv = argv, .is_sudo = true, .grace_ms = 1000};
    struct end e;
    start_job(h, &o, &e);
    turn(&e.is_done);
    return e;
}

/* Shims for id and sudo: the first says that we are nobody, the second what it is told to. */
static void test_sudo(void **state)
{
    (void)state;
    char lines[300];
    assert_true(sshd_sh("cd %s; mkdir shims; printf '#!/bin/sh\necho 1000\n' >shims/id; "
                        "cp shims/id shims/sudo; chmod 755 shims/*",
                        sshd.dir));
    snprintf(lines, sizeof lines, "SetEnv PATH=%s/shims:/usr/bin:/bin", sshd.dir);
    configure(lines);
    struct host *h = open_good();
    assert_true(sshd_sh("printf '#!/bin/sh\necho sudo: a password is required >&2; exit 1\n' "
                        ">%s/shims/sudo",
                        sshd.dir));
    struct end e = run_as_root(h, "echo done");
    printf("  %s / %s\n", e.error.message, e.error.hint);
    assert_non_null(strstr(e.error.message, "h: setter needs root"));
    assert_non_null(strstr(e.error.message, "sudo asks for a password"));
    assert_non_null(strstr(e.error.hint, "NOPASSWD"));
    end_done(&e);
    /* It never asks, and the command is its own words. */
    assert_true(sshd_sh("cd %s; cat >shims/sudo <<'END'\n#!/bin/sh\ntest \"$1\" = -n || exit 9\n"
                        "shift; test \"$1\" != -- || shift\nexec \"$@\"\nEND\n",
                        sshd.dir));
    e = run_as_root(h, "echo \"done 'so'\"; exit 5");
    assert_string_equal(e.out, "done 'so'\n");
    assert_int_equal(e.exit_code, 5);
    end_done(&e);
    /* Stopped through sudo: by the group, and with a command that knows what to do then. It may be
     * told twice: this shim leaves it to our own user, whom the first signal reaches too. */
    const char *argv[] = {
        "sh", "-c", "trap 'trap \"\" TERM; echo bye; exit 0' TERM; echo up; sleep 7401 & wait",
        NULL};
    struct job_opts o = {.label = "setter", .argv = argv, .is_sudo = true};
    struct job *job = start_job(h, &o, &e);
    turn_until_said(&e, "up\n");
    job_cancel(job);
    turn(&e.is_done);
    assert_string_equal(e.out, "up\nbye\n");
    assert_int_equal(e.exit_code, 0); /* its own, and not that of the shell that was signalled */
    end_done(&e);
    assert_true(
        sshd_sh("i=0; while pgrep -f '^sleep 7401$'; do i=$((i + 1)); test $i -lt 600 || exit "
                "1; sleep 0.1; done"));
    assert_true(sshd_sh("rm %s/shims/id", sshd.dir));
    assert_true(sshd_sh("printf '#!/bin/sh\nexit 9\n' >%s/shims/sudo", sshd.dir));
    if (geteuid() == 0) { /* who is root already needs no sudo */
        e = run_as_root(h, "id -u");
        assert_string_equal(e.out, "0\n");
        end_done(&e);
    }
    close_host(h);
    restore();
}

/* --- the end ---------------------------------------------------------------------------------- */

static void leave(uv_check_t *check)
{
    if (job_first() == check->data)
        job_leave(check->data);
}

/* A script may be stopped between the end of a job's process and that of the job. The check runs in
 * every turn of the loop, and so also there: the last thing before handles are closed. That nothing
 * freed is looked at then, the sanitizers say. */
static void test_left_at_its_end(void **state)
{
    (void)state;
    struct host *h = open_good();
    uv_check_t check;
    struct end e;
    uv_check_init(&loop, &check);
    check.data = start_sh(h, "exit 3", &e);
    uv_check_start(&check, leave);
    turn(&e.is_done);
    assert_true(e.error.status == STATUS_INTERRUPTED || e.exit_code == 3);
    uv_close((uv_handle_t *)&check, NULL);
    end_done(&e);
    close_host(h);
}

/* --- ssh_config ------------------------------------------------------------------------------- */

static char *ignored_by(const char *host)
{
    static char text[300];
    struct ssh_config_facts f;
    ssh_config_facts_init(&f);
    ssh_config_scan(&f, sshd_path(&sshd, "config_of_user"), sshd.dir, host);
    snprintf(text, sizeof text, "%s%s", f.is_identities_only ? "only " : "", f.ignored.data);
    ssh_config_facts_done(&f);
    return text;
}

/* An Include that ends within a Host block for others must not close the file that includes it. */
static void test_include(void **state)
{
    (void)state;
    assert_true(
        sshd_sh("cd %s; printf 'SendEnv X\nHost other\nRemoteForward 1 2\n' >part; "
                "cat >config_of_user <<END\nInclude part\nForwardX11 yes\nHost \"lab-?\" !lab-x\n"
                "  IdentitiesOnly=yes\n  LocalForward 1 2 # why\nHost *\n  IdentitiesOnly no\n"
                "  Include missing*\n  Include config_of_user\nEND\n",
                sshd.dir));
    assert_string_equal(ignored_by("lab-1"), "only SendEnv, ForwardX11, LocalForward");
    assert_string_equal(ignored_by("lab-x"), "SendEnv, ForwardX11");
    assert_string_equal(ignored_by("other"), "SendEnv, RemoteForward, ForwardX11");
    /* The same in a connection, by libssh's own parser. */
    assert_true(sshd_sh("cd %s; printf 'Host other\nPort 1\n' >part; cat >config_of_user <<END\n"
                        "Include %s/part\nMatch host nobody\n  Port 2\nMatch host lab\n"
                        "  HostName 127.0.0.1\n  Port %d\n  IdentityFile %s/id\n"
                        "  UserKnownHostsFile %s/known_hosts\nEND\n",
                        sshd.dir, sshd.dir, sshd.port, sshd.dir, sshd.dir));
    struct ssh_opts o = {.host = "lab", .config = sshd_path(&sshd, "config_of_user")};
    bool is_up;
    struct host *h = open_host(&o, &is_up);
    if (!is_up)
        fail_msg("%s", host_why(h)->message);
    close_host(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_key),        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_forced_command), cmocka_unit_test(test_sudo),
        cmocka_unit_test(test_include),        cmocka_unit_test(test_left_at_its_end),
    };
    signal(SIGPIPE, SIG_IGN);
    if (!sshd_make(&sshd))
        return 77;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int failed = cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
    return sshd_remove(&sshd) ? failed : failed + 1;
}
