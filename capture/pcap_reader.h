/* Classic pcap files, read in place from a large buffer: libpcap asks stdio for every header and
 * every packet, which takes as long as counting it does. All else (pcapng, pcap of other versions)
 * is left to libpcap. Format: draft-ietf-opsawg-pcap. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_PCAP_READER_H
#define CCALAB_CAPTURE_PCAP_READER_H

#include "capture/source.h"
#include "capture/unpack.h"

struct pcap_reader;

/* Is it a file for us? *out is NULL if not; then nothing of `u` is consumed, and it stays the
 * caller's. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status pcap_reader_open(struct unpack *u, struct pcap_reader **out,
                                             struct error *err);
void pcap_reader_close(struct pcap_reader *r);
struct unpack *pcap_reader_stream(struct pcap_reader *r);
/* Go on with the record at this offset, which is that of frame `number`. False where the file is
 * packed or no file. */
bool pcap_reader_seek(struct pcap_reader *r, uint64_t offset, uint64_t number);
/* The LINKTYPE_ value of the header. */
int pcap_reader_linktype(const struct pcap_reader *r);
/* The snap length of the header, at most 262144. */
int pcap_reader_snaplen(const struct pcap_reader *r);
/* Hand out at most `max` frames; returns their number, 0 at the end. The frames' bytes are good
 * for the call. */
int pcap_reader_read(struct pcap_reader *r, int max, source_fn fn, void *user);
/* Why it ended before the end of the file: a record that is cut off or lies; NULL if it did not. */
const char *pcap_reader_fault(const struct pcap_reader *r);

#endif
