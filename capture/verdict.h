/* What the marks of a flow come to, in one sentence. Thread: any. */
#ifndef CCALAB_CAPTURE_VERDICT_H
#define CCALAB_CAPTURE_VERDICT_H

#include <stddef.h>

#include "capture/ecn.h"

#define VERDICT_SIZE 320

/* Of the direction with more payload: what its sender sent, what the receiver said of the marks,
 * what was seen of them here, and why it is not L4S (RFC 9330, RFC 9331) where it is not. Without a
 * full stop; plain ASCII without quotation marks. */
void flow_verdict(const struct ecn_flow *f, char *out, size_t size);

#endif
