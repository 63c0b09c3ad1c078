#include "capture/walk.h"

#include <stdio.h>

#include "capture/source.h"

#define FRAMES_A_READ 10000

struct walk {
    struct flows flows;
    enum link_type link;
    struct packet packet;
    struct analysis analysis;
    int64_t first_ns, previous_ns;
    uint64_t frames;
    walk_fn fn;
    void *user;
    bool is_over;
};

static void on_frame(void *user, const struct source_frame *f)
{
    struct walk *w = user;
    struct field_frame frame = {.packet = &w->packet, .analysis = &w->analysis};

    if (w->is_over)
        return;
    w->packet.frame = f->number;
    w->packet.t_ns = f->t_ns;
    dissect(w->link, f->data, f->cap_len, f->wire_len, &w->packet);
    analysis_add(&w->flows, &w->packet, &w->analysis);
    if (!w->frames++)
        w->first_ns = w->previous_ns = f->t_ns;
    frame.first_ns = w->first_ns;
    frame.previous_ns = w->previous_ns;
    w->is_over = !w->fn(w->user, &frame);
    w->previous_ns = f->t_ns;
}

enum status walk_file(const char *path, walk_fn fn, void *user, struct walk_end *end,
                      struct error *err)
{
    struct walk w = {.fn = fn, .user = user};
    struct source *source = NULL;
    enum status st;
    int n = 0;

    *end = (struct walk_end){0};
    st = flows_init(&w.flows, 0, err);
    if (st != STATUS_OK)
        return st;
    st = source_open_file(path, &source, err);
    if (st != STATUS_OK)
        goto out;
    w.link = source_link_type(source);
    do
        st = source_read(source, FRAMES_A_READ, on_frame, &w, &n, err);
    while (st == STATUS_OK && n > 0 && !w.is_over);
    end->frames = w.frames;
    if (source_truncated(source))
        snprintf(end->truncated, sizeof end->truncated, "%s", source_truncated(source));
out:
    source_close(source);
    flows_done(&w.flows);
    return st;
}
