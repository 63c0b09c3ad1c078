#include "testbed/link/engine.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "testbed/link/report.h"
#include "testbed/link/tun.h"

/* Packets read from a device before the other one and the clock get their turn: reading one takes
 * about 2 us, so this bounds what reading adds to lateness. */
#define READ_BATCH 16

#define SCHED_FIFO_PRIORITY 10
#define FINAL_WRITE_MS      1000

/* Longest sleep: keeps the controller's catch-up after it short. */
#define SLEEP_MAX_NS 1000000000ull

/* Indices of the descriptors that are waited for. */
enum { POLL_DOWN, POLL_UP, POLL_SIGNAL, POLL_STDOUT, POLL_COUNT };

static enum status open_signals(struct engine *e, struct error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    /* By descriptor: ppoll(2) would not let a signal in while a device is always readable. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
        (e->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
        return error_sys(err, STATUS_INTERNAL, errno, "link", "cannot watch signals");
    }
    return STATUS_OK;
}

static enum status open_direction(struct engine *e, int dir, uint64_t rate_bps, struct error *err)
{
    const struct link_options *o = e->options;
    struct direction *d = &e->dir[dir];
    struct aqm_config config = {
        .pool = &d->pool,
        .limit_pkts = o->limit_pkts,
        .limit_bytes = o->limit_bytes,
        .mtu_bytes = LINK_MTU_BYTES,
        .start_ns = clock_mono_ns(),
        .random = rng_random,
        .random_user = &e->rng[dir],
    };
    enum status s;

    /* One stream of random numbers a direction, so that traffic one way does not change the other.
     */
    e->rng[dir].state = ((uint64_t)dir << 32) | e->seed;
    s = direction_init(d, rate_bps, o->delay_us, o->limit_pkts, err);
    if (s != STATUS_OK) {
        return s;
    }
    return aqm_new(o->aqm, &config, &d->aqm, err);
}

/* The emulator's clock is the lab's truth: as precise as this user may have it. Without the
 * permission it runs all the same, and `is_sched_fifo` says so. */
static void ask_for_time(struct engine *e)
{
    struct sched_param param = {.sched_priority = SCHED_FIFO_PRIORITY};

    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    e->is_sched_fifo = e->options->is_realtime && sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

enum status engine_open(struct engine *e, const struct link_options *options, struct error *err)
{
    enum status s;

    memset(e, 0, sizeof(*e));
    e->options = options;
    e->fd[LINK_DOWN] = e->fd[LINK_UP] = e->signal_fd = -1;
    e->seed = options->seed;
    if (!options->has_seed && getrandom(&e->seed, sizeof(e->seed), 0) != sizeof(e->seed)) {
        return error_sys(err, STATUS_INTERNAL, errno, "link", "no random seed");
    }
    if ((s = open_signals(e, err)) != STATUS_OK ||
        (s = tun_open(options->a.netns, options->a.ifname, &e->fd[LINK_DOWN], err)) != STATUS_OK ||
        (s = tun_open(options->b.netns, options->b.ifname, &e->fd[LINK_UP], err)) != STATUS_OK ||
        (s = open_direction(e, LINK_DOWN, options->rate_bps, err)) != STATUS_OK ||
        (s = open_direction(e, LINK_UP, options->up_rate_bps, err)) != STATUS_OK) {
        engine_close(e);
        return s;
    }
    ask_for_time(e);
    return STATUS_OK;
}

void engine_close(struct engine *e)
{
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        if (e->fd[dir] >= 0) {
            close(e->fd[dir]);
        }
        direction_done(&e->dir[dir]);
        e->fd[dir] = -1;
    }
    if (e->signal_fd >= 0) {
        close(e->signal_fd);
    }
    e->signal_fd = -1;
}

/* --- moving packets ----------------------------------------------------------------------------
 */

/* Read what has come at the beginning of a direction, up to a batch. */
static enum status take_in(struct engine *e, int dir, struct error *err)
{
    struct direction *d = &e->dir[dir];

    for (int i = 0; i < READ_BATCH; i++) {
        uint8_t nowhere[PACKET_BYTES_MAX];
        struct packet *p = direction_buffer(d);
        ssize_t n = read(e->fd[dir], p != NULL ? p->data : nowhere, PACKET_BYTES_MAX);

        if (n > 0 && p != NULL) {
            p->len_bytes = (uint32_t)n;
            direction_offer(d, p, clock_mono_ns());
            continue;
        }
        if (n > 0) {
            direction_lost(d, (size_t)n);
            continue;
        }
        if (p != NULL) {
            packet_pool_put(&d->pool, p);
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return STATUS_OK;
        }
        error_sys(err, STATUS_HOST, n < 0 ? errno : 0, "link", "device '%s' is gone",
                  dir == LINK_DOWN ? e->options->a.ifname : e->options->b.ifname);
        return error_hint(err, "somebody deleted it while the link was running");
    }
    return STATUS_OK;
}

/* Write out what is due. The time is taken before each write: that of the departure. */
static void send_due(struct engine *e, int dir)
{
    struct direction *d = &e->dir[dir];
    int fd = e->fd[dir == LINK_DOWN ? LINK_UP : LINK_DOWN];
    struct packet *p;
    uint64_t now_ns = clock_mono_ns();

    while ((p = direction_take_due(d, now_ns)) != NULL) {
        uint64_t late_ns = now_ns - p->due_ns;
        bool is_written = write(fd, p->data, p->len_bytes) == (ssize_t)p->len_bytes;

        direction_sent(d, p, late_ns, is_written);
        now_ns = clock_mono_ns();
    }
}

/* --- events ------------------------------------------------------------------------------------
 */

/* May a line be written without waiting? poll(2) says so while a pipe has room for PIPE_BUF bytes,
 * and no line of ours is as long. A console that stopped reading must not stop the link. */
static bool can_write(int timeout_ms)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&out, 1, timeout_ms) == 1 && (out.revents & POLLOUT) != 0;
}

static void take_samples(struct engine *e, uint64_t now_ns, uint64_t span_ns)
{
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        direction_advance(&e->dir[dir], now_ns);
        if (can_write(0)) {
            report_sample(stdout, e, dir, now_ns, span_ns);
        } else {
            e->lost_samples++;
        }
        direction_interval_reset(&e->dir[dir]);
    }
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Sleep until `wake_ns` or until a descriptor has something. */
static enum status wait_for(struct pollfd fds[POLL_COUNT], uint64_t wake_ns, struct error *err)
{
    struct timespec ts = clock_until(earliest(wake_ns, clock_mono_ns() + SLEEP_MAX_NS));

    for (int i = 0; i < POLL_COUNT; i++) {
        fds[i].revents = 0;
    }
    if (ppoll(fds, POLL_COUNT, &ts, NULL) < 0 && errno != EINTR) {
        return error_sys(err, STATUS_INTERNAL, errno, "link", "ppoll failed");
    }
    return STATUS_OK;
}

enum status engine_run(struct engine *e, struct error *err)
{
    const struct link_options *o = e->options;
    uint64_t interval_ns = o->interval_us * 1000;
    uint64_t start_ns = clock_mono_ns(), sampled_ns = start_ns, now_ns = start_ns;
    uint64_t end_ns = o->duration_us != 0 ? start_ns + o->duration_us * 1000 : AQM_NEVER;
    uint64_t sample_ns = interval_ns != 0 ? start_ns + interval_ns : AQM_NEVER;
    struct pollfd fds[POLL_COUNT] = {
        [POLL_DOWN] = {.fd = e->fd[LINK_DOWN], .events = POLLIN},
        [POLL_UP] = {.fd = e->fd[LINK_UP], .events = POLLIN},
        [POLL_SIGNAL] = {.fd = e->signal_fd, .events = POLLIN},
        [POLL_STDOUT] = {.fd = STDOUT_FILENO, .events = 0},
    };
    enum status s;

    report_up(stdout, e);
    while (now_ns < end_ns) {
        s = wait_for(
            fds,
            earliest(earliest(sample_ns, end_ns), earliest(direction_wake_ns(&e->dir[LINK_DOWN]),
                                                           direction_wake_ns(&e->dir[LINK_UP]))),
            err);
        if (s != STATUS_OK) {
            return s;
        }
        if (fds[POLL_SIGNAL].revents != 0) {
            break;
        }
        if ((fds[POLL_STDOUT].revents & POLLERR) != 0) {
            return error_set(err, STATUS_IO, "link", "nobody reads our events any more");
        }
        for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
            if (fds[dir].revents != 0 && (s = take_in(e, dir, err)) != STATUS_OK) {
                return s;
            }
            send_due(e, LINK_DOWN);
            send_due(e, LINK_UP);
        }
        now_ns = clock_mono_ns();
        if (now_ns >= sample_ns) {
            take_samples(e, now_ns, now_ns - sampled_ns);
            sampled_ns = now_ns;
            /* Keep to the grid; what was missed stays missed. */
            sample_ns += ((now_ns - sample_ns) / interval_ns + 1) * interval_ns;
        }
    }
    now_ns = clock_mono_ns();
    direction_advance(&e->dir[LINK_DOWN], now_ns);
    direction_advance(&e->dir[LINK_UP], now_ns);
    if (can_write(FINAL_WRITE_MS)) {
        report_down(stdout, e, now_ns);
    }
    return STATUS_OK;
}
