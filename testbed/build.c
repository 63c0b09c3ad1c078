#include "testbed/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/netns.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "core/userns.h"
#include "testbed/link/aqm_spec.h"
#include "testbed/link/tun.h"

#define COMMAND_TIMEOUT_MS 10000
#define DESCRIPTORS        320
#define GSO_SEGMENTS_MAX   44 /* of 1448 bytes: the 64 KiB that GSO takes at most */

static enum status missing(struct error *err, const char *what, const char *hint)
{
    error_set(err, STATUS_UNAVAILABLE, "testbed", "%s", what);
    return err ? error_hint(err, "%s", hint) : STATUS_UNAVAILABLE;
}

/* The largest lab, of four routers and 64 hosts, keeps 231 open with an sshd on each, and 107
 * without but with a namespace of each. */
static enum status check_descriptors(struct error *err)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return STATUS_OK;
    if (r.rlim_cur < DESCRIPTORS && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    if (r.rlim_cur >= DESCRIPTORS)
        return STATUS_OK;
    error_set(err, STATUS_UNAVAILABLE, "testbed",
              "a process may open only %llu files here, the virtual lab needs %d",
              (unsigned long long)r.rlim_cur, DESCRIPTORS);
    return err ? error_hint(err, "raise the limit: ulimit -n 1024") : STATUS_UNAVAILABLE;
}

enum status build_check_tun(struct error *err)
{
    int sys_errno;
    if (tun_is_usable(&sys_errno))
        return STATUS_OK;
    if (sys_errno == 0)
        error_set(err, STATUS_UNAVAILABLE, "testbed", "/dev/net/tun is not the TUN device");
    else
        error_sys(err, STATUS_UNAVAILABLE, sys_errno, "testbed", "cannot use /dev/net/tun");
    return err ? error_hint(err, "load the kernel module tun (modprobe tun); in a container, pass "
                                 "the device in; or let the bottleneck do without: --ports packet")
               : STATUS_UNAVAILABLE;
}

/* Without root all depends on user namespaces. */
static enum status check_rights(struct error *err)
{
    struct error e = {0};
    if (paths_is_root() || userns_check(&e) == STATUS_OK)
        return STATUS_OK;
    error_set(err, STATUS_UNAVAILABLE, "testbed",
              "the virtual lab needs root, or user namespaces: %.400s", e.message);
    return err ? error_hint(err, "%s", e.hint) : STATUS_UNAVAILABLE;
}

enum status build_check(enum link_port_kind ports, struct error *err)
{
    enum status st = check_rights(err);
    if (st != STATUS_OK)
        return st;
    if (!paths_which("ip", NULL, 0))
        return missing(err, "the command ip was not found", "install the package iproute2");
    if (!paths_which("nft", NULL, 0))
        return missing(err, "the command nft was not found", "install the package nftables");
    st = ports == LINK_PORT_TUN ? build_check_tun(err) : STATUS_OK;
    return st == STATUS_OK ? check_descriptors(err) : st;
}

/* --- ip(8) and nft(8) ------------------------------------------------------------------------- */

/* Run `ip -batch -` in the namespace of that path (NULL: here). `step` names what it is for. */
static enum status ip_batch(const char *netns, const char *batch, const char *step,
                            struct error *err)
{
    const char *const argv[] = {"ip", "-batch", "-", NULL};
    struct error e = {0};
    enum status st = spawn_run(argv, netns, batch, NULL, COMMAND_TIMEOUT_MS, &e);
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
static enum status configure(const char *netns, bool is_router, uint64_t *cookie, struct error *err)
{
    int home;
    enum status st = netns_enter(netns, &home, err), left;
    if (st != STATUS_OK)
        return st;
    *cookie = netns_cookie();
    st = write_settings(all_settings, netns, err);
    if (st == STATUS_OK && is_router)
        st = write_settings(router_settings, netns, err);
    left = netns_leave(&home, err);
    return left == STATUS_OK ? st : left;
}

/* --- building --------------------------------------------------------------------------------- */

/* With names, for who may write in /run. */
static enum status add_named(const struct lab_state *s, struct error *err)
{
    struct buf batch;
    buf_init(&batch, 16384);
    for (int i = 0; i < topology_nodes(&s->topology); i++)
        buf_printf(&batch, "netns add %s-%s\n", s->name, topology_node(&s->topology, i).name);
    enum status st = ip_batch(NULL, batch.data, "namespaces", err);
    buf_done(&batch);
    if (st != STATUS_OK && err && strstr(err->message, "No space left on device"))
        error_hint(err, "this machine allows no more network namespaces: end other labs, or raise "
                        "/proc/sys/user/max_net_namespaces");
    if (st != STATUS_OK && err && strstr(err->message, "not permitted"))
        error_hint(err, "this root has not all of root's rights: in a container, add SYS_ADMIN and "
                        "NET_ADMIN, or start ccalab as an ordinary user");
    return st;
}

/* Without: kept by us, and linked to by their names. */
static enum status add_kept(const struct lab_state *s, int fds[TOPOLOGY_NODES_MAX],
                            struct error *err)
{
    char path[LAB_PATH_MAX], target[64];
    lab_path(s->name, "netns", path, sizeof path);
    enum status st = path_mkdirs(path, err);
    for (int i = 0; st == STATUS_OK && i < topology_nodes(&s->topology); i++) {
        st = netns_create(&fds[i], err);
        if (st != STATUS_OK)
            return st;
        lab_netns_path(s->name, topology_node(&s->topology, i).name, path, sizeof path);
        snprintf(target, sizeof target, "/proc/%d/fd/%d", (int)getpid(), fds[i]);
        if (symlink(target, path) != 0)
            st = error_sys(err, STATUS_IO, errno, "testbed", "cannot make %s", path);
    }
    lab_userns_path(s->name, path, sizeof path);
    snprintf(target, sizeof target, "/proc/%d/ns/user", (int)getpid());
    if (st == STATUS_OK && symlink(target, path) != 0)
        st = error_sys(err, STATUS_IO, errno, "testbed", "cannot make %s", path);
    return st;
}

enum status build_hosts(struct lab_state *s, int fds[TOPOLOGY_NODES_MAX], struct error *err)
{
    enum status st = paths_is_root() ? add_named(s, err) : add_kept(s, fds, err);
    for (int i = 0; st == STATUS_OK && i < topology_nodes(&s->topology); i++) {
        char path[LAB_PATH_MAX];
        struct stat is;
        uint64_t cookie = 0;
        struct topology_node n = topology_node(&s->topology, i);
        lab_netns_path(s->name, n.name, path, sizeof path);
        st = configure(path, n.role == TOPOLOGY_ROUTER, &cookie, err);
        if (fds[i] >= 0 && fstat(fds[i], &is) == 0)
            s->netns[i] = (struct lab_netns){is.st_dev, is.st_ino, cookie};
    }
    return st;
}

/* From inside the router, where no eth0 of the machine is in the way of the peers' names.
 * noprefixroute: the way to the servers is through the bottleneck, see build_routes(). */
static enum status cable_router(const char *lab, const struct topology *t, int router,
                                struct error *err)
{
    char ns[LAB_PATH_MAX], ifname[16];
    struct buf batch;
    buf_init(&batch, 32768);
    buf_puts(&batch, "link set lo up\n");
    for (int i = 0; i < t->nleaves; i++) {
        if (topology_router_of(t, i) != router)
            continue;
        lab_netns_path(lab, t->leaves[i].name, ns, sizeof ns);
        topology_ifname(t, i, ifname, sizeof ifname);
        buf_printf(&batch, "link add %s type veth peer name eth0 netns \"%s\"\n", ifname, ns);
        buf_printf(&batch, "addr add 10.98.%d.1/24 dev %s%s\n", i + 1, ifname,
                   t->leaves[i].role == TOPOLOGY_SERVER ? " noprefixroute" : "");
        buf_printf(&batch, "link set %s up\n", ifname);
    }
    if (router > 0)
        buf_printf(&batch, "addr add 10.98.%d.2/24 dev prev\nlink set prev up\n", 200 + router);
    if (router + 1 < t->nrouters) {
        lab_netns_path(lab, t->routers[router + 1].name, ns, sizeof ns);
        buf_printf(&batch, "link add next type veth peer name prev netns \"%s\"\n", ns);
        buf_printf(&batch, "addr add 10.98.%d.1/24 dev next noprefixroute\nlink set next up\n",
                   200 + router + 1);
    }
    lab_netns_path(lab, t->routers[router].name, ns, sizeof ns);
    enum status st = ip_batch(ns, batch.data, t->routers[router].name, err);
    buf_done(&batch);
    return st;
}

/* The burst limit of TCP Prague, for every sender: 250 us of the slowest bottleneck. The kernel
 * hands out 1 ms at once, and a congestion control cannot ask for less: in the L queue that is a
 * burst as long as the step threshold (measurements in docs/prague.md). */
static unsigned burst_segments(const struct topology *t)
{
    uint64_t slowest_bps = UINT64_MAX;
    /* HTB passes on what came to it in one piece in one piece. */
    for (int i = 0; i < t->nrouters; i++)
        if (aqm_spec_is_kernel(t->routers[i].aqm))
            return 1;
    for (int i = 0; i < t->nrouters; i++)
        if (t->routers[i].rate_bps > 0 && t->routers[i].rate_bps < slowest_bps)
            slowest_bps = t->routers[i].rate_bps;
    uint64_t segments = slowest_bps / 8 / 4000 / 1500;
    return segments < 1 ? 1 : segments > GSO_SEGMENTS_MAX ? GSO_SEGMENTS_MAX : (unsigned)segments;
}

enum status build_links(const char *lab, const struct topology *t, struct error *err)
{
    char path[LAB_PATH_MAX], text[256];
    enum status st = STATUS_OK;
    for (int i = 0; st == STATUS_OK && i < t->nrouters; i++)
        st = cable_router(lab, t, i, err);
    for (int i = 0; st == STATUS_OK && i < t->nleaves; i++) {
        snprintf(text, sizeof text,
                 "link set lo up\naddr add 10.98.%d.2/24 dev eth0\n"
                 "link set eth0 gso_max_segs %u up\nroute add default via 10.98.%d.1\n",
                 i + 1, burst_segments(t), i + 1);
        lab_netns_path(lab, t->leaves[i].name, path, sizeof path);
        st = ip_batch(path, text, t->leaves[i].name, err);
        if (st == STATUS_OK)
            st = add_ect1_rule(path, err);
    }
    return st;
}

const char *build_port_in(const struct topology_router *r)
{
    return aqm_spec_is_kernel(r->aqm) ? BUILD_TUN_B : BUILD_TUN_A;
}

const char *build_port_out(const struct topology_router *r)
{
    return aqm_spec_is_kernel(r->aqm) ? BUILD_TUN_A : BUILD_TUN_B;
}

/* Towards the servers: main table -> bn0 == ccalab-link ==> bn1 -> table 100 -> the cable. Back:
 * the cable -> table 101 -> bn1 == ccalab-link ==> bn0 -> main table -> the cable. What the router
 * itself says towards the servers (iif lo), and what servers say to each other, takes no detour.
 * The queue is that of ccalab-link, never the device's: hence its length. With a queue of the
 * kernel's bn0 and bn1 change places. */
static enum status route_router(const char *lab, const struct topology *t, int router,
                                struct error *err)
{
    char ns[LAB_PATH_MAX], ifname[16];
    const char *in = build_port_in(&t->routers[router]), *out = build_port_out(&t->routers[router]);
    bool is_first = router == 0, is_last = router == t->nrouters - 1;
    struct buf b;
    buf_init(&b, 65536);
    buf_printf(&b,
               "link set %s txqueuelen 10000 up\n"
               "link set %s txqueuelen 10000 up\n"
               "rule add priority 100 iif %s lookup 100\n"
               "rule add priority 101 iif lo lookup 100\n",
               in, out, out);
    for (int i = 0; i < t->nleaves; i++) {
        topology_ifname(t, i, ifname, sizeof ifname);
        if (t->leaves[i].role == TOPOLOGY_CLIENT) {
            buf_printf(&b, "route add 10.98.%d.0/24 dev %s table 101\n", i + 1, out);
            if (!is_first)
                buf_printf(&b, "route add 10.98.%d.0/24 via 10.98.%d.1 dev prev\n", i + 1,
                           200 + router);
            continue;
        }
        buf_printf(&b, "route add 10.98.%d.0/24 dev %s\n", i + 1, in);
        if (is_last)
            buf_printf(&b,
                       "route add 10.98.%d.0/24 dev %s table 100\n"
                       "rule add priority 102 iif %s lookup 101\n"
                       "rule add priority 103 iif %s lookup 100\n",
                       i + 1, ifname, ifname, ifname);
        else
            buf_printf(&b, "route add 10.98.%d.0/24 via 10.98.%d.2 dev next onlink table 100\n",
                       i + 1, 200 + router + 1);
    }
    /* The networks between the routers, so that each can be asked for (ping, traceroute). */
    for (int i = 0; i + 1 < t->nrouters; i++) {
        int net = 200 + i + 1;
        if (i >= router)
            buf_printf(&b, "route add 10.98.%d.0/24 dev %s\n", net, in);
        else
            buf_printf(&b, "route add 10.98.%d.0/24 dev %s table 101\n", net, out);
        if (i == router)
            buf_printf(&b, "route add 10.98.%d.0/24 dev next table 100\n", net);
        else if (i > router)
            buf_printf(&b, "route add 10.98.%d.0/24 via 10.98.%d.2 dev next onlink table 100\n",
                       net, 200 + router + 1);
        else if (i < router - 1)
            buf_printf(&b, "route add 10.98.%d.0/24 via 10.98.%d.1 dev prev\n", net, 200 + router);
    }
    if (!is_last)
        buf_puts(&b, "rule add priority 102 iif next lookup 101\n"
                     "rule add priority 103 iif next lookup 100\n");
    lab_netns_path(lab, t->routers[router].name, ns, sizeof ns);
    enum status st = ip_batch(ns, b.data, t->routers[router].name, err);
    buf_done(&b);
    return st;
}

enum status build_routes(const char *lab, const struct topology *t, struct error *err)
{
    enum status st = STATUS_OK;
    for (int i = 0; st == STATUS_OK && i < t->nrouters; i++)
        st = route_router(lab, t, i, err);
    return st;
}
