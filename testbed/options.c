#include "testbed/options.h"

#include <string.h>

#include "core/units.h"
#include "testbed/lab.h"
#include "testbed/link/aqm.h"

#define RTT_MAX_US      10000000u
#define INTERVAL_MAX_US 60000000u
#define PID_MAX         4194304u /* PID_MAX_LIMIT of the kernel */

const char testbed_usage[] =
    "usage: ccalab testbed up     [--name NAME] [--rate RATE] [--rtt TIME] [--aqm AQM]\n"
    "       ccalab testbed status [--name NAME] [--json]\n"
    "       ccalab testbed down   [--name NAME | --all]\n"
    "       ccalab testbed keep   [flags of up] [--interval TIME] [--owner PID]\n"
    "\n"
    "The virtual lab: client_x, client_y, router and server as network namespaces of this\n"
    "machine, with ccalab-link as the bottleneck inside the router. Needs root.\n"
    "\n"
    "  up      build it and leave it running in the background\n"
    "  status  say what runs\n"
    "  down    end it and remove everything of it, also what a killed lab has left\n"
    "  keep    build it and stay in the foreground with an event stream on stdout, until\n"
    "          SIGTERM, SIGINT or the end of the owner; then remove everything\n"
    "\n"
    "  --name NAME      of the lab, [a-z0-9][a-z0-9-]{0,15} (ccalab)\n"
    "  --rate RATE      of the bottleneck, both ways: 50mbit, 1gbit, 800kbit (50mbit)\n"
    "  --rtt TIME       base round trip time: 20ms, 1500us (20ms)\n"
    "  --aqm AQM        dualpi2 or fifo (dualpi2)\n"
    "  --interval TIME  between samples of the bottleneck, 0 for none (100ms)\n"
    "  --owner PID      end when this process ends, however it does\n";

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
    FLAG_INTERVAL,
    FLAG_OWNER,
    FLAG_JSON,
    FLAG_ALL
};

#define BIT(f) (1u << (f))

static const struct {
    const char *name;
    bool has_value;
} flags[] = {
    [FLAG_NAME] = {"--name", true},         [FLAG_RATE] = {"--rate", true},
    [FLAG_RTT] = {"--rtt", true},           [FLAG_AQM] = {"--aqm", true},
    [FLAG_INTERVAL] = {"--interval", true}, [FLAG_OWNER] = {"--owner", true},
    [FLAG_JSON] = {"--json", false},        [FLAG_ALL] = {"--all", false},
};

#define UP_FLAGS (BIT(FLAG_NAME) | BIT(FLAG_RATE) | BIT(FLAG_RTT) | BIT(FLAG_AQM))

static const struct {
    const char *name;
    unsigned flags;
} verbs[] = {
    [TESTBED_UP] = {"up", UP_FLAGS},
    [TESTBED_STATUS] = {"status", BIT(FLAG_NAME) | BIT(FLAG_JSON)},
    [TESTBED_DOWN] = {"down", BIT(FLAG_NAME) | BIT(FLAG_ALL)},
    [TESTBED_KEEP] = {"keep", UP_FLAGS | BIT(FLAG_INTERVAL) | BIT(FLAG_OWNER)},
    [TESTBED_HELP] = {"help", 0},
};

static enum status take(struct testbed_options *o, enum flag flag, const char *value,
                        struct error *err)
{
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
        st = parse_rate_bps(value, &o->rate_bps, err);
        break;
    case FLAG_RTT:
        st = parse_time_us(value, &n, err);
        if (st == STATUS_OK && n > RTT_MAX_US)
            return usage(err, "a round trip time of '%.40s' is too long: at most 10s", value);
        o->rtt_us = (uint32_t)n;
        break;
    case FLAG_INTERVAL:
        st = parse_time_us(value, &n, err);
        if (st == STATUS_OK && n > INTERVAL_MAX_US)
            return usage(err, "an interval of '%.40s' is too long: at most 60s", value);
        o->interval_us = (uint32_t)n;
        break;
    case FLAG_AQM:
        st = aqm_check(value, err);
        o->aqm = value;
        break;
    case FLAG_OWNER:
        st = parse_count(value, "--owner", 1, PID_MAX, &n, err);
        o->owner = (pid_t)n;
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

enum status testbed_options_parse(int argc, char *const argv[], struct testbed_options *o,
                                  struct error *err)
{
    *o = (struct testbed_options){.verb = TESTBED_HELP,
                                  .name = LAB_NAME_DEFAULT,
                                  .rate_bps = 50000000,
                                  .rtt_us = 20000,
                                  .interval_us = 100000,
                                  .aqm = "dualpi2"};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return STATUS_OK;
    if (argc < 2)
        return usage(err, "%s is missing: up, status, down or keep", "what to do");
    size_t v = 0, nverbs = sizeof verbs / sizeof *verbs;
    while (v < nverbs && strcmp(argv[1], verbs[v].name) != 0)
        v++;
    if (v == nverbs)
        return usage(err, "there is no 'testbed %.40s': use up, status, down or keep", argv[1]);
    o->verb = (enum testbed_verb)v;
    for (int i = 2; i < argc; i++) {
        size_t len = strcspn(argv[i], "="), f = 0, nflags = sizeof flags / sizeof *flags;
        while (f < nflags &&
               (strncmp(argv[i], flags[f].name, len) != 0 || flags[f].name[len] != '\0'))
            f++;
        if (f == nflags || !(verbs[v].flags & BIT(f)))
            return usage(err, "'%.40s' is not understood here", argv[i]);
        const char *value = argv[i][len] == '=' ? argv[i] + len + 1 : NULL;
        if (flags[f].has_value && !value && ++i < argc)
            value = argv[i];
        if (flags[f].has_value ? !value : value != NULL)
            return usage(err, flags[f].has_value ? "%s needs a value" : "%s takes no value",
                         flags[f].name);
        enum status st = take(o, (enum flag)f, value, err);
        if (st != STATUS_OK)
            return st;
    }
    if (o->is_all && o->has_name)
        return usage(err, "%s", "--name and --all exclude each other");
    return STATUS_OK;
}
