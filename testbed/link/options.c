#include "testbed/link/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "core/units.h"

#define LIMIT_PKTS_MAX  1000000u
#define LIMIT_BYTES_MAX (1ull << 40)

enum option_id {
    OPT_A = 1000,
    OPT_B,
    OPT_PORTS,
    OPT_RATE,
    OPT_UP_RATE,
    OPT_RATE_STEPS,
    OPT_RATE_TRACE,
    OPT_UP_RATE_TRACE,
    OPT_DELAY,
    OPT_JITTER,
    OPT_BURST,
    OPT_LOSS,
    OPT_PATH,
    OPT_AQM,
    OPT_LIMIT,
    OPT_LIMIT_BYTES,
    OPT_CONTROL,
    OPT_PACKET_LOG,
    OPT_TICK,
    OPT_INTERVAL,
    OPT_DURATION,
    OPT_SEED,
    OPT_NO_REALTIME,
};

static const struct option long_options[] = {
    {"a", required_argument, NULL, OPT_A},
    {"b", required_argument, NULL, OPT_B},
    {"ports", required_argument, NULL, OPT_PORTS},
    {"rate", required_argument, NULL, OPT_RATE},
    {"up-rate", required_argument, NULL, OPT_UP_RATE},
    {"rate-steps", required_argument, NULL, OPT_RATE_STEPS},
    {"rate-trace", required_argument, NULL, OPT_RATE_TRACE},
    {"up-rate-trace", required_argument, NULL, OPT_UP_RATE_TRACE},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"jitter", required_argument, NULL, OPT_JITTER},
    {"burst", required_argument, NULL, OPT_BURST},
    {"loss", required_argument, NULL, OPT_LOSS},
    {"path", required_argument, NULL, OPT_PATH},
    {"aqm", required_argument, NULL, OPT_AQM},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"limit-bytes", required_argument, NULL, OPT_LIMIT_BYTES},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"packet-log", required_argument, NULL, OPT_PACKET_LOG},
    {"tick", required_argument, NULL, OPT_TICK},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"seed", required_argument, NULL, OPT_SEED},
    {"no-realtime", no_argument, NULL, OPT_NO_REALTIME},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

void link_options_help(FILE *f)
{
    fputs(
        "usage: ccalab-link --a NETNS:IFNAME --b NETNS:IFNAME [options]\n"
        "\n"
        "An emulated bottleneck between two network namespaces: creates a device in each and\n"
        "passes packets on through AQM, serializer and fixed delay, each way. Direction \"down\" "
        "is\n"
        "from a to b, \"up\" from b to a. The devices vanish with the process. Addresses and "
        "routes\n"
        "are yours. Says what it does as events (JSON Lines) on standard output.\n"
        "\n"
        "  --a NETNS:IFNAME    near end: path of a network namespace (/run/netns/x; empty for\n"
        "                      the current one) and the name of the device to create in it\n"
        "  --b NETNS:IFNAME    far end\n"
        "  --ports KIND        what the devices are: tun, or packet (veth and packet sockets), "
        "which\n"
        "                      needs no /dev/net/tun; auto: tun where it can be had (default)\n"
        "  --rate RATE         50mbit, 1gbit, 500kbit, a number of bit/s, or unlimited;\n"
        "                      counts IP bytes (default 50mbit)\n"
        "  --up-rate RATE      rate of direction up, if it differs\n"
        "  --rate-steps LIST   0s:50mbit,5s:25mbit: from that time on this rate\n"
        "  --rate-trace FILE   a Mahimahi trace instead of a rate, over and over\n"
        "  --up-rate-trace FILE  the same for direction up, if it differs\n"
        "  --delay TIME        one way, after the serializer: 10ms, 500us (default 10ms)\n"
        "  --jitter TIME       added to or taken off the delay, uniformly; order is kept\n"
        "  --burst TIME        the link has its turn only so often, and then sends at once what "
        "its\n"
        "                      rate allows for that time: 4ms, up to 1s (default 0: all the time)\n"
        "  --loss P            probability that a packet is lost on the line: 0.01 or 1%\n"
        "  --path ADDRESS=TIME extra delay, each way, of packets from or to an address;\n"
        "                      may be given often\n"
        "  --aqm SPEC          AQM with its options in tc's words: \"codel target 5ms ecn\"\n"
        "                      (default dualpi2); see below. \"kernel:KIND ...\": that qdisc of "
        "the\n"
        "                      kernel, under its HTB, instead of our own\n"
        "  --limit N           packets queued at most, where the spec has no limit\n"
        "  --limit-bytes N     bytes queued at most, where the spec has no limit\n"
        "  --control PATH      listen on a Unix socket for changes while it runs\n"
        "  --packet-log FILE   a row of CSV for each packet: when, queue, sojourn time, mark, "
        "drop\n"
        "  --tick TIME         send what is due only so often, up to 10ms: less CPU, more "
        "lateness\n"
        "                      (default 0: each packet at its time)\n"
        "  --interval TIME     between samples, 0 for none (default 100ms)\n"
        "  --duration TIME     stop after it: 20 (seconds), 500ms (default: at SIGTERM or SIGINT)\n"
        "  --seed N            of the AQMs' random numbers (default: random, and reported)\n"
        "  --no-realtime       do not ask for SCHED_FIFO\n"
        "  -h, --help          this text\n"
        "\n",
        f);
    aqm_spec_help(f);
}

const char *const link_port_names[] = {"auto", "tun", "packet", NULL};

enum status link_options_ports(const char *text, enum link_port_kind *out, struct error *err)
{
    for (int i = 0; link_port_names[i] != NULL; i++) {
        if (strcmp(text, link_port_names[i]) == 0) {
            *out = (enum link_port_kind)i;
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_USAGE, "link", "there are no ports of the kind '%.32s'", text);
    return error_hint(err, "auto, tun or packet");
}

enum status link_options_burst(const char *text, uint64_t *out_us, struct error *err)
{
    enum status s = parse_time_us(text, out_us, err);

    if (s == STATUS_OK && *out_us > LINK_BURST_MAX_US) {
        error_set(err, STATUS_USAGE, "link", "--burst '%.64s' is out of range", text);
        s = error_hint(err, "at most 1s, or 0 for a link that sends all the time");
    }
    return s;
}

enum status link_options_delay(const char *text, const char *what, uint64_t *out_us,
                               struct error *err)
{
    enum status s = parse_time_us(text, out_us, err);

    if (s == STATUS_OK && *out_us > LINK_DELAY_MAX_US) {
        error_set(err, STATUS_USAGE, "link", "%s '%.64s' is out of range", what, text);
        s = error_hint(err, "at most 10s");
    }
    return s;
}

/* "0.01" or "1%". */
static enum status parse_loss(const char *text, uint64_t *out, struct error *err)
{
    char *end = NULL;
    /* strtod(3) takes signs, blanks, hex and names too. */
    double v = isdigit((unsigned char)text[0]) && strspn(text, "0123456789.e-%") == strlen(text)
                   ? strtod(text, &end)
                   : -1;

    if (end != NULL && *end == '%') {
        v /= 100;
        end++;
    }
    if (end == NULL || *end != '\0' || !(v >= 0 && v <= 1)) {
        error_set(err, STATUS_USAGE, "link", "--loss '%.64s' is no probability", text);
        return error_hint(err, "0 to 1, or 0%% to 100%%");
    }
    *out = (uint64_t)(v * LINK_LOSS_ONE);
    return STATUS_OK;
}

/* "10.98.1.2=5ms" */
static enum status parse_path(const char *text, struct path_table *paths, struct error *err)
{
    const char *equals = strchr(text, '=');
    char name[64];
    uint8_t address[16];
    uint64_t us;
    enum status s;

    if (equals == NULL || (size_t)(equals - text) >= sizeof(name)) {
        error_set(err, STATUS_USAGE, "link", "--path '%.64s' is no ADDRESS=TIME", text);
        return error_hint(err, "as in 10.98.1.2=5ms");
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    s = path_address_parse(name, address, err);
    s = s == STATUS_OK ? link_options_delay(equals + 1, "--path", &us, err) : s;
    return s == STATUS_OK ? path_table_set(paths, address, us * 1000, err) : s;
}

/* "0s:50mbit,5s:25mbit" */
static enum status parse_steps(const char *text, struct link_options *o, struct error *err)
{
    for (const char *at = text; at != NULL;) {
        const char *comma = strchr(at, ',');
        size_t len = comma != NULL ? (size_t)(comma - at) : strlen(at);
        struct link_step step;
        char word[64], *colon;
        enum status s;

        if (o->step_count == LINK_STEPS_MAX) {
            error_set(err, STATUS_USAGE, "link", "more than %d --rate-steps", LINK_STEPS_MAX);
            return error_hint(err, "write them into a trace: --rate-trace");
        }
        snprintf(word, sizeof(word), "%.*s", len < sizeof(word) ? (int)len : 0, at);
        colon = strchr(word, ':');
        if (colon == NULL) {
            error_set(err, STATUS_USAGE, "link", "'%.*s' in --rate-steps is no TIME:RATE",
                      (int)(len < 64 ? len : 64), at);
            return error_hint(err, "as in 0s:50mbit,5s:25mbit");
        }
        *colon = '\0';
        if ((s = parse_time_us(word, &step.at_us, err)) != STATUS_OK ||
            (s = parse_rate_bps(colon + 1, &step.rate_bps, err)) != STATUS_OK) {
            return s;
        }
        if (o->step_count != 0 && step.at_us <= o->steps[o->step_count - 1].at_us) {
            error_set(err, STATUS_USAGE, "link", "'%s' in --rate-steps is not after the one before",
                      word);
            return error_hint(err, "times count from the start, as in 0s:50mbit,5s:25mbit");
        }
        o->steps[o->step_count++] = step;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return STATUS_OK;
}

static enum status copy_text(const char *arg, const char *what, char *out, size_t size,
                             struct error *err)
{
    if (arg[0] == '\0' || strlen(arg) >= size) {
        error_set(err, STATUS_USAGE, "link", "%s is %s", what,
                  arg[0] == '\0' ? "empty" : "too long");
        return error_hint(err, "1 to %zu characters", size - 1);
    }
    memcpy(out, arg, strlen(arg) + 1);
    return STATUS_OK;
}

static enum status parse_endpoint(const char *text, const char *option, struct link_endpoint *out,
                                  struct error *err)
{
    const char *colon = strrchr(text, ':');
    size_t netns_len, name_len;

    if (colon == NULL) {
        error_set(err, STATUS_USAGE, "link", "%s '%.128s' has no ':'", option, text);
        return error_hint(err, "write NETNS:IFNAME, as in /run/netns/router:bn0, or :bn0 for the "
                               "current namespace");
    }
    netns_len = (size_t)(colon - text);
    name_len = strlen(colon + 1);
    if (netns_len >= sizeof(out->netns)) {
        return error_set(err, STATUS_USAGE, "link", "%s: the path of the namespace is too long",
                         option);
    }
    /* What the kernel takes for a name, less '%', which it takes for a pattern. */
    if (name_len == 0 || name_len >= IFNAMSIZ || strcmp(colon + 1, ".") == 0 ||
        strcmp(colon + 1, "..") == 0) {
        goto bad_name;
    }
    for (const char *c = colon + 1; *c != '\0'; c++) {
        if (!isgraph((unsigned char)*c) || *c == '/' || *c == '%') {
            goto bad_name;
        }
    }
    memcpy(out->netns, text, netns_len);
    out->netns[netns_len] = '\0';
    memcpy(out->ifname, colon + 1, name_len + 1);
    return STATUS_OK;
bad_name:
    error_set(err, STATUS_USAGE, "link", "%s: '%.64s' is no name for a device", option, colon + 1);
    return error_hint(err, "1 to %d visible characters without '/', ':' and '%%'", IFNAMSIZ - 1);
}

static enum status parse_one(int id, const char *arg, struct link_options *o, struct error *err)
{
    uint64_t number = 0;
    enum status s;

    switch (id) {
    case OPT_A:
        return parse_endpoint(arg, "--a", &o->a, err);
    case OPT_B:
        return parse_endpoint(arg, "--b", &o->b, err);
    case OPT_PORTS:
        return link_options_ports(arg, &o->ports, err);
    case OPT_RATE:
        return parse_rate_bps(arg, &o->rate_bps, err);
    case OPT_UP_RATE:
        o->has_up_rate = true;
        return parse_rate_bps(arg, &o->up_rate_bps, err);
    case OPT_RATE_STEPS:
        o->step_count = 0;
        return parse_steps(arg, o, err);
    case OPT_RATE_TRACE:
        return copy_text(arg, "--rate-trace", o->rate_trace, sizeof(o->rate_trace), err);
    case OPT_UP_RATE_TRACE:
        return copy_text(arg, "--up-rate-trace", o->up_rate_trace, sizeof(o->up_rate_trace), err);
    case OPT_DELAY:
        return link_options_delay(arg, "--delay", &o->delay_us, err);
    case OPT_JITTER:
        return link_options_delay(arg, "--jitter", &o->jitter_us, err);
    case OPT_BURST:
        return link_options_burst(arg, &o->burst_us, err);
    case OPT_LOSS:
        return parse_loss(arg, &o->loss, err);
    case OPT_PATH:
        return parse_path(arg, &o->paths, err);
    case OPT_AQM:
        s = copy_text(arg, "--aqm", o->aqm, sizeof(o->aqm), err);
        return s == STATUS_OK ? aqm_spec_check(arg, err) : s;
    case OPT_CONTROL:
        return copy_text(arg, "--control", o->control, sizeof(o->control), err);
    case OPT_PACKET_LOG:
        return copy_text(arg, "--packet-log", o->packet_log, sizeof(o->packet_log), err);
    case OPT_LIMIT:
        s = parse_count(arg, "--limit", 1, LIMIT_PKTS_MAX, &number, err);
        o->limit_pkts = (uint32_t)number;
        return s;
    case OPT_LIMIT_BYTES:
        return parse_count(arg, "--limit-bytes", 1, LIMIT_BYTES_MAX, &o->limit_bytes, err);
    case OPT_TICK:
        s = parse_time_us(arg, &o->tick_us, err);
        if (s == STATUS_OK && o->tick_us > LINK_TICK_MAX_US) {
            error_set(err, STATUS_USAGE, "link", "--tick '%.64s' is out of range", arg);
            s = error_hint(err, "at most 10ms, or 0 for each packet at its time");
        }
        return s;
    case OPT_INTERVAL:
        s = parse_time_us(arg, &o->interval_us, err);
        if (s == STATUS_OK && o->interval_us != 0 && o->interval_us < 1000) {
            error_set(err, STATUS_USAGE, "link", "--interval '%.64s' is out of range", arg);
            s = error_hint(err, "at least 1ms, or 0 for no samples");
        }
        return s;
    case OPT_DURATION:
        return parse_duration_us(arg, &o->duration_us, err);
    case OPT_SEED:
        s = parse_count(arg, "--seed", 0, UINT32_MAX, &number, err);
        o->seed = (uint32_t)number;
        o->has_seed = true;
        return s;
    case OPT_NO_REALTIME:
        o->is_realtime = false;
        return STATUS_OK;
    default:
        return error_set(err, STATUS_INTERNAL, "link", "option %d is not handled", id);
    }
}

enum status link_options_parse(int argc, char *const argv[], struct link_options *out,
                               struct error *err)
{
    int id;

    *out = (struct link_options){
        .rate_bps = 50000000,
        .delay_us = 10000,
        .aqm = "dualpi2",
        .interval_us = 100000,
        .is_realtime = true,
    };
    optind = 0; /* glibc: start afresh */
    while ((id = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        enum status s;

        if (id == 'h') {
            out->is_help = true;
            return STATUS_OK;
        }
        if (id == '?' || id == ':') {
            error_set(err, STATUS_USAGE, "link",
                      id == ':' ? "option '%.64s' needs a value" : "unknown option '%.64s'",
                      argv[optind - 1]);
            return error_hint(err, "see ccalab-link --help");
        }
        s = parse_one(id, optarg, out, err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (optind < argc) {
        error_set(err, STATUS_USAGE, "link", "unexpected argument '%.64s'", argv[optind]);
        return error_hint(err, "see ccalab-link --help");
    }
    if (out->a.ifname[0] == '\0' || out->b.ifname[0] == '\0') {
        error_set(err, STATUS_USAGE, "link", "%s is missing",
                  out->a.ifname[0] == '\0' ? "--a" : "--b");
        return error_hint(err, "both ends are needed: --a NETNS:IFNAME --b NETNS:IFNAME");
    }
    if (strcmp(out->a.netns, out->b.netns) == 0 && strcmp(out->a.ifname, out->b.ifname) == 0) {
        error_set(err, STATUS_USAGE, "link", "--a and --b are the same device");
        return error_hint(err, "give them two names, or two namespaces");
    }
    if (out->step_count != 0 && out->rate_trace[0] != '\0') {
        error_set(err, STATUS_USAGE, "link", "--rate-steps and --rate-trace exclude each other");
        return error_hint(err, "give one of them");
    }
    if (out->has_up_rate && out->up_rate_trace[0] != '\0') {
        error_set(err, STATUS_USAGE, "link", "--up-rate and --up-rate-trace exclude each other");
        return error_hint(err, "give one of them");
    }
    if (out->burst_us != 0 && (out->rate_trace[0] != '\0' || out->up_rate_trace[0] != '\0')) {
        error_set(err, STATUS_USAGE, "link", "--burst and a trace exclude each other");
        return error_hint(err, "equal lines of a trace are a burst");
    }
    if (aqm_spec_is_kernel(out->aqm) &&
        (out->step_count != 0 || out->rate_trace[0] != '\0' || out->up_rate_trace[0] != '\0' ||
         out->packet_log[0] != '\0' || out->burst_us != 0)) {
        error_set(err, STATUS_USAGE, "link", "%s needs an AQM of ccalab-link's own, not '%.64s'",
                  out->step_count != 0            ? "--rate-steps"
                  : out->rate_trace[0] != '\0'    ? "--rate-trace"
                  : out->up_rate_trace[0] != '\0' ? "--up-rate-trace"
                  : out->burst_us != 0            ? "--burst"
                                                  : "--packet-log",
                  out->aqm);
        return error_hint(err, out->step_count != 0 ? "change the rate while it runs: ccalab "
                                                      "testbed set rate=25mbit"
                                                    : "ccalab-link --help lists them");
    }
    if (out->step_count != 0 && out->steps[0].at_us == 0) {
        out->rate_bps = out->steps[0].rate_bps;
    }
    if (!out->has_up_rate) {
        out->up_rate_bps = out->rate_bps;
    }
    if (aqm_spec_is_kernel(out->aqm) && (out->rate_bps == 0 || out->up_rate_bps == 0)) {
        error_set(err, STATUS_USAGE, "link", "the kernel's queue needs a rate, both ways");
        return error_hint(err, "as in --rate 50mbit");
    }
    return STATUS_OK;
}
