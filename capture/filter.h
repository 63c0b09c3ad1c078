/* Display filters: the subset of Wireshark 4.0's language that docs/packets.md lists, with its
 * meaning (man page wireshark-filter(4)).
 *
 *     tcp.stream == 3 and ip.dsfield.ecn == 3 and not tcp.len == 0
 *
 * A field with several values: `==` holds if any of them is equal, `!=` if none is, `~=` if any
 * differs; `any` and `all` before a comparison say otherwise. A comparison with a field that the
 * frame does not have is false. Thread: one at a time per filter. */
#ifndef CCALAB_CAPTURE_FILTER_H
#define CCALAB_CAPTURE_FILTER_H

#include "capture/field.h"

#define FILTER_TEXT_MAX 65536

struct filter;

/* Compile; an empty text lets everything through. *out is for filter_free(). Where the text is
 * wrong, *at (may be NULL) is the offset of the first byte at fault.
 * Errors: STATUS_USAGE with the column and a hint; STATUS_NOMEM. */
CCALAB_MUST_USE enum status filter_compile(const char *text, struct filter **out, size_t *at,
                                           struct error *err);
/* NULL is allowed. */
void filter_free(struct filter *f);
/* Does the frame pass? */
bool filter_match(struct filter *f, const struct field_frame *frame);

#endif
