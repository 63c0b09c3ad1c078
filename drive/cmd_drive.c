#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/units.h"
#include "drive/drive.h"
#include "model/cmd.h"
#include "model/serve.h"

#define INTERVAL_MAX_US 10000000u

static const char help[] =
    "usage: netllm drive POLICY [OPTIONS]\n\n"
    "Registers the TCP congestion control 'netllm' (root, Linux 6.4) and decides the windows of\n"
    "every flow that asks for it, e.g. iperf3 -C netllm, until Ctrl-C. POLICY is one of\n\n"
    "  model:DIR           a checkpoint of netllm adapt\n"
    "  distilled:FILE      a network of netllm distill\n"
    "  lua:FILE            function on_sample(flow, s) returns the window in packets\n"
    "  constant:PACKETS    always the same window\n"
    "  bdp:RATE:RTT        the path's bandwidth-delay product, e.g. bdp:50mbit:20ms, shared by\n"
    "                      the flows\n"
    "  copy-last           the window stays as it is\n"
    "  random:SEED         up to a fifth more or less, by chance\n\n"
    "  --interval TIME     between decisions for a flow, at least a round trip (10ms); 0: for\n"
    "                      every ACK\n"
    "  --ect ect1|ect0|none  what the flows are sent as; ect1 needs the lab's rule (ect1)\n"
    "  --report TIME       between samples of a flow on stdout (100ms); 0: all\n"
    "  --target-return-scale X  the return to aim at, as a share of the largest of the training\n"
    "                      (1). While it runs, a line {\"target_return_scale\":0.8} on stdin\n"
    "                      changes it\n"
    "  --explore X         decisions are up to X more or less, in ln(window), by chance: "
    "experience\n"
    "                      to learn from (0)\n"
    "  --seed N            of that chance (1)\n"
    "  --advisor POLICY    is asked what it would do, and not obeyed: what to learn from\n"
    "  --max-flows N       flows at a time that model: decides for (64)\n"
    "  --cwnd-min N, --cwnd-max N  bytes that the actions of the recipes published and tutorial\n"
    "                      lie between\n"
    "  --lua-budget N      instructions a decision (100000)\n"
    "  --threads N         of libtorch (one per core; 1 for a backbone narrower than 256)\n"
    "  --no-fifo           do not ask for SCHED_FIFO\n"
    "  --awake             let no processor of this machine sleep while flows are open: sooner\n"
    "                      decisions, for power\n\n"
    "Examples, as root:\n"
    "  netllm drive constant:40\n"
    "  netllm drive lua:own_cc.lua >events.jsonl\n"
    "  netllm drive distilled:student.safetensors --target-return-scale 0.8\n";

static enum status parse_ect(const char *text, enum agent_ect *out, struct error *err)
{
    static const char *const names[] = {
        [AGENT_NOT_ECT] = "none", [AGENT_ECT0] = "ect0", [AGENT_ECT1] = "ect1"};
    for (enum agent_ect e = AGENT_NOT_ECT; e <= AGENT_ECT1; e++) {
        *out = e;
        if (strcmp(text, names[e]) == 0)
            return STATUS_OK;
    }
    return error_set(err, STATUS_USAGE, "drive", "--ect '%s' is none of ect1, ect0 and none", text);
}

static enum status parse_interval(const char *option, const char *text, uint32_t *out_us,
                                  struct error *err)
{
    uint64_t us;
    enum status st = parse_time_us(text, &us, err);
    if (!st && us > INTERVAL_MAX_US)
        st = error_set(err, STATUS_USAGE, "drive", "--%s %s is more than 10 s", option, text);
    if (!st)
        *out_us = (uint32_t)us;
    return st;
}

enum status cmd_drive(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    static const struct option options[] = {{"interval", required_argument, NULL, 'i'},
                                            {"ect", required_argument, NULL, 'e'},
                                            {"report", required_argument, NULL, 'r'},
                                            {"target-return-scale", required_argument, NULL, 's'},
                                            {"explore", required_argument, NULL, 'x'},
                                            {"seed", required_argument, NULL, 'd'},
                                            {"advisor", required_argument, NULL, 'v'},
                                            {"max-flows", required_argument, NULL, 'f'},
                                            {"cwnd-min", required_argument, NULL, 'l'},
                                            {"cwnd-max", required_argument, NULL, 'u'},
                                            {"lua-budget", required_argument, NULL, 'b'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"no-fifo", no_argument, NULL, 'n'},
                                            {"awake", no_argument, NULL, 'a'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct drive_policy_opts policy = {.target_scale = 1, .cwnd_min = NAN, .cwnd_max = NAN};
    struct drive_opts opts = {.agent = {.interval_us = 10000, .ect = AGENT_ECT1},
                              .report_us = 100000,
                              .is_realtime = true,
                              .control_fd = STDIN_FILENO,
                              .events = stdout,
                              .stop = stop};
    long long flows = 64, threads = 0, budget = 100000, seed = 1;
    const char *advisor = NULL;
    enum status st = STATUS_OK;
    int c;
    while (!st && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (c) {
        case 'i':
            st = parse_interval("interval", optarg, &opts.agent.interval_us, err);
            break;
        case 'e':
            st = parse_ect(optarg, &opts.agent.ect, err);
            break;
        case 'r':
            st = parse_interval("report", optarg, &opts.report_us, err);
            break;
        case 's':
            st = cmd_parse_num("target-return-scale", optarg, -1e6, 1e6, &policy.target_scale, err);
            break;
        case 'x':
            st = cmd_parse_num("explore", optarg, 0, 1, &opts.explore, err);
            break;
        case 'v':
            advisor = optarg;
            break;
        case 'd':
            st = cmd_parse_int("seed", optarg, 0, LLONG_MAX, &seed, err);
            break;
        case 'f':
            st = cmd_parse_int("max-flows", optarg, 1, SERVE_FLOWS_MAX, &flows, err);
            break;
        case 'l':
            st = cmd_parse_num("cwnd-min", optarg, 0, 1e12, &policy.cwnd_min, err);
            break;
        case 'u':
            st = cmd_parse_num("cwnd-max", optarg, 0, 1e12, &policy.cwnd_max, err);
            break;
        case 'b':
            st = cmd_parse_int("lua-budget", optarg, 1000, 100000000, &budget, err);
            break;
        case 't':
            st = cmd_parse_int("threads", optarg, 1, 65536, &threads, err);
            break;
        case 'n':
            opts.is_realtime = false;
            break;
        case 'a':
            opts.is_awake = true;
            break;
        case 'h':
            fputs(help, stdout);
            return STATUS_OK;
        default:
            st = cmd_bad_option(c, argv, err);
        }
    }
    if (st)
        return st;
    if (optind + 1 != argc) {
        if (optind == argc)
            error_set(err, STATUS_USAGE, "drive", "which policy is to decide?");
        else
            error_set(err, STATUS_USAGE, "drive", "one POLICY is needed, not %d", argc - optind);
        error_hint(err, "e.g. netllm drive constant:40, or lua:FILE; see: netllm drive --help");
        return STATUS_USAGE;
    }
    if (isnan(policy.cwnd_min) != isnan(policy.cwnd_max) || policy.cwnd_max <= policy.cwnd_min) {
        error_set(err, STATUS_USAGE, "drive", "--cwnd-min and a larger --cwnd-max go together");
        error_hint(err, "see: netllm drive --help");
        return STATUS_USAGE;
    }
    policy.flows = (size_t)flows;
    opts.seed = (uint64_t)seed;
    policy.threads = (int)threads;
    policy.lua_budget = (uint64_t)budget;
    opts.policy_name = argv[optind];
    opts.target_scale = policy.target_scale;
    st = drive_policy_new(argv[optind], &policy, &opts.policy, err);
    policy.is_advisor = true;
    if (!st && advisor)
        st = drive_policy_new(advisor, &policy, &opts.advisor, err);
    if (!st)
        st = drive_run(&opts, err);
    drive_policy_free(opts.advisor);
    drive_policy_free(opts.policy);
    return st;
}
