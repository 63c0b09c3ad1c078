#include "capture/live_files.h"

#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/paths.h"

static bool is_rotated(const struct live_files *f)
{
    return f->opts.max_bytes || f->opts.max_ns;
}

void live_files_path(const struct live_files *f, uint32_t index, char *out, size_t size)
{
    const char *path = f->opts.path;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(name, '.');
    if (!is_rotated(f)) {
        snprintf(out, size, "%s", path);
        return;
    }
    if (dot == NULL || dot == name) /* no extension, or a hidden file */
        dot = path + strlen(path);
    snprintf(out, size, "%.*s-%05u%s", (int)(dot - path), path, index, dot);
}

uint32_t live_files_oldest(const struct live_files *f)
{
    uint32_t keep = f->opts.keep_files;
    return keep && f->index > keep ? f->index - keep + 1 : 1;
}

static enum status begin_file(struct live_files *f, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    live_files_path(f, f->index + 1, path, sizeof(path));
    enum status status = pcapng_writer_open(path, &f->interface, &f->writer, err);
    if (status != STATUS_OK)
        return status;
    f->index++;
    f->frames = 0;
    f->drops_before = f->drops;
    f->start_ns = f->end_ns = (int64_t)(clock_wall_s() * 1e9);
    f->begun_ns = clock_mono_ns();
    if (live_files_oldest(f) > 1) {
        live_files_path(f, live_files_oldest(f) - 1, path, sizeof(path));
        unlink(path);
    }
    return STATUS_OK;
}

static enum status end_file(struct live_files *f, struct error *err)
{
    int64_t now_ns = (int64_t)(clock_wall_s() * 1e9);
    uint64_t dropped = f->drops - f->drops_before;
    struct pcapng_stats stats = {
        .start_ns = f->start_ns,
        .end_ns = now_ns > f->end_ns ? now_ns : f->end_ns,
        .received = f->frames + dropped,
        .dropped = dropped,
        .has_dropped = f->has_drops,
    };
    struct pcapng_writer *w = f->writer;
    f->writer = NULL;
    return pcapng_writer_close(w, &stats, err);
}

enum status live_files_open(struct live_files *f, const struct live_files_opts *o,
                            const struct pcapng_interface *i, struct error *err)
{
    *f = (struct live_files){.opts = *o, .interface = *i};
    if (strcmp(o->path, "-") == 0)
        return error_set(err, STATUS_USAGE, "capture",
                         "standard output carries the events; name a file");
    if (strlen(o->path) + 16 > CCALAB_PATH_MAX)
        return error_set(err, STATUS_USAGE, "capture", "the file's name is too long");
    return begin_file(f, err);
}

static enum status next_file(struct live_files *f, struct error *err)
{
    enum status status = end_file(f, err);
    return status == STATUS_OK ? begin_file(f, err) : status;
}

enum status live_files_add(struct live_files *f, const struct source_frame *frame,
                           struct error *err)
{
    if (f->writer == NULL)
        return STATUS_OK;
    if (f->opts.max_bytes && f->frames && pcapng_writer_bytes(f->writer) >= f->opts.max_bytes) {
        enum status status = next_file(f, err);
        if (status != STATUS_OK)
            return status;
    }
    f->frames++;
    if (frame->t_ns > f->end_ns)
        f->end_ns = frame->t_ns;
    return pcapng_writer_add(f->writer, frame, err);
}

enum status live_files_tick(struct live_files *f, uint64_t mono_ns, bool is_flush,
                            struct error *err)
{
    if (f->writer == NULL)
        return STATUS_OK;
    if (f->opts.max_ns && mono_ns - f->begun_ns >= f->opts.max_ns && mono_ns > f->begun_ns)
        return next_file(f, err);
    return is_flush ? pcapng_writer_flush(f->writer, err) : STATUS_OK;
}

enum status live_files_close(struct live_files *f, struct error *err)
{
    return end_file(f, err);
}
