#include "capture/packet_cursor.h"

#include <inttypes.h>
#include <stdlib.h>

#define SUBSYSTEM "capture"
/* Further ahead than this a checkpoint may be nearer. */
#define AHEAD_MAX 16384

struct packet_cursor {
    struct packet_index *index;
    struct source *source;
    struct walk_state walk;
    struct field_frame frame; /* the last one */
    uint64_t offset;          /* of the next record */
    bool is_lost;             /* after an error: it stands nowhere */
};

enum status packet_cursor_open(struct packet_index *ix, struct packet_cursor **out,
                               struct error *err)
{
    struct packet_cursor *c = calloc(1, sizeof *c);
    enum status st;

    *out = NULL;
    if (!c)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    c->index = ix;
    c->is_lost = true;
    st = packet_index_source(ix, &c->source, err);
    if (st != STATUS_OK) {
        packet_cursor_close(c);
        return st;
    }
    *out = c;
    return STATUS_OK;
}

void packet_cursor_close(struct packet_cursor *c)
{
    if (!c)
        return;
    flows_done(&c->walk.flows);
    source_close(c->source);
    free(c);
}

const struct source *packet_cursor_source(const struct packet_cursor *c)
{
    return c->source;
}

static bool is_ahead(const struct packet_cursor *c, uint64_t number)
{
    return !c->is_lost && number > c->walk.frames && number - c->walk.frames <= AHEAD_MAX;
}

uint64_t packet_cursor_distance(const struct packet_cursor *c, uint64_t number)
{
    if (!c->is_lost && number == c->walk.frames)
        return 0;
    return is_ahead(c, number) ? number - c->walk.frames : AHEAD_MAX;
}

static enum status go_back(struct packet_cursor *c, uint64_t number, struct error *err)
{
    enum status st;

    flows_done(&c->walk.flows);
    c->is_lost = true;
    st = packet_index_restore(c->index, number, &c->walk, &c->offset, err);
    if (st != STATUS_OK)
        return st;
    c->is_lost = !source_seek(c->source, c->offset, c->walk.frames + 1);
    return c->is_lost ? error_set(err, STATUS_INPUT, SUBSYSTEM, "the capture file has changed")
                      : STATUS_OK;
}

static void on_frame(void *user, const struct source_frame *f)
{
    struct packet_cursor *c = user;

    walk_step(&c->walk, f, &c->frame);
    c->offset += SOURCE_RECORD_HEADER + f->cap_len;
}

/* Read on to that packet. The end that the source has met may not be the end any more. */
static enum status go_on(struct packet_cursor *c, uint64_t number, struct error *err)
{
    enum status st = STATUS_OK;
    int n = 1;

    while (st == STATUS_OK && c->walk.frames < number) {
        uint64_t left = number - c->walk.frames;
        bool was_at_end = n == 0;
        st = source_read(c->source, left < INT32_MAX ? (int)left : INT32_MAX, on_frame, c, &n, err);
        if (st == STATUS_OK && n == 0 &&
            (was_at_end || !source_seek(c->source, c->offset, c->walk.frames + 1)))
            st = error_set(err, STATUS_INPUT, SUBSYSTEM,
                           "packet %" PRIu64 " is gone: the capture file has changed", number);
    }
    return st;
}

enum status packet_cursor_read(struct packet_cursor *c, uint64_t number, struct field_frame *out,
                               struct error *err)
{
    enum status st = STATUS_OK;

    if (c->is_lost || number != c->walk.frames) {
        if (!is_ahead(c, number))
            st = go_back(c, number, err);
        if (st == STATUS_OK)
            st = go_on(c, number, err);
        if (st != STATUS_OK) {
            c->is_lost = true;
            return st;
        }
    }
    *out = c->frame;
    return STATUS_OK;
}
