/* Surveys of many kinds of host, and what the checks make of them. */
#include "tests/remote/recorded.h"

static const char *const prague[] = {"prague"}, *const cubic[] = {"cubic"};
static const char *const server_address[] = {"10.0.3.2"};
static const int ports[] = {5201, 5202};

static struct checks_want want(unsigned roles)
{
    return (struct checks_want){.roles = roles,
                                .ccs = prague,
                                .nccs = 1,
                                .to = server_address,
                                .nto = 1,
                                .ports = ports,
                                .nports = 2,
                                .rate_bps = 50e6,
                                .rtt_s = 0.02,
                                .clock_offset_s = 0.001,
                                .clock_error_s = 0.002};
}

static cJSON *judge(const char *name, const char *const *edits, const struct checks_want *w)
{
    cJSON *facts = facts_of(name, edits), *checks = checks_judge(facts, w);
    cJSON_Delete(facts);
    assert_non_null(checks);
    return checks;
}

/* --- hosts that are ready ----------------------------------------------------------------------
 */

static void test_ready_hosts_pass(void **state)
{
    struct checks_want client = want(CHECKS_CLIENT), router = want(CHECKS_ROUTER),
                       server = want(CHECKS_SERVER), virt = want(CHECKS_ROUTER);
    const char *const lab_server[] = {"10.98.3.2"};
    const char *const other_end[] = {"4096\t131072\t6291456", "4096\t131072\t33554432", NULL};
    virt.to = lab_server;
    virt.is_virtual = true;
    virt.egress = "bn1";
    (void)state;
    const struct {
        const char *name;
        const struct checks_want *want;
        const char *const *edits;
        int least;
    } hosts[] = {{"l4steam_client", &client, NULL, 15},
                 {"l4steam_client", &server, other_end, 13},
                 {"l4steam_router", &router, NULL, 12},
                 {"mainline_router", &router, NULL, 12},
                 {"virtual_router", &virt, NULL, 8}};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        cJSON *checks = judge(hosts[i].name, hosts[i].edits, hosts[i].want);
        expect_all(checks, PASS);
        if (cJSON_GetArraySize(checks) < hosts[i].least)
            fail_msg("%s: %d checks", hosts[i].name, cJSON_GetArraySize(checks));
        cJSON_Delete(checks);
    }
}

static void test_facts(void **state)
{
    (void)state;
    cJSON *f = facts_of("l4steam_router", NULL);
    assert_string_equal(json_str(f, "kernel", ""), "5.15.72-56eae305c-prague-91");
    assert_string_equal(json_str(f, "distro", ""), "Ubuntu 22.04.3 LTS");
    assert_string_equal(json_str(f, "tcp_ecn", ""), "2");
    assert_string_equal(json_str(f, "tc_dualpi2", ""), "fork");
    assert_string_equal(json_str(f, "tc", ""), "iproute2-6.0.0");
    assert_true(json_num(f, "clock_s", 0) > 1795263127.7 &&
                json_num(f, "clock_s", 0) < 1795263127.8);
    assert_true(cJSON_IsNull(json_get(f, "iperf3")));
    assert_int_equal(cJSON_GetArraySize(json_get(f, "links")), 5);
    assert_int_equal(cJSON_GetArraySize(json_get(f, "routes")), 4);
    /* The fork's JSON is broken: its text stands in. */
    const cJSON *q = cJSON_GetArrayItem(json_get(f, "qdiscs"), 4);
    assert_string_equal(json_str(q, "kind", ""), "dualpi2");
    assert_string_equal(json_str(q, "parent", ""), "1:10");
    const cJSON *port = json_get(json_get(f, "ports"), "eth2");
    assert_true(json_num(port, "speed_bps", 0) == 1e9);
    assert_true(json_num(cJSON_GetArrayItem(json_get(port, "classes"), 0), "ceil_bps", 0) == 50e6);
    assert_true(json_bool(json_get(json_get(port, "offloads"), "tso"), "is_on", false));
    assert_true(json_bool(json_get(json_get(port, "offloads"), "lro"), "is_fixed", false));
    assert_true(json_bool(f, "has_sudo", false) && json_bool(f, "is_complete", false));
    assert_int_equal(json_num(json_get(f, "failed"), "iperf3", 0), 127);
    cJSON_Delete(f);

    f = facts_of("busybox", NULL);
    assert_true(json_num(f, "clock_s", 0) == 1795263127.5);
    assert_true(json_num(f, "clock_resolution_s", 0) == 0.5);
    assert_string_equal(json_str(f, "distro", ""), "OpenWrt 23.05.5");
    assert_string_equal(json_str(cJSON_GetArrayItem(json_get(f, "links"), 2), "ifname", ""),
                        "lan1");
    const cJSON *route = cJSON_GetArrayItem(json_get(f, "routes"), 0);
    assert_string_equal(json_str(route, "dev", ""), "lan1");
    assert_string_equal(json_str(route, "via", ""), "10.0.3.1");
    assert_null(json_get(f, "qdiscs"));
    cJSON_Delete(f);
}

/* --- hosts that are not ------------------------------------------------------------------------
 */

static void test_stock_debian(void **state)
{
    struct checks_want w = want(CHECKS_CLIENT);
    (void)state;
    cJSON *c = judge("debian12", NULL, &w);
    expect_words(c, "kernel", FAIL, "6.1.0-28-amd64", "--install-kernel");
    expect_words(c, "cc", FAIL, "no prague", "--install-kernel");
    expect_words(c, "cc allowed", FAIL, "uid 1000",
                 "sudo sysctl -w net.ipv4.tcp_allowed_congestion_control='reno cubic prague'");
    expect_words(c, "tcp_ecn", FAIL, "tcp_ecn = 2", "--install-kernel");
    expect(c, "accecn", FAIL);
    expect_words(c, "offloads", FAIL, "tso, gso, gro on at enp3s0",
                 "sudo ethtool -K enp3s0 tso off gso off gro off");
    expect_words(c, "pacing", FAIL, "fq_codel on enp3s0", "tc qdisc replace dev enp3s0 root fq");
    expect_words(c, "tcp_metrics", FAIL, "1 entry, of 10.0.3.2", "sudo ip tcp_metrics flush");
    expect_words(c, "root", FAIL, "sudo -n is refused", "sudoers");
    expect(c, "iperf3", PASS);
    expect(c, "buffers", PASS);
    expect(c, "netem", PASS);
    /* What --fix may do says so, and how. */
    const cJSON *action = json_get(find(c, "offloads"), "action");
    assert_true(json_bool(find(c, "offloads"), "is_fix_safe", false));
    assert_string_equal(json_str(action, "offload", ""), "enp3s0");
    assert_int_equal(cJSON_GetArraySize(json_get(action, "features")), 3);
    assert_string_equal(json_str(json_get(find(c, "pacing"), "action"), "spec", ""), "fq");
    assert_false(json_bool(find(c, "kernel"), "is_fix_safe", true));
    assert_null(json_get(find(c, "kernel"), "action"));
    cJSON_Delete(c);

    /* As client Y it is nearly ready: a classic sender needs none of that. */
    w.ccs = cubic;
    c = judge("debian12", NULL, &w);
    expect(c, "kernel", NONE);
    expect(c, "cc", PASS);
    expect(c, "tcp_ecn", NONE);
    expect(c, "pacing", NONE);
    expect(c, "offloads", FAIL);
    cJSON_Delete(c);
}

static void test_wrong_kernel_booted(void **state)
{
    const char *const edits[] = {" 5.15.72-56eae305c-prague-91\n", " 5.15.0-91-generic\n", NULL};
    struct checks_want w = want(CHECKS_CLIENT);
    (void)state;
    cJSON *c = judge("l4steam_client", edits, &w);
    expect_words(c, "kernel", FAIL, "5.15.0-91-generic runs, although 5.15.72-56eae305c-prague-91",
                 "--install-kernel 5.15.72-56eae305c-prague-91");
    cJSON_Delete(c);
}

/* One edit to a ready host, one check that must notice. */
static void test_one_thing_wrong(void **state)
{
    struct checks_want client = want(CHECKS_CLIENT), router = want(CHECKS_ROUTER),
                       server = want(CHECKS_SERVER);
    (void)state;
    const struct {
        const char *host;
        const struct checks_want *want;
        const char *edit[2];
        const char *check, *verdict, *seen, *fix;
    } cases[] = {
        {"l4steam_client",
         &client,
         {"tcp_ecn=3", "tcp_ecn=1"},
         "tcp_ecn",
         FAIL,
         "= 1",
         "tcp_ecn=3"},
        {"l4steam_client",
         &client,
         {"=reno cubic prague", "=reno cubic"},
         "cc",
         FAIL,
         "no prague",
         "sudo modprobe tcp_prague"},
        {"l4steam_client",
         &server,
         {"0016\n", "0016\n 1452\n"},
         "port",
         FAIL,
         "5202 is taken",
         "fuser"},
        {"l4steam_client",
         &client,
         {"iperf 3.17.1", "iperf 3.0.11"},
         "iperf3",
         FAIL,
         "3.0.11",
         NULL},
        {"l4steam_client",
         &client,
         {"@iperf3 0", "@iperf3 127"},
         "iperf3",
         FAIL,
         "not installed",
         "apt-get"},
        {"l4steam_client", &client, {"43878228", "120000"}, "disk", FAIL, "home", NULL},
        {"l4steam_client",
         &client,
         {"\t4194304", "\t212992"},
         "buffers",
         FAIL,
         "212992",
         "tcp_wmem='4096 16384 250000'"},
        {"l4steam_client",
         &client,
         {"\"dev\":\"ens33\",\"prefsrc\"", "\"dev\":\"wlp8s0\",\"prefsrc\""},
         "egress",
         FAIL,
         "Wi-Fi",
         NULL},
        {"l4steam_client",
         &client,
         {"\"dev\":\"ens33\",\"prefsrc\"", "\"dev\":\"lo\",\"prefsrc\""},
         "egress",
         FAIL,
         "this host itself",
         NULL},
        {"l4steam_client",
         &client,
         {"@route 10.0.3.2 0", "@route 10.0.3.9 0"},
         "egress",
         UNKNOWN,
         "does not answer",
         NULL},
        {"l4steam_client",
         &client,
         {"\"kind\":\"fq\"", "\"kind\":\"netem\""},
         "netem",
         FAIL,
         "netem on ens33",
         NULL},
        {"l4steam_client",
         &client,
         {"@offload ens33 0", "@offload ens33 127"},
         "offloads",
         UNKNOWN,
         "ethtool",
         "apt-get install -y ethtool"},
        {"l4steam_client", &client, {"@uid 0", "@uid 1"}, "root", UNKNOWN, NULL, NULL},
        {"l4steam_client", &client, {"@end 0", "@e"}, "survey", UNKNOWN, "breaks off", NULL},
        {"l4steam_router",
         &router,
         {"ip_forward=1", "ip_forward=0"},
         "ip_forward",
         FAIL,
         "= 0",
         "sysctl -w net.ipv4.ip_forward=1"},
        {"l4steam_router",
         &router,
         {"[coupling_factor NUMBER]", "[min_qlen_step PACKETS]"},
         "tc",
         FAIL,
         "not that of 5.15.72",
         "L4STeam/iproute2"},
        {"l4steam_router",
         &router,
         {" Usage: ... dualpi2", " Unknown qdisc \"dualpi2\""},
         "tc",
         FAIL,
         "does not know",
         NULL},
        {"l4steam_router",
         &router,
         {"rate 50Mbit ceil 50Mbit", "rate 1Gbit ceil 1Gbit"},
         "rate",
         FAIL,
         "1000 Mbit/s",
         "classid 1:10 htb rate 50000kbit"},
        {"l4steam_router", &router, {"rate 50Mbit ceil 50Mbit", ""}, "rate", UNKNOWN, "htb", NULL},
        {"l4steam_router",
         &router,
         {" qdisc dualpi2 10: dev eth2", " qdisc dualpi2 10: dev eth0"},
         "aqm",
         FAIL,
         "is on eth0, but data leaves by eth2, where htb waits",
         "tc qdisc replace dev eth2"},
        {"l4steam_router",
         &router,
         {"qdisc htb 1: dev eth2", "qdisc prio 1: dev eth2"},
         "aqm",
         FAIL,
         "no shaper above it: no queue, no CE marks",
         "htb rate 50000kbit"},
        {"l4steam_router",
         &router,
         {"split_gso classic_protection 10%\n", "classic_protection 10%\n"},
         "offloads",
         FAIL,
         "tso, gso, gro on at eth2",
         NULL},
        {"mainline_router", &router, {"sch_dualpi2\n", ""}, "module", PASS, "in use", NULL},
        {"mainline_router",
         &router,
         {"\"rate\":6250000", "\"rate\":12500000"},
         "rate",
         FAIL,
         "100 Mbit/s",
         NULL},
        {"mainline_router",
         &router,
         {"min_qlen_step", "something"},
         "tc",
         FAIL,
         "the L4STeam dualpi2, which is not that of 6.18.3",
         "kernel.org"},
        {"mainline_router",
         &router,
         {"\"parent\":\"1:1\"", "\"root\":true"},
         "aqm",
         FAIL,
         "with no shaper above it",
         NULL},
        {"mainline_router",
         &router,
         {"\"BROADCAST\",\"MULTICAST\",\"UP\"", "\"BROADCAST\""},
         "links",
         PASS,
         "eth1",
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *edits[3] = {cases[i].edit[0], cases[i].edit[1]};
        cJSON *c = judge(cases[i].host, edits, cases[i].want);
        const cJSON *k = find(c, cases[i].check);
        if (strcmp(json_str(k, "verdict", NONE), cases[i].verdict) != 0)
            fail_msg("'%s' to '%s': %s is %s (%s)", cases[i].edit[0], cases[i].edit[1],
                     cases[i].check, json_str(k, "verdict", NONE), json_str(k, "seen", ""));
        expect_words(c, cases[i].check, cases[i].verdict, cases[i].seen, cases[i].fix);
        cJSON_Delete(c);
    }
}

static void test_root_dualpi2(void **state)
{
    struct checks_want w = want(CHECKS_ROUTER);
    const char *const at_root[] = {"\"parent\":\"1:1\"", "\"root\":true", "\"kind\":\"tbf\"",
                                   "\"kind\":\"noqueue\"", NULL};
    (void)state;
    cJSON *c = judge("mainline_router", at_root, &w);
    const cJSON *k = find(c, "aqm");
    expect(c, "aqm", FAIL);
    assert_true(json_bool(k, "is_fix_safe", false));
    assert_string_equal(json_str(json_get(k, "action"), "qdisc", ""), "eth2");
    assert_string_equal(json_str(json_get(k, "action"), "spec", ""), "dualpi2");
    assert_string_equal(json_str(json_get(k, "action"), "rate", ""), "50000kbit");
    cJSON_Delete(c);
    /* The cable itself may be the bottleneck: then nothing else has to hold packets back. */
    w.rate_bps = 1e9;
    c = judge("mainline_router", at_root, &w);
    expect_words(c, "aqm", PASS, "whose cable is the bottleneck", NULL);
    cJSON_Delete(c);
    /* Without the rate of the lab nobody can repair it by itself. */
    w.rate_bps = 0;
    c = judge("mainline_router", at_root, &w);
    expect(c, "aqm", FAIL);
    assert_false(json_bool(find(c, "aqm"), "is_fix_safe", true));
    cJSON_Delete(c);
}

static void test_ecn_fits_the_cc(void **state)
{
    static const char *const bpf[] = {"bpf_prague"};
    struct checks_want w = want(CHECKS_CLIENT);
    (void)state;
    w.ccs = bpf;
    const struct {
        const char *value, *verdict;
    } cases[] = {
        {"tcp_ecn=0", FAIL}, {"tcp_ecn=1", PASS}, {"tcp_ecn=2", FAIL}, {"tcp_ecn=3", PASS}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const edits[] = {"tcp_ecn=3", cases[i].value, NULL};
        cJSON *c = judge("l4steam_client", edits, &w);
        expect_words(c, "tcp_ecn", cases[i].verdict, NULL,
                     cases[i].verdict[0] == 'f' ? "tcp_ecn=1" : NULL);
        expect(c, "accecn", NONE);
        cJSON_Delete(c);
    }
    w = want(CHECKS_CLIENT);
    const char *const off[] = {"tcp_ecn=3", "tcp_ecn=3\n net/ipv4/tcp_ecn_option=0", NULL};
    cJSON *c = judge("l4steam_client", off, &w);
    expect_words(c, "accecn", FAIL, "switched off", "tcp_ecn_option=2");
    cJSON_Delete(c);
}

static void test_clock(void **state)
{
    struct checks_want w = want(CHECKS_CLIENT);
    (void)state;
    const struct {
        double offset, error;
        const char *verdict;
    } cases[] = {{0, 0.01, PASS},    {-0.04, 0.005, PASS},  {0.2, 0.01, FAIL},
                 {-3600, 0.5, FAIL}, {0.04, 0.02, UNKNOWN}, {0, 0.5, UNKNOWN},
                 {NAN, NAN, UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w.clock_offset_s = cases[i].offset;
        w.clock_error_s = cases[i].error;
        cJSON *c = judge("l4steam_client", NULL, &w);
        expect(c, "clock", cases[i].verdict);
        cJSON_Delete(c);
    }
}

static void test_poor_host_cannot_tell(void **state)
{
    struct checks_want w = want(CHECKS_ROUTER);
    (void)state;
    cJSON *c = judge("busybox", NULL, &w);
    expect(c, "module", UNKNOWN);
    expect(c, "aqm", UNKNOWN);
    expect(c, "netem", UNKNOWN);
    expect(c, "offloads", UNKNOWN);
    expect(c, "kernel", FAIL);
    expect(c, "links", PASS);
    expect_words(c, "egress", PASS, "by lan1", NULL);
    expect_words(c, "tc", FAIL, "no tc", NULL);
    expect_words(c, "disk", FAIL, "3 MiB", NULL);
    cJSON_Delete(c);
}

static void test_a_machine_alone(void **state)
{
    struct checks_want w = want(CHECKS_ALL);
    (void)state;
    w.nto = 0;
    cJSON *c = judge("debian12", NULL, &w);
    expect(c, "egress", NONE);
    expect_words(c, "aqm", FAIL, "fq_codel on enp3s0", NULL);
    assert_false(json_bool(find(c, "aqm"), "is_fix_safe", true)); /* nobody says which port */
    expect_words(c, "tcp_metrics", FAIL, "2 entries", NULL);
    cJSON_Delete(c);
}

/* --- hostile text ------------------------------------------------------------------------------
 */

static void test_truncated_anywhere(void **state)
{
    struct checks_want w = want(CHECKS_ALL);
    (void)state;
    char *text = recorded("l4steam_router", NULL);
    size_t len = strlen(text);
    for (size_t n = 0; n + sizeof "@end 0" < len; n += 7) {
        cJSON *facts;
        if (survey_parse(text, n, &facts, NULL) != STATUS_OK) {
            assert_null(facts);
            assert_true(n < 200);
            continue;
        }
        assert_false(json_bool(facts, "is_complete", true));
        cJSON *checks = checks_judge(facts, &w);
        expect(checks, "survey", UNKNOWN);
        cJSON_Delete(checks);
        cJSON_Delete(facts);
    }
    free(text);
}

static void test_no_survey(void **state)
{
    static const char *const texts[] = {"",          "Welcome!\n", "@kernel 1\n x\n",
                                        "{\"a\":1}", "@kernel 0",  "\0\0\0\0"};
    struct error e;
    cJSON *facts;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        enum status st = survey_parse(texts[i], strlen(texts[i]), &facts, &e);
        if (i == 4) { /* a kernel without a name: a survey all the same */
            assert_int_equal(st, STATUS_OK);
            cJSON_Delete(facts);
        } else {
            assert_int_equal(st, STATUS_INPUT);
            assert_true(e.hint[0]);
        }
    }
}

/* Whatever a host says, no text of it reaches a terminal raw, or a command line at all. */
static void test_hostile_words(void **state)
{
    const char *const edits[] = {" 5.15.72-56eae305c-prague-91\n",
                                 " 5.15\033]0;title\007-prague\n",
                                 "\"dev\":\"eth2\",\"prefsrc\"",
                                 "\"dev\":\"eth2; reboot\",\"prefsrc\"",
                                 "\"dev\":\"eth2\",\"flags\"",
                                 "\"dev\":\"$(reboot)\",\"flags\"",
                                 "@offload eth2 0",
                                 "@offload `reboot` 0",
                                 NULL};
    struct checks_want w = want(CHECKS_ROUTER);
    (void)state;
    cJSON *facts = facts_of("l4steam_router", edits), *checks = checks_judge(facts, &w);
    char *text = cJSON_Print(checks);
    assert_null(strchr(text, '\033'));
    assert_null(strstr(text, "\\u001b"));
    assert_null(strstr(text, "reboot"));
    expect_words(checks, "egress", FAIL, "no route to 10.0.3.2", NULL);
    assert_null(strstr(cJSON_GetStringValue(json_get(find(checks, "kernel"), "seen")), "\033"));
    cJSON_free(text);
    cJSON_Delete(checks);
    cJSON_Delete(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_hosts_pass),      cmocka_unit_test(test_facts),
        cmocka_unit_test(test_stock_debian),          cmocka_unit_test(test_wrong_kernel_booted),
        cmocka_unit_test(test_one_thing_wrong),       cmocka_unit_test(test_root_dualpi2),
        cmocka_unit_test(test_ecn_fits_the_cc),       cmocka_unit_test(test_clock),
        cmocka_unit_test(test_poor_host_cannot_tell), cmocka_unit_test(test_a_machine_alone),
        cmocka_unit_test(test_truncated_anywhere),    cmocka_unit_test(test_no_survey),
        cmocka_unit_test(test_hostile_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
