#include "testbed/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/loop.h"
#include "core/paths.h"
#include "testbed/lab.h"
#include "testbed/prague.h"
#include "testbed/sweep.h"
#include "testbed/topology.h"

#define LINK_START_MS 5000
#define LINK_STOP_MS  1000
#define STEPS         5

struct keeper {
    const struct testbed_options *o;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_poll_t owner_poll;
    int owner_fd, lock_fd;
    struct lab_state state;
    struct prague prague;
    bool is_stop; /* asked to end: signal or owner */
    bool is_timeout;
    int steps_done;

    struct child *link; /* NULL before its start and after its end */
    struct event_reader reader;
    int link_wait_status;
    cJSON *link_up, *link_down;
    struct error link_error; /* of its error event; STATUS_OK if there was none */
    char link_stderr[256];   /* the last it said */
};

/* --- why to end ------------------------------------------------------------------------------- */

static void on_interrupt(void *user, int signum)
{
    (void)signum;
    ((struct keeper *)user)->is_stop = true;
}

static void on_owner_end(uv_poll_t *p, int status, int events)
{
    struct keeper *k = p->data;
    (void)status;
    (void)events;
    k->is_stop = true;
    uv_poll_stop(p);
}

static void on_timer(uv_timer_t *t)
{
    ((struct keeper *)t->data)->is_timeout = true;
}

/* Let signals in between two blocking steps. */
static bool is_stopping(struct keeper *k)
{
    uv_run(&k->loop, UV_RUN_NOWAIT);
    return k->is_stop;
}

/* A process younger than ourselves is not the one that was meant: that one has ended and its pid
 * was given away. */
static enum status watch_owner(struct keeper *k, struct error *err)
{
    struct proc_id self;
    if (k->o->owner == 0)
        return STATUS_OK;
    if (!proc_id_of(k->o->owner, &k->state.owner) || !proc_id_of(getpid(), &self) ||
        k->state.owner.start > self.start || (k->owner_fd = proc_open(&k->state.owner)) < 0)
        return error_set(err, STATUS_FAIL, "testbed", "the owner, process %d, has ended",
                         (int)k->o->owner);
    uv_poll_init(&k->loop, &k->owner_poll, k->owner_fd);
    k->owner_poll.data = k;
    uv_poll_start(&k->owner_poll, UV_READABLE, on_owner_end);
    uv_unref((uv_handle_t *)&k->owner_poll);
    /* A job dies with the console by PR_SET_PDEATHSIG; from here on we outlive the owner by the
     * moment that it takes to tidy up. */
    prctl(PR_SET_PDEATHSIG, 0);
    return STATUS_OK;
}

/* --- ccalab-link ------------------------------------------------------------------------------ */

static void on_link_event(void *user, const struct event *ev, const char *line)
{
    struct keeper *k = user;
    if (!ev) {
        event_write_log(stdout, LOG_LEVEL_WARN, "ccalab-link: %s", line);
        return;
    }
    /* Its results become part of ours: whoever waits for a result waits for the lab's. */
    if (ev->type == EVENT_RESULT) {
        const cJSON *data = json_get(ev->body, "data");
        const char *state = json_str(data, "state", "");
        cJSON **slot = strcmp(state, "up") == 0     ? &k->link_up
                       : strcmp(state, "down") == 0 ? &k->link_down
                                                    : NULL;
        if (slot && !*slot)
            *slot = cJSON_Duplicate(data, true);
    } else if (ev->type == EVENT_ERROR) {
        error_set(&k->link_error, status_from_name(json_str(ev->body, "status", "")), "link", "%s",
                  json_str(ev->body, "message", ""));
        error_hint(&k->link_error, "%s", json_str(ev->body, "hint", ""));
    } else {
        fprintf(stdout, "%s\n", line);
        fflush(stdout);
    }
}

static void on_link_output(void *user, int fd, const char *data, size_t len)
{
    struct keeper *k = user;
    if (fd == 1) {
        event_reader_feed(&k->reader, data, len, NULL, on_link_event, k);
        return;
    }
    while (len && data[len - 1] == '\n')
        len--;
    if (len == 0)
        return;
    size_t keep = len < sizeof k->link_stderr ? len : sizeof k->link_stderr - 1;
    memcpy(k->link_stderr, data + len - keep, keep);
    k->link_stderr[keep] = '\0';
    event_write_log(stdout, LOG_LEVEL_INFO, "%s", k->link_stderr); /* it names itself */
}

static void on_link_exit(void *user, int wait_status)
{
    struct keeper *k = user;
    event_reader_end(&k->reader, NULL, on_link_event, k);
    k->link_wait_status = wait_status;
    k->link = NULL;
}

static enum status start_link(struct keeper *k, struct error *err)
{
    char program[CCALAB_PATH_MAX], router[LAB_PATH_MAX], a[LAB_PATH_MAX + 8], b[LAB_PATH_MAX + 8];
    char rate[32], delay[32], interval[32];
    enum status st = paths_program("ccalab-link", program, sizeof program, err);
    if (st != STATUS_OK)
        return st;
    lab_netns_path(k->o->name, LAB_ROUTER, router, sizeof router);
    snprintf(a, sizeof a, "%s:%s", router, TOPOLOGY_TUN_A);
    snprintf(b, sizeof b, "%s:%s", router, TOPOLOGY_TUN_B);
    snprintf(rate, sizeof rate, "%llubit", (unsigned long long)k->o->rate_bps);
    snprintf(delay, sizeof delay, "%uus", k->o->rtt_us / 2);
    snprintf(interval, sizeof interval, "%uus", k->o->interval_us);
    const char *const argv[] = {program,   "--a",        a,         "--b", b,
                                "--rate",  rate,         "--delay", delay, "--aqm",
                                k->o->aqm, "--interval", interval,  NULL};
    struct spawn_opts opts = {.argv = argv};
    struct child_callbacks cb = {on_link_output, on_link_exit};
    st = child_start(&k->loop, &opts, &cb, k, &k->link, err);
    if (st == STATUS_OK)
        proc_id_of(child_pid(k->link), &k->state.link);
    return st;
}

static void start_timer(struct keeper *k, int ms)
{
    k->is_timeout = false;
    uv_timer_start(&k->timer, on_timer, (uint64_t)ms, 0);
}

static enum status link_ended(struct keeper *k, struct error *err)
{
    int ws = k->link_wait_status;
    char how[64];
    if (WIFSIGNALED(ws))
        snprintf(how, sizeof how, "was killed by signal %d", WTERMSIG(ws));
    else
        snprintf(how, sizeof how, "ended with exit status %d", WEXITSTATUS(ws));
    if (k->link_error.status == STATUS_OK)
        return error_set(err, STATUS_HOST, "testbed", "the bottleneck, ccalab-link, %s%s%s", how,
                         k->link_stderr[0] ? ": " : "", k->link_stderr);
    error_set(err, k->link_error.status, "testbed", "the bottleneck, ccalab-link, %s: %.380s", how,
              k->link_error.message);
    return error_hint(err, "%s", k->link_error.hint);
}

static enum status wait_for_link(struct keeper *k, struct error *err)
{
    start_timer(k, LINK_START_MS);
    while (k->link && !k->link_up && !k->is_stop && !k->is_timeout)
        uv_run(&k->loop, UV_RUN_ONCE);
    uv_timer_stop(&k->timer);
    if (k->is_stop || k->link_up)
        return STATUS_OK;
    if (!k->link)
        return link_ended(k, err);
    return error_set(err, STATUS_TIMEOUT, "testbed", "ccalab-link was not ready after %d ms",
                     LINK_START_MS);
}

static void stop_link(struct keeper *k)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (int i = 0; i < 2 && k->link; i++) {
        child_kill(k->link, signals[i]);
        start_timer(k, LINK_STOP_MS);
        while (k->link && !k->is_timeout)
            uv_run(&k->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&k->timer);
}

/* --- building --------------------------------------------------------------------------------- */

/* Take the lock; clear away what a killed keeper left; refuse what is not ours to clear. */
static enum status claim(struct keeper *k, struct error *err)
{
    const char *name = k->o->name;
    char path[LAB_PATH_MAX], ns[64];
    enum status st = lab_claim(name, &k->lock_fd, err);
    if (st != STATUS_OK)
        return st;
    lab_path(name, "lab.json", path, sizeof path);
    if (access(path, F_OK) == 0) {
        struct sweep_report r = {0};
        st = sweep_lab(name, &r, err);
        if (st != STATUS_OK)
            return st;
        event_write_log(stdout, LOG_LEVEL_WARN,
                        "an earlier lab %s was killed: removed %d namespaces, %d processes", name,
                        r.namespaces, r.processes);
    } else if (sweep_finds_namespace(name, ns, sizeof ns)) {
        lab_remove_dir(name);
        error_set(err, STATUS_FAIL, "testbed", "the namespace %s exists already", ns);
        return error_hint(err,
                          "remove it with: ccalab testbed down --name %s; or choose another "
                          "--name",
                          name);
    }
    return STATUS_OK;
}

static cJSON *up_data(const struct keeper *k)
{
    cJSON *o = cJSON_CreateObject(), *hosts, *router;
    cJSON_AddStringToObject(o, "state", "up");
    cJSON_AddStringToObject(o, "name", k->o->name);
    hosts = cJSON_AddObjectToObject(o, "hosts");
    for (enum lab_host h = 0; h < LAB_HOSTS; h++) {
        char path[LAB_PATH_MAX];
        lab_netns_path(k->o->name, h, path, sizeof path);
        cJSON *host = cJSON_AddObjectToObject(hosts, lab_host_name(h));
        cJSON_AddStringToObject(host, "netns", path);
        cJSON_AddStringToObject(host, "address", lab_host_address(h));
    }
    router = cJSON_AddObjectToObject(o, "router");
    cJSON_AddStringToObject(router, "ingress", TOPOLOGY_TUN_A);
    /* Where a capture sees what the AQM let through towards the server. */
    cJSON_AddStringToObject(router, "egress", TOPOLOGY_TUN_B);
    cJSON_AddItemToObject(o, "prague", prague_json(&k->prague));
    cJSON_AddItemToObject(o, "link", cJSON_Duplicate(k->link_up, true));
    return o;
}

static void progress(struct keeper *k, const char *text)
{
    event_write_progress(stdout, k->steps_done++, STEPS, "%s", text);
}

/* Returns STATUS_OK also when asked to stop half-way. */
static enum status build(struct keeper *k, struct error *err)
{
    const char *name = k->o->name;
    enum status st = lab_state_save(&k->state, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    progress(k, "hosts");
    st = topology_add_hosts(name, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    progress(k, "cables and addresses");
    st = topology_add_links(name, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    progress(k, "TCP Prague");
    prague_start(&k->prague);
    if (k->prague.source == PRAGUE_SOURCE_NONE)
        event_write_log(stdout, LOG_LEVEL_WARN, "no TCP Prague: %s (%s)", k->prague.refusal.message,
                        k->prague.refusal.hint);
    progress(k, "bottleneck");
    st = start_link(k, err);
    if (st == STATUS_OK)
        st = wait_for_link(k, err);
    if (st != STATUS_OK || k->is_stop)
        return st;
    progress(k, "routes");
    st = topology_add_routes(name, err);
    if (st != STATUS_OK)
        return st;
    k->state.phase = LAB_UP;
    k->state.up = up_data(k);
    st = lab_state_save(&k->state, err);
    if (st != STATUS_OK)
        return st;
    event_write_progress(stdout, STEPS, STEPS, "up");
    event_write_result(stdout, cJSON_Duplicate(k->state.up, true));
    return STATUS_OK;
}

/* The first error stays: *err is only filled if st was OK. */
static enum status take_down(struct keeper *k, enum status st, struct error *err)
{
    struct sweep_report r = {0};
    struct error e = {0};
    k->state.phase = LAB_STOPPING;
    if (lab_state_save(&k->state, &e) != STATUS_OK) /* only for `status`: no reason to stop here */
        event_write_log(stdout, LOG_LEVEL_WARN, "%s", e.message);
    stop_link(k);
    prague_stop(&k->prague);
    enum status swept = sweep_lab(k->o->name, &r, &e);
    if (swept == STATUS_OK)
        lab_remove_dir(k->o->name);
    if (swept != STATUS_OK && st == STATUS_OK) {
        st = swept;
        *err = e;
    }
    return st;
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

enum status keeper_run(const struct testbed_options *o, struct error *err)
{
    struct keeper k = {.o = o, .owner_fd = -1, .lock_fd = -1, .prague = {.link_fd = -1}};
    bool is_claimed = false, is_watching = false;
    enum status st;

    uv_loop_init(&k.loop);
    event_reader_init(&k.reader);
    uv_timer_init(&k.loop, &k.timer);
    k.timer.data = &k;
    signal(SIGPIPE, SIG_IGN); /* the reader's end is no reason not to tidy up */
    st = loop_interrupt_start(&k.loop, on_interrupt, &k, err);
    if (st != STATUS_OK)
        goto out;
    is_watching = true;
    snprintf(k.state.name, sizeof k.state.name, "%s", o->name);
    snprintf(k.state.aqm, sizeof k.state.aqm, "%s", o->aqm);
    k.state.created_s = clock_wall_s();
    k.state.rate_bps = o->rate_bps;
    k.state.rtt_us = o->rtt_us;
    proc_id_of(getpid(), &k.state.keeper);

    st = topology_check(err);
    if (st == STATUS_OK)
        st = watch_owner(&k, err);
    if (st == STATUS_OK)
        st = claim(&k, err);
    if (st != STATUS_OK)
        goto out;
    is_claimed = true;
    st = build(&k, err);
    while (st == STATUS_OK && !k.is_stop && k.link)
        uv_run(&k.loop, UV_RUN_ONCE);
    if (st == STATUS_OK && !k.is_stop)
        st = link_ended(&k, err);
out:
    if (is_claimed)
        st = take_down(&k, st, err);
    if (st == STATUS_OK) {
        cJSON *down = cJSON_CreateObject();
        cJSON_AddStringToObject(down, "state", "down");
        cJSON_AddItemToObject(down, "link", k.link_down ? k.link_down : cJSON_CreateNull());
        k.link_down = NULL;
        event_write_result(stdout, down);
    } else {
        event_write_error(stdout, err);
    }
    if (is_watching)
        loop_interrupt_stop();
    uv_walk(&k.loop, close_handle, NULL);
    uv_run(&k.loop, UV_RUN_DEFAULT);
    uv_loop_close(&k.loop);
    event_reader_done(&k.reader);
    cJSON_Delete(k.link_up);
    cJSON_Delete(k.link_down);
    lab_state_done(&k.state);
    if (k.owner_fd >= 0)
        close(k.owner_fd);
    if (k.lock_fd >= 0)
        close(k.lock_fd);
    return st;
}
