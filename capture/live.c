#include "capture/live.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/host_stream.h"
#include "capture/report.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/paths.h"

#define SUBSYSTEM     "capture"
#define FRAMES_A_READ 10000
/* After the tap is closed the kernel hands over its last block within SOURCE_TIMEOUT_MS. */
#define DRAIN_NS     (2ull * SOURCE_TIMEOUT_MS * 1000000)
#define DRAIN_MAX_NS 10000000000ull
#define FILES_TOLD   1000

struct live {
    const struct live_opts *opts;
    struct source *source;      /* of an interface here, */
    struct host_stream *stream; /* or of another host, */
    bool is_stream_over;
    enum link_type link;
    struct ecn ecn;
    struct ecn_counts before; /* at the last sample */
    bool is_full;             /* the wanted number of packets is there */
    bool has_drops;
    uint64_t drops;
    struct live_files files;
    bool has_files;
    enum status write_status;
    struct error write_error;
    int signal_fd;
    sigset_t old_mask;
};

static void on_frame(void *user, const struct source_frame *frame)
{
    struct live *c = user;
    struct packet p;
    if (c->is_full)
        return;
    p.frame = frame->number;
    p.t_ns = frame->t_ns;
    dissect(c->link, frame->data, frame->cap_len, frame->wire_len, &p);
    ecn_add(&c->ecn, &p);
    c->is_full = c->opts->max_frames && c->ecn.frames >= c->opts->max_frames;
    if (c->has_files && c->write_status == STATUS_OK)
        c->write_status = live_files_add(&c->files, frame, &c->write_error);
}

/* --- what it says ----------------------------------------------------------------------------- */

static void say_up(const struct live *c)
{
    cJSON *data = cJSON_CreateObject();
    cJSON_AddStringToObject(data, "state", "up");
    cJSON_AddStringToObject(data, "interface", c->opts->source.interface);
    /* One that can be read while it grows; those of a ring have other names. */
    if (c->opts->files.path && !c->opts->files.max_bytes && !c->opts->files.max_ns)
        cJSON_AddStringToObject(data, "file", c->opts->files.path);
    event_write_result(stdout, data);
}

static void say_sample(struct live *c)
{
    static const char *const keys[ECN_COUNT] = {"not_ect", "ect1", "ect0", "ce"};
    cJSON *values = cJSON_CreateObject();
    struct ecn_counts now, since;
    cJSON_AddNumberToObject(values, "packets", (double)c->ecn.frames);
    for (int i = 0; i < ECN_COUNT; i++) {
        now.n[i] = c->ecn.ipv4.n[i] + c->ecn.ipv6.n[i];
        since.n[i] = now.n[i] - c->before.n[i];
        cJSON_AddNumberToObject(values, keys[i], (double)now.n[i]);
    }
    c->before = now;
    double ratio = ecn_mark_ratio(&since);
    json_add_num(values, "ce_ratio", ratio < 0 ? (double)NAN : ratio);
    json_add_num(values, "kernel_drops", c->has_drops ? (double)c->drops : (double)NAN);
    event_write_sample(stdout, -1, c->opts->label, values);
}

/* The files that are there, behind the keys of the account. */
static enum status add_files(FILE *f, const struct live *c, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    uint32_t first = live_files_oldest(&c->files), last = c->files.index;
    if (last - first >= FILES_TOLD)
        first = last - FILES_TOLD + 1;
    fputs(",\"files\":[", f);
    for (uint32_t i = first; i <= last; i++) {
        live_files_path(&c->files, i, path, sizeof(path));
        cJSON *string = cJSON_CreateString(path);
        char *text = cJSON_PrintUnformatted(string);
        cJSON_Delete(string);
        if (text == NULL)
            return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the result");
        fprintf(f, "%s%s", i > first ? "," : "", text);
        cJSON_free(text);
    }
    fprintf(f, "],\"files_written\":%u", last);
    return STATUS_OK;
}

static enum status say_result(const struct live *c, const char *truncated, struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the result");
    struct report report = {
        .ecn = &c->ecn,
        .truncated = truncated,
        .kernel_drops = c->has_drops ? (int64_t)c->drops : -1,
        .max_flows = REPORT_EVENT_FLOWS,
    };
    enum status status = report_json(f, &report, err);
    if (status == STATUS_OK && c->has_files) {
        fseeko(f, -1, SEEK_CUR); /* over the closing brace */
        status = add_files(f, c, err);
        fputc('}', f);
    }
    if (fclose(f) != 0 && status == STATUS_OK)
        status = error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the result");
    if (status == STATUS_OK)
        event_write_result(stdout, cJSON_CreateRaw(text));
    free(text);
    return status;
}

/* --- where packets come from ------------------------------------------------------------------ */

static int feed_fd(const struct live *c)
{
    return c->stream ? STDIN_FILENO : source_fd(c->source);
}

/* Hand on what is there. *n: how much of it there was; 0 is nothing just now. */
static enum status feed_read(struct live *c, int *n, struct error *err)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    size_t size;
    *n = 0;
    if (c->source)
        return source_read(c->source, FRAMES_A_READ, on_frame, c, n, err);
    if (c->is_stream_over || poll(&fd, 1, 0) <= 0)
        return STATUS_OK;
    void *space = host_stream_space(c->stream, &size);
    ssize_t got = read(STDIN_FILENO, space, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return STATUS_OK;
    *n = got > 0;
    if (got <= 0 || !host_stream_took(c->stream, (size_t)got, on_frame, c)) {
        host_stream_finish(c->stream);
        c->is_stream_over = true;
    }
    return STATUS_OK;
}

static enum status feed_drops(struct live *c, struct error *err)
{
    enum status status = STATUS_OK;
    if (c->source) {
        status = source_drops(c->source, &c->drops, err);
        c->has_drops = status == STATUS_OK;
    } else if (c->is_stream_over) {
        c->has_drops = host_stream_drops(c->stream, &c->drops);
    }
    c->files.drops = c->drops;
    c->files.has_drops = c->has_drops;
    return status;
}

/* Take no more packets; what is under way still comes. */
static enum status feed_stop(struct live *c, struct error *err)
{
    if (c->source)
        return source_stop(c->source, err);
    /* Where it is no socket nobody there can be told, and the stream is left as it is. */
    if (shutdown(STDIN_FILENO, SHUT_WR) != 0) {
        host_stream_finish(c->stream);
        c->is_stream_over = true;
    }
    return STATUS_OK;
}

/* --- the run ---------------------------------------------------------------------------------- */

/* Signals come as bytes on a descriptor, so that none is lost between two system calls. */
static enum status signals_start(struct live *c, struct error *err)
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

static void signals_stop(struct live *c)
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

/* At every sample: the drop counter, the files, the sample. */
static enum status tick(struct live *c, uint64_t now_ns, struct error *err)
{
    enum status status = feed_drops(c, err);
    if (status == STATUS_OK && c->has_files)
        status = live_files_tick(&c->files, now_ns, true, err);
    say_sample(c);
    if (status == STATUS_OK && ferror(stdout))
        status = error_set(err, STATUS_IO, SUBSYSTEM, "nobody reads the events any more");
    return status;
}

/* Sleep until there is something to do, at most until `until_ns`. */
static enum status wait_for(const struct live *c, uint64_t until_ns, bool *is_signalled,
                            struct error *err)
{
    struct pollfd fds[2] = {
        {.fd = feed_fd(c), .events = POLLIN},
        {.fd = c->signal_fd, .events = POLLIN},
    };
    struct timespec ts = clock_until(until_ns);
    if (ppoll(fds, 2, &ts, NULL) < 0 && errno != EINTR)
        return error_sys(err, STATUS_INTERNAL, errno, SUBSYSTEM, "ppoll");
    *is_signalled = fds[1].revents != 0;
    return STATUS_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum status run_until_told(struct live *c, struct error *err)
{
    uint64_t interval_ns = c->opts->interval_us * 1000, end_ns = UINT64_MAX, turn_ns = UINT64_MAX;
    uint64_t now_ns = clock_mono_ns();
    uint64_t next_ns = now_ns + interval_ns;
    if (c->opts->duration_us > 0)
        end_ns = now_ns + c->opts->duration_us * 1000;
    while (now_ns < end_ns && !c->is_full && !c->is_stream_over) {
        int n;
        bool is_signalled = false;
        enum status status = feed_read(c, &n, err);
        if (c->write_status != STATUS_OK) {
            *err = c->write_error;
            return c->write_status;
        }
        if (status == STATUS_OK && (now_ns = clock_mono_ns()) >= next_ns) {
            /* Samples missed while we were kept from running are not made up. */
            next_ns += interval_ns * ((now_ns - next_ns) / interval_ns + 1);
            status = tick(c, now_ns, err);
        }
        if (status == STATUS_OK && c->opts->files.max_ns) {
            status = live_files_tick(&c->files, now_ns, false, err);
            turn_ns = c->files.begun_ns + c->opts->files.max_ns;
        }
        if (status == STATUS_OK && !c->is_full)
            status = wait_for(c, least(turn_ns, least(next_ns, end_ns)), &is_signalled, err);
        if (status != STATUS_OK || is_signalled)
            return status;
        now_ns = clock_mono_ns();
    }
    return STATUS_OK;
}

/* Is it worth while to wait for more, so long after the stop and with nothing new for so long? */
static bool is_draining(const struct live *c, uint64_t since_stop_ns, uint64_t idle_ns)
{
    if (c->stream)
        return !c->is_stream_over && idle_ns < DRAIN_MAX_NS;
    return since_stop_ns < DRAIN_MAX_NS && (idle_ns == 0 || since_stop_ns < DRAIN_NS);
}

/* Read what the kernel had taken when we were told to stop. */
static enum status drain(struct live *c, struct error *err)
{
    uint64_t start_ns = clock_mono_ns(), now_ns = start_ns, last_ns = start_ns;
    int n = 0;
    if (c->is_stream_over)
        return STATUS_OK;
    enum status status = feed_stop(c, err);
    while (status == STATUS_OK && is_draining(c, now_ns - start_ns, now_ns - last_ns)) {
        struct pollfd fd = {.fd = feed_fd(c), .events = POLLIN};
        if (n == 0)
            poll(&fd, 1, SOURCE_TIMEOUT_MS);
        status = feed_read(c, &n, err);
        now_ns = clock_mono_ns();
        if (n > 0)
            last_ns = now_ns;
    }
    if (status == STATUS_OK && c->stream && !c->is_stream_over) {
        host_stream_finish(c->stream);
        c->is_stream_over = true;
    }
    return status;
}

/* Wait for the header of the host's capture. */
static enum status wait_for_host(struct live *c, struct error *err)
{
    bool is_signalled = false;
    enum status status = STATUS_OK;
    int n;
    while (status == STATUS_OK && !host_stream_has_begun(c->stream) && !c->is_stream_over) {
        status = wait_for(c, UINT64_MAX, &is_signalled, err);
        if (status == STATUS_OK && is_signalled)
            return error_set(err, STATUS_INTERRUPTED, SUBSYSTEM, "stopped before it began");
        if (status == STATUS_OK)
            status = feed_read(c, &n, err);
    }
    if (status == STATUS_OK && !host_stream_has_begun(c->stream)) {
        status = host_stream_outcome(c->stream, c->opts->from_host, c->opts->source.interface, err);
        if (status == STATUS_OK)
            status = error_set(err, STATUS_INPUT, SUBSYSTEM, "no packets come from %s",
                               c->opts->from_host);
    }
    return status;
}

static enum status open_feed(struct live *c, struct pcapng_interface *i, struct error *err)
{
    enum status status;
    i->name = c->opts->source.interface;
    i->filter = c->opts->source.filter;
    i->description = c->opts->from_host;
    if (c->opts->from_host == NULL) {
        status = source_open_live(&c->opts->source, &c->source, err);
        if (status != STATUS_OK)
            return status;
        i->linktype = source_linktype(c->source);
        i->snaplen = (uint32_t)c->opts->source.snaplen;
        c->link = source_link_type(c->source);
        return STATUS_OK;
    }
    c->stream = host_stream_new();
    if (c->stream == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    status = wait_for_host(c, err);
    if (status != STATUS_OK)
        return status;
    i->linktype = host_stream_linktype(c->stream);
    i->snaplen = host_stream_snaplen(c->stream);
    return source_link_from_dlt(source_dlt_from_linktype(i->linktype), &c->link, err);
}

static void keep_first(enum status *status, struct error *err, enum status next,
                       const struct error *next_err)
{
    if (*status == STATUS_OK && next != STATUS_OK) {
        *status = next;
        *err = *next_err;
    }
}

enum status live_run(const struct live_opts *opts, struct error *err)
{
    struct live c = {.opts = opts, .signal_fd = -1};
    struct pcapng_interface interface = {0};
    struct error broken = {0}, late = {0};
    enum status status = ecn_init(&c.ecn, 0, err);
    if (status == STATUS_OK)
        status = signals_start(&c, err);
    if (status == STATUS_OK)
        status = open_feed(&c, &interface, err);
    if (status == STATUS_OK && opts->files.path) {
        status = live_files_open(&c.files, &opts->files, &interface, err);
        c.has_files = status == STATUS_OK;
    }
    if (status != STATUS_OK)
        goto out;
    say_up(&c);

    /* Whatever goes wrong from here on, the rest is still done: what was counted is told, and the
     * file holds it. The first fault is the one reported. */
    status = run_until_told(&c, &broken);
    keep_first(&status, &broken, drain(&c, &late), &late);
    keep_first(&status, &broken, feed_drops(&c, &late), &late);
    keep_first(&status, &broken, c.write_status, &c.write_error);
    if (c.stream)
        keep_first(&status, &broken,
                   host_stream_outcome(c.stream, opts->from_host, opts->source.interface, &late),
                   &late);
    if (c.has_files)
        keep_first(&status, &broken, live_files_close(&c.files, &late), &late);
    const char *cut_by = status == STATUS_OK ? NULL : broken.message;
    keep_first(&status, &broken, say_result(&c, cut_by, &late), &late);
    if (status != STATUS_OK)
        *err = broken;
out:
    source_close(c.source);
    host_stream_free(c.stream);
    signals_stop(&c);
    ecn_done(&c.ecn);
    return status;
}
