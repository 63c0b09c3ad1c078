#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "capture/capture.h"
#include "capture/report.h"
#include "capture/source.h"
#include "core/log.h"

#define FRAMES_A_READ 10000

static const char usage[] =
    "usage: ccalab ecn FILE [--json | --csv]\n"
    "\n"
    "Count Not-ECT, ECT(1), ECT(0) and CE in a capture file (pcap or pcapng, packed by gzip or\n"
    "zstd or not; - is standard input): per IP version, and per flow and direction with data\n"
    "packets and pure ACKs apart; what the receivers reported of the marks by Accurate ECN; and\n"
    "what that comes to, in a sentence a flow.\n"
    "\n"
    "  --json   one JSON object (docs/events.md)\n"
    "  --csv    one line a flow and direction\n"
    "  --help   this text\n";

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

struct counting {
    struct ecn ecn;
    enum link_type link;
};

static void on_frame(void *user, const struct source_frame *frame)
{
    struct counting *c = user;
    struct packet p;
    p.frame = frame->number;
    p.t_ns = frame->t_ns;
    dissect(c->link, frame->data, frame->cap_len, frame->wire_len, &p);
    ecn_add(&c->ecn, &p);
}

static enum status count_file(const char *path, enum output output, struct error *err)
{
    struct counting c = {0};
    struct source *source = NULL;
    int n;
    enum status status = ecn_init(&c.ecn, 0, err);
    if (status != STATUS_OK)
        return status;
    status = source_open_file(path, &source, err);
    if (status != STATUS_OK)
        goto out;
    c.link = source_link_type(source);
    do {
        status = source_read(source, FRAMES_A_READ, on_frame, &c, &n, err);
        if (status != STATUS_OK)
            goto out;
    } while (n > 0);

    struct report report = {
        .ecn = &c.ecn,
        .truncated = source_truncated(source),
        .kernel_drops = -1,
        .has_marks = true,
    };
    if (report.truncated)
        log_warn("%s ends early after %llu frames: %s", path, (unsigned long long)c.ecn.frames,
                 report.truncated);
    if (output == OUTPUT_JSON) {
        status = report_json(stdout, &report, err);
        putchar('\n');
    } else if (output == OUTPUT_CSV) {
        status = report_csv(stdout, &report, err);
    } else {
        report_table(stdout, &report);
    }
    if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = error_set(err, STATUS_IO, "capture", "cannot write to standard output");
out:
    source_close(source);
    ecn_done(&c.ecn);
    return status;
}

static enum status usage_error(struct error *err, const char *message)
{
    error_set(err, STATUS_USAGE, "ecn", "%s", message);
    return error_hint(err, "ccalab ecn --help");
}

/* *path: the file; NULL if --help was all that was asked for. */
static enum status parse_options(int argc, char **argv, const char **path, enum output *output,
                                 struct error *err)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"csv", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int opt;
    *path = NULL;
    *output = OUTPUT_TABLE;
    optind = 0; /* glibc: start afresh */
    while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (opt) {
        case 'j':
        case 'c':
            if (*output != OUTPUT_TABLE)
                return usage_error(err, "one of --json and --csv, once");
            *output = opt == 'j' ? OUTPUT_JSON : OUTPUT_CSV;
            break;
        case 'h':
            fputs(usage, stdout);
            return STATUS_OK;
        default:
            return usage_error(err, "the command line was not understood");
        }
    }
    if (optind + 1 != argc)
        return usage_error(err, "exactly one FILE");
    *path = argv[optind];
    return STATUS_OK;
}

int ecn_main(int argc, char **argv)
{
    enum output output;
    const char *path;
    struct error err = {0};
    enum status status = parse_options(argc, argv, &path, &output, &err);
    if (status == STATUS_OK && path)
        status = count_file(path, output, &err);
    if (status != STATUS_OK)
        error_print(stderr, &err);
    return status_exit_code(status);
}
