#include "capture/packet_index.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define SUBSYSTEM "capture"

enum {
    BATCH = 2048, /* packets read before the others hear of them; a multiple of 64 */
    CHECKPOINT_PACKETS = 8 * BATCH,
    CHECKPOINT_PACKETS_A_FLOW = 16,
    NEWS_NS = 20000000,
    WAIT_MS = 100,
};
#define PACKETS_MAX UINT32_MAX

struct checkpoint {
    struct walk_state state; /* without packet and analysis; state.frames packets lie before it */
    uint64_t offset;
    size_t bytes;
};

/* What a thread has counted, and what the others may see of it. */
struct tally {
    uint64_t packets;
    uint32_t nbins, step_s;
    struct packet_index_bin bins[PACKET_INDEX_BINS];
};

struct packet_index {
    /* Set before the thread starts. */
    char *path;
    struct packet_index_opts opts;
    struct source *source;
    int spool; /* the unnamed file; -1: the capture itself is read */
    pthread_t thread;
    bool has_thread;

    /* The thread's own. */
    struct walk_state walk;
    struct tally counted;
    uint64_t offset; /* of the next record */
    uint64_t ce[BATCH / 64];
    uint64_t batch_first; /* packets before the batch */
    uint64_t interval;    /* packets between two checkpoints */
    uint64_t news_ns;

    /* Under the lock. */
    pthread_mutex_t lock;
    bool is_stopping;
    struct packet_index_state state;
    struct tally seen;
    uint64_t *ce_words; /* a bit a packet */
    size_t ce_cap;      /* words */
    struct checkpoint **checkpoints;
    size_t ncheckpoints, checkpoints_cap;
};

/* --- the thread ------------------------------------------------------------------------------- */

static void checkpoint_free(struct checkpoint *c)
{
    if (c)
        flows_done(&c->state.flows);
    free(c);
}

/* Keep every second one. */
static void thin_out(struct packet_index *ix)
{
    size_t kept = 0;

    ix->interval *= 2;
    ix->state.bytes = 0;
    for (size_t i = 0; i < ix->ncheckpoints; i++) {
        struct checkpoint *c = ix->checkpoints[i];
        if (c->state.frames % ix->interval) {
            checkpoint_free(c);
            continue;
        }
        ix->checkpoints[kept++] = c;
        ix->state.bytes += c->bytes;
    }
    ix->ncheckpoints = kept;
}

/* Copying flows must not take longer than reading packets. */
static void space_checkpoints(struct packet_index *ix)
{
    pthread_mutex_lock(&ix->lock);
    while (ix->interval < (uint64_t)CHECKPOINT_PACKETS_A_FLOW * ix->walk.flows.count)
        thin_out(ix);
    pthread_mutex_unlock(&ix->lock);
}

static enum status add_checkpoint(struct packet_index *ix, struct error *err)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    struct walk_state *w = &ix->walk;
    uint32_t max = w->flows.count ? w->flows.count : 1;
    enum status st;

    if (!c)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    st = flows_copy(&w->flows, max, &c->state.flows, &c->bytes, err);
    if (st != STATUS_OK) {
        free(c);
        return st;
    }
    c->state.link = w->link;
    c->state.frames = w->frames;
    c->state.first_ns = w->first_ns;
    c->state.last_ns = w->last_ns;
    c->offset = ix->offset;
    c->bytes += sizeof *c;

    pthread_mutex_lock(&ix->lock);
    if (ix->ncheckpoints == ix->checkpoints_cap) {
        size_t cap = ix->checkpoints_cap ? 2 * ix->checkpoints_cap : 64;
        struct checkpoint **grown = realloc(ix->checkpoints, cap * sizeof(struct checkpoint *));
        if (!grown) {
            pthread_mutex_unlock(&ix->lock);
            checkpoint_free(c);
            return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
        }
        ix->checkpoints = grown;
        ix->checkpoints_cap = cap;
    }
    ix->checkpoints[ix->ncheckpoints++] = c;
    ix->state.bytes += c->bytes;
    while (ix->state.bytes > PACKET_INDEX_BYTES && ix->ncheckpoints > 1)
        thin_out(ix);
    pthread_mutex_unlock(&ix->lock);
    return STATUS_OK;
}

static void count_ecn(struct tally *t, int64_t since_ns, enum ecn_codepoint ecn)
{
    uint64_t bin = since_ns < 0 ? 0 : (uint64_t)since_ns / 1000000000 / t->step_s;

    while (bin >= PACKET_INDEX_BINS) {
        for (uint32_t i = 0; i < PACKET_INDEX_BINS / 2; i++)
            for (int k = 0; k < ECN_COUNT; k++)
                t->bins[i].count[k] = t->bins[2 * i].count[k] + t->bins[2 * i + 1].count[k];
        memset(t->bins + PACKET_INDEX_BINS / 2, 0, sizeof t->bins / 2);
        t->nbins = (t->nbins + 1) / 2;
        t->step_s *= 2;
        bin /= 2;
    }
    if (bin >= t->nbins)
        t->nbins = (uint32_t)bin + 1;
    t->bins[bin].count[ecn]++;
}

static void on_frame(void *user, const struct source_frame *f)
{
    struct packet_index *ix = user;
    const struct packet *p = &ix->walk.packet;
    struct field_frame frame;
    uint64_t bit = ix->walk.frames - ix->batch_first;

    if (ix->walk.frames == PACKETS_MAX)
        return;
    walk_step(&ix->walk, f, &frame);
    ix->offset += SOURCE_RECORD_HEADER + f->cap_len;
    if (p->reach < PACKET_REACH_ECN)
        return;
    count_ecn(&ix->counted, f->t_ns - ix->walk.first_ns, (enum ecn_codepoint)p->ecn);
    if (p->ecn == ECN_CE || p->flow_ecn == ECN_CE)
        ix->ce[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Let the others see what was counted. */
static enum status publish(struct packet_index *ix, struct error *err)
{
    size_t first = ix->batch_first / 64;
    enum status st = ix->spool >= 0 ? source_flush(ix->source, err) : STATUS_OK;

    if (st != STATUS_OK)
        return st;
    pthread_mutex_lock(&ix->lock);
    if (first + BATCH / 64 > ix->ce_cap) {
        size_t cap = ix->ce_cap ? 2 * ix->ce_cap : BATCH;
        uint64_t *grown = realloc(ix->ce_words, cap * sizeof *grown);
        if (!grown) {
            pthread_mutex_unlock(&ix->lock);
            return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
        }
        ix->ce_words = grown;
        ix->ce_cap = cap;
    }
    memcpy(ix->ce_words + first, ix->ce, sizeof ix->ce);
    ix->seen.packets = ix->state.packets = ix->walk.frames;
    ix->seen.nbins = ix->counted.nbins;
    ix->seen.step_s = ix->counted.step_s;
    memcpy(ix->seen.bins, ix->counted.bins, ix->counted.nbins * sizeof ix->counted.bins[0]);
    ix->state.fraction = source_progress(ix->source);
    ix->state.is_waiting = false;
    pthread_mutex_unlock(&ix->lock);
    return STATUS_OK;
}

static void tell(struct packet_index *ix)
{
    ix->news_ns = clock_mono_ns();
    if (ix->opts.on_news)
        ix->opts.on_news(ix->opts.user);
}

static bool is_stopping(struct packet_index *ix)
{
    bool is_it;

    pthread_mutex_lock(&ix->lock);
    is_it = ix->is_stopping;
    pthread_mutex_unlock(&ix->lock);
    return is_it;
}

/* At the end of the file, or at a pipe that keeps still. */
static bool wait_for_more(void *user)
{
    struct packet_index *ix = user;
    struct timespec pause = {.tv_nsec = WAIT_MS * 1000000};
    struct error err;

    if (ix->walk.frames > ix->state.packets || !ix->state.is_waiting) {
        /* A failure comes back at the end of the batch. */
        if (publish(ix, &err) == STATUS_OK) {
            pthread_mutex_lock(&ix->lock);
            ix->state.is_waiting = true;
            pthread_mutex_unlock(&ix->lock);
        }
        tell(ix);
    }
    if (is_stopping(ix))
        return false;
    nanosleep(&pause, NULL);
    return !is_stopping(ix);
}

static void *run(void *user)
{
    struct packet_index *ix = user;
    struct error err = {0};
    enum status st = STATUS_OK;
    int n = BATCH;

    while (st == STATUS_OK && n > 0 && !is_stopping(ix) && ix->walk.frames < PACKETS_MAX) {
        space_checkpoints(ix);
        if (ix->walk.frames % ix->interval == 0)
            st = add_checkpoint(ix, &err);
        ix->batch_first = ix->walk.frames;
        memset(ix->ce, 0, sizeof ix->ce);
        if (st == STATUS_OK)
            st = source_read(ix->source, BATCH, on_frame, ix, &n, &err);
        if (st == STATUS_OK && n > 0)
            st = publish(ix, &err);
        if (clock_mono_ns() - ix->news_ns >= NEWS_NS)
            tell(ix);
    }
    pthread_mutex_lock(&ix->lock);
    ix->state.is_done = true;
    ix->state.is_waiting = false;
    if (st != STATUS_OK)
        ix->state.error = err;
    else if (ix->walk.frames == PACKETS_MAX)
        error_set(&ix->state.error, STATUS_NOMEM, SUBSYSTEM, "more than %u packets are not shown",
                  PACKETS_MAX);
    if (source_truncated(ix->source))
        snprintf(ix->state.truncated, sizeof ix->state.truncated, "%s",
                 source_truncated(ix->source));
    pthread_mutex_unlock(&ix->lock);
    tell(ix);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Somewhere to write what cannot be read at an offset; it goes with its descriptor. */
static enum status open_spool(struct packet_index *ix, struct error *err)
{
    const char *dir = getenv("TMPDIR");
    char path[64];

    if (!dir || !*dir)
        dir = "/var/tmp";
    ix->spool = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (ix->spool < 0) {
        error_sys(err, STATUS_IO, errno, SUBSYSTEM, "cannot make a temporary file in %s", dir);
        return error_hint(err, "TMPDIR names a directory with room for the unpacked capture");
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", ix->spool);
    return source_save(ix->source, path, err);
}

enum status packet_index_open(const struct packet_index_opts *opts, struct packet_index **out,
                              struct error *err)
{
    struct packet_index *ix = calloc(1, sizeof *ix);
    struct stat file;
    enum status st;
    int rc;

    *out = NULL;
    if (!ix)
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    ix->opts = *opts;
    ix->spool = -1;
    ix->offset = SOURCE_FIRST_RECORD;
    ix->interval = CHECKPOINT_PACKETS;
    ix->counted.step_s = 1;
    ix->state.fraction = -1;
    pthread_mutex_init(&ix->lock, NULL);
    ix->path = strdup(opts->path);
    st = ix->path ? flows_init(&ix->walk.flows, 0, err)
                  : error_set(err, STATUS_NOMEM, SUBSYSTEM, "out of memory");
    if (st == STATUS_OK)
        st = source_open_file(opts->path, &ix->source, err);
    if (st != STATUS_OK)
        goto fail;
    ix->walk.link = source_link_type(ix->source);
    if (!strcmp(opts->path, "-") || !source_seek(ix->source, SOURCE_FIRST_RECORD, 1))
        st = open_spool(ix, err);
    if (st != STATUS_OK)
        goto fail;
    if (opts->is_followed ||
        (!strcmp(opts->path, "-") && !fstat(STDIN_FILENO, &file) && !S_ISREG(file.st_mode)))
        source_follow(ix->source, wait_for_more, ix);
    rc = pthread_create(&ix->thread, NULL, run, ix);
    if (rc) {
        st = error_sys(err, STATUS_INTERNAL, rc, SUBSYSTEM, "cannot start a thread");
        goto fail;
    }
    ix->has_thread = true;
    *out = ix;
    return STATUS_OK;
fail:
    packet_index_close(ix);
    return st;
}

void packet_index_close(struct packet_index *ix)
{
    if (!ix)
        return;
    pthread_mutex_lock(&ix->lock);
    ix->is_stopping = true;
    pthread_mutex_unlock(&ix->lock);
    if (ix->has_thread)
        pthread_join(ix->thread, NULL);
    for (size_t i = 0; i < ix->ncheckpoints; i++)
        checkpoint_free(ix->checkpoints[i]);
    free(ix->checkpoints);
    free(ix->ce_words);
    source_close(ix->source);
    flows_done(&ix->walk.flows);
    if (ix->spool >= 0)
        close(ix->spool);
    pthread_mutex_destroy(&ix->lock);
    free(ix->path);
    free(ix);
}

/* --- for the others --------------------------------------------------------------------------- */

void packet_index_state(struct packet_index *ix, struct packet_index_state *out)
{
    pthread_mutex_lock(&ix->lock);
    *out = ix->state;
    pthread_mutex_unlock(&ix->lock);
}

/* The nearest 1 of the bits [0, n) at or above `bit`, or at or below it; n if there is none. */
static uint64_t find_bit(const uint64_t *words, uint64_t n, uint64_t bit, int step)
{
    uint64_t word;

    if (step > 0) {
        for (uint64_t i = bit / 64; i * 64 < n; i++) {
            word = words[i];
            if (i == bit / 64)
                word &= ~UINT64_C(0) << bit % 64;
            if (word)
                return i * 64 + (uint64_t)__builtin_ctzll(word);
        }
        return n;
    }
    for (uint64_t i = bit / 64 + 1; i-- > 0;) {
        word = words[i];
        if (i == bit / 64)
            word &= ~UINT64_C(0) >> (63 - bit % 64);
        if (word)
            return i * 64 + 63 - (uint64_t)__builtin_clzll(word);
    }
    return n;
}

uint64_t packet_index_ce(struct packet_index *ix, uint64_t number, int step)
{
    uint64_t n, bit, found = 0;

    pthread_mutex_lock(&ix->lock);
    n = ix->state.packets;
    bit = step > 0 ? number : number - 2; /* the bit of packet 1 is 0 */
    if (step < 0 && number > n + 1)
        bit = n - 1;
    if (n && (step > 0 ? number < n : number > 1)) {
        found = find_bit(ix->ce_words, n, bit, step) + 1;
        if (found > n)
            found = 0;
    }
    pthread_mutex_unlock(&ix->lock);
    return found;
}

size_t packet_index_bins(struct packet_index *ix, struct packet_index_bin *out, uint32_t *step_s)
{
    size_t n;

    pthread_mutex_lock(&ix->lock);
    n = ix->seen.nbins;
    *step_s = ix->seen.step_s;
    memcpy(out, ix->seen.bins, n * sizeof *out);
    pthread_mutex_unlock(&ix->lock);
    return n;
}

enum status packet_index_source(struct packet_index *ix, struct source **out, struct error *err)
{
    char path[64];

    if (ix->spool < 0)
        return source_open_file(ix->path, out, err);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ix->spool);
    return source_open_file(path, out, err);
}

enum status packet_index_restore(struct packet_index *ix, uint64_t number, struct walk_state *w,
                                 uint64_t *offset, struct error *err)
{
    const struct checkpoint *c = NULL;
    size_t lo = 0, hi, bytes;
    enum status st;

    pthread_mutex_lock(&ix->lock);
    hi = ix->ncheckpoints;
    while (lo < hi) { /* the last one with fewer frames than `number` */
        size_t mid = (lo + hi) / 2;
        if (ix->checkpoints[mid]->state.frames < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    c = ix->checkpoints[lo ? lo - 1 : 0];
    w->link = c->state.link;
    w->frames = c->state.frames;
    w->first_ns = c->state.first_ns;
    w->last_ns = c->state.last_ns;
    *offset = c->offset;
    st = flows_copy(&c->state.flows, 0, &w->flows, &bytes, err);
    pthread_mutex_unlock(&ix->lock);
    return st;
}
