#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/filter.h"
#include "capture/packet_line.h"
#include "capture/walk.h"
#include "core/log.h"

#define FIELDS_MAX 128
#define LINE_MAX   65536

static const char usage[] =
    "usage: ccalab packets FILE\n"
    "       ccalab packets FILE [-Y FILTER] [--tui] [--follow]\n"
    "       ccalab packets FILE [-Y FILTER] [--count | -T fields -e FIELD...] [-c N]\n"
    "       ccalab packets --fields\n"
    "\n"
    "The packets of a capture file (pcap or pcapng, packed by gzip or zstd or not; - is standard\n"
    "input). On a terminal, and with FILE alone, they are shown on a screen; otherwise those that\n"
    "pass a display filter are listed, or counted.\n"
    "\n"
    "  --tui        show them on the screen, whatever else is given\n"
    "  --follow     likewise, and show what is still being written to the file\n"
    "  -Y FILTER    in Wireshark's language: 'tcp.stream == 0 and ip.dsfield.ecn == 3'\n"
    "  --count      print only how many there are\n"
    "  -T fields    print the fields that -e names, tab-separated, as tshark does\n"
    "  -e FIELD     one of them; can be given many times\n"
    "  -c N         stop after N packets of the file\n"
    "  --fields     list the fields that there are\n"
    "  --help       this text\n"
    "\n"
    "The filter's language: docs/packets.md\n";

struct packets {
    const char *path, *filter_text;
    const struct field *fields[FIELDS_MAX];
    int nfields;
    bool has_fields, is_count, is_done; /* is_done: --help or --fields was all */
    bool has_screen, is_followed;
    unsigned long long max;

    struct filter *filter;
    struct buf line;
    uint64_t passed;
};

/* --- output ----------------------------------------------------------------------------------- */

static void print_fields(struct packets *o, const struct field_frame *frame)
{
    struct field_value values[FIELD_VALUES_MAX];

    buf_clear(&o->line);
    for (int i = 0; i < o->nfields; i++) {
        size_t n = field_read(o->fields[i], frame, values);
        if (i)
            buf_puts(&o->line, "\t");
        for (size_t k = 0; k < n; k++) {
            if (k)
                buf_puts(&o->line, ",");
            field_print(o->fields[i], &values[k], &o->line);
        }
    }
    buf_puts(&o->line, "\n");
    fwrite(o->line.data, 1, o->line.len, stdout);
}

static void print_line(const struct field_frame *frame)
{
    struct packet_line l;

    packet_line(frame, &l);
    printf("%5" PRIu64 " %11.6f %-15s → %-15s %-6s %-7s %5u %s\n", l.number, l.time_s, l.src, l.dst,
           l.protocol, l.ecn, l.len, l.info);
}

static bool on_frame(void *user, const struct field_frame *frame)
{
    struct packets *o = user;

    if (o->max && frame->packet->frame > o->max)
        return false;
    if (o->filter && !filter_match(o->filter, frame))
        return true;
    o->passed++;
    if (o->has_fields)
        print_fields(o, frame);
    else if (!o->is_count)
        print_line(frame);
    return !ferror(stdout);
}

static void print_field_list(void)
{
    static const char *const types[] = {
        [FIELD_LABEL] = "label", [FIELD_PROTOCOL] = "protocol", [FIELD_BOOL] = "flag",
        [FIELD_UINT] = "number", [FIELD_TIME] = "seconds",      [FIELD_EPOCH] = "seconds",
        [FIELD_IPV4] = "IPv4",   [FIELD_IPV6] = "IPv6",         [FIELD_ETHER] = "Ethernet",
    };
    const struct field *f;

    for (size_t i = 0; (f = field_at(i)); i++)
        printf("%-38s %-9s %s\n", f->name, types[f->type], f->title);
}

/* --- command line ----------------------------------------------------------------------------- */

static enum status usage_error(struct error *err, const char *message)
{
    error_set(err, STATUS_USAGE, "packets", "%s", message);
    return error_hint(err, "ccalab packets --help");
}

static enum status add_field(struct packets *o, const char *name, struct error *err)
{
    const struct field *f = field_find(name, strlen(name));
    const char *near;

    if (o->nfields == FIELDS_MAX)
        return usage_error(err, "too many fields");
    if (f) {
        o->fields[o->nfields++] = f;
        return STATUS_OK;
    }
    error_set(err, STATUS_USAGE, "packets", "there is no field %.64s", name);
    near = field_suggest(name);
    return near ? error_hint(err, "did you mean %s?", near)
                : error_hint(err, "ccalab packets --fields lists them");
}

/* One that can be drawn on. */
static bool is_on_terminal(void)
{
    const char *name = getenv("TERM");

    return isatty(STDOUT_FILENO) && name && *name && strcmp(name, "dumb") != 0;
}

static enum status parse_options(int argc, char **argv, struct packets *o, struct error *err)
{
    static const struct option options[] = {
        {"count", no_argument, NULL, 'n'},  {"fields", no_argument, NULL, 'F'},
        {"help", no_argument, NULL, 'h'},   {"tui", no_argument, NULL, 'S'},
        {"follow", no_argument, NULL, 'f'}, {0},
    };
    enum status st;
    char *end;
    int opt;

    optind = 0; /* glibc: start afresh */
    while ((opt = getopt_long(argc, argv, "Y:T:e:c:h", options, NULL)) != -1) {
        switch (opt) {
        case 'Y':
            o->filter_text = optarg;
            break;
        case 'T':
            if (strcmp(optarg, "fields") != 0)
                return usage_error(err, "-T fields is the one form there is");
            o->has_fields = true;
            break;
        case 'e':
            if ((st = add_field(o, optarg, err)))
                return st;
            break;
        case 'c':
            o->max = strtoull(optarg, &end, 10);
            if (!o->max || *end || *optarg == '-')
                return usage_error(err, "-c wants a number of packets");
            break;
        case 'n':
            o->is_count = true;
            break;
        case 'f':
            o->is_followed = true;
            o->has_screen = true;
            break;
        case 'S':
            o->has_screen = true;
            break;
        case 'F':
            print_field_list();
            o->is_done = true;
            return STATUS_OK;
        case 'h':
            fputs(usage, stdout);
            o->is_done = true;
            return STATUS_OK;
        default:
            return usage_error(err, "the command line was not understood");
        }
    }
    if (optind + 1 != argc)
        return usage_error(err, "exactly one FILE");
    if (o->has_fields != (o->nfields > 0) || (o->has_fields && o->is_count))
        return usage_error(err, "-T fields and -e FIELD belong together, --count stands alone");
    if (o->has_screen && (o->has_fields || o->is_count || o->max))
        return usage_error(err, "--tui and --follow go with -Y alone");
    o->path = argv[optind];
    if (!o->filter_text && !o->has_fields && !o->is_count && !o->max && is_on_terminal())
        o->has_screen = true;
    return STATUS_OK;
}

static enum status compile(struct packets *o, struct error *err)
{
    size_t at = 0;
    enum status st = filter_compile(o->filter_text, &o->filter, &at, err);

    if (st == STATUS_USAGE && strlen(o->filter_text) < 200) /* point at it */
        fprintf(stderr, "  %s\n  %*s^\n", o->filter_text, (int)at, "");
    return st;
}

static enum status run(struct packets *o, struct error *err)
{
    struct walk_end end;
    enum status st = o->filter_text ? compile(o, err) : STATUS_OK;

    buf_init(&o->line, LINE_MAX);
    if (st == STATUS_OK)
        st = walk_file(o->path, on_frame, o, &end, err);
    if (st == STATUS_OK && o->is_count)
        printf("%" PRIu64 "\n", o->passed);
    if (st == STATUS_OK && end.truncated[0])
        log_warn("%s ends early after %" PRIu64 " frames: %s", o->path, end.frames, end.truncated);
    if (st == STATUS_OK && (fflush(stdout) || ferror(stdout)))
        st = error_set(err, STATUS_IO, "packets", "cannot write to standard output");
    buf_done(&o->line);
    filter_free(o->filter);
    return st;
}

int packets_main(int argc, char **argv, int (*screen)(const struct packets_screen *opts))
{
    struct packets o = {0};
    struct error err = {0};
    enum status st = parse_options(argc, argv, &o, &err);

    if (st == STATUS_OK && o.has_screen) {
        struct packets_screen opts = {o.path, o.filter_text, o.is_followed};
        st = o.filter_text ? compile(&o, &err) : STATUS_OK;
        filter_free(o.filter);
        if (st == STATUS_OK)
            return screen(&opts);
    } else if (st == STATUS_OK && !o.is_done) {
        st = run(&o, &err);
    }
    if (st != STATUS_OK)
        error_print(stderr, &err);
    return status_exit_code(st);
}
