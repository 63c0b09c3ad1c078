/* Descriptions of labs: what is accepted, what is refused and where, and who gets which address. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "testbed/topology.h"

static const struct topology_router base = {
    .rate_bps = 50000000, .up_rate_bps = 50000000, .rtt_us = 20000, .aqm = "dualpi2"};

static const char chain[] =
    "{\"hosts\":[{\"name\":\"s\",\"role\":\"server\"},"
    "            {\"name\":\"a\",\"role\":\"client\"},"
    "            {\"name\":\"b\",\"role\":\"client\",\"delay\":\"5ms\"}],\n"
    " \"routers\":[{\"name\":\"r1\",\"rate\":\"10mbit\",\"rtt\":\"10ms\",\"jitter\":\"1ms\","
    "\"burst\":\"4ms\"},"
    "              {\"name\":\"r2\",\"up_rate\":\"2mbit\",\"loss\":0.25,"
    "               \"rate_steps\":\"0s:50mbit,5s:25mbit\",\"up_rate_trace\":\"/t/up\"}]}";

static void check_node(const struct topology *t, int i, const char *name, const char *address)
{
    struct topology_node n = topology_node(t, i);
    assert_string_equal(n.name, name);
    assert_string_equal(n.address, address);
    assert_int_equal(topology_find(t, name), i);
}

static void the_default(void **state)
{
    (void)state;
    struct topology t;
    char ifname[16];
    topology_default(&t, &base);
    assert_int_equal(topology_nodes(&t), 4);
    check_node(&t, 0, "client_x", "10.98.1.2");
    check_node(&t, 1, "client_y", "10.98.2.2");
    check_node(&t, 2, "router", "10.98.3.1");
    check_node(&t, 3, "server", "10.98.3.2");
    assert_int_equal(topology_find(&t, "nobody"), -1);
    topology_ifname(&t, 0, ifname, sizeof ifname);
    assert_string_equal(ifname, "ethx");
    topology_ifname(&t, 2, ifname, sizeof ifname);
    assert_string_equal(ifname, "eths");
    /* An empty description is the default. */
    struct topology e;
    assert_int_equal(topology_load(" {}\n", &base, &e, NULL), STATUS_OK);
    assert_memory_equal(&e, &t, sizeof t);
}

static void a_chain(void **state)
{
    (void)state;
    struct topology t, again;
    struct error err = {0};
    char ifname[16];
    assert_int_equal(topology_load(chain, &base, &t, &err), STATUS_OK);
    check_node(&t, 0, "a", "10.98.1.2");
    check_node(&t, 1, "b", "10.98.2.2");
    check_node(&t, 2, "r1", "10.98.201.1");
    check_node(&t, 3, "r2", "10.98.3.1");
    check_node(&t, 4, "s", "10.98.3.2");
    assert_int_equal(t.leaves[1].delay_us, 5000);
    assert_int_equal(topology_router_of(&t, 0), 0);
    assert_int_equal(topology_router_of(&t, 2), 1);
    topology_ifname(&t, 2, ifname, sizeof ifname);
    assert_string_equal(ifname, "eth3");
    assert_int_equal(t.routers[0].up_rate_bps, 10000000);
    assert_int_equal(t.routers[0].jitter_us, 1000);
    assert_int_equal(t.routers[0].burst_us, 4000);
    assert_int_equal(t.routers[1].burst_us, 0);
    assert_int_equal(t.routers[1].rate_bps, 50000000);
    assert_int_equal(t.routers[1].up_rate_bps, 2000000);
    assert_true(t.routers[1].loss == 0.25);
    assert_string_equal(t.routers[1].rate_steps, "0s:50mbit,5s:25mbit");
    assert_string_equal(t.routers[1].aqm, "dualpi2");
    assert_string_equal(t.routers[1].up_rate_trace, "/t/up");
    /* What is written is read again. */
    cJSON *o = topology_to_json(&t);
    assert_int_equal(topology_from_json(o, "again", &base, &again, &err), STATUS_OK);
    cJSON_Delete(o);
    assert_memory_equal(&again, &t, sizeof t);
}

/* As many as there may be: and the names of their devices stay names of devices. */
static void the_largest(void **state)
{
    (void)state;
    struct topology t;
    struct buf b;
    char ifname[32];
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"hosts\":[");
    for (int i = 0; i < 64; i++)
        buf_printf(&b, "%s{\"name\":\"h%d\",\"role\":\"%s\"}", i ? "," : "", i,
                   i % 2 ? "client" : "server");
    buf_puts(&b, "],\"routers\":[{\"name\":\"r1\"},{\"name\":\"r2\"},{\"name\":\"r3\"},"
                 "{\"name\":\"a23456789012345\"}]}");
    assert_int_equal(topology_load(b.data, &base, &t, NULL), STATUS_OK);
    assert_int_equal(t.nclients, 32);
    assert_int_equal(topology_nodes(&t), 68);
    check_node(&t, 67, "h62", "10.98.64.2");
    topology_ifname(&t, 63, ifname, sizeof ifname);
    assert_string_equal(ifname, "eth64");
    buf_done(&b);
}

static const struct {
    const char *text, *message;
} bad[] = {
    {"{", "line 1, column 1"},
    {"{\n \"hosts\": [\n  }", "line 3, column 3"},
    {"{} x", "line 1, column 4"},
    {"{\"host\":[]}", "host: unknown"},
    {"{\"hosts\":[],\"hosts\":[]}", "hosts: "},
    {"{\"hosts\":[]}", "hosts: not a list with something in it"},
    {"{\"hosts\":{}}", "hosts: not a list"},
    {"{\"hosts\":[1]}", "hosts[0]: not an object"},
    {"{\"hosts\":[{\"name\":\"a\"}]}", "hosts[0]: role is missing"},
    {"{\"hosts\":[{\"role\":\"client\"}]}", "hosts[0]: name is missing"},
    {"{\"hosts\":[{\"name\":\"A\",\"role\":\"client\"}]}", "hosts[0].name: 'A' is no name"},
    {"{\"hosts\":[{\"name\":\"a-b\",\"role\":\"client\"}]}", "hosts[0].name: 'a-b'"},
    {"{\"hosts\":[{\"name\":\"../x\",\"role\":\"client\"}]}", "hosts[0].name"},
    {"{\"hosts\":[{\"name\":\"localhost\",\"role\":\"client\"}]}", "hosts[0].name"},
    {"{\"hosts\":[{\"name\":\"a234567890123456\",\"role\":\"client\"}]}", "hosts[0].name"},
    {"{\"hosts\":[{\"name\":\"a\\u0001\",\"role\":\"client\"}]}", "control character"},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"router\"}]}", "hosts[0].role"},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\",\"x\":1}]}", "hosts[0].x: unknown"},
    {"{\"hosts\":[{\"name\":\"a\",\"name\":\"b\",\"role\":\"client\"}]}",
     "hosts[0].name: is there"},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\",\"delay\":5}]}", "hosts[0].delay: not a s"},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\",\"delay\":\"5\"}]}", "hosts[0].delay: "},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\",\"delay\":\"11s\"}]}", "hosts[0].delay: "},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\"}]}", "a client and a server"},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\"},{\"name\":\"a\",\"role\":\"server\"}]}",
     "hosts[1].name: 'a' is there twice"},
    {"{\"hosts\":[{\"name\":\"a\",\"role\":\"client\"},{\"name\":\"router\",\"role\":\"server\"}]}",
     "'router'"},
    {"{\"routers\":[{}]}", "routers[0]: name is missing"},
    {"{\"routers\":[{\"name\":\"server\"}]}", "routers[0].name: 'server' is there twice"},
    {"{\"routers\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "routers[1].name"},
    {"{\"routers\":[{\"name\":\"r\",\"rate\":50}]}", "routers[0].rate: not a string"},
    {"{\"routers\":[{\"name\":\"r\",\"rate\":\"fast\"}]}", "routers[0].rate: "},
    {"{\"routers\":[{\"name\":\"r\",\"loss\":\"1%\"}]}", "routers[0].loss: "},
    {"{\"routers\":[{\"name\":\"r\",\"loss\":1.5}]}", "routers[0].loss: "},
    {"{\"routers\":[{\"name\":\"r\",\"aqm\":\"red\"}]}", "routers[0].aqm: "},
    {"{\"routers\":[{\"name\":\"r\",\"aqm\":\"codel target x\"}]}", "routers[0].aqm: "},
    {"{\"routers\":[{\"name\":\"r\",\"delay\":\"1ms\"}]}", "routers[0].delay: unknown"},
    {"{\"routers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"},{\"name\":\"d\"},"
     "{\"name\":\"e\"}]}",
     "routers[4]: at most 4"},
    {"/nonexistent/topology.json", "/nonexistent/topology.json"},
};

static void refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct topology t;
        struct error err = {0};
        if (topology_load(bad[i].text, &base, &t, &err) == STATUS_OK)
            fail_msg("accepted: %s", bad[i].text);
        if (!strstr(err.message, bad[i].message))
            fail_msg("%s: '%s' has no '%s'", bad[i].text, err.message, bad[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default),
        cmocka_unit_test(a_chain),
        cmocka_unit_test(the_largest),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
