#include "testbed/link/options.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "core/units.h"
#include "testbed/link/aqm.h"

#define LIMIT_PKTS_MAX  1000000u
#define LIMIT_BYTES_MAX (1ull << 40)
#define DELAY_MAX_US    10000000u

enum option_id {
    OPT_A = 1000,
    OPT_B,
    OPT_RATE,
    OPT_UP_RATE,
    OPT_DELAY,
    OPT_AQM,
    OPT_LIMIT,
    OPT_LIMIT_BYTES,
    OPT_INTERVAL,
    OPT_DURATION,
    OPT_SEED,
    OPT_NO_REALTIME,
};

static const struct option long_options[] = {
    {"a", required_argument, NULL, OPT_A},
    {"b", required_argument, NULL, OPT_B},
    {"rate", required_argument, NULL, OPT_RATE},
    {"up-rate", required_argument, NULL, OPT_UP_RATE},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"aqm", required_argument, NULL, OPT_AQM},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"limit-bytes", required_argument, NULL, OPT_LIMIT_BYTES},
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
        "An emulated bottleneck between two network namespaces: creates a TUN device in each and\n"
        "passes packets on through AQM, serializer and fixed delay, each way. Direction \"down\" "
        "is\n"
        "from a to b, \"up\" from b to a. The devices vanish with the process. Addresses and "
        "routes\n"
        "are yours. Says what it does as events (JSON Lines) on standard output.\n"
        "\n"
        "  --a NETNS:IFNAME    near end: path of a network namespace (/run/netns/x; empty for\n"
        "                      the current one) and the name of the device to create in it\n"
        "  --b NETNS:IFNAME    far end\n"
        "  --rate RATE         50mbit, 1gbit, 500kbit, a number of bit/s, or unlimited;\n"
        "                      counts IP bytes (default 50mbit)\n"
        "  --up-rate RATE      rate of direction up, if it differs\n"
        "  --delay TIME        one way, after the serializer: 10ms, 500us (default 10ms)\n"
        "  --aqm NAME          dualpi2 or fifo (default dualpi2)\n"
        "  --limit N           packets queued at most (default 10000; fifo 1000)\n"
        "  --limit-bytes N     bytes queued at most; for dualpi2 the memory of their buffers\n"
        "  --interval TIME     between samples, 0 for none (default 100ms)\n"
        "  --duration TIME     stop after it: 20 (seconds), 500ms (default: at SIGTERM or SIGINT)\n"
        "  --seed N            of the AQMs' random numbers (default: random, and reported)\n"
        "  --no-realtime       do not ask for SCHED_FIFO\n"
        "  -h, --help          this text\n",
        f);
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

static enum status parse_one(int id, const char *arg, struct link_options *o, bool *has_up_rate,
                             struct error *err)
{
    uint64_t number = 0;
    enum status s;

    switch (id) {
    case OPT_A:
        return parse_endpoint(arg, "--a", &o->a, err);
    case OPT_B:
        return parse_endpoint(arg, "--b", &o->b, err);
    case OPT_RATE:
        return parse_rate_bps(arg, &o->rate_bps, err);
    case OPT_UP_RATE:
        *has_up_rate = true;
        return parse_rate_bps(arg, &o->up_rate_bps, err);
    case OPT_DELAY:
        s = parse_time_us(arg, &o->delay_us, err);
        if (s == STATUS_OK && o->delay_us > DELAY_MAX_US) {
            error_set(err, STATUS_USAGE, "link", "--delay '%.64s' is out of range", arg);
            s = error_hint(err, "at most 10s");
        }
        return s;
    case OPT_AQM:
        s = aqm_check(arg, err);
        if (s == STATUS_OK) {
            snprintf(o->aqm, sizeof(o->aqm), "%s", arg);
        }
        return s;
    case OPT_LIMIT:
        s = parse_count(arg, "--limit", 1, LIMIT_PKTS_MAX, &number, err);
        o->limit_pkts = (uint32_t)number;
        return s;
    case OPT_LIMIT_BYTES:
        return parse_count(arg, "--limit-bytes", 1, LIMIT_BYTES_MAX, &o->limit_bytes, err);
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
    bool has_up_rate = false;
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
        s = parse_one(id, optarg, out, &has_up_rate, err);
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
    if (!has_up_rate) {
        out->up_rate_bps = out->rate_bps;
    }
    if (out->limit_pkts == 0) {
        out->limit_pkts = aqm_default_limit_pkts(out->aqm);
    }
    return STATUS_OK;
}
