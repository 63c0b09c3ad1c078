/* Names, the state file, the lock. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/paths.h"
#include "testbed/lab.h"
#include "testbed/prague.h"
#include "testbed/testbed.h"

static char lab[LAB_NAME_MAX + 1];

static void names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "ccalab", "0", "a-b-c", "a-", "0123456789abcdef"};
    static const char *const bad[] = {
        "", "-a", "A", "a_b", "a/b", "..", "a b", "a\n", "ä", "a.b", "0123456789abcdef0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(lab_name_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(lab_name_is_valid(bad[i]));
}

static void paths(void **state)
{
    (void)state;
    char out[LAB_PATH_MAX];
    setenv("CCALAB_RUNTIME_DIR", "/tmp/labs", 1);
    lab_netns_name("x1", "client_y", out, sizeof out);
    assert_string_equal(out, "x1-client_y");
    lab_netns_path("x1", "server", out, sizeof out);
    assert_string_equal(out,
                        paths_is_root() ? "/run/netns/x1-server" : "/tmp/labs/x1/netns/server");
    assert_int_equal(lab_userns_path("x1", out, sizeof out), !paths_is_root());
    assert_string_equal(out, paths_is_root() ? "" : "/tmp/labs/x1/userns");
    unsetenv("CCALAB_RUNTIME_DIR");
}

static struct lab_state sample(void)
{
    struct lab_state s = {.phase = LAB_UP,
                          .created_s = 1795251163.25,
                          .keeper = {1234, 987654321},
                          .links = {{1235, 987654399}},
                          .sshds = {{0, 0}, {1236, 987654400}},
                          .netns = {{4, 4026532001, UINT64_MAX - 1}, {4, 4026532002, 7}}};
    struct topology_router r = {
        .rate_bps = 50000000, .up_rate_bps = 50000000, .rtt_us = 20000, .aqm = "dualpi2"};
    topology_default(&s.topology, &r);
    strcpy(s.name, lab);
    s.up = cJSON_CreateObject();
    cJSON_AddStringToObject(s.up, "state", "up");
    return s;
}

static void round_trip(void **state)
{
    (void)state;
    struct error err;
    struct lab_state a = sample(), b;
    int fd;
    assert_int_equal(lab_lock(lab, 0, &fd, &err), STATUS_OK);
    assert_true(fd >= 0);
    assert_int_equal(lab_state_save(&a, &err), STATUS_OK);
    assert_int_equal(lab_state_load(lab, &b, &err), STATUS_OK);
    assert_string_equal(b.name, lab);
    assert_int_equal(b.phase, LAB_UP);
    assert_true(b.created_s == a.created_s);
    assert_int_equal(b.keeper.pid, 1234);
    assert_int_equal(b.keeper.start, 987654321);
    assert_int_equal(b.links[0].pid, 1235);
    assert_int_equal(b.links[0].start, 987654399);
    assert_int_equal(b.sshds[0].pid, 0);
    assert_int_equal(b.sshds[1].pid, 1236);
    assert_int_equal(b.owner.pid, 0);
    assert_memory_equal(b.netns, a.netns, sizeof a.netns);
    assert_memory_equal(&b.topology, &a.topology, sizeof a.topology);
    assert_string_equal(json_str(b.up, "state", ""), "up");
    lab_state_done(&a);
    lab_state_done(&b);
    char path[LAB_PATH_MAX];
    lab_path(lab, "ssh", path, sizeof path);
    assert_int_equal(path_mkdirs(path, &err), STATUS_OK);
    lab_path(lab, "ssh/key", path, sizeof path);
    assert_int_equal(file_write_atomic(path, "x", 1, &err), STATUS_OK);
    lab_remove_dir(lab);
    lab_path(lab, "", path, sizeof path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(lab_state_load(lab, &b, &err), STATUS_IO);
    close(fd);
}

/* The state file is input like any other. */
static void hostile_state(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"name\":\"../x\",\"phase\":\"up\",\"topology\":{}}",
        "{\"name\":\"x\",\"phase\":\"gone\",\"topology\":{}}",
        "{\"name\":\"x\",\"phase\":\"up\"}",
        "{\"name\":\"x\",\"phase\":\"up\",\"topology\":[]}",
        "{\"name\":\"x\",\"phase\":\"up\",\"topology\":{\"hosts\":[{\"name\":\"../a\"}]}}",
        "{\"name\":7,\"phase\":\"up\",\"topology\":{}}",
    };
    struct lab_state s;
    struct error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cJSON *o = cJSON_Parse(bad[i]);
        assert_non_null(o);
        assert_int_equal(lab_state_from_json(o, &s, &err), STATUS_INPUT);
        cJSON_Delete(o);
    }
    /* No pid that kill(2) would take for a group or for everybody. */
    static const char *const pids[] = {"-1", "0", "1.5e9", "\"1\"", "null"};
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"boot\":\"%s\",\"name\":\"x\",\"phase\":\"up\",\"topology\":{},"
                 "\"keeper\":{\"pid\":%s,\"start\":5}}",
                 proc_boot_id(), pids[i]);
        cJSON *o = cJSON_Parse(text);
        assert_int_equal(lab_state_from_json(o, &s, &err), STATUS_OK);
        assert_int_equal(s.keeper.pid, 0);
        lab_state_done(&s);
        cJSON_Delete(o);
    }
}

/* A pid from before a reboot names nobody. */
static void other_boot(void **state)
{
    (void)state;
    struct lab_state a = sample(), b;
    cJSON *o = lab_state_to_json(&a);
    assert_int_equal(lab_state_from_json(o, &b, NULL), STATUS_OK);
    assert_int_equal(b.keeper.pid, 1234);
    lab_state_done(&b);
    cJSON_ReplaceItemInObject(o, "boot", cJSON_CreateString("another"));
    assert_int_equal(lab_state_from_json(o, &b, NULL), STATUS_OK);
    assert_int_equal(b.keeper.pid, 0);
    assert_int_equal(b.links[0].pid, 0);
    assert_int_equal(b.sshds[1].pid, 0);
    assert_int_equal(b.netns[0].ino, 0);
    lab_state_done(&a);
    lab_state_done(&b);
    cJSON_Delete(o);
}

static void lock(void **state)
{
    (void)state;
    struct error err;
    int a, b;
    assert_false(lab_is_locked(lab));
    assert_int_equal(lab_lock(lab, 0, &a, &err), STATUS_OK);
    assert_true(a >= 0);
    assert_true(lab_is_locked(lab));
    assert_int_equal(lab_lock(lab, 0, &b, &err), STATUS_OK);
    assert_int_equal(b, -1);
    assert_int_equal(lab_claim(lab, &b, &err), STATUS_FAIL);
    assert_true(err.hint[0] != '\0');
    /* The holder removes the directory: the next one must not lock a file that nobody sees. */
    lab_remove_dir(lab);
    assert_int_equal(lab_lock(lab, 0, &b, &err), STATUS_OK);
    assert_true(b >= 0);
    close(a);
    assert_true(lab_is_locked(lab));
    lab_remove_dir(lab);
    close(b);
    assert_false(lab_is_locked(lab));
}

static void congestion_control_names(void **state)
{
    (void)state;
    assert_true(prague_is_available("reno"));
    assert_false(prague_is_available("ren"));
    assert_false(prague_is_available(""));
}

static void features(void **state)
{
    (void)state;
    struct testbed_feature f[TESTBED_FEATURES];
    testbed_features(f);
    for (int i = 0; i < TESTBED_FEATURES; i++) {
        assert_non_null(f[i].name);
        assert_non_null(f[i].purpose);
        assert_non_null(f[i].remedy);
    }
    assert_int_equal(f[TESTBED_FEATURE_ROOT].is_present, geteuid() == 0);
    assert_int_equal(f[TESTBED_FEATURE_BPF_PRAGUE].is_present, prague_is_built());
}

int main(void)
{
    snprintf(lab, sizeof lab, "ut-%d", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(paths),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(hostile_state),
        cmocka_unit_test(other_boot),
        cmocka_unit_test(lock),
        cmocka_unit_test(congestion_control_names),
        cmocka_unit_test(features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
