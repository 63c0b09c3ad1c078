#include "capture/pcapng_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/version.h"

#define SUBSYSTEM "capture"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,

    OPT_END = 0,
    SHB_HARDWARE = 2,
    SHB_OS = 3,
    SHB_APPLICATION = 4,
    IF_NAME = 2,
    IF_DESCRIPTION = 3,
    IF_TSRESOL = 9,
    IF_FILTER = 11,
    ISB_STARTTIME = 2,
    ISB_ENDTIME = 3,
    ISB_IFRECV = 4,
    ISB_IFDROP = 5,

    TEXT_MAX = 4096, /* of an option */
    FRAME_MAX = 1 << 18,
    PACKET_OVERHEAD = 32,
    BUFFER_BYTES = 1 << 20,
};

struct pcapng_writer {
    int fd;
    bool has_failed;
    char *path;
    uint64_t written; /* bytes in the file: whole blocks */
    size_t len;       /* of the buffer, which begins with a block */
    uint8_t buffer[BUFFER_BYTES];
};

/* --- bytes ------------------------------------------------------------------------------------ */

static void put(struct pcapng_writer *w, const void *data, size_t len)
{
    memcpy(w->buffer + w->len, data, len);
    w->len += len;
}

static void put16(struct pcapng_writer *w, uint16_t v)
{
    put(w, &v, sizeof(v));
}

static void put32(struct pcapng_writer *w, uint32_t v)
{
    put(w, &v, sizeof(v));
}

/* Times and nothing else are written with their upper half first. */
static void put_time(struct pcapng_writer *w, int64_t ns)
{
    put32(w, (uint32_t)((uint64_t)ns >> 32));
    put32(w, (uint32_t)ns);
}

static void pad(struct pcapng_writer *w)
{
    while (w->len % 4)
        w->buffer[w->len++] = 0;
}

/* Blocks are multiples of four bytes, and the buffer begins with one: what is aligned in the buffer
 * is so in the block. */
static size_t block_begin(struct pcapng_writer *w, uint32_t type)
{
    size_t at = w->len;
    put32(w, type);
    put32(w, 0);
    return at;
}

static void block_end(struct pcapng_writer *w, size_t at)
{
    uint32_t len = (uint32_t)(w->len - at + 4);
    memcpy(w->buffer + at + 4, &len, sizeof(len));
    put32(w, len);
}

static void option(struct pcapng_writer *w, uint16_t code, const void *data, size_t len)
{
    put16(w, code);
    put16(w, (uint16_t)len);
    put(w, data, len);
    pad(w);
}

static void option_text(struct pcapng_writer *w, uint16_t code, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len)
        option(w, code, text, len < TEXT_MAX ? len : TEXT_MAX);
}

/* --- the file --------------------------------------------------------------------------------- */

/* The disk took `got` bytes of the buffer: keep the blocks that are whole. */
static void keep_whole_blocks(struct pcapng_writer *w, size_t got)
{
    size_t at = 0;
    uint32_t len;
    while (at + 8 <= got) {
        memcpy(&len, w->buffer + at + 4, sizeof(len));
        if (at + len > got)
            break;
        at += len;
    }
    w->written += at;
    if (ftruncate(w->fd, (off_t)w->written) != 0)
        return; /* a device, not a file: there is nothing to cut */
}

enum status pcapng_writer_flush(struct pcapng_writer *w, struct error *err)
{
    size_t at = 0;
    while (at < w->len && !w->has_failed) {
        ssize_t n = write(w->fd, w->buffer + at, w->len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_sys(err, STATUS_IO, errno, SUBSYSTEM, "cannot write %s", w->path);
            if (errno == ENOSPC || errno == EDQUOT)
                error_hint(err, "the disk is full; the file is good up to there");
            keep_whole_blocks(w, at);
            w->has_failed = true;
            return STATUS_IO;
        }
        at += (size_t)n;
    }
    if (!w->has_failed)
        w->written += w->len;
    w->len = 0;
    return STATUS_OK;
}

uint64_t pcapng_writer_bytes(const struct pcapng_writer *w)
{
    return w->written + w->len;
}

static void processor_name(char *out, size_t size)
{
    char line[256];
    out[0] = '\0';
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && out[0] == '\0' && fgets(line, sizeof(line), f)) {
        char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (value)
            snprintf(out, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    }
    if (f)
        fclose(f);
}

static void put_section(struct pcapng_writer *w)
{
    char os[256], processor[256];
    struct utsname u;
    int64_t unknown_length = -1;
    size_t at = block_begin(w, BLOCK_SECTION);
    put32(w, BYTE_ORDER_MAGIC);
    put16(w, 1);
    put16(w, 0);
    put(w, &unknown_length, sizeof(unknown_length));
    processor_name(processor, sizeof(processor));
    option_text(w, SHB_HARDWARE, processor);
    if (uname(&u) == 0) {
        snprintf(os, sizeof(os), "%.60s %.80s %.60s", u.sysname, u.release, u.machine);
        option_text(w, SHB_OS, os);
    }
    option_text(w, SHB_APPLICATION, "ccalab " CCALAB_VERSION);
    option(w, OPT_END, "", 0);
    block_end(w, at);
}

static void put_interface(struct pcapng_writer *w, const struct pcapng_interface *i)
{
    char filter[TEXT_MAX];
    uint8_t nanoseconds = 9;
    size_t at = block_begin(w, BLOCK_INTERFACE);
    put16(w, (uint16_t)i->linktype);
    put16(w, 0);
    put32(w, i->snaplen);
    option_text(w, IF_NAME, i->name);
    option_text(w, IF_DESCRIPTION, i->description);
    option(w, IF_TSRESOL, &nanoseconds, 1);
    if (i->filter && i->filter[0]) {
        filter[0] = 0; /* what follows is the text of a filter, not its program */
        snprintf(filter + 1, sizeof(filter) - 1, "%s", i->filter);
        option(w, IF_FILTER, filter, 1 + strlen(filter + 1));
    }
    option(w, OPT_END, "", 0);
    block_end(w, at);
}

enum status pcapng_writer_open(const char *path, const struct pcapng_interface *i,
                               struct pcapng_writer **out, struct error *err)
{
    struct pcapng_writer *w = malloc(sizeof(*w));
    char *name = strdup(path);
    if (w == NULL || name == NULL) {
        free(w);
        free(name);
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    }
    w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        error_sys(err, STATUS_IO, errno, SUBSYSTEM, "cannot write %s", path);
        free(w);
        free(name);
        return STATUS_IO;
    }
    w->path = name;
    w->has_failed = false;
    w->written = 0;
    w->len = 0;
    put_section(w);
    put_interface(w, i);
    enum status status = pcapng_writer_flush(w, err);
    if (status == STATUS_OK)
        *out = w;
    else
        (void)!pcapng_writer_close(w, NULL, NULL);
    return status;
}

enum status pcapng_writer_add(struct pcapng_writer *w, const struct source_frame *f,
                              struct error *err)
{
    uint32_t cap_len = f->cap_len < FRAME_MAX ? f->cap_len : FRAME_MAX;
    if (w->has_failed)
        return STATUS_OK; /* told already */
    if (w->len + cap_len + PACKET_OVERHEAD + 4 > BUFFER_BYTES) {
        enum status status = pcapng_writer_flush(w, err);
        if (status != STATUS_OK)
            return status;
    }
    size_t at = block_begin(w, BLOCK_PACKET);
    put32(w, 0); /* the only interface */
    put_time(w, f->t_ns);
    put32(w, cap_len);
    put32(w, f->wire_len);
    put(w, f->data, cap_len);
    pad(w);
    block_end(w, at);
    return STATUS_OK;
}

static void option_time(struct pcapng_writer *w, uint16_t code, int64_t ns)
{
    put16(w, code);
    put16(w, 8);
    put_time(w, ns);
}

enum status pcapng_writer_close(struct pcapng_writer *w, const struct pcapng_stats *stats,
                                struct error *err)
{
    if (w == NULL)
        return STATUS_OK;
    /* After a failure the buffer is empty, and a disk that has room again would make a gap. */
    enum status status = pcapng_writer_flush(w, err);
    if (status == STATUS_OK && stats && !w->has_failed) {
        size_t at = block_begin(w, BLOCK_STATISTICS);
        put32(w, 0);
        put_time(w, stats->end_ns);
        option_time(w, ISB_STARTTIME, stats->start_ns);
        option_time(w, ISB_ENDTIME, stats->end_ns);
        option(w, ISB_IFRECV, &stats->received, sizeof(stats->received));
        if (stats->has_dropped)
            option(w, ISB_IFDROP, &stats->dropped, sizeof(stats->dropped));
        option(w, OPT_END, "", 0);
        block_end(w, at);
        status = pcapng_writer_flush(w, err);
    }
    if (close(w->fd) != 0 && status == STATUS_OK && !w->has_failed)
        status = error_sys(err, STATUS_IO, errno, SUBSYSTEM, "cannot write %s", w->path);
    free(w->path);
    free(w);
    return status;
}
