#include "testbed/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/netns.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "testbed/lab.h"

#define COMMAND_TIMEOUT_MS 10000

static enum status missing(struct error *err, const char *what, const char *hint)
{
    error_set(err, STATUS_UNAVAILABLE, "testbed", "%s", what);
    return err ? error_hint(err, "%s", hint) : STATUS_UNAVAILABLE;
}

enum status topology_check(struct error *err)
{
    if (geteuid() != 0)
        return missing(err, "the virtual lab needs root, for its network namespaces",
                       "run ccalab with sudo");
    if (!paths_which("ip", NULL, 0))
        return missing(err, "the command ip was not found", "install the package iproute2");
    if (!paths_which("nft", NULL, 0))
        return missing(err, "the command nft was not found", "install the package nftables");
    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        error_sys(err, STATUS_UNAVAILABLE, errno, "testbed", "cannot use /dev/net/tun");
        return err ? error_hint(err, "load the kernel module tun (modprobe tun); in a container, "
                                     "pass the device in")
                   : STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

/* --- ip(8) and nft(8) ------------------------------------------------------------------------- */

/* Run `ip [-n netns] -batch -`. `step` names what the batch is for. */
static enum status ip_batch(const char *netns, const char *batch, const char *step,
                            struct error *err)
{
    const char *const inside[] = {"ip", "-n", netns, "-batch", "-", NULL};
    const char *const here[] = {"ip", "-batch", "-", NULL};
    struct error e = {0};
    enum status st = spawn_run(netns ? inside : here, NULL, batch, NULL, COMMAND_TIMEOUT_MS, &e);
    if (st != STATUS_OK) {
        error_set(err, st, "testbed", "%s: %.400s", step, e.message);
        if (err)
            error_hint(err, "%s", e.hint);
    }
    return st;
}

/* The congestion control marks its sockets (bpf/prague.bpf.c); their ECT(0) becomes ECT(1), which
 * no TCP socket can set by itself (docs/testbed.md). Other flows' ECT(0) stays what it is. */
static const char ect1_rule[] = "table ip l4s {\n"
                                "  chain out {\n"
                                "    type filter hook postrouting priority mangle; policy accept;\n"
                                "    meta mark 0x4c34 ip ecn ect0 counter ip ecn set ect1;\n"
                                "  }\n"
                                "}\n";

static enum status add_ect1_rule(const char *netns_path, struct error *err)
{
    const char *const argv[] = {"nft", "-f", "-", NULL};
    struct error e = {0};
    enum status st = spawn_run(argv, netns_path, ect1_rule, NULL, COMMAND_TIMEOUT_MS, &e);
    if (st != STATUS_OK) {
        error_set(err, st, "testbed", "the ECT(1) rule: %.400s", e.message);
        if (err)
            error_hint(err, "the kernel needs nf_tables (CONFIG_NF_TABLES_IPV4)");
    }
    return st;
}

/* --- sysctl ----------------------------------------------------------------------------------- */

struct setting {
    const char *path; /* below /proc/sys/net/ */
    const char *value;
    bool is_optional; /* a kernel may be built without it */
};

/* Every host: no IPv6 chatter in the captures, and nothing remembered from run to run. Hosts that
 * end connections: ECN on both sides, and windows that are never the limit. */
static const struct setting all_settings[] = {
    {"ipv6/conf/all/disable_ipv6", "1", true},
    {"ipv6/conf/default/disable_ipv6", "1", true},
    {"ipv4/tcp_no_metrics_save", "1", false},
    {"ipv4/tcp_ecn", "1", false},
    {"ipv4/tcp_rmem", "4096 131072 16777216", false},
    {"ipv4/tcp_wmem", "4096 65536 16777216", false},
    {NULL, NULL, false},
};

/* What leaves by bn0 comes back by bn1 with the same source address: reverse path filters would
 * drop it. The kernel takes the stricter of all and the device. */
static const struct setting router_settings[] = {
    {"ipv4/ip_forward", "1", false},
    {"ipv4/conf/all/rp_filter", "0", false},
    {"ipv4/conf/default/rp_filter", "0", false},
    {"ipv4/conf/all/send_redirects", "0", false},
    {"ipv4/conf/default/send_redirects", "0", false},
    {NULL, NULL, false},
};

static enum status write_settings(const struct setting *s, const char *netns, struct error *err)
{
    for (; s->path; s++) {
        char path[128];
        snprintf(path, sizeof path, "/proc/sys/net/%s", s->path);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && s->is_optional && errno == ENOENT)
            continue;
        ssize_t n = fd < 0 ? -1 : write(fd, s->value, strlen(s->value));
        int saved = errno;
        if (fd >= 0)
            close(fd);
        if (n < 0)
            return error_sys(err, STATUS_HOST, saved, "testbed", "cannot set %s in %s", path,
                             netns);
    }
    return STATUS_OK;
}

/* /proc/sys/net is that of the thread's namespace: go there, write, come back. */
static enum status configure(const char *netns, bool is_router, struct error *err)
{
    int home;
    enum status st = netns_enter(netns, &home, err), left;
    if (st != STATUS_OK)
        return st;
    st = write_settings(all_settings, netns, err);
    if (st == STATUS_OK && is_router)
        st = write_settings(router_settings, netns, err);
    left = netns_leave(&home, err);
    return left == STATUS_OK ? st : left;
}

/* --- building --------------------------------------------------------------------------------- */

enum status topology_add_hosts(const char *lab, struct error *err)
{
    struct buf batch;
    buf_init(&batch, 4096);
    for (enum lab_host h = 0; h < LAB_HOSTS; h++)
        buf_printf(&batch, "netns add %s-%s\n", lab, lab_host_name(h));
    enum status st = ip_batch(NULL, batch.data, "namespaces", err);
    buf_done(&batch);
    for (enum lab_host h = 0; st == STATUS_OK && h < LAB_HOSTS; h++) {
        char path[LAB_PATH_MAX];
        lab_netns_path(lab, h, path, sizeof path);
        st = configure(path, h == LAB_ROUTER, err);
    }
    return st;
}

/* Each leaf's cable: its device in the router and the network's first three octets. */
static const struct {
    enum lab_host host;
    const char *router_if, *net;
} cables[] = {
    {LAB_CLIENT_X, "ethx", "10.98.1"},
    {LAB_CLIENT_Y, "ethy", "10.98.2"},
    {LAB_SERVER, "eths", "10.98.3"},
};

enum status topology_add_links(const char *lab, struct error *err)
{
    char ns[64], path[LAB_PATH_MAX], text[256];
    struct buf batch;
    buf_init(&batch, 4096);
    /* From inside the router, where no eth0 of the machine is in the way of the peers' names.
     * noprefixroute: the way to the server is through the bottleneck, see topology_add_routes(). */
    buf_puts(&batch, "link set lo up\n");
    for (size_t i = 0; i < sizeof cables / sizeof *cables; i++) {
        lab_netns_name(lab, cables[i].host, ns, sizeof ns);
        buf_printf(&batch, "link add %s type veth peer name eth0 netns %s\n", cables[i].router_if,
                   ns);
        buf_printf(&batch, "addr add %s.1/24 dev %s%s\n", cables[i].net, cables[i].router_if,
                   cables[i].host == LAB_SERVER ? " noprefixroute" : "");
        buf_printf(&batch, "link set %s up\n", cables[i].router_if);
    }
    lab_netns_name(lab, LAB_ROUTER, ns, sizeof ns);
    enum status st = ip_batch(ns, batch.data, "router", err);
    buf_done(&batch);
    for (size_t i = 0; st == STATUS_OK && i < sizeof cables / sizeof *cables; i++) {
        snprintf(text, sizeof text,
                 "link set lo up\naddr add %s.2/24 dev eth0\nlink set eth0 up\n"
                 "route add default via %s.1\n",
                 cables[i].net, cables[i].net);
        lab_netns_name(lab, cables[i].host, ns, sizeof ns);
        st = ip_batch(ns, text, lab_host_name(cables[i].host), err);
        lab_netns_path(lab, cables[i].host, path, sizeof path);
        if (st == STATUS_OK)
            st = add_ect1_rule(path, err);
    }
    return st;
}

/* Towards the server: main table -> bn0 == ccalab-link ==> bn1 -> table 100 -> eths. Back: eths ->
 * table 101 -> bn1 == ccalab-link ==> bn0 -> main table -> ethx or ethy. What the router itself
 * says to the server (iif lo) takes no detour. The queue is that of ccalab-link, never the
 * device's: hence its length. */
static const char routes[] = "link set " TOPOLOGY_TUN_A " txqueuelen 10000 up\n"
                             "link set " TOPOLOGY_TUN_B " txqueuelen 10000 up\n"
                             "route add 10.98.3.0/24 dev " TOPOLOGY_TUN_A "\n"
                             "route add 10.98.3.0/24 dev eths table 100\n"
                             "route add 10.98.1.0/24 dev " TOPOLOGY_TUN_B " table 101\n"
                             "route add 10.98.2.0/24 dev " TOPOLOGY_TUN_B " table 101\n"
                             "rule add priority 100 iif " TOPOLOGY_TUN_B " lookup 100\n"
                             "rule add priority 101 iif lo lookup 100\n"
                             "rule add priority 102 iif eths lookup 101\n";

enum status topology_add_routes(const char *lab, struct error *err)
{
    char ns[64];
    lab_netns_name(lab, LAB_ROUTER, ns, sizeof ns);
    return ip_batch(ns, routes, "routes of the router", err);
}
