/* Capture filters (pcap-filter(7)), checked before a capture starts: libpcap says that one is
 * wrong, we say where. Thread: any. */
#ifndef CCALAB_CAPTURE_CAPTURE_FILTER_H
#define CCALAB_CAPTURE_CAPTURE_FILTER_H

#include "core/error.h"

#define CAPTURE_FILTER_MAX 4096

/* May it be right, on Ethernet or on a cooked interface? What only the interface can tell is left
 * to it. Names are looked up. Errors: STATUS_USAGE with the column and a hint. */
CCALAB_MUST_USE enum status capture_filter_check(const char *text, struct error *err);
/* The error of a filter that libpcap did not take for this link type (DLT_), `said` being its
 * words. Returns STATUS_USAGE. */
enum status capture_filter_explain(const char *text, int dlt, const char *said, struct error *err);

#endif
