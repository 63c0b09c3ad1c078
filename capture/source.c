#include "capture/source.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/capture_filter.h"
#include "capture/pcap_reader.h"
#include "capture/unpack.h"
#include "core/log.h"
#include "core/netns.h"

#define SUBSYSTEM     "capture"
#define SNAPLEN_WHOLE 262144

struct source {
    pcap_t *pcap;               /* not for reading with `reader`; closes the stream and `unpack` */
    struct pcap_reader *reader; /* of classic pcap files */
    struct unpack *unpack;      /* of other files; owned by the stream */
    pcap_dumper_t *dumper;      /* NULL: nothing is saved */
    char *dump_path;
    int dlt;
    enum link_type link;
    bool is_live;
    bool is_at_end;
    uint64_t number;
    char truncated[PCAP_ERRBUF_SIZE + 32];
    /* For the duration of source_read(). */
    source_fn fn;
    void *user;
};

enum status source_link_from_dlt(int dlt, enum link_type *out, struct error *err)
{
    switch (dlt) {
    case DLT_EN10MB:
        *out = LINK_TYPE_ETHERNET;
        return STATUS_OK;
    case DLT_LINUX_SLL:
        *out = LINK_TYPE_SLL;
        return STATUS_OK;
    case DLT_LINUX_SLL2:
        *out = LINK_TYPE_SLL2;
        return STATUS_OK;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
        *out = LINK_TYPE_RAW;
        return STATUS_OK;
    case DLT_NULL:
    case DLT_LOOP:
        *out = LINK_TYPE_NULL;
        return STATUS_OK;
    case DLT_IEEE802_11:
        *out = LINK_TYPE_WLAN;
        return STATUS_OK;
    default:
        break;
    }
    const char *name = pcap_datalink_val_to_name(dlt);
    error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM, "link type %d (%s) is not read", dlt,
              name ? name : "unknown");
    error_hint(err, "Ethernet, Linux cooked (SLL, SLL2), raw IP, BSD loopback and 802.11 without a "
                    "radio header are");
    return STATUS_UNAVAILABLE;
}

/* Files have numbers of their own for a few types that systems disagree on. */
enum { LINKTYPE_RAW = 101, LINKTYPE_LOOP = 108 };

int source_dlt_from_linktype(int linktype)
{
    switch (linktype) {
    case LINKTYPE_RAW:
        return DLT_RAW;
    case LINKTYPE_LOOP:
        return DLT_LOOP;
    default:
        return linktype;
    }
}

static enum status set_link(struct source *s, int dlt, struct error *err)
{
    s->dlt = dlt;
    return source_link_from_dlt(dlt, &s->link, err);
}

static enum status source_new(struct source **out, struct error *err)
{
    *out = calloc(1, sizeof(**out));
    return *out ? STATUS_OK : error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
}

void source_close(struct source *s)
{
    if (s == NULL)
        return;
    if (s->dumper)
        pcap_dump_close(s->dumper);
    if (s->pcap)
        pcap_close(s->pcap);
    pcap_reader_close(s->reader);
    free(s->dump_path);
    free(s);
}

enum link_type source_link_type(const struct source *s)
{
    return s->link;
}

int source_linktype(const struct source *s)
{
    return s->dlt == DLT_RAW ? LINKTYPE_RAW : s->dlt == DLT_LOOP ? LINKTYPE_LOOP : s->dlt;
}

int source_fd(const struct source *s)
{
    return pcap_get_selectable_fd(s->pcap);
}

const char *source_truncated(const struct source *s)
{
    return s->truncated[0] ? s->truncated : NULL;
}

/* --- files ------------------------------------------------------------------------------------ */

/* libpcap takes one link type a file, and says so in a way that leaves people alone with it. */
static enum status explain_open(const char *path, const char *text, struct error *err)
{
    if (strstr(text, "different from the type of the first interface")) {
        error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM,
                  "%s holds interfaces of different link types, which is not read", path);
        error_hint(err, "tshark -r FILE -Y 'frame.interface_id == 0' -w ONE.pcapng");
        return STATUS_UNAVAILABLE;
    }
    error_set(err, STATUS_INPUT, SUBSYSTEM, "%s: %s", path, text);
    error_hint(err, "is it a pcap or pcapng file?");
    return STATUS_INPUT;
}

/* pcapng and the like: libpcap knows them. Takes `u`. */
static enum status open_by_libpcap(struct source *s, const char *path, struct unpack *u,
                                   struct error *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    FILE *f = unpack_stream(u);
    if (f == NULL) {
        unpack_close(u);
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    }
    s->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, text);
    if (s->pcap == NULL) {
        const char *fault = unpack_fault(u);
        enum status status = fault ? error_set(err, STATUS_INPUT, SUBSYSTEM, "%s: %s", path, fault)
                                   : explain_open(path, text, err);
        fclose(f);
        return status;
    }
    s->unpack = u;
    return set_link(s, pcap_datalink(s->pcap), err);
}

enum status source_open_file(const char *path, struct source **out, struct error *err)
{
    struct source *s;
    struct unpack *u;
    enum status status = source_new(&s, err);
    if (status != STATUS_OK)
        return status;
    status = unpack_open(path, &u, err);
    if (status != STATUS_OK)
        goto fail;
    status = pcap_reader_open(u, &s->reader, err);
    if (status != STATUS_OK)
        unpack_close(u);
    else if (s->reader)
        status = set_link(s, source_dlt_from_linktype(pcap_reader_linktype(s->reader)), err);
    else
        status = open_by_libpcap(s, path, u, err);
    if (status != STATUS_OK)
        goto fail;
    *out = s;
    return STATUS_OK;
fail:
    source_close(s);
    return status;
}

static struct unpack *stream_of(const struct source *s)
{
    return s->reader ? pcap_reader_stream(s->reader) : s->unpack;
}

void source_follow(struct source *s, bool (*wait)(void *user), void *user)
{
    unpack_follow(stream_of(s), wait, user);
}

double source_progress(const struct source *s)
{
    return unpack_progress(stream_of(s));
}

int source_snaplen(const struct source *s)
{
    return s->reader ? pcap_reader_snaplen(s->reader) : pcap_snapshot(s->pcap);
}

bool source_seek(struct source *s, uint64_t offset, uint64_t number)
{
    if (s->reader == NULL || !pcap_reader_seek(s->reader, offset, number))
        return false;
    s->number = number - 1;
    s->is_at_end = false;
    s->truncated[0] = '\0';
    return true;
}

/* --- interfaces ------------------------------------------------------------------------------- */

static enum status activate(pcap_t *p, const struct source_live_opts *opts, struct error *err)
{
    pcap_set_snaplen(p, opts->snaplen > 0 ? opts->snaplen : SNAPLEN_WHOLE);
    pcap_set_promisc(p, 0);
    pcap_set_timeout(p, SOURCE_TIMEOUT_MS);
    pcap_set_buffer_size(p, opts->snaplen > 0 ? SOURCE_BUFFER_BYTES : 4 * SOURCE_BUFFER_BYTES);
    if (pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO) != 0)
        return error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM, "libpcap has no nanoseconds here");
    int rc = pcap_activate(p);
    if (rc >= 0) {
        if (rc > 0)
            log_warn("capture on %s: %s", opts->interface, pcap_geterr(p));
        return STATUS_OK;
    }
    error_set(err, STATUS_HOST, SUBSYSTEM, "cannot capture on %s: %s: %s", opts->interface,
              pcap_statustostr(rc), pcap_geterr(p));
    if (rc == PCAP_ERROR_PERM_DENIED)
        error_hint(err, "capturing needs root or the capability CAP_NET_RAW");
    else if (rc == PCAP_ERROR_NO_SUCH_DEVICE)
        error_hint(err, "ip -brief link lists the interfaces%s",
                   opts->netns ? " (in that namespace)" : "");
    return STATUS_HOST;
}

static enum status set_filter(pcap_t *p, const char *filter, struct error *err)
{
    struct bpf_program program;
    if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return capture_filter_explain(filter, pcap_datalink(p), pcap_geterr(p), err);
    int rc = pcap_setfilter(p, &program);
    pcap_freecode(&program);
    return rc == 0
               ? STATUS_OK
               : error_set(err, STATUS_HOST, SUBSYSTEM, "filter '%s': %s", filter, pcap_geterr(p));
}

enum status source_open_live(const struct source_live_opts *opts, struct source **out,
                             struct error *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    int home = -1;
    struct source *s;
    enum status status = source_new(&s, err);
    if (status != STATUS_OK)
        return status;
    s->is_live = true;
    if (opts->netns) {
        status = netns_enter(opts->netns, &home, err);
        if (status != STATUS_OK)
            goto fail;
    }
    s->pcap = pcap_create(opts->interface, text);
    if (s->pcap == NULL)
        status = error_set(err, STATUS_HOST, SUBSYSTEM, "%s: %s", opts->interface, text);
    if (status == STATUS_OK)
        status = activate(s->pcap, opts, err);
    /* The socket stays bound to its namespace; the thread goes home, whatever happened. */
    enum status left = netns_leave(&home, err);
    if (left != STATUS_OK)
        status = left;
    if (status == STATUS_OK)
        status = set_link(s, pcap_datalink(s->pcap), err);
    /* Without a filter too: it is the filter that tells the kernel to copy no more than snaplen. */
    if (status == STATUS_OK)
        status = set_filter(s->pcap, opts->filter ? opts->filter : "", err);
    if (status == STATUS_OK && pcap_setnonblock(s->pcap, 1, text) != 0)
        status = error_set(err, STATUS_HOST, SUBSYSTEM, "%s", text);
    if (status != STATUS_OK)
        goto fail;
    *out = s;
    return STATUS_OK;
fail:
    source_close(s);
    return status;
}

enum status source_stop(struct source *s, struct error *err)
{
    /* A filter that takes nothing, put under libpcap's nose: pcap_setfilter() would apply it to the
     * packets already in the ring too, and those are what we want to keep. */
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    if (setsockopt(pcap_fileno(s->pcap), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) !=
        0)
        return error_sys(err, STATUS_HOST, errno, SUBSYSTEM, "cannot stop the capture");
    return STATUS_OK;
}

enum status source_drops(struct source *s, uint64_t *drops, struct error *err)
{
    struct pcap_stat stat;
    if (pcap_stats(s->pcap, &stat) != 0)
        return error_set(err, STATUS_HOST, SUBSYSTEM, "drop counter: %s", pcap_geterr(s->pcap));
    *drops = stat.ps_drop;
    return STATUS_OK;
}

/* --- saving ----------------------------------------------------------------------------------- */

enum status source_save(struct source *s, const char *path, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return error_set(err, STATUS_USAGE, SUBSYSTEM,
                         "standard output carries the events; name a file");
    s->dump_path = strdup(path);
    if (s->dump_path == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    if (s->pcap == NULL) /* libpcap writes what it does not read */
        s->pcap = pcap_open_dead_with_tstamp_precision(s->dlt, pcap_reader_snaplen(s->reader),
                                                       PCAP_TSTAMP_PRECISION_NANO);
    if (s->pcap == NULL)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    s->dumper = pcap_dump_open(s->pcap, path);
    if (s->dumper == NULL)
        return error_set(err, STATUS_IO, SUBSYSTEM, "cannot write: %s", pcap_geterr(s->pcap));
    return source_flush(s, err);
}

enum status source_flush(struct source *s, struct error *err)
{
    if (s->dumper == NULL)
        return STATUS_OK;
    if (pcap_dump_flush(s->dumper) != 0 || ferror(pcap_dump_file(s->dumper)))
        return error_sys(err, STATUS_IO, errno, SUBSYSTEM, "cannot write %s", s->dump_path);
    return STATUS_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Nanoseconds since the epoch (tv_usec holds nanoseconds, as asked for when opening); 0 for a time
 * that no clock shows, which pcapng and damaged files may hold. */
static int64_t time_ns(const struct timeval *tv)
{
    int64_t sec = tv->tv_sec, ns;
    if (sec < 0 && sec >= INT32_MIN)
        sec += INT64_C(1) << 32; /* pcap's 32 bits are unsigned, libpcap's are not: after 2038 */
    if (__builtin_mul_overflow(sec, INT64_C(1000000000), &ns) ||
        __builtin_add_overflow(ns, (int64_t)tv->tv_usec, &ns) || ns < 0)
        return 0;
    return ns;
}

static const char *explain_read(const char *text)
{
    if (strstr(text, "different from the type of the first interface"))
        return "an interface of another link type begins, which is not read";
    return text;
}

static void on_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
    struct source *s = (struct source *)user;
    struct source_frame frame = {
        .number = ++s->number,
        .t_ns = time_ns(&h->ts),
        .data = data,
        .cap_len = h->caplen,
        .wire_len = h->len,
    };
    if (s->dumper)
        pcap_dump((u_char *)s->dumper, h, data);
    s->fn(s->user, &frame);
}

static void note_truncated(struct source *s, const char *why)
{
    s->is_at_end = true;
    snprintf(s->truncated, sizeof(s->truncated), "record %" PRIu64 ": %s", s->number + 1, why);
}

static void save_frame(void *user, const struct source_frame *frame)
{
    struct source *s = user;
    struct pcap_pkthdr h = {
        .ts = {.tv_sec = frame->t_ns / 1000000000, .tv_usec = frame->t_ns % 1000000000},
        .caplen = frame->cap_len,
        .len = frame->wire_len,
    };
    pcap_dump((u_char *)s->dumper, &h, frame->data);
    s->fn(s->user, frame);
}

static enum status read_file(struct source *s, int max, int *n)
{
    *n = s->dumper ? pcap_reader_read(s->reader, max, save_frame, s)
                   : pcap_reader_read(s->reader, max, s->fn, s->user);
    s->number += (uint64_t)*n;
    if (pcap_reader_fault(s->reader))
        note_truncated(s, pcap_reader_fault(s->reader));
    return STATUS_OK;
}

enum status source_read(struct source *s, int max, source_fn fn, void *user, int *n,
                        struct error *err)
{
    *n = 0;
    if (s->is_at_end)
        return STATUS_OK;
    uint64_t before = s->number;
    s->fn = fn;
    s->user = user;
    if (s->reader)
        return read_file(s, max, n);
    int rc = pcap_dispatch(s->pcap, max, on_frame, (u_char *)s);
    *n = (int)(s->number - before);
    if (rc >= 0)
        return STATUS_OK;
    if (s->is_live) {
        s->is_at_end = true;
        return error_set(err, STATUS_HOST, SUBSYSTEM, "the capture broke off: %s",
                         pcap_geterr(s->pcap));
    }
    const char *fault = unpack_fault(s->unpack);
    note_truncated(s, fault ? fault : explain_read(pcap_geterr(s->pcap)));
    return STATUS_OK;
}
