#include "capture/packet_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/filter.h"
#include "capture/packet_cursor.h"
#include "capture/pcapng_write.h"
#include "core/clock.h"

#define SUBSYSTEM "capture"

enum {
    BATCH = 4096, /* packets between two looks at the others */
    NEWS_NS = 20000000,
    WAIT_MS = 20, /* for an index that is behind */
};

struct packet_scan {
    struct packet_index *index;
    struct filter *filter;
    struct packet_cursor *cursor;
    void (*on_news)(void *user);
    void *user;
    struct pcapng_writer *writer; /* NULL: a list is made */
    uint64_t end;                 /* with `writer`: the last packet that it is to look at */
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    bool is_stopping;
    struct packet_scan_state state;
    uint32_t *hits;
    size_t hits_cap;
};

/* --- the thread ------------------------------------------------------------------------------- */

static enum status write_frame(struct packet_scan *s, const struct packet *p, struct error *err)
{
    struct source_frame f = {.number = p->frame,
                             .t_ns = p->t_ns,
                             .data = p->data,
                             .cap_len = p->cap_len,
                             .wire_len = p->wire_len};

    return pcapng_writer_add(s->writer, &f, err);
}

static enum status keep(struct packet_scan *s, uint32_t *hits, size_t n, struct error *err)
{
    size_t want = s->state.hits + n;

    if (want > s->hits_cap) {
        size_t cap = s->hits_cap ? 2 * s->hits_cap : 2 * BATCH;
        uint32_t *grown = realloc(s->hits, cap * sizeof *grown);
        if (!grown)
            return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
        s->hits = grown;
        s->hits_cap = cap;
    }
    if (n)
        memcpy(s->hits + s->state.hits, hits, n * sizeof *hits);
    return STATUS_OK;
}

/* Look at the packets from `first` to `last`, at most BATCH. */
static enum status look_at(struct packet_scan *s, uint64_t first, uint64_t last, struct error *err)
{
    uint32_t hits[BATCH];
    size_t n = 0;
    enum status st = STATUS_OK;

    for (uint64_t i = first; i <= last; i++) {
        struct field_frame frame;
        st = packet_cursor_read(s->cursor, i, &frame, err);
        if (st == STATUS_OK && filter_match(s->filter, &frame)) {
            hits[n++] = (uint32_t)i;
            if (s->writer)
                st = write_frame(s, frame.packet, err);
        }
        if (st != STATUS_OK)
            return st;
    }
    pthread_mutex_lock(&s->lock);
    if (!s->writer)
        st = keep(s, hits, n, err);
    if (st == STATUS_OK) {
        s->state.hits += n;
        s->state.seen = last;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static bool is_stopping(struct packet_scan *s)
{
    bool is_it;

    pthread_mutex_lock(&s->lock);
    is_it = s->is_stopping;
    pthread_mutex_unlock(&s->lock);
    return is_it;
}

static enum status scan(struct packet_scan *s, struct error *err)
{
    const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000};
    enum status st = STATUS_OK;
    uint64_t next = 1, news_ns = 0;

    while (st == STATUS_OK && !is_stopping(s)) {
        struct packet_index_state index;
        uint64_t end;

        packet_index_state(s->index, &index);
        end = s->writer ? s->end : index.packets;
        if (next > end) {
            if (s->writer || index.is_done)
                break;
            nanosleep(&pause, NULL);
            continue;
        }
        end = end - next < BATCH ? end : next + BATCH - 1;
        st = look_at(s, next, end, err);
        next = end + 1;
        if (s->on_news && clock_mono_ns() - news_ns >= NEWS_NS) {
            news_ns = clock_mono_ns();
            s->on_news(s->user);
        }
    }
    return st;
}

static void *run(void *user)
{
    struct packet_scan *s = user;
    struct error err = {0}, close_err = {0};
    enum status st = scan(s, &err);

    if (s->writer && pcapng_writer_close(s->writer, NULL, &close_err) != STATUS_OK &&
        st == STATUS_OK) {
        st = close_err.status;
        err = close_err;
    }
    s->writer = NULL;
    pthread_mutex_lock(&s->lock);
    s->state.is_done = true;
    if (st != STATUS_OK)
        s->state.error = err;
    pthread_mutex_unlock(&s->lock);
    if (s->on_news)
        s->on_news(s->user);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static enum status open_file(struct packet_scan *s, const char *path, struct error *err)
{
    const struct source *source = packet_cursor_source(s->cursor);
    struct pcapng_interface interface = {.linktype = source_linktype(source),
                                         .snaplen = (uint32_t)source_snaplen(source)};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0) {
        int saved = errno;
        error_sys(err, STATUS_IO, saved, SUBSYSTEM, "cannot make %s", path);
        if (saved == EEXIST)
            error_hint(err, "nothing is overwritten: name a new file");
        return STATUS_IO;
    }
    close(fd);
    return pcapng_writer_open(path, &interface, &s->writer, err);
}

enum status packet_scan_start(const struct packet_scan_opts *opts, struct packet_scan **out,
                              size_t *at, struct error *err)
{
    struct packet_scan *s = calloc(1, sizeof *s);
    struct packet_index_state index;
    enum status st;
    int rc;

    *out = NULL;
    if (!s)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    pthread_mutex_init(&s->lock, NULL);
    s->index = opts->index;
    s->on_news = opts->on_news;
    s->user = opts->user;
    packet_index_state(s->index, &index);
    s->end = index.packets;
    st = filter_compile(opts->filter, &s->filter, at, err);
    if (st == STATUS_OK)
        st = packet_cursor_open(s->index, &s->cursor, err);
    if (st == STATUS_OK && opts->save)
        st = open_file(s, opts->save, err);
    if (st != STATUS_OK)
        goto fail;
    rc = pthread_create(&s->thread, NULL, run, s);
    if (rc) {
        st = error_sys(err, STATUS_INTERNAL, rc, SUBSYSTEM, "cannot start a thread");
        goto fail;
    }
    s->has_thread = true;
    *out = s;
    return STATUS_OK;
fail:
    packet_scan_stop(s);
    return st;
}

void packet_scan_stop(struct packet_scan *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_mutex_unlock(&s->lock);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    if (s->writer) { /* the thread never ran */
        struct error ignored;
        enum status st = pcapng_writer_close(s->writer, NULL, &ignored);
        (void)st;
    }
    packet_cursor_close(s->cursor);
    filter_free(s->filter);
    pthread_mutex_destroy(&s->lock);
    free(s->hits);
    free(s);
}

/* --- for the others --------------------------------------------------------------------------- */

void packet_scan_state(struct packet_scan *s, struct packet_scan_state *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->state;
    pthread_mutex_unlock(&s->lock);
}

size_t packet_scan_hits(struct packet_scan *s, uint64_t first, size_t n, uint64_t *out)
{
    size_t count = 0;

    pthread_mutex_lock(&s->lock);
    while (count < n && first + count < s->state.hits) {
        out[count] = s->hits[first + count];
        count++;
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

uint64_t packet_scan_find(struct packet_scan *s, uint64_t number)
{
    uint64_t lo = 0, hi;

    pthread_mutex_lock(&s->lock);
    hi = s->state.hits;
    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        if (s->hits[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    pthread_mutex_unlock(&s->lock);
    return lo;
}
