/* What the control socket is asked and what it answers: one JSON object each (docs/link.md). */
#ifndef CCALAB_TESTBED_LINK_REQUEST_H
#define CCALAB_TESTBED_LINK_REQUEST_H

#include "core/buf.h"
#include "testbed/link/link.h"

/* Do what one line asks, at now_ns, and append the answer with its line feed to *reply. The line
 * is untrusted; a bad one changes nothing and is answered with an error. */
void request_answer(struct link *l, const char *line, size_t len, uint64_t now_ns,
                    struct buf *reply);

#endif
