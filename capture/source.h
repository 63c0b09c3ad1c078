/* Where packets come from: a capture file, or an interface, here or in a network namespace.
 * libpcap does the reading and the writing. Thread: one at a time; opening in a namespace moves
 * the calling thread there and back. */
#ifndef CCALAB_CAPTURE_SOURCE_H
#define CCALAB_CAPTURE_SOURCE_H

#include <stdint.h>

#include "capture/dissect.h"
#include "core/error.h"

/* Longest headers we read: Ethernet with two VLAN tags (22) or SLL2 (20), IPv6 (40), TCP with all
 * its options (60): 122 bytes. Copying no more keeps ring and file small at full rate. */
#define SOURCE_SNAPLEN 128
/* Kernel buffer (four times as much for whole frames, so that it bridges as long a wait for the
 * disk), and how long it may hold a packet back while it fills. */
#define SOURCE_BUFFER_BYTES (16 << 20)
#define SOURCE_TIMEOUT_MS   100

struct source;

/* One frame, borrowed for the call. */
struct source_frame {
    uint64_t number; /* from 1 */
    int64_t t_ns;    /* since the epoch */
    const uint8_t *data;
    uint32_t cap_len, wire_len;
};

typedef void (*source_fn)(void *user, const struct source_frame *frame);

struct source_live_opts {
    const char *interface;
    const char *netns;  /* path for setns(2), or NULL for where we are */
    const char *filter; /* pcap-filter(7), or NULL for everything */
    int snaplen;        /* bytes kept of a frame; 0 means whole frames */
};

/* Open a capture file ("-": standard input): pcap in either byte order with micro- or nanoseconds,
 * or pcapng, and either of them in gzip or zstd. Errors: STATUS_IO (cannot be opened), STATUS_INPUT
 * (no capture file), STATUS_UNAVAILABLE (another compression, a link type that dissect() does not
 * know, a pcapng with several link types). */
CCALAB_MUST_USE enum status source_open_file(const char *path, struct source **out,
                                             struct error *err);
/* Start capturing; when this returns, packets are being collected. The interface is not put into
 * promiscuous mode. Errors: STATUS_HOST (namespace, interface, permission), STATUS_USAGE (filter),
 * STATUS_UNAVAILABLE (link type). */
CCALAB_MUST_USE enum status source_open_live(const struct source_live_opts *opts,
                                             struct source **out, struct error *err);
void source_close(struct source *s);

enum link_type source_link_type(const struct source *s);
/* The LINKTYPE_ that files of it have (https://www.tcpdump.org/linktypes.html). */
int source_linktype(const struct source *s);
/* What dissect() calls libpcap's DLT_. Errors: STATUS_UNAVAILABLE. */
CCALAB_MUST_USE enum status source_link_from_dlt(int dlt, enum link_type *out, struct error *err);
/* libpcap's DLT_ for the LINKTYPE_ of a file. */
int source_dlt_from_linktype(int linktype);
/* For poll(2) on a live source. */
int source_fd(const struct source *s);

/* Of a file: see unpack_follow(). Before the first source_read(). */
void source_follow(struct source *s, bool (*wait)(void *user), void *user);
/* How much of a file has been read, 0 to 1; -1: nobody knows. */
double source_progress(const struct source *s);
/* Go on with the record at this offset, which is that of frame `number`. Only in classic pcap files
 * that are not packed: false elsewhere. There the first record is at SOURCE_FIRST_RECORD, and each
 * takes SOURCE_RECORD_HEADER bytes and those of its frame. */
#define SOURCE_FIRST_RECORD  24
#define SOURCE_RECORD_HEADER 16
bool source_seek(struct source *s, uint64_t offset, uint64_t number);
/* The longest frame, as the file says. */
int source_snaplen(const struct source *s);

/* Also write every frame that source_read() hands out to a pcap file with nanoseconds, from now on.
 * Errors: STATUS_IO. */
CCALAB_MUST_USE enum status source_save(struct source *s, const char *path, struct error *err);
/* Push what was written to the file out to the kernel. Errors: STATUS_IO (the disk is full). */
CCALAB_MUST_USE enum status source_flush(struct source *s, struct error *err);

/* Hand out at most `max` frames; never waits for a live source. *n is their number: 0 is the end of
 * a file, or nothing there yet. A damaged or cut-off file ends early with STATUS_OK, see
 * source_truncated(). Errors: STATUS_HOST (the interface is gone). */
CCALAB_MUST_USE enum status source_read(struct source *s, int max, source_fn fn, void *user, int *n,
                                        struct error *err);
/* What cut the file short: the record and why; NULL if nothing did. */
const char *source_truncated(const struct source *s);

/* Take no more packets from the interface. What the kernel already has can still be read; all of
 * it is there once 2 * SOURCE_TIMEOUT_MS have passed and source_read() gives nothing.
 * Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status source_stop(struct source *s, struct error *err);
/* Packets that the kernel dropped because its buffer was full, so far. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status source_drops(struct source *s, uint64_t *drops, struct error *err);

#endif
