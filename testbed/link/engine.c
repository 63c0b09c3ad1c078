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
#include "core/event.h"
#include "testbed/link/report.h"
#include "testbed/link/request.h"

/* Packets read from a device before the other one and the clock get their turn: reading one takes
 * about 2 us, so this bounds what reading adds to lateness. */
#define READ_BATCH 16

#define SCHED_FIFO_PRIORITY 10
#define FINAL_WRITE_MS      1000

/* Longest sleep: keeps the controller's catch-up after it short. */
#define SLEEP_MAX_NS 1000000000ull

#define POLL_AT_LEAST_NS 1000000 /* look at the other descriptors, however busy */
#define WALL_REFRESH_NS  1000000000ull

/* Indices of the descriptors that are waited for. */
enum { POLL_DOWN, POLL_UP, POLL_SIGNAL, POLL_STDOUT, POLL_CONTROL, POLL_COUNT };

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

/* Where the wall clock stands against the monotonic one, now. */
static void read_wall_clock(struct engine *e)
{
    uint64_t before_ns = clock_mono_ns();
    double wall_s = clock_wall_s();
    uint64_t after_ns = clock_mono_ns();

    e->wall_offset_ns = (int64_t)(wall_s * 1e9) - (int64_t)(before_ns + (after_ns - before_ns) / 2);
    if (e->log != NULL) {
        packet_log_set_clock(e->log, e->wall_offset_ns);
    }
}

static void answer(void *user, const char *line, size_t len, struct buf *reply)
{
    request_answer(user, line, len, clock_mono_ns(), reply);
}

static enum status open_extras(struct engine *e, struct error *err)
{
    const struct link_options *o = e->options;
    enum status s = STATUS_OK;

    read_wall_clock(e);
    if (o->packet_log[0] != '\0') {
        s = packet_log_open(o->packet_log, e->wall_offset_ns, &e->log, err);
    }
    if (s == STATUS_OK && o->control[0] != '\0') {
        s = control_open(o->control, answer, &e->link, &e->control, err);
    }
    return s;
}

/* The emulator's clock is the lab's truth: as precise as this user may have it. Without the
 * permission it runs all the same, and `is_sched_fifo` says so. */
static void ask_for_time(struct engine *e)
{
    struct sched_param param = {.sched_priority = SCHED_FIFO_PRIORITY};

    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    e->is_sched_fifo = e->options->is_realtime && sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

static enum status open_kernel_queues(struct engine *e, const struct link_endpoint *const ends[2],
                                      struct error *err)
{
    const struct link_options *o = e->options;
    const uint64_t rates_bps[] = {[LINK_DOWN] = o->rate_bps, [LINK_UP] = o->up_rate_bps};
    bool is_ethernet = e->ports[LINK_DOWN].kind == LINK_PORT_PACKET;
    enum status s = STATUS_OK;

    for (int dir = 0; dir < LINK_DIRECTIONS && aqm_spec_is_kernel(o->aqm) && s == STATUS_OK;
         dir++) {
        s = kernel_queue_open(&e->kernel[dir], ends[dir], o->aqm, rates_bps[dir], is_ethernet, err);
        e->link.kernel[dir] = s == STATUS_OK ? &e->kernel[dir] : NULL;
    }
    return s;
}

enum status engine_open(struct engine *e, const struct link_options *options, struct error *err)
{
    const struct link_endpoint *const ends[2] = {
        [LINK_DOWN] = &options->a, [LINK_UP] = &options->b};
    uint32_t seed = options->seed;
    enum status s;

    memset(e, 0, sizeof(*e));
    e->options = options;
    e->ports[LINK_DOWN].fd = e->ports[LINK_UP].fd = e->signal_fd = -1;
    e->kernel[LINK_DOWN].netlink_fd = e->kernel[LINK_UP].netlink_fd = -1;
    if (!options->has_seed && getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        return error_sys(err, STATUS_INTERNAL, errno, "link", "no random seed");
    }
    if ((s = open_signals(e, err)) != STATUS_OK || (s = open_extras(e, err)) != STATUS_OK ||
        (s = port_open_both(e->ports, options->ports, ends, err)) != STATUS_OK ||
        (s = link_init(&e->link, options, seed, e->log, clock_mono_ns(), err)) != STATUS_OK) {
        engine_close(e);
        return s;
    }
    s = open_kernel_queues(e, ends, err);
    if (s != STATUS_OK) {
        engine_close(e);
        return s;
    }
    e->is_stamped = e->ports[LINK_DOWN].kind == LINK_PORT_TUN &&
                    stamps_open(&e->stamps[LINK_DOWN], e->ports[LINK_DOWN].fd) &&
                    stamps_open(&e->stamps[LINK_UP], e->ports[LINK_UP].fd);
    pace_init(&e->pace, options->tick_us * 1000);
    ask_for_time(e);
    return STATUS_OK;
}

void engine_close(struct engine *e)
{
    control_close(e->control);
    e->control = NULL;
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        kernel_queue_close(&e->kernel[dir]);
        port_close(&e->ports[dir]);
        stamps_close(&e->stamps[dir]);
    }
    link_done(&e->link);
    packet_log_free(e->log);
    e->log = NULL;
    if (e->signal_fd >= 0) {
        close(e->signal_fd);
    }
    e->signal_fd = -1;
}

/* --- moving packets ----------------------------------------------------------------------------
 */

static enum status device_gone(const struct engine *e, int dir, int sys_errno, struct error *err)
{
    error_sys(err, STATUS_HOST, sys_errno, "link", "device '%s' is gone",
              dir == LINK_DOWN ? e->options->a.ifname : e->options->b.ifname);
    return error_hint(err, "somebody deleted it while the link was running");
}

/* Read what has come at the beginning of a direction, up to a batch. */
static enum status take_in(struct engine *e, int dir, struct error *err)
{
    struct direction *d = &e->link.dir[dir];
    struct stamps *stamps = &e->stamps[dir];

    for (int i = 0; i < READ_BATCH; i++) {
        uint8_t nowhere[PACKET_BYTES_MAX];
        struct packet *p = direction_buffer(d);
        ssize_t n = port_read(&e->ports[dir], p != NULL ? p->data : nowhere, PACKET_BYTES_MAX);
        int sys_errno = n < 0 ? errno : 0;
        uint64_t now_ns = clock_mono_ns();

        if (n > 0 && p != NULL) {
            p->len_bytes = (uint32_t)n;
            direction_offer(d, p, stamps_take(stamps, now_ns));
        } else if (n > 0) {
            stamps_take(stamps, now_ns);
            direction_lost(d, (size_t)n);
        } else if (p != NULL) {
            packet_pool_put(&d->pool, p);
        }
        if (sys_errno == EAGAIN || sys_errno == EINTR) {
            stamps_settle(stamps, now_ns);
            return STATUS_OK;
        }
        if (n <= 0) {
            return device_gone(e, dir, sys_errno, err);
        }
        if (!stamps_pending(stamps)) {
            return STATUS_OK;
        }
    }
    e->has_more = true;
    return STATUS_OK;
}

/* Write out what is due. The time is taken before each write: that of the departure. */
static void send_due(struct engine *e, int dir)
{
    struct direction *d = &e->link.dir[dir];
    struct port *to = &e->ports[dir == LINK_DOWN ? LINK_UP : LINK_DOWN];
    struct packet *p;
    uint64_t now_ns = clock_mono_ns();

    while ((p = direction_take_due(d, now_ns)) != NULL) {
        uint64_t late_ns = now_ns - p->due_ns;
        bool is_written = port_write(to, p->data, p->len_bytes);

        direction_sent(d, p, late_ns, is_written);
        e->pace.written_pkts++;
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

/* Bring the accounts up to now_ns. */
static void account(struct engine *e, int dir, uint64_t now_ns)
{
    struct direction *d = &e->link.dir[dir];

    for (uint64_t n = port_lost(&e->ports[dir]); n > 0; n--) {
        direction_lost(d, 0);
    }
    direction_advance(d, now_ns);
    direction_account(d, now_ns);
}

static void take_samples(struct engine *e, uint64_t now_ns, uint64_t span_ns)
{
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        account(e, dir, now_ns);
        if (can_write(0)) {
            report_sample(stdout, e, dir, now_ns, span_ns);
        } else {
            e->lost_samples++;
        }
        direction_interval_reset(&e->link.dir[dir]);
    }
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Look at the descriptors; sleep until `until_ns` or until one of them has something, which *has
 * says. */
static enum status poll_until(struct engine *e, struct pollfd fds[POLL_COUNT], uint64_t until_ns,
                              bool *has, struct error *err)
{
    struct timespec ts = clock_until(earliest(until_ns, clock_mono_ns() + SLEEP_MAX_NS));
    int n;

    for (int i = 0; i < POLL_COUNT; i++) {
        fds[i].revents = 0;
    }
    n = ppoll(fds, POLL_COUNT, &ts, NULL);
    if (n < 0 && errno != EINTR) {
        return error_sys(err, STATUS_INTERNAL, errno, "link", "ppoll failed");
    }
    *has = n != 0;
    e->polled_ns = clock_mono_ns();
    return STATUS_OK;
}

static void sleep_until(uint64_t wake_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(wake_ns / 1000000000u),
                          .tv_nsec = (long)(wake_ns % 1000000000u)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* How long a packet that came can stay unread without leaving late: no packet leaves sooner after
 * it came. Without stamps nothing can, since its time of arrival is that of reading it. */
static uint64_t may_wait_ns(const struct engine *e)
{
    return e->is_stamped ? earliest(direction_least_delay_ns(&e->link.dir[LINK_DOWN]),
                                    direction_least_delay_ns(&e->link.dir[LINK_UP])) /
                               2
                         : 0;
}

/* Wait for the next thing to do: a packet due at due_ns, something else at other_ns, or arrivals.
 * The devices are read afterwards if fds[] says so. */
static enum status wait_for(struct engine *e, struct pollfd fds[POLL_COUNT], uint64_t due_ns,
                            uint64_t other_ns, struct error *err)
{
    uint64_t now_ns = clock_mono_ns(), woken_ns;
    bool is_idle = due_ns == AQM_NEVER, has = false;
    uint64_t wake_ns = pace_wake_ns(&e->pace, earliest(due_ns, other_ns), is_idle, now_ns);
    uint64_t sleep_ns = e->has_more ? now_ns : pace_sleep_ns(&e->pace, wake_ns, now_ns);
    /* With the next look at hand arrivals need not wake us: they are read along with it. */
    bool is_blind = !is_idle && (pace_is_ticking(&e->pace) || wake_ns <= now_ns + may_wait_ns(e));
    enum status s = STATUS_OK;

    if (!is_blind || now_ns - e->polled_ns >= POLL_AT_LEAST_NS) {
        s = poll_until(e, fds, is_blind ? now_ns : sleep_ns, &has, err);
    }
    if (is_blind && sleep_ns > now_ns) {
        sleep_until(sleep_ns);
    }
    woken_ns = clock_mono_ns();
    if (sleep_ns > now_ns && woken_ns >= sleep_ns && (is_blind || !has)) {
        pace_learn(&e->pace, woken_ns - sleep_ns);
    }
    if (!e->has_more && (is_blind || !has)) {
        pace_spin(wake_ns);
    }
    for (int dir = 0; is_blind && dir < LINK_DIRECTIONS; dir++) {
        fds[dir].revents |= stamps_pending(&e->stamps[dir]) ? POLLIN : 0;
    }
    e->has_more = false;
    pace_look(&e->pace);
    return s;
}

static uint64_t next_packet_ns(const struct engine *e)
{
    return earliest(direction_wake_ns(&e->link.dir[LINK_DOWN]),
                    direction_wake_ns(&e->link.dir[LINK_UP]));
}

/* One round after a wait. *is_ending is set by a signal. */
static enum status serve(struct engine *e, struct pollfd fds[POLL_COUNT], bool *is_ending,
                         struct error *err)
{
    enum status s;

    if (fds[POLL_SIGNAL].revents != 0) {
        *is_ending = true;
        return STATUS_OK;
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
    if (fds[POLL_CONTROL].revents != 0) {
        control_step(e->control);
    }
    for (int i = 0; i < POLL_COUNT; i++) {
        fds[i].revents = 0; /* not every round polls */
    }
    return STATUS_OK;
}

static void finish(struct engine *e)
{
    uint64_t now_ns = clock_mono_ns();
    struct error err;

    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        account(e, dir, now_ns);
    }
    if (e->log != NULL && packet_log_close(e->log, &err) != STATUS_OK && can_write(0)) {
        event_write_log(stdout, LOG_LEVEL_WARN, "%s", err.message);
    }
    if (can_write(FINAL_WRITE_MS)) {
        report_down(stdout, e, now_ns);
    }
}

enum status engine_run(struct engine *e, struct error *err)
{
    const struct link_options *o = e->options;
    uint64_t interval_ns = o->interval_us * 1000;
    uint64_t start_ns = clock_mono_ns(), sampled_ns = start_ns, now_ns = start_ns;
    uint64_t end_ns = o->duration_us != 0 ? start_ns + o->duration_us * 1000 : AQM_NEVER;
    uint64_t sample_ns = interval_ns != 0 ? start_ns + interval_ns : AQM_NEVER;
    uint64_t wall_ns = start_ns + WALL_REFRESH_NS;
    struct pollfd fds[POLL_COUNT] = {
        [POLL_DOWN] = {.fd = e->ports[LINK_DOWN].fd, .events = POLLIN},
        [POLL_UP] = {.fd = e->ports[LINK_UP].fd, .events = POLLIN},
        [POLL_SIGNAL] = {.fd = e->signal_fd, .events = POLLIN},
        [POLL_STDOUT] = {.fd = STDOUT_FILENO, .events = 0},
        [POLL_CONTROL] = {.fd = e->control != NULL ? control_fd(e->control) : -1, .events = POLLIN},
    };
    bool is_ending = false;

    report_up(stdout, e);
    while (now_ns < end_ns && !is_ending) {
        enum status s = wait_for(e, fds, next_packet_ns(e), earliest(sample_ns, end_ns), err);

        s = s == STATUS_OK ? serve(e, fds, &is_ending, err) : s;
        if (s != STATUS_OK) {
            return s;
        }
        now_ns = clock_mono_ns();
        if (now_ns >= wall_ns) {
            read_wall_clock(e);
            wall_ns = now_ns + WALL_REFRESH_NS;
        }
        if (now_ns >= sample_ns) {
            take_samples(e, now_ns, now_ns - sampled_ns);
            sampled_ns = now_ns;
            /* Keep to the grid; what was missed stays missed. */
            sample_ns += ((now_ns - sample_ns) / interval_ns + 1) * interval_ns;
        }
    }
    finish(e);
    return STATUS_OK;
}
