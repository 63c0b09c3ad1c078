/* The packets of another host: the output of tcpdump there, framed by the script of
 * lua/prelude/capture.lua, taken apart as it comes. Bytes from a host are not to be trusted.
 *
 *     what the host's start-up files print
 *     ccalab:capture:1\n
 *     a pcap file of any length            (draft-ietf-opsawg-pcap; nothing if tcpdump failed)
 *     ccalab:the:end:\n                    (16 bytes, as long as a record's header, and none)
 *     exit status\n
 *     what tcpdump said on standard error
 *
 * A stream without the end is one that broke off. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_HOST_STREAM_H
#define CCALAB_CAPTURE_HOST_STREAM_H

#include "capture/source.h"

#define HOST_STREAM_BEGIN "ccalab:capture:1\n"
#define HOST_STREAM_END   "ccalab:the:end:\n"

struct host_stream;

/* NULL without memory. */
struct host_stream *host_stream_new(void);
void host_stream_free(struct host_stream *s);

/* Where the next bytes may be written, and how many: never 0 unless it is over. */
void *host_stream_space(struct host_stream *s, size_t *size);
/* So many bytes were written there: hands out the frames that are complete now. False: it is over,
 * by the end or by a fault; more bytes are of no use. */
bool host_stream_took(struct host_stream *s, size_t len, source_fn fn, void *user);
/* No more bytes come. */
void host_stream_finish(struct host_stream *s);

/* The header of the pcap file is there: the link type (LINKTYPE_) and the snap length are known. */
bool host_stream_has_begun(const struct host_stream *s);
int host_stream_linktype(const struct host_stream *s);
uint32_t host_stream_snaplen(const struct host_stream *s);

/* After the finish: how it went, with `host` and `interface` for the message. Errors: STATUS_OK if
 * tcpdump ended well; STATUS_HOST (the connection was lost, no such interface, no right),
 * STATUS_UNAVAILABLE (no tcpdump there), STATUS_USAGE (the filter), STATUS_INPUT (what came is no
 * capture). */
CCALAB_MUST_USE enum status host_stream_outcome(const struct host_stream *s, const char *host,
                                                const char *interface, struct error *err);
/* Packets that the host's kernel dropped, by tcpdump's words. False: it has not told. */
bool host_stream_drops(const struct host_stream *s, uint64_t *drops);

#endif
