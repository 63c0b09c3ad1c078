#include "capture/walk.h"

#include <stdio.h>

#define FRAMES_A_READ 10000

struct walk {
    struct walk_state state;
    walk_fn fn;
    void *user;
    bool is_over;
};

void walk_step(struct walk_state *w, const struct source_frame *f, struct field_frame *out)
{
    w->packet.frame = f->number;
    w->packet.t_ns = f->t_ns;
    dissect(w->link, f->data, f->cap_len, f->wire_len, &w->packet);
    analysis_add(&w->flows, &w->packet, &w->analysis);
    if (!w->frames++)
        w->first_ns = w->last_ns = f->t_ns;
    *out = (struct field_frame){.packet = &w->packet,
                                .analysis = &w->analysis,
                                .first_ns = w->first_ns,
                                .previous_ns = w->last_ns};
    w->last_ns = f->t_ns;
}

static void on_frame(void *user, const struct source_frame *f)
{
    struct walk *w = user;
    struct field_frame frame;

    if (w->is_over)
        return;
    walk_step(&w->state, f, &frame);
    w->is_over = !w->fn(w->user, &frame);
}

enum status walk_file(const char *path, walk_fn fn, void *user, struct walk_end *end,
                      struct error *err)
{
    struct walk w = {.fn = fn, .user = user};
    struct source *source = NULL;
    enum status st;
    int n = 0;

    *end = (struct walk_end){0};
    st = flows_init(&w.state.flows, 0, err);
    if (st != STATUS_OK)
        return st;
    st = source_open_file(path, &source, err);
    if (st != STATUS_OK)
        goto out;
    w.state.link = source_link_type(source);
    do
        st = source_read(source, FRAMES_A_READ, on_frame, &w, &n, err);
    while (st == STATUS_OK && n > 0 && !w.is_over);
    end->frames = w.state.frames;
    if (source_truncated(source))
        snprintf(end->truncated, sizeof end->truncated, "%s", source_truncated(source));
out:
    source_close(source);
    flows_done(&w.state.flows);
    return st;
}
