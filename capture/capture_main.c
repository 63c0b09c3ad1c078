#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/report.h"
#include "capture/source.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/units.h"

#define SUBSYSTEM     "capture"
#define FRAMES_A_READ 10000
#define SAMPLE_NS     1000000000ull
/* After the tap is closed the kernel hands over its last block within SOURCE_TIMEOUT_MS. */
#define DRAIN_NS     (2ull * SOURCE_TIMEOUT_MS * 1000000)
#define DRAIN_MAX_NS 10000000000ull
#define SNAPLEN_MAX  262144

static const char usage[] =
    "usage: ccalab capture -i IFACE [--netns PATH] [-w FILE] [-f FILTER] [--duration TIME]\n"
    "                      [--snaplen N]\n"
    "\n"
    "Count Not-ECT, ECT(1), ECT(0) and CE on an interface until SIGINT, SIGTERM or the end of the\n"
    "duration. Speaks events (docs/events.md): a sample every second, the counts as the result.\n"
    "\n"
    "  -i, --interface IFACE   the interface\n"
    "      --netns PATH        in this network namespace, for example /run/netns/NAME\n"
    "  -w, --write FILE        also write the packets to a pcap file\n"
    "  -f, --filter FILTER     only these packets, see pcap-filter(7)\n"
    "      --duration TIME     stop after it: 90 (seconds), 1.5, 500ms\n"
    "      --snaplen N         keep N bytes of a packet (default 128: all headers fit; 0: all)\n"
    "      --help              this text\n";

struct capture {
    struct source_live_opts live;
    const char *save_path;
    uint64_t duration_us; /* 0: until a signal */
    struct source *source;
    enum link_type link;
    struct ecn ecn;
    uint64_t drops;
    int signal_fd;
    sigset_t old_mask;
};

static void on_frame(void *user, const struct source_frame *frame)
{
    struct capture *c = user;
    struct packet p;
    p.frame = frame->number;
    p.t_ns = frame->t_ns;
    dissect(c->link, frame->data, frame->cap_len, frame->wire_len, &p);
    ecn_add(&c->ecn, &p);
}

/* --- what it says ----------------------------------------------------------------------------- */

static void say_up(const struct capture *c)
{
    cJSON *data = cJSON_CreateObject();
    cJSON_AddStringToObject(data, "state", "up");
    cJSON_AddStringToObject(data, "interface", c->live.interface);
    event_write_result(stdout, data);
}

static void say_sample(const struct capture *c)
{
    static const char *const keys[ECN_COUNT] = {"not_ect", "ect1", "ect0", "ce"};
    cJSON *values = cJSON_CreateObject();
    cJSON_AddNumberToObject(values, "packets", (double)c->ecn.frames);
    for (int i = 0; i < ECN_COUNT; i++)
        cJSON_AddNumberToObject(values, keys[i], (double)(c->ecn.ipv4.n[i] + c->ecn.ipv6.n[i]));
    cJSON_AddNumberToObject(values, "kernel_drops", (double)c->drops);
    event_write_sample(stdout, -1, "ecn", values);
}

static enum status say_result(const struct capture *c, const char *truncated, struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the result");
    struct report report = {
        .ecn = &c->ecn,
        .truncated = truncated,
        .kernel_drops = (int64_t)c->drops,
        .max_flows = REPORT_EVENT_FLOWS,
    };
    enum status status = report_json(f, &report, err);
    if (fclose(f) != 0 && status == STATUS_OK)
        status = error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the result");
    if (status == STATUS_OK)
        event_write_result(stdout, cJSON_CreateRaw(text));
    free(text);
    return status;
}

/* --- the run ---------------------------------------------------------------------------------- */

/* Signals come as bytes on a descriptor, so that none is lost between two system calls. */
static enum status signals_start(struct capture *c, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &c->old_mask);
    /* A reader that went away must not keep us from closing the file. */
    signal(SIGPIPE, SIG_IGN);
    c->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return c->signal_fd >= 0 ? STATUS_OK
                             : error_sys(err, STATUS_INTERNAL, errno, SUBSYSTEM, "signalfd");
}

static void signals_stop(struct capture *c)
{
    struct signalfd_siginfo info;
    if (c->signal_fd < 0)
        return;
    /* What we were sent is dealt with: it must not strike when it is let through again. */
    while (read(c->signal_fd, &info, sizeof(info)) > 0)
        ;
    close(c->signal_fd);
    sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
}

/* Once a second: the file, the drop counter, the sample. */
static enum status tick(struct capture *c, struct error *err)
{
    enum status status = source_drops(c->source, &c->drops, err);
    if (status == STATUS_OK)
        status = source_flush(c->source, err);
    say_sample(c);
    if (status == STATUS_OK && ferror(stdout))
        status = error_set(err, STATUS_IO, SUBSYSTEM, "nobody reads the events any more");
    return status;
}

/* Sleep until there is something to do, at most until `until_ns`. */
static enum status wait_for(const struct capture *c, uint64_t until_ns, bool *is_signalled,
                            struct error *err)
{
    struct pollfd fds[2] = {
        {.fd = source_fd(c->source), .events = POLLIN},
        {.fd = c->signal_fd, .events = POLLIN},
    };
    struct timespec ts = clock_until(until_ns);
    if (ppoll(fds, 2, &ts, NULL) < 0 && errno != EINTR)
        return error_sys(err, STATUS_INTERNAL, errno, SUBSYSTEM, "ppoll");
    *is_signalled = fds[1].revents != 0;
    return STATUS_OK;
}

static enum status run_until_told(struct capture *c, struct error *err)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t next_ns = now_ns + SAMPLE_NS;
    uint64_t end_ns = UINT64_MAX;
    if (c->duration_us > 0)
        end_ns = now_ns + c->duration_us * 1000;
    while (now_ns < end_ns) {
        int n;
        bool is_signalled = false;
        enum status status = source_read(c->source, FRAMES_A_READ, on_frame, c, &n, err);
        if (status == STATUS_OK && (now_ns = clock_mono_ns()) >= next_ns) {
            /* Samples missed while we were kept from running are not made up. */
            next_ns += SAMPLE_NS * ((now_ns - next_ns) / SAMPLE_NS + 1);
            status = tick(c, err);
        }
        if (status == STATUS_OK)
            status = wait_for(c, next_ns < end_ns ? next_ns : end_ns, &is_signalled, err);
        if (status != STATUS_OK || is_signalled)
            return status;
        now_ns = clock_mono_ns();
    }
    return STATUS_OK;
}

/* Read what the kernel had taken when we were told to stop. */
static enum status drain(struct capture *c, struct error *err)
{
    uint64_t start_ns = clock_mono_ns(), now_ns = start_ns;
    int n = 0;
    enum status status = source_stop(c->source, err);
    while (status == STATUS_OK && (n > 0 || now_ns - start_ns < DRAIN_NS) &&
           now_ns - start_ns < DRAIN_MAX_NS) {
        struct pollfd fd = {.fd = source_fd(c->source), .events = POLLIN};
        if (n == 0)
            poll(&fd, 1, SOURCE_TIMEOUT_MS);
        status = source_read(c->source, FRAMES_A_READ, on_frame, c, &n, err);
        now_ns = clock_mono_ns();
    }
    return status;
}

static void keep_first(enum status *status, struct error *err, enum status next,
                       const struct error *next_err)
{
    if (*status == STATUS_OK && next != STATUS_OK) {
        *status = next;
        *err = *next_err;
    }
}

static enum status capture_run(struct capture *c, struct error *err)
{
    struct error broken = {0}, late = {0};
    enum status status = ecn_init(&c->ecn, 0, err);
    if (status == STATUS_OK)
        status = signals_start(c, err);
    if (status == STATUS_OK)
        status = source_open_live(&c->live, &c->source, err);
    if (status == STATUS_OK && c->save_path)
        status = source_save(c->source, c->save_path, err);
    if (status != STATUS_OK)
        goto out;
    c->link = source_link_type(c->source);
    say_up(c);

    /* Whatever goes wrong from here on, the rest is still done: what was counted is told, and the
     * file holds it. The first fault is the one reported. */
    status = run_until_told(c, &broken);
    keep_first(&status, &broken, drain(c, &late), &late);
    keep_first(&status, &broken, source_drops(c->source, &c->drops, &late), &late);
    keep_first(&status, &broken, source_flush(c->source, &late), &late);
    const char *cut_by = status == STATUS_OK ? NULL : broken.message;
    keep_first(&status, &broken, say_result(c, cut_by, &late), &late);
    if (status != STATUS_OK)
        *err = broken;
out:
    source_close(c->source);
    signals_stop(c);
    ecn_done(&c->ecn);
    return status;
}

/* --- the command line ------------------------------------------------------------------------- */

static enum status usage_error(struct error *err, const char *message)
{
    error_set(err, STATUS_USAGE, SUBSYSTEM, "%s", message);
    return error_hint(err, "ccalab capture --help");
}

/* *is_done: --help was all that was asked for. */
static enum status parse_options(int argc, char **argv, struct capture *c, bool *is_done,
                                 struct error *err)
{
    static const struct option options[] = {
        {"interface", required_argument, NULL, 'i'},
        {"netns", required_argument, NULL, 'n'},
        {"write", required_argument, NULL, 'w'},
        {"filter", required_argument, NULL, 'f'},
        {"duration", required_argument, NULL, 'd'},
        {"snaplen", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    enum status status;
    uint64_t number = 0;
    int opt;
    *is_done = false;
    optind = 0; /* glibc: start afresh */
    while ((opt = getopt_long(argc, argv, "i:w:f:h", options, NULL)) != -1) {
        switch (opt) {
        case 'i':
            c->live.interface = optarg;
            break;
        case 'n':
            c->live.netns = optarg;
            break;
        case 'w':
            c->save_path = optarg;
            break;
        case 'f':
            c->live.filter = optarg;
            break;
        case 'd':
            status = parse_duration_us(optarg, &c->duration_us, err);
            if (status != STATUS_OK)
                return status;
            break;
        case 's':
            status = parse_count(optarg, "--snaplen", 0, SNAPLEN_MAX, &number, err);
            if (status != STATUS_OK)
                return status;
            c->live.snaplen = (int)number;
            break;
        case 'h':
            fputs(usage, stdout);
            *is_done = true;
            return STATUS_OK;
        default:
            return usage_error(err, "the command line was not understood");
        }
    }
    if (optind != argc)
        return usage_error(err, "there are arguments too many");
    if (c->live.interface == NULL)
        return usage_error(err, "which interface? -i IFACE");
    return STATUS_OK;
}

int capture_main(int argc, char **argv)
{
    struct capture c = {.live = {.snaplen = SOURCE_SNAPLEN}, .signal_fd = -1};
    struct error err = {0};
    bool is_done;
    enum status status = parse_options(argc, argv, &c, &is_done, &err);
    if (status == STATUS_OK && !is_done)
        status = capture_run(&c, &err);
    if (status != STATUS_OK) {
        event_write_error(stdout, &err);
        error_print(stderr, &err);
    }
    return status_exit_code(status);
}
