#include "testbed/link/packet_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RING_ROWS  (1u << 18) /* over two seconds at 1 Gbit/s of full packets */
#define DRAIN_NS   20000000
#define TEXT_BYTES (256 * 1024)
#define LINE_BYTES 96
#define NS_PER_S   UINT64_C(1000000000)

struct packet_log {
    int fd;
    bool is_running;
    pthread_t thread;
    char *text;
    _Atomic int64_t wall_offset_ns;
    atomic_bool is_ending;
    atomic_int sys_errno; /* of the first write that failed */
    _Atomic uint64_t rows, unwritten, refused;
    _Atomic uint64_t head; /* added so far, by the link */
    _Atomic uint64_t tail; /* taken so far, by the thread */
    struct packet_log_row ring[RING_ROWS];
};

static bool write_all(struct packet_log *log, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(log->fd, log->text + at, len - at);

        if (n < 0 && errno != EINTR) {
            int none = 0;

            atomic_compare_exchange_strong(&log->sys_errno, &none, errno);
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static size_t format_row(char *out, const struct packet_log_row *row, int64_t wall_offset_ns)
{
    static const char *const events[] = {"sent", "marked", "dropped"};
    uint64_t wall_ns = (uint64_t)((int64_t)row->mono_ns + wall_offset_ns);

    return (size_t)snprintf(out, LINE_BYTES, "%" PRIu64 ".%06u,%s,%c,%u,%" PRIu64 ".%u,%s\n",
                            wall_ns / NS_PER_S, (unsigned)(wall_ns % NS_PER_S / 1000),
                            row->dir == 0 ? "down" : "up", row->is_l ? 'L' : 'C', row->len_bytes,
                            row->sojourn_ns / 1000, (unsigned)(row->sojourn_ns % 1000 / 100),
                            events[row->event]);
}

static void drain(struct packet_log *log)
{
    uint64_t head = atomic_load_explicit(&log->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
    int64_t offset_ns = atomic_load_explicit(&log->wall_offset_ns, memory_order_relaxed);

    while (tail != head) {
        uint64_t from = tail;
        size_t len = 0;

        while (tail != head && len + LINE_BYTES <= TEXT_BYTES) {
            len += format_row(log->text + len, &log->ring[tail % RING_ROWS], offset_ns);
            tail++;
        }
        atomic_store_explicit(&log->tail, tail, memory_order_release);
        /* After a failure the file ends there: rows behind a gap would look like a quiet link. */
        if (atomic_load(&log->sys_errno) == 0 && write_all(log, len)) {
            atomic_fetch_add(&log->rows, tail - from);
        } else {
            atomic_fetch_add(&log->unwritten, tail - from);
        }
    }
}

static void *run(void *arg)
{
    struct packet_log *log = arg;
    const struct timespec pause = {.tv_nsec = DRAIN_NS};

    while (!atomic_load(&log->is_ending)) {
        drain(log);
        nanosleep(&pause, NULL);
    }
    drain(log);
    return NULL;
}

enum status packet_log_open(const char *path, int64_t wall_offset_ns, struct packet_log **out,
                            struct error *err)
{
    static const char heading[] = "t_s,dir,queue,len,sojourn_us,event\n";
    struct packet_log *log = calloc(1, sizeof(*log));
    enum status s;
    int failed;

    *out = NULL;
    if (log == NULL || (log->text = malloc(TEXT_BYTES)) == NULL) {
        free(log);
        return error_set(err, STATUS_NOMEM, "link", "no memory for the packet log");
    }
    log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log->fd < 0 || write(log->fd, heading, sizeof(heading) - 1) != sizeof(heading) - 1) {
        s = error_sys(err, STATUS_IO, errno, "link", "cannot write the packet log %.200s", path);
        goto fail;
    }
    /* No page of the ring shall be new to the link when it is in a hurry. */
    for (size_t i = 0; i < RING_ROWS; i++) {
        log->ring[i].event = PACKET_LOG_DROPPED;
    }
    atomic_init(&log->wall_offset_ns, wall_offset_ns);
    failed = pthread_create(&log->thread, NULL, run, log);
    if (failed != 0) {
        s = error_sys(err, STATUS_NOMEM, failed, "link", "cannot start the packet log");
        goto fail;
    }
    log->is_running = true;
    *out = log;
    return STATUS_OK;
fail:
    packet_log_free(log);
    return s;
}

void packet_log_set_clock(struct packet_log *log, int64_t wall_offset_ns)
{
    atomic_store_explicit(&log->wall_offset_ns, wall_offset_ns, memory_order_relaxed);
}

void packet_log_add(struct packet_log *log, const struct packet_log_row *row)
{
    uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);

    if (head - atomic_load_explicit(&log->tail, memory_order_acquire) == RING_ROWS) {
        atomic_store_explicit(&log->refused,
                              atomic_load_explicit(&log->refused, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return;
    }
    log->ring[head % RING_ROWS] = *row;
    atomic_store_explicit(&log->head, head + 1, memory_order_release);
}

enum status packet_log_close(struct packet_log *log, struct error *err)
{
    int sys_errno = 0;

    if (log->is_running) {
        atomic_store(&log->is_ending, true);
        pthread_join(log->thread, NULL);
        log->is_running = false;
    }
    sys_errno = atomic_load(&log->sys_errno);
    if (log->fd >= 0 && close(log->fd) != 0 && sys_errno == 0) {
        sys_errno = errno;
    }
    log->fd = -1;
    return sys_errno == 0
               ? STATUS_OK
               : error_sys(err, STATUS_IO, sys_errno, "link", "the packet log is not complete");
}

void packet_log_counts(const struct packet_log *log, uint64_t *rows, uint64_t *lost)
{
    *rows = atomic_load(&log->rows);
    *lost = atomic_load(&log->unwritten) + atomic_load(&log->refused);
}

void packet_log_free(struct packet_log *log)
{
    if (log == NULL) {
        return;
    }
    if (packet_log_close(log, NULL) != STATUS_OK) {
        /* Whoever wanted to know has called packet_log_close(). */
    }
    free(log->text);
    free(log);
}
