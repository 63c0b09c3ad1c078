/* Reads any packet of an index, with what its stream's past says of it. Going on to a later packet
 * costs the packets between, going back or far ahead those since the last checkpoint of the index.
 * Thread: one at a time per cursor; another one than the index's. */
#ifndef CCALAB_CAPTURE_PACKET_CURSOR_H
#define CCALAB_CAPTURE_PACKET_CURSOR_H

#include "capture/packet_index.h"

struct packet_cursor;

/* The index must have said that it has packets, and outlive the cursor. Errors: those of
 * packet_index_source(), STATUS_NOMEM. */
CCALAB_MUST_USE enum status packet_cursor_open(struct packet_index *ix, struct packet_cursor **out,
                                               struct error *err);
void packet_cursor_close(struct packet_cursor *c);
/* Read packet `number`, from 1 to what packet_index_state() says. *out and all that it points to
 * is good until the next call. Errors: STATUS_INPUT (the file is no longer what it was), STATUS_IO,
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status packet_cursor_read(struct packet_cursor *c, uint64_t number,
                                               struct field_frame *out, struct error *err);
/* How many packets lie between where the cursor stands and that one: what reading it costs. */
uint64_t packet_cursor_distance(const struct packet_cursor *c, uint64_t number);
const struct source *packet_cursor_source(const struct packet_cursor *c);

#endif
