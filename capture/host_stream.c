#include "capture/host_stream.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define SUBSYSTEM "capture"

enum {
    FILE_HEADER = 24,
    RECORD_HEADER = 16,
    END_LEN = sizeof(HOST_STREAM_END) - 1,
    RECORD_MAX = 262144,
    NOISE_MAX = 65536, /* of start-up files */
    WORDS_MAX = 65536, /* of tcpdump */
    MAGIC_US = 0xa1b2c3d4,
    MAGIC_NS = 0xa1b23c4d,
    LINKTYPE_MASK = 0x03ffffff,
    NO_TCPDUMP = 127, /* as a shell says it */
    BUFFER_BYTES = 1 << 20,
};

_Static_assert(END_LEN == RECORD_HEADER, "the end takes the place of a record's header");

enum stage { STAGE_NOISE, STAGE_HEADER, STAGE_RECORDS, STAGE_WORDS, STAGE_OVER };

struct host_stream {
    enum stage stage;
    bool is_swapped, is_nano, has_begun, has_end;
    int linktype;
    uint32_t snaplen;
    uint64_t number;
    const char *fault; /* what came is no capture */
    int exit_status;
    char *words; /* of tcpdump, with has_end */
    size_t at, len;
    char buffer[BUFFER_BYTES + 1]; /* and a NUL */
};

struct host_stream *host_stream_new(void)
{
    struct host_stream *s = malloc(sizeof(*s));
    if (s)
        memset(s, 0, offsetof(struct host_stream, buffer));
    return s;
}

void host_stream_free(struct host_stream *s)
{
    if (s == NULL)
        return;
    free(s->words);
    free(s);
}

void *host_stream_space(struct host_stream *s, size_t *size)
{
    if (s->at > 0) {
        memmove(s->buffer, s->buffer + s->at, s->len - s->at);
        s->len -= s->at;
        s->at = 0;
    }
    *size = s->stage == STAGE_OVER ? 0 : BUFFER_BYTES - s->len;
    return s->buffer + s->len;
}

static uint32_t get32(const struct host_stream *s, size_t offset)
{
    uint32_t v;
    memcpy(&v, s->buffer + s->at + offset, sizeof(v));
    return s->is_swapped ? __builtin_bswap32(v) : v;
}

static size_t available(const struct host_stream *s)
{
    return s->len - s->at;
}

static void fail(struct host_stream *s, const char *what)
{
    s->fault = what;
    s->stage = STAGE_OVER;
}

/* Each of the steps says whether there is another one to take. */

static bool skip_noise(struct host_stream *s)
{
    const char *begin =
        memmem(s->buffer + s->at, available(s), HOST_STREAM_BEGIN, sizeof(HOST_STREAM_BEGIN) - 1);
    if (begin == NULL) {
        if (available(s) > NOISE_MAX)
            fail(s, "no shell for commands there");
        return false;
    }
    s->at = (size_t)(begin - s->buffer) + sizeof(HOST_STREAM_BEGIN) - 1;
    s->stage = STAGE_HEADER;
    return true;
}

static bool take_end(struct host_stream *s)
{
    if (available(s) < END_LEN || memcmp(s->buffer + s->at, HOST_STREAM_END, END_LEN) != 0)
        return false;
    s->at += END_LEN;
    s->stage = STAGE_WORDS;
    return true;
}

static bool take_file_header(struct host_stream *s)
{
    if (take_end(s))
        return true;
    if (available(s) < FILE_HEADER)
        return false;
    uint32_t magic = get32(s, 0);
    if (magic != MAGIC_US && magic != MAGIC_NS) {
        s->is_swapped = true;
        magic = get32(s, 0);
    }
    if (magic != MAGIC_US && magic != MAGIC_NS) {
        fail(s, "no pcap file comes from it");
        return false;
    }
    s->is_nano = magic == MAGIC_NS;
    s->snaplen = get32(s, 16);
    s->linktype = (int)(get32(s, 20) & LINKTYPE_MASK);
    s->has_begun = true;
    s->at += FILE_HEADER;
    s->stage = STAGE_RECORDS;
    return true;
}

static bool take_record(struct host_stream *s, source_fn fn, void *user)
{
    if (available(s) < RECORD_HEADER)
        return false;
    uint32_t cap_len = get32(s, 8);
    if (cap_len > RECORD_MAX) { /* so is what the end looks like */
        if (take_end(s))
            return true;
        fail(s, "a record claims to be longer than any");
        return false;
    }
    if (available(s) < RECORD_HEADER + cap_len)
        return false;
    uint64_t fraction = get32(s, 4);
    struct source_frame frame = {
        .number = ++s->number,
        .t_ns = (int64_t)(get32(s, 0) * UINT64_C(1000000000) + fraction * (s->is_nano ? 1 : 1000)),
        .data = (const uint8_t *)s->buffer + s->at + RECORD_HEADER,
        .cap_len = cap_len,
        .wire_len = get32(s, 12),
    };
    s->at += RECORD_HEADER + cap_len;
    fn(user, &frame);
    return true;
}

bool host_stream_took(struct host_stream *s, size_t len, source_fn fn, void *user)
{
    bool is_more = true;
    s->len += len;
    while (is_more) {
        switch (s->stage) {
        case STAGE_NOISE:
            is_more = skip_noise(s);
            break;
        case STAGE_HEADER:
            is_more = take_file_header(s);
            break;
        case STAGE_RECORDS:
            is_more = take_record(s, fn, user);
            break;
        case STAGE_WORDS:
            is_more = false;
            if (available(s) > WORDS_MAX)
                s->stage = STAGE_OVER; /* enough of it */
            break;
        case STAGE_OVER:
            is_more = false;
            break;
        }
    }
    return s->stage != STAGE_OVER;
}

void host_stream_finish(struct host_stream *s)
{
    s->has_end = s->stage == STAGE_WORDS || (s->stage == STAGE_OVER && !s->fault);
    s->stage = STAGE_OVER;
    if (!s->has_end)
        return;
    s->buffer[s->len] = '\0';
    char *words;
    s->exit_status = (int)strtol(s->buffer + s->at, &words, 10);
    s->words = strdup(words);
}

bool host_stream_has_begun(const struct host_stream *s)
{
    return s->has_begun;
}

int host_stream_linktype(const struct host_stream *s)
{
    return s->linktype;
}

uint32_t host_stream_snaplen(const struct host_stream *s)
{
    return s->snaplen;
}

/* --- tcpdump's words -------------------------------------------------------------------------- */

bool host_stream_drops(const struct host_stream *s, uint64_t *drops)
{
    const char *at = s->words ? strstr(s->words, " dropped by kernel") : NULL;
    if (at == NULL) /* "1 packet dropped by kernel", "5 packets dropped by kernel" */
        return false;
    while (at > s->words && at[-1] != '\n')
        at--;
    char *end;
    unsigned long long n = strtoull(at, &end, 10);
    if (end == at || strncmp(end, " packet", 7) != 0)
        return false;
    *drops = n;
    return true;
}

/* The last line that says something, for people. */
static void last_words(const struct host_stream *s, char *out, size_t size)
{
    const char *end = s->words ? s->words + strlen(s->words) : "", *begin;
    while (s->words && end > s->words && isspace((unsigned char)end[-1]))
        end--;
    for (begin = end; s->words && begin > s->words && begin[-1] != '\n'; begin--)
        ;
    char line[256];
    snprintf(line, sizeof(line), "%.*s", (int)(end - begin), begin);
    log_escape(line, out, size);
}

static bool says(const struct host_stream *s, const char *what)
{
    return s->words && strstr(s->words, what);
}

static enum status explain(const struct host_stream *s, const char *host, const char *interface,
                           const char *said, struct error *err)
{
    if (s->exit_status == NO_TCPDUMP) {
        error_set(err, STATUS_UNAVAILABLE, SUBSYSTEM, "there is no tcpdump on %s", host);
        return error_hint(err, "install the package tcpdump there");
    }
    if (says(s, "permission") || says(s, "not permitted") || says(s, "password is required")) {
        error_set(err, STATUS_HOST, SUBSYSTEM, "no right to capture on %s of %s: %s", interface,
                  host, said);
        return error_hint(err,
                          "let the user run sudo -n (a NOPASSWD line in sudoers), or there, once: "
                          "setcap cap_net_raw,cap_net_admin=ep $(command -v tcpdump)");
    }
    if (says(s, "No such device")) {
        error_set(err, STATUS_HOST, SUBSYSTEM, "%s has no interface %s", host, interface);
        return error_hint(err, "ip -brief link lists them there");
    }
    if (says(s, "filter expression") || says(s, "unknown host") || says(s, "unknown port")) {
        error_set(err, STATUS_USAGE, SUBSYSTEM, "%s does not take the capture filter: %s", host,
                  said);
        return error_hint(err, "see pcap-filter(7) there");
    }
    return error_set(err, STATUS_HOST, SUBSYSTEM, "tcpdump on %s of %s ended: %s", interface, host,
                     said[0] ? said : "it does not say why");
}

enum status host_stream_outcome(const struct host_stream *s, const char *host,
                                const char *interface, struct error *err)
{
    char said[512];
    if (s->fault)
        return error_set(err, STATUS_INPUT, SUBSYSTEM, "the capture on %s: %s", host, s->fault);
    if (!s->has_end) {
        error_set(err, STATUS_HOST, SUBSYSTEM, "the connection to %s was lost", host);
        return error_hint(err, "what had come is counted and written");
    }
    if (s->exit_status == 0 && s->has_begun)
        return STATUS_OK;
    last_words(s, said, sizeof(said));
    return explain(s, host, interface, said, err);
}
