/* Writing pcapng, which libpcap does not: a section with one interface, its packets with
 * nanoseconds, and at the end what the interface received and dropped. After a full
 * disk too the file consists of whole blocks.
 * Format: draft-ietf-opsawg-pcapng. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_PCAPNG_WRITE_H
#define CCALAB_CAPTURE_PCAPNG_WRITE_H

#include "capture/source.h"

struct pcapng_writer;

/* Strings are copied into the file. */
struct pcapng_interface {
    const char *name;        /* if_name, or NULL */
    const char *description; /* if_description, or NULL: where it is */
    const char *filter;      /* if_filter, pcap-filter(7), or NULL */
    int linktype;            /* LINKTYPE_, source_linktype() */
    uint32_t snaplen;        /* 0: none */
};

/* Counters of an Interface Statistics Block. */
struct pcapng_stats {
    int64_t start_ns, end_ns; /* since the epoch */
    uint64_t received;        /* passed the filter: handed out, or dropped for want of room */
    uint64_t dropped;
    bool has_dropped; /* false: nobody told */
};

/* Create the file, or empty it. Errors: STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status pcapng_writer_open(const char *path, const struct pcapng_interface *i,
                                               struct pcapng_writer **out, struct error *err);
/* Append a frame. Cheap: writes when a buffer is full. Errors: STATUS_IO (the disk is full); the
 * file then ends behind the last block that fitted, and nothing more is written to it. */
CCALAB_MUST_USE enum status pcapng_writer_add(struct pcapng_writer *w, const struct source_frame *f,
                                              struct error *err);
/* Hand everything to the kernel. Errors: as pcapng_writer_add(). */
CCALAB_MUST_USE enum status pcapng_writer_flush(struct pcapng_writer *w, struct error *err);
/* Bytes of the file, what is still to be written too. */
uint64_t pcapng_writer_bytes(const struct pcapng_writer *w);
/* Write the statistics (NULL: none) and close; `w` (may be NULL) is freed. Errors: as
 * pcapng_writer_add(); what failed before is not told again. */
CCALAB_MUST_USE enum status
pcapng_writer_close(struct pcapng_writer *w, const struct pcapng_stats *stats, struct error *err);

#endif
