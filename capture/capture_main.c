#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>

#include "capture/capture.h"
#include "capture/capture_filter.h"
#include "capture/live.h"
#include "core/event.h"
#include "core/units.h"

#define SUBSYSTEM   "capture"
#define SNAPLEN_MAX 262144
#define INTERVAL_US 1000000
/* Faster than the kernel hands packets over there is nothing to see. */
#define INTERVAL_MIN_US (SOURCE_TIMEOUT_MS * 1000ull)
#define LABEL           "ecn"

static const char usage[] =
    "usage: ccalab capture -i IFACE [--netns PATH] [-w FILE] [-f FILTER] [OPTIONS]\n"
    "\n"
    "Count Not-ECT, ECT(1), ECT(0) and CE on an interface until SIGINT, SIGTERM or the end of the\n"
    "duration. Speaks events (docs/events.md): a sample every second, the counts as the result.\n"
    "\n"
    "  -i, --interface IFACE   the interface\n"
    "      --netns PATH        in this network namespace, for example /run/netns/NAME\n"
    "  -w, --write FILE        also write the packets to a pcapng file\n"
    "  -f, --filter FILTER     only these packets, see pcap-filter(7)\n"
    "  -c, --count N           stop after so many packets\n"
    "      --duration TIME     stop after it: 90 (seconds), 1.5, 500ms\n"
    "      --snaplen N         keep N bytes of a packet (default 128: all headers fit; 0: all)\n"
    "      --rotate-mib N      begin another file, FILE-00002, when one has N MiB\n"
    "      --rotate-time TIME  and after so long\n"
    "      --ring N            keep only the newest N of these files\n"
    "      --interval TIME     between samples (default 1)\n"
    "      --label NAME        what samples are called (default ecn)\n"
    "      --from-host NAME    standard input is the stream of that host (docs/capture.md)\n"
    "      --help              this text\n";

static enum status usage_error(struct error *err, const char *message)
{
    error_set(err, STATUS_USAGE, SUBSYSTEM, "%s", message);
    return error_hint(err, "ccalab capture --help");
}

/* What belongs together. */
static enum status check_options(const struct live_opts *o, struct error *err)
{
    const struct live_files_opts *f = &o->files;
    if (o->source.interface == NULL)
        return usage_error(err, "which interface? -i IFACE");
    if (f->path == NULL && (f->max_bytes || f->max_ns))
        return usage_error(err, "there is no file to begin another of: -w FILE");
    if (f->keep_files && !f->max_bytes && !f->max_ns)
        return usage_error(err, "--ring needs --rotate-mib or --rotate-time");
    if (o->interval_us < INTERVAL_MIN_US)
        return usage_error(err, "--interval is at least 100ms");
    return o->source.filter ? capture_filter_check(o->source.filter, err) : STATUS_OK;
}

static enum status set_number(int opt, const char *text, struct live_opts *o, struct error *err)
{
    uint64_t n = 0;
    enum status status;
    switch (opt) {
    case 's':
        status = parse_count(text, "--snaplen", 0, SNAPLEN_MAX, &n, err);
        o->source.snaplen = (int)n;
        return status;
    case 'c':
        return parse_count(text, "--count", 1, UINT64_MAX, &o->max_frames, err);
    case 'm':
        status = parse_count(text, "--rotate-mib", 1, 1 << 20, &n, err);
        o->files.max_bytes = n << 20;
        return status;
    case 'r':
        status = parse_count(text, "--ring", 1, 99999, &n, err);
        o->files.keep_files = (uint32_t)n;
        return status;
    case 't':
        status = parse_duration_us(text, &n, err);
        o->files.max_ns = n * 1000;
        return status;
    case 'I':
        return parse_duration_us(text, &o->interval_us, err);
    default:
        return parse_duration_us(text, &o->duration_us, err);
    }
}

/* *is_done: --help was all that was asked for. */
static enum status parse_options(int argc, char **argv, struct live_opts *o, bool *is_done,
                                 struct error *err)
{
    static const struct option options[] = {
        {"interface", required_argument, NULL, 'i'},
        {"netns", required_argument, NULL, 'n'},
        {"write", required_argument, NULL, 'w'},
        {"filter", required_argument, NULL, 'f'},
        {"count", required_argument, NULL, 'c'},
        {"duration", required_argument, NULL, 'd'},
        {"snaplen", required_argument, NULL, 's'},
        {"rotate-mib", required_argument, NULL, 'm'},
        {"rotate-time", required_argument, NULL, 't'},
        {"ring", required_argument, NULL, 'r'},
        {"interval", required_argument, NULL, 'I'},
        {"label", required_argument, NULL, 'l'},
        {"from-host", required_argument, NULL, 'H'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    enum status status;
    int opt;
    *is_done = false;
    optind = 0; /* glibc: start afresh */
    while ((opt = getopt_long(argc, argv, "i:w:f:c:h", options, NULL)) != -1) {
        switch (opt) {
        case 'i':
            o->source.interface = optarg;
            break;
        case 'n':
            o->source.netns = optarg;
            break;
        case 'w':
            o->files.path = optarg;
            break;
        case 'f':
            o->source.filter = optarg;
            break;
        case 'l':
            o->label = optarg;
            break;
        case 'H':
            o->from_host = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            *is_done = true;
            return STATUS_OK;
        case '?':
            return usage_error(err, "the command line was not understood");
        default:
            status = set_number(opt, optarg, o, err);
            if (status != STATUS_OK)
                return status;
        }
    }
    if (optind != argc)
        return usage_error(err, "there are arguments too many");
    return check_options(o, err);
}

int capture_main(int argc, char **argv)
{
    struct live_opts o = {
        .source = {.snaplen = SOURCE_SNAPLEN}, .label = LABEL, .interval_us = INTERVAL_US};
    struct error err = {0};
    bool is_done;
    enum status status = parse_options(argc, argv, &o, &is_done, &err);
    if (status == STATUS_OK && !is_done)
        status = live_run(&o, &err);
    if (status != STATUS_OK) {
        event_write_error(stdout, &err);
        error_print(stderr, &err);
    }
    return status_exit_code(status);
}
