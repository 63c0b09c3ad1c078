/* What testbed/prague_bpf.h promises: which programs a kernel gets, judged by BTF made here; and,
 * as root against the running kernel, a registration without a link, which outlives who made it
 * until it is swept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testbed/prague.h"

struct operation {
    const char *name;
    int params; /* -1: no function */
};

/* What tcp_congestion_ops had of ours in Linux 6.1, and what became of it. */
static const struct operation linux_6_1[] = {
    {"ssthresh", 1},     {"cong_avoid", 3}, {"set_state", 2},    {"cwnd_event", 2},
    {"in_ack_event", 2}, {"undo_cwnd", 1},  {"min_tso_segs", 1}, {"cong_control", 2},
    {"init", 1},         {"release", 1},    {"flags", -1},
};
#define OPERATIONS (sizeof linux_6_1 / sizeof *linux_6_1)

/* BTF with these operations, as pahole writes it: members that point to function prototypes. */
static struct btf *make_btf(const struct operation *ops, size_t n, bool has_link)
{
    struct btf *btf = btf__new_empty();
    int types[OPERATIONS], integer = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
    for (size_t i = 0; i < n; i++) {
        types[i] = integer;
        if (ops[i].params < 0)
            continue;
        int function = btf__add_func_proto(btf, integer);
        for (int p = 0; p < ops[i].params; p++)
            assert_int_equal(btf__add_func_param(btf, "p", integer), 0);
        types[i] = btf__add_ptr(btf, function);
    }
    assert_true(btf__add_struct(btf, "tcp_congestion_ops", (__u32)(8 * n)) > 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(btf__add_field(btf, ops[i].name, types[i], (__u32)(64 * i), 0), 0);
    if (has_link)
        assert_true(btf__add_struct(btf, "bpf_struct_ops_link", 8) > 0);
    return btf;
}

/* Look at that BTF, with one operation changed. */
static enum status look(const char *changed, int params, bool has_link, struct prague_kernel *k,
                        struct error *err)
{
    struct operation ops[OPERATIONS];
    memcpy(ops, linux_6_1, sizeof ops);
    for (size_t i = 0; i < OPERATIONS; i++)
        if (changed && strcmp(ops[i].name, changed) == 0)
            ops[i].params = params;
    struct btf *btf = make_btf(ops, OPERATIONS, has_link);
    enum status st = prague_bpf_look(btf, k, err);
    btf__free(btf);
    return st;
}

static void kernels_get_their_programs(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        int cong_control_params;
        bool has_link, has_old;
    } kernels[] = {{"6.1", 2, false, true}, {"6.8", 2, true, true}, {"6.12", 4, true, false}};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        struct prague_kernel k;
        struct error err = {0};
        assert_int_equal(
            look("cong_control", kernels[i].cong_control_params, kernels[i].has_link, &k, &err),
            STATUS_OK);
        assert_int_equal(k.has_link, kernels[i].has_link);
        assert_int_equal(k.has_old_cong_control, kernels[i].has_old);
    }
}

static void an_unknown_operation_is_refused_by_name(void **state)
{
    (void)state;
    struct prague_kernel k;
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (linux_6_1[i].params < 0)
            continue;
        for (int params = -1; params < 6; params++) {
            bool is_known = params == linux_6_1[i].params ||
                            (strcmp(linux_6_1[i].name, "cong_control") == 0 && params == 4);
            struct error err = {0};
            enum status st = look(linux_6_1[i].name, params, true, &k, &err);
            assert_int_equal(st, is_known ? STATUS_OK : STATUS_UNAVAILABLE);
            if (is_known)
                continue;
            assert_non_null(strstr(err.message, linux_6_1[i].name));
            assert_true(err.hint[0]);
        }
    }
    struct btf *none = btf__new_empty();
    struct error err = {0};
    assert_int_equal(prague_bpf_look(none, &k, &err), STATUS_UNAVAILABLE);
    btf__free(none);
}

/* In a process of its own: register without a link, say so, and wait to be killed. */
static pid_t start_owner(const char *name, const struct prague_kernel *kernel)
{
    int ends[2];
    char c = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct prague_bpf b;
        struct error err = {0};
        c = prague_bpf_register(name, kernel, &b, &err) == STATUS_OK;
        if (!c)
            printf("%s (%s)\n", err.message, err.hint);
        if (write(ends[1], &c, 1) == 1)
            pause();
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    close(ends[0]);
    assert_int_equal(c, 1);
    return pid;
}

static void without_a_link_it_stays_until_swept(void **state)
{
    (void)state;
    struct prague p = {0};
    if (geteuid() != 0 || !prague_is_built())
        skip();
    prague_start(&p);
    bool is_ours = true; /* another lab may be up */
    for (enum prague_kind k = 0; k < PRAGUE_KINDS; k++)
        is_ours &= p.cc[k].source == PRAGUE_SOURCE_BPF && !p.cc[k].is_borrowed;
    bool has_old = false;
    if (is_ours && p.cc[0].bpf.is_registered) {
        struct btf *btf = btf__load_vmlinux_btf();
        struct prague_kernel running;
        assert_int_equal(prague_bpf_look(btf, &running, NULL), STATUS_OK);
        has_old = running.has_old_cong_control;
        btf__free(btf);
    }
    prague_stop(&p);
    if (!is_ours) {
        printf("not ours to register\n");
        skip();
    }
    /* A link is taken back in the background. */
    for (int i = 0; i < 6000 && prague_is_available("bpf_prague"); i++)
        usleep(10000);

    const struct prague_kernel linkless = {.has_link = false, .has_old_cong_control = has_old};
    pid_t pid = start_owner("bpf_prague", &linkless);
    assert_true(prague_is_available("bpf_prague"));
    assert_false(prague_bpf_sweep("bpf_prague")); /* its owner lives */
    assert_true(prague_is_available("bpf_prague"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(prague_is_available("bpf_prague"));
    assert_true(prague_sweep());
    assert_false(prague_is_available("bpf_prague"));
    assert_false(prague_sweep());

    /* A lab that finds such a leftover does not borrow it, but makes its own. */
    pid = start_owner("bpf_prague", &linkless);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    prague_start(&p);
    assert_int_equal(p.cc[PRAGUE_KIND_PRAGUE].source, PRAGUE_SOURCE_BPF);
    assert_false(p.cc[PRAGUE_KIND_PRAGUE].is_borrowed);
    prague_stop(&p);

    /* And in order: taken back by who made it. */
    struct prague_bpf b;
    struct error err = {0};
    assert_int_equal(prague_bpf_register("bpf_dctcp", &linkless, &b, &err), STATUS_OK);
    assert_true(prague_is_available("bpf_dctcp"));
    prague_bpf_unregister(&b);
    assert_false(prague_is_available("bpf_dctcp"));
    assert_false(prague_bpf_sweep("bpf_dctcp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_get_their_programs),
        cmocka_unit_test(an_unknown_operation_is_refused_by_name),
        cmocka_unit_test(without_a_link_it_stays_until_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
