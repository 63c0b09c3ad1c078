#include "testbed/options.h"

#include <stdio.h>
#include <string.h>

#include "core/units.h"
#include "testbed/lab.h"
#include "testbed/link/aqm_spec.h"

#define RTT_MAX_US      10000000u
#define INTERVAL_MAX_US 60000000u
#define PID_MAX         4194304u /* PID_MAX_LIMIT of the kernel */

const char testbed_usage[] =
    "usage: ccalab testbed up     [--name NAME] [--rate RATE] [--rtt TIME] [--aqm AQM]\n"
    "                             [--burst TIME] [--topology FILE] [--ports KIND]\n"
    "                             [--sshd]\n"
    "       ccalab testbed status [--name NAME] [--json]\n"
    "       ccalab testbed set    [--name NAME] [--router R] [--down | --up] KEY=VALUE...\n"
    "       ccalab testbed get    [--name NAME] [--router R] [--json]\n"
    "       ccalab testbed shell  [--name NAME] HOST [-- COMMAND...]\n"
    "       ccalab testbed down   [--name NAME | --all]\n"
    "       ccalab testbed keep   [flags of up] [--interval TIME] [--owner PID]\n"
    "       ccalab testbed doctor [--json] [--quick]\n"
    "       ccalab testbed bench  [--json] [--seconds N] [--only PART] [--name NAME]\n"
    "\n"
    "The virtual lab: client_x, client_y, router and server (or what a topology describes) as\n"
    "network namespaces of this machine, with ccalab-link as the bottleneck inside each router.\n"
    "Needs root, or user namespaces: then without BPF Prague and SCHED_FIFO.\n"
    "\n"
    "  up      build it and leave it running in the background\n"
    "  status  say what runs\n"
    "  set     change a bottleneck while it runs: rate=25mbit delay=5ms jitter=1ms loss=0.01\n"
    "          aqm='codel ecn' path.client_x=5ms\n"
    "  get     say what a bottleneck does now\n"
    "  shell   a shell, or a command, on a host of the lab\n"
    "  doctor  is this machine fit to be a laboratory?\n"
    "  bench   what the bottleneck can do here: rate, exactness, cost; three minutes\n"
    "  down    end it and remove everything of it, also what a killed lab has left\n"
    "  keep    build it and stay in the foreground with an event stream on stdout, until\n"
    "          SIGTERM, SIGINT or the end of the owner; then remove everything\n"
    "\n"
    "  --name NAME      of the lab, [a-z0-9][a-z0-9-]{0,15} (ccalab)\n"
    "  --rate RATE      of the bottleneck, both ways: 50mbit, 1gbit, 800kbit (50mbit)\n"
    "  --rtt TIME       base round trip time: 20ms, 1500us (20ms)\n"
    "  --aqm AQM        with its options in tc's words: dualpi2, 'codel target 5ms ecn' (dualpi2)\n"
    "  --burst TIME     the bottleneck sends only so often, then all that its rate allows: 4ms "
    "(0)\n"
    "  --topology FILE  hosts and routers as JSON (docs/testbed.md), or the JSON text itself;\n"
    "                   --rate, --rtt, --aqm and --burst are then for the routers that do\n"
    "                   not say\n"
    "  --ports KIND     of the bottleneck: tun, packet (needs no /dev/net/tun), auto (auto)\n"
    "  --sshd           an OpenSSH server on every host; needs root\n"
    "  --interval TIME  between samples of the bottleneck, 0 for none (100ms)\n"
    "  --owner PID      end when this process ends, however it does\n"
    "  --router R       which bottleneck, by its router's name (the first)\n"
    "  --down, --up     only the direction towards the servers, or back\n";

static enum status usage(struct error *err, const char *fmt, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, fmt, what);
    error_set(err, STATUS_USAGE, "testbed", "%s", text);
    return err ? error_hint(err, "see ccalab testbed --help") : STATUS_USAGE;
}

enum flag {
    FLAG_NAME,
    FLAG_RATE,
    FLAG_RTT,
    FLAG_AQM,
    FLAG_BURST,
    FLAG_TOPOLOGY,
    FLAG_PORTS,
    FLAG_SSHD,
    FLAG_INTERVAL,
    FLAG_OWNER,
    FLAG_ROUTER,
    FLAG_DOWN,
    FLAG_UP,
    FLAG_JSON,
    FLAG_ALL
};

#define BIT(f) (1u << (f))

static const struct {
    const char *name;
    bool has_value;
} flags[] = {
    [FLAG_NAME] = {"--name", true},
    [FLAG_RATE] = {"--rate", true},
    [FLAG_RTT] = {"--rtt", true},
    [FLAG_AQM] = {"--aqm", true},
    [FLAG_BURST] = {"--burst", true},
    [FLAG_TOPOLOGY] = {"--topology", true},
    [FLAG_PORTS] = {"--ports", true},
    [FLAG_SSHD] = {"--sshd", false},
    [FLAG_INTERVAL] = {"--interval", true},
    [FLAG_OWNER] = {"--owner", true},
    [FLAG_ROUTER] = {"--router", true},
    [FLAG_DOWN] = {"--down", false},
    [FLAG_UP] = {"--up", false},
    [FLAG_JSON] = {"--json", false},
    [FLAG_ALL] = {"--all", false},
};

#define UP_FLAGS                                                                                   \
    (BIT(FLAG_NAME) | BIT(FLAG_RATE) | BIT(FLAG_RTT) | BIT(FLAG_AQM) | BIT(FLAG_BURST) |           \
     BIT(FLAG_TOPOLOGY) | BIT(FLAG_PORTS) | BIT(FLAG_SSHD))

static const struct {
    const char *name;
    unsigned flags;
} verbs[] = {
    [TESTBED_UP] = {"up", UP_FLAGS},
    [TESTBED_STATUS] = {"status", BIT(FLAG_NAME) | BIT(FLAG_JSON)},
    [TESTBED_DOWN] = {"down", BIT(FLAG_NAME) | BIT(FLAG_ALL)},
    [TESTBED_KEEP] = {"keep", UP_FLAGS | BIT(FLAG_INTERVAL) | BIT(FLAG_OWNER)},
    [TESTBED_SET] = {"set", BIT(FLAG_NAME) | BIT(FLAG_ROUTER) | BIT(FLAG_DOWN) | BIT(FLAG_UP)},
    [TESTBED_GET] = {"get", BIT(FLAG_NAME) | BIT(FLAG_ROUTER) | BIT(FLAG_JSON)},
    [TESTBED_SHELL] = {"shell", BIT(FLAG_NAME)},
    [TESTBED_DIAL] = {"dial", BIT(FLAG_NAME)},
    [TESTBED_TC] = {"tc", 0},
    [TESTBED_COOKIE] = {"cookie", 0},
    [TESTBED_HELP] = {"help", 0},
};

/* What the parser collects on the way. */
struct parse {
    struct testbed_options *o;
    struct topology_router router; /* what --rate, --rtt, --aqm and --burst say */
    const char *topology;          /* NULL: none */
};

static enum status take(struct parse *p, enum flag flag, const char *value, struct error *err)
{
    struct testbed_options *o = p->o;
    uint64_t n = 0;
    enum status st = STATUS_OK;
    switch (flag) {
    case FLAG_NAME:
        if (!lab_name_is_valid(value))
            return usage(err, "'%.40s' is no name for a lab: use [a-z0-9][a-z0-9-]{0,15}", value);
        o->name = value;
        o->has_name = true;
        break;
    case FLAG_RATE:
        st = parse_rate_bps(value, &p->router.rate_bps, err);
        p->router.up_rate_bps = p->router.rate_bps;
        break;
    case FLAG_RTT:
        st = parse_time_us(value, &n, err);
        if (st == STATUS_OK && n > RTT_MAX_US)
            return usage(err, "a round trip time of '%.40s' is too long: at most 10s", value);
        p->router.rtt_us = (uint32_t)n;
        break;
    case FLAG_AQM:
        if (strlen(value) >= sizeof p->router.aqm)
            return usage(err, "the AQM '%.40s...' is too long", value);
        st = aqm_spec_check(value, err);
        snprintf(p->router.aqm, sizeof p->router.aqm, "%s", value);
        break;
    case FLAG_BURST:
        st = link_options_burst(value, &n, err);
        p->router.burst_us = (uint32_t)n;
        break;
    case FLAG_TOPOLOGY:
        p->topology = value;
        break;
    case FLAG_PORTS:
        st = link_options_ports(value, &o->ports, err);
        break;
    case FLAG_SSHD:
        o->has_sshd = true;
        break;
    case FLAG_INTERVAL:
        st = parse_time_us(value, &n, err);
        if (st == STATUS_OK && n > INTERVAL_MAX_US)
            return usage(err, "an interval of '%.40s' is too long: at most 60s", value);
        o->interval_us = (uint32_t)n;
        break;
    case FLAG_OWNER:
        st = parse_count(value, "--owner", 1, PID_MAX, &n, err);
        o->owner = (pid_t)n;
        break;
    case FLAG_ROUTER:
        o->router = value;
        break;
    case FLAG_DOWN:
        o->is_down = true;
        break;
    case FLAG_UP:
        o->is_up = true;
        break;
    case FLAG_JSON:
        o->is_json = true;
        break;
    case FLAG_ALL:
        o->is_all = true;
        break;
    }
    return st;
}

/* What is no flag. Sets *is_rest where everything from here on belongs to the command. */
static enum status take_word(struct testbed_options *o, int argc, char *const argv[], int i,
                             bool *is_rest, struct error *err)
{
    if (o->verb == TESTBED_SET && argv[i][0] != '-' && strchr(argv[i], '=')) {
        if (o->nassignments == TESTBED_ASSIGNMENTS_MAX)
            return usage(err, "too many values at '%.40s'", argv[i]);
        o->assignments[o->nassignments++] = argv[i];
        return STATUS_OK;
    }
    if ((o->verb != TESTBED_SHELL && o->verb != TESTBED_DIAL) || argv[i][0] == '-')
        return usage(err, "'%.40s' is not understood here", argv[i]);
    o->host = argv[i++];
    if (o->verb == TESTBED_SHELL && i < argc && strcmp(argv[i], "--") != 0)
        return usage(err, "write -- before the command '%.40s'", argv[i]);
    i += o->verb == TESTBED_SHELL && i < argc;
    o->argv = argv + i;
    o->argc = argc - i;
    *is_rest = true;
    return STATUS_OK;
}

static enum status check(const struct testbed_options *o, struct error *err)
{
    if (o->is_all && o->has_name)
        return usage(err, "%s", "--name and --all exclude each other");
    if (o->is_down && o->is_up)
        return usage(err, "%s", "--down and --up exclude each other: both is what happens without");
    if (o->verb == TESTBED_SET && o->nassignments == 0)
        return usage(err, "%s", "what to set is missing: write rate=25mbit");
    if ((o->verb == TESTBED_SHELL || o->verb == TESTBED_DIAL) && !o->host)
        return usage(err, "%s", "the host is missing");
    if (o->verb == TESTBED_DIAL && o->argc != 1)
        return usage(err, "%s", "dial takes a host and a port");
    return STATUS_OK;
}

static enum status parse_flags(struct parse *p, int argc, char *const argv[], struct error *err)
{
    struct testbed_options *o = p->o;
    bool is_rest = false;
    for (int i = 2; i < argc && !is_rest; i++) {
        size_t len = strcspn(argv[i], "="), f = 0, nflags = sizeof flags / sizeof *flags;
        enum status st;
        while (f < nflags &&
               (strncmp(argv[i], flags[f].name, len) != 0 || flags[f].name[len] != '\0'))
            f++;
        if (f == nflags || !(verbs[o->verb].flags & BIT(f))) {
            st = take_word(o, argc, argv, i, &is_rest, err);
            if (st != STATUS_OK)
                return st;
            continue;
        }
        const char *value = argv[i][len] == '=' ? argv[i] + len + 1 : NULL;
        if (flags[f].has_value && !value && ++i < argc)
            value = argv[i];
        if (flags[f].has_value ? !value : value != NULL)
            return usage(err, flags[f].has_value ? "%s needs a value" : "%s takes no value",
                         flags[f].name);
        st = take(p, (enum flag)f, value, err);
        if (st != STATUS_OK)
            return st;
    }
    return check(o, err);
}

enum status testbed_options_parse(int argc, char *const argv[], struct testbed_options *o,
                                  struct error *err)
{
    struct parse p = {
        .o = o,
        .router = {
            .rate_bps = 50000000, .up_rate_bps = 50000000, .rtt_us = 20000, .aqm = "dualpi2"}};
    *o = (struct testbed_options){
        .verb = TESTBED_HELP, .name = LAB_NAME_DEFAULT, .interval_us = 100000};
    if (argc < 2)
        return usage(err, "%s is missing: up, status, set, get, shell, down or keep", "what to do");
    /* Asked for among flags that are wrong, too. Behind -- it is another command's, as is all of
     * tc. */
    for (int i = 1; i < argc && strcmp(argv[1], "tc") != 0 && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return STATUS_OK;
    size_t v = 0, nverbs = sizeof verbs / sizeof *verbs;
    while (v < nverbs && strcmp(argv[1], verbs[v].name) != 0)
        v++;
    if (v == nverbs)
        return usage(err,
                     "there is no 'testbed %.40s': use up, status, set, get, shell, down or "
                     "keep",
                     argv[1]);
    o->verb = (enum testbed_verb)v;
    if (o->verb == TESTBED_TC) { /* every word is tc's */
        o->argv = argv + 2;
        o->argc = argc - 2;
        return STATUS_OK;
    }
    enum status st = parse_flags(&p, argc, argv, err);
    if (st != STATUS_OK || (o->verb != TESTBED_UP && o->verb != TESTBED_KEEP))
        return st;
    if (p.topology)
        return topology_load(p.topology, &p.router, &o->topology, err);
    topology_default(&o->topology, &p.router);
    return STATUS_OK;
}
