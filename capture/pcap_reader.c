#include "capture/pcap_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_HEADER = 24,
    RECORD_HEADER = 16,
    RECORD_MAX = 262144, /* libpcap's and Wireshark's limit too */
    MAGIC_US = 0xa1b2c3d4,
    MAGIC_NS = 0xa1b23c4d,
    LINKTYPE_MASK = 0x03ffffff, /* the bits above tell of an FCS */
    BUFFER_BYTES = 1 << 20,     /* more than a record */
};

struct pcap_reader {
    struct unpack *unpack;
    bool is_swapped, is_nano, has_begun, is_end;
    int linktype, snaplen;
    uint64_t number;
    size_t at, len; /* of the buffer */
    char fault[128];
    uint8_t buffer[BUFFER_BYTES];
};

static uint32_t get32(const uint8_t *p, bool is_swapped)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return is_swapped ? __builtin_bswap32(v) : v;
}

static uint16_t get16(const uint8_t *p, bool is_swapped)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return is_swapped ? __builtin_bswap16(v) : v;
}

enum status pcap_reader_open(struct unpack *u, struct pcap_reader **out, struct error *err)
{
    uint8_t header[FILE_HEADER];
    bool is_swapped = false;
    *out = NULL;
    if (unpack_peek(u, header, sizeof(header)) < sizeof(header))
        return STATUS_OK;
    uint32_t magic = get32(header, false);
    if (magic != MAGIC_US && magic != MAGIC_NS) {
        magic = __builtin_bswap32(magic);
        is_swapped = true;
    }
    /* Version 2.4 is the one that everybody writes; older ones have their quirks. */
    uint16_t major = get16(header + 4, is_swapped), minor = get16(header + 6, is_swapped);
    if ((magic != MAGIC_US && magic != MAGIC_NS) || major != 2 || minor != 4)
        return STATUS_OK;
    struct pcap_reader *r = malloc(sizeof(*r));
    if (r == NULL)
        return error_set(err, STATUS_NOMEM, "capture", "out of memory");
    memset(r, 0, offsetof(struct pcap_reader, buffer));
    r->unpack = u;
    r->is_swapped = is_swapped;
    r->is_nano = magic == MAGIC_NS;
    r->linktype = (int)(get32(header + 20, is_swapped) & LINKTYPE_MASK);
    uint32_t snaplen = get32(header + 16, is_swapped);
    r->snaplen = snaplen == 0 || snaplen > RECORD_MAX ? RECORD_MAX : (int)snaplen;
    *out = r;
    return STATUS_OK;
}

void pcap_reader_close(struct pcap_reader *r)
{
    if (r == NULL)
        return;
    unpack_close(r->unpack);
    free(r);
}

struct unpack *pcap_reader_stream(struct pcap_reader *r)
{
    return r->unpack;
}

bool pcap_reader_seek(struct pcap_reader *r, uint64_t offset, uint64_t number)
{
    if (!unpack_seek(r->unpack, offset))
        return false;
    r->has_begun = true;
    r->is_end = false;
    r->number = number - 1;
    r->at = r->len = 0;
    r->fault[0] = '\0';
    return true;
}

int pcap_reader_linktype(const struct pcap_reader *r)
{
    return r->linktype;
}

int pcap_reader_snaplen(const struct pcap_reader *r)
{
    return r->snaplen;
}

const char *pcap_reader_fault(const struct pcap_reader *r)
{
    return r->fault[0] ? r->fault : NULL;
}

/* Are `want` bytes there, from r->at on? Reads more if not. */
static bool fill(struct pcap_reader *r, size_t want)
{
    if (r->len - r->at >= want)
        return true;
    memmove(r->buffer, r->buffer + r->at, r->len - r->at);
    r->len -= r->at;
    r->at = 0;
    while (r->len < want && !r->is_end) {
        ssize_t n = unpack_read(r->unpack, r->buffer + r->len, BUFFER_BYTES - r->len);
        if (n <= 0)
            r->is_end = true;
        else
            r->len += (size_t)n;
    }
    return r->len >= want;
}

/* The end is no fault where nothing has begun. */
static int end(struct pcap_reader *r, int n, size_t want, const char *what)
{
    const char *why = unpack_fault(r->unpack);
    size_t got = r->len - r->at;
    if (why)
        snprintf(r->fault, sizeof(r->fault), "%s", why);
    else if (got > 0)
        snprintf(r->fault, sizeof(r->fault), "the file ends after %zu of %zu bytes of its %s", got,
                 want, what);
    r->is_end = true;
    r->at = r->len = 0;
    return n;
}

static bool skip_file_header(struct pcap_reader *r)
{
    if (r->has_begun)
        return true;
    r->has_begun = true;
    if (!fill(r, FILE_HEADER))
        return false;
    r->at += FILE_HEADER;
    return true;
}

int pcap_reader_read(struct pcap_reader *r, int max, source_fn fn, void *user)
{
    int n = 0;
    if (!skip_file_header(r))
        return end(r, 0, FILE_HEADER, "header");
    while (n < max && r->fault[0] == '\0') {
        if (!fill(r, RECORD_HEADER))
            return end(r, n, RECORD_HEADER, "header");
        const uint8_t *p = r->buffer + r->at;
        uint32_t cap_len = get32(p + 8, r->is_swapped);
        if (cap_len > RECORD_MAX) {
            snprintf(r->fault, sizeof(r->fault),
                     "claims to hold %u bytes, more than any record may", cap_len);
            return n;
        }
        if (!fill(r, RECORD_HEADER + cap_len))
            return end(r, n, RECORD_HEADER + cap_len, "header and packet");
        p = r->buffer + r->at;
        uint64_t fraction = get32(p + 4, r->is_swapped);
        struct source_frame frame = {
            .number = ++r->number,
            .t_ns = (int64_t)(get32(p, r->is_swapped) * UINT64_C(1000000000) +
                              fraction * (r->is_nano ? 1 : 1000)),
            .data = p + RECORD_HEADER,
            .cap_len = cap_len,
            .wire_len = get32(p + 12, r->is_swapped),
        };
        r->at += RECORD_HEADER + cap_len;
        n++;
        fn(user, &frame);
    }
    return n;
}
