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
#include "core/netns.h"
#include "core/paths.h"
#include "core/userns.h"
#include "testbed/bottleneck.h"
#include "testbed/build.h"
#include "testbed/lab.h"
#include "testbed/link/aqm_spec.h"
#include "testbed/prague.h"
#include "testbed/shell.h"
#include "testbed/sshd.h"
#include "testbed/sweep.h"

#define LINK_START_MS   5000
#define SSHD_START_MS   5000
#define CHILD_STOP_MS   1000
#define PRAGUE_CHECK_MS 1000

struct keeper {
    const struct testbed_options *o;
    uv_loop_t loop;
    uv_timer_t timer, prague_timer;
    uv_poll_t owner_poll;
    int owner_fd, lock_fd;
    int netns_fds[TOPOLOGY_NODES_MAX]; /* -1: the host has a path that keeps it */
    struct lab_state state;
    struct prague prague;
    bool is_stop; /* asked to end: signal or owner */
    bool is_timeout;
    int steps_done;

    const struct topology *topology; /* that of the state */
    bool has_control;                /* ccalab-link listens on a socket */
    struct bottleneck links[TOPOLOGY_ROUTERS_MAX];
    struct sshd sshds[TOPOLOGY_NODES_MAX]; /* by node; unused without --sshd */
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

/* --- the bottlenecks -------------------------------------------------------------------------- */

static void start_timer(struct keeper *k, int ms)
{
    k->is_timeout = false;
    uv_timer_start(&k->timer, on_timer, (uint64_t)ms, 0);
}

static enum status start_links(struct keeper *k, struct error *err)
{
    enum status st = bottleneck_has_control(&k->has_control, err);
    for (int i = 0; st == STATUS_OK && i < k->topology->nrouters; i++) {
        char control[LAB_PATH_MAX];
        lab_control_path(k->o->name, k->topology->routers[i].name, control, sizeof control);
        st =
            bottleneck_start(&k->links[i], &k->loop, k->o, i, k->has_control ? control : NULL, err);
        if (st == STATUS_OK)
            proc_id_of(child_pid(k->links[i].child), &k->state.links[i]);
    }
    return st;
}

/* The first that has ended by itself, NULL if all run. */
static const struct bottleneck *ended_link(const struct keeper *k)
{
    for (int i = 0; i < k->topology->nrouters; i++)
        if (!k->links[i].child)
            return &k->links[i];
    return NULL;
}

static bool are_links_up(const struct keeper *k)
{
    for (int i = 0; i < k->topology->nrouters; i++)
        if (!k->links[i].up)
            return false;
    return true;
}

static enum status wait_for_links(struct keeper *k, struct error *err)
{
    start_timer(k, LINK_START_MS);
    while (!ended_link(k) && !are_links_up(k) && !k->is_stop && !k->is_timeout)
        uv_run(&k->loop, UV_RUN_ONCE);
    uv_timer_stop(&k->timer);
    if (k->is_stop || are_links_up(k))
        return STATUS_OK;
    if (ended_link(k))
        return bottleneck_why_ended(ended_link(k), err);
    return error_set(err, STATUS_TIMEOUT, "testbed", "ccalab-link was not ready after %d ms",
                     LINK_START_MS);
}

static int count_running(const struct keeper *k)
{
    int n = 0;
    for (int i = 0; i < k->topology->nrouters; i++)
        n += k->links[i].child != NULL;
    for (int i = 0; i < topology_nodes(k->topology); i++)
        n += k->sshds[i].child != NULL;
    return n;
}

static void stop_children(struct keeper *k)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (int s = 0; s < 2 && count_running(k) > 0; s++) {
        for (int i = 0; i < k->topology->nrouters; i++)
            if (k->links[i].child)
                child_kill(k->links[i].child, signals[s]);
        for (int i = 0; i < topology_nodes(k->topology); i++)
            if (k->sshds[i].child)
                child_kill(k->sshds[i].child, signals[s]);
        start_timer(k, CHILD_STOP_MS);
        while (count_running(k) > 0 && !k->is_timeout)
            uv_run(&k->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&k->timer);
}

/* --- sshd ------------------------------------------------------------------------------------- */

static enum status start_sshds(struct keeper *k, struct error *err)
{
    int n = topology_nodes(k->topology);
    enum status st = sshd_prepare(k->o->name, k->topology, err);
    for (int i = 0; st == STATUS_OK && i < n; i++) {
        struct topology_node node = topology_node(k->topology, i);
        st = sshd_start(&k->sshds[i], &k->loop, k->o->name, &node, err);
        if (st == STATUS_OK)
            proc_id_of(child_pid(k->sshds[i].child), &k->state.sshds[i]);
    }
    start_timer(k, SSHD_START_MS);
    for (int i = 0; st == STATUS_OK && i < n; i++) {
        while (k->sshds[i].child && !k->sshds[i].is_listening && !k->is_stop && !k->is_timeout)
            uv_run(&k->loop, UV_RUN_ONCE);
        if (!k->is_stop && !k->sshds[i].is_listening)
            st = error_set(err, STATUS_HOST, "testbed", "sshd of %s does not listen: %s",
                           topology_node(k->topology, i).name,
                           k->sshds[i].last_line[0] ? k->sshds[i].last_line : "it said nothing");
    }
    uv_timer_stop(&k->timer);
    return st;
}

/* --- TCP Prague ------------------------------------------------------------------------------- */

/* What another lab has registered goes with that lab: then it is registered anew, from here. */
static void on_prague_timer(uv_timer_t *timer)
{
    struct keeper *k = timer->data;
    struct error e = {0};
    if (!prague_retry(&k->prague))
        return;
    event_write_log(stdout, LOG_LEVEL_INFO, "the lab that had registered TCP Prague is down: %s",
                    prague_refusal(&k->prague) ? "there is none any more"
                                               : "registered again by this one");
    cJSON_ReplaceItemInObject(k->state.up, "prague", prague_json(&k->prague));
    cJSON_ReplaceItemInObject(k->state.up, "ccs", prague_ccs_json(&k->prague));
    if (lab_state_save(&k->state, &e) != STATUS_OK) /* only for `status` */
        event_write_log(stdout, LOG_LEVEL_WARN, "%s", e.message);
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
    }
    /* A state that was swept may have had other hosts. */
    if (sweep_finds_namespace(name, k->topology, ns, sizeof ns)) {
        lab_remove_dir(name);
        error_set(err, STATUS_FAIL, "testbed", "the namespace %s exists already", ns);
        return error_hint(err,
                          "remove it with: ccalab testbed down --name %s; or choose another "
                          "--name",
                          name);
    }
    return STATUS_OK;
}

static void add_router(const struct keeper *k, cJSON *list, int i)
{
    const struct topology_router *r = &k->topology->routers[i];
    char path[LAB_PATH_MAX];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", r->name);
    cJSON_AddStringToObject(o, "ingress", BUILD_TUN_A);
    cJSON_AddStringToObject(o, "egress", BUILD_TUN_B);
    lab_control_path(k->o->name, r->name, path, sizeof path);
    if (k->has_control)
        cJSON_AddStringToObject(o, "control", path);
    else
        cJSON_AddNullToObject(o, "control");
    lab_path(k->o->name, "bin", path, sizeof path);
    cJSON_AddStringToObject(o, "bin", path);
    cJSON_AddItemToObject(o, "link", cJSON_Duplicate(k->links[i].up, true));
    cJSON_AddItemToArray(list, o);
}

/* Where this lab stands on the ladder of docs/testbed.md, and what it therefore lacks. */
static cJSON *rung_json(const struct keeper *k)
{
    cJSON *o = cJSON_CreateObject(), *lacks;
    bool is_fifo = true,
         is_all_kernel = k->prague.cc[PRAGUE_KIND_PRAGUE].source == PRAGUE_SOURCE_KERNEL;
    for (int i = 0; i < k->topology->nrouters; i++) {
        is_fifo &= json_bool(k->links[i].up, "is_sched_fifo", false);
        is_all_kernel &= aqm_spec_is_kernel(k->topology->routers[i].aqm);
    }
    cJSON_AddNumberToObject(o, "number", !paths_is_root() ? 3 : is_all_kernel ? 1 : 2);
    cJSON_AddStringToObject(o, "name",
                            !paths_is_root() ? "user namespace"
                            : is_all_kernel  ? "kernel"
                                             : "root");
    lacks = cJSON_AddArrayToObject(o, "lacks");
    if (prague_refusal(&k->prague))
        cJSON_AddItemToArray(lacks, cJSON_CreateString("TCP Prague"));
    if (!is_fifo)
        cJSON_AddItemToArray(lacks, cJSON_CreateString("SCHED_FIFO"));
    return o;
}

static cJSON *up_data(const struct keeper *k)
{
    cJSON *o = cJSON_CreateObject(), *hosts, *names, *list, *router;
    char path[LAB_PATH_MAX];
    cJSON_AddStringToObject(o, "state", "up");
    cJSON_AddStringToObject(o, "name", k->o->name);
    hosts = cJSON_AddObjectToObject(o, "hosts");
    names = cJSON_AddArrayToObject(o, "names");
    for (int i = 0; i < topology_nodes(k->topology); i++) {
        struct topology_node n = topology_node(k->topology, i);
        lab_netns_path(k->o->name, n.name, path, sizeof path);
        cJSON *host = cJSON_AddObjectToObject(hosts, n.name);
        cJSON_AddStringToObject(host, "role", topology_role_name(n.role));
        cJSON_AddStringToObject(host, "netns", path);
        if (lab_userns_path(k->o->name, path, sizeof path))
            cJSON_AddStringToObject(host, "userns", path);
        cJSON_AddStringToObject(host, "address", n.address);
        if (n.role != TOPOLOGY_ROUTER && k->topology->leaves[n.index].delay_us)
            cJSON_AddNumberToObject(host, "delay_us", k->topology->leaves[n.index].delay_us);
        cJSON_AddItemToArray(names, cJSON_CreateString(n.name));
    }
    list = cJSON_AddArrayToObject(o, "routers");
    for (int i = 0; i < k->topology->nrouters; i++)
        add_router(k, list, i);
    router = cJSON_AddObjectToObject(o, "router");
    cJSON_AddStringToObject(router, "ingress", BUILD_TUN_A);
    /* Where a capture sees what the AQM let through towards the servers. */
    cJSON_AddStringToObject(router, "egress", BUILD_TUN_B);
    if (k->o->has_sshd) {
        lab_path(k->o->name, "ssh/config", path, sizeof path);
        cJSON_AddStringToObject(o, "ssh_config", path);
    }
    cJSON_AddItemToObject(o, "rung", rung_json(k));
    cJSON_AddItemToObject(o, "prague", prague_json(&k->prague));
    cJSON_AddItemToObject(o, "ccs", prague_ccs_json(&k->prague));
    cJSON_AddItemToObject(o, "link", cJSON_Duplicate(k->links[0].up, true));
    return o;
}

static cJSON *down_data(const struct keeper *k)
{
    cJSON *o = cJSON_CreateObject(), *links;
    cJSON_AddStringToObject(o, "state", "down");
    cJSON_AddItemToObject(
        o, "link", k->links[0].down ? cJSON_Duplicate(k->links[0].down, true) : cJSON_CreateNull());
    links = cJSON_AddObjectToObject(o, "links");
    for (int i = 0; i < k->topology->nrouters; i++)
        cJSON_AddItemToObject(links, k->topology->routers[i].name,
                              k->links[i].down ? cJSON_Duplicate(k->links[i].down, true)
                                               : cJSON_CreateNull());
    return o;
}

static int steps(const struct keeper *k)
{
    return k->o->has_sshd ? 6 : 5;
}

static void progress(struct keeper *k, const char *text)
{
    event_write_progress(stdout, k->steps_done++, steps(k), "%s", text);
}

/* Of a user namespace, if of nothing else. After claim(): from inside, what an earlier lab left in
 * a namespace of its own cannot be seen. */
static enum status become_root(struct error *err)
{
    if (paths_is_root())
        return STATUS_OK;
    lab_keep_runtime();
    enum status st = userns_create(err);
    /* Whoever left the machine's network could not come back into it. */
    return st == STATUS_OK ? netns_unshare(err) : st;
}

/* Without /dev/net/tun there is a way, but not one to keep quiet about. */
static void tell_ports(const struct keeper *k)
{
    struct error e = {0};
    if (k->o->ports == LINK_PORT_AUTO && build_check_tun(&e) != STATUS_OK)
        event_write_log(stdout, LOG_LEVEL_INFO, "%s: the bottleneck uses packet sockets instead",
                        e.message);
}

/* Returns STATUS_OK also when asked to stop half-way. */
static enum status build(struct keeper *k, struct error *err)
{
    const char *name = k->o->name;
    enum status st = become_root(err);
    if (st == STATUS_OK)
        st = lab_state_save(&k->state, err);
    if (st == STATUS_OK)
        st = shell_prepare(name, k->topology, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    progress(k, "hosts");
    st = build_hosts(&k->state, k->netns_fds, err);
    if (st == STATUS_OK)
        st = lab_state_save(&k->state, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    progress(k, "cables and addresses");
    st = build_links(name, k->topology, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    progress(k, "TCP Prague");
    prague_start(&k->prague);
    const struct error *refusal = prague_refusal(&k->prague);
    if (refusal)
        event_write_log(stdout, LOG_LEVEL_WARN, "no TCP Prague: %s (%s)", refusal->message,
                        refusal->hint);
    progress(k, k->topology->nrouters > 1 ? "bottlenecks" : "bottleneck");
    tell_ports(k);
    st = start_links(k, err);
    if (st == STATUS_OK)
        st = wait_for_links(k, err);
    if (st != STATUS_OK || k->is_stop)
        return st;
    progress(k, "routes");
    st = build_routes(name, k->topology, err);
    if (st != STATUS_OK || is_stopping(k))
        return st;
    if (k->o->has_sshd) {
        progress(k, "sshd");
        st = start_sshds(k, err);
        if (st != STATUS_OK || k->is_stop)
            return st;
    }
    k->state.phase = LAB_UP;
    k->state.up = up_data(k);
    st = lab_state_save(&k->state, err);
    if (st != STATUS_OK)
        return st;
    uv_timer_start(&k->prague_timer, on_prague_timer, PRAGUE_CHECK_MS, PRAGUE_CHECK_MS);
    event_write_progress(stdout, steps(k), steps(k), "up");
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
    uv_timer_stop(&k->prague_timer);
    stop_children(k);
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
    struct keeper k = {.o = o, .owner_fd = -1, .lock_fd = -1};
    memset(k.netns_fds, -1, sizeof k.netns_fds);
    bool is_claimed = false, is_watching = false;
    enum status st;

    k.state.topology = o->topology;
    k.topology = &k.state.topology;
    uv_loop_init(&k.loop);
    uv_timer_init(&k.loop, &k.timer);
    uv_timer_init(&k.loop, &k.prague_timer);
    k.timer.data = k.prague_timer.data = &k;
    signal(SIGPIPE, SIG_IGN); /* the reader's end is no reason not to tidy up */
    st = loop_interrupt_start(&k.loop, on_interrupt, &k, err);
    if (st != STATUS_OK)
        goto out;
    is_watching = true;
    snprintf(k.state.name, sizeof k.state.name, "%s", o->name);
    k.state.created_s = clock_wall_s();
    proc_id_of(getpid(), &k.state.keeper);

    st = build_check(o->ports, err);
    if (st == STATUS_OK && o->has_sshd)
        st = sshd_check(err);
    if (st == STATUS_OK)
        st = watch_owner(&k, err);
    if (st == STATUS_OK)
        st = claim(&k, err);
    if (st != STATUS_OK)
        goto out;
    is_claimed = true;
    st = build(&k, err);
    while (st == STATUS_OK && !k.is_stop && !ended_link(&k))
        uv_run(&k.loop, UV_RUN_ONCE);
    if (st == STATUS_OK && !k.is_stop)
        st = bottleneck_why_ended(ended_link(&k), err);
out:
    if (is_claimed)
        st = take_down(&k, st, err);
    if (st == STATUS_OK)
        event_write_result(stdout, down_data(&k));
    else
        event_write_error(stdout, err);
    if (is_watching)
        loop_interrupt_stop();
    uv_walk(&k.loop, close_handle, NULL);
    uv_run(&k.loop, UV_RUN_DEFAULT);
    uv_loop_close(&k.loop);
    for (int i = 0; i < k.topology->nrouters; i++)
        bottleneck_done(&k.links[i]);
    lab_state_done(&k.state);
    for (int i = 0; i < TOPOLOGY_NODES_MAX; i++)
        if (k.netns_fds[i] >= 0)
            close(k.netns_fds[i]);
    if (k.owner_fd >= 0)
        close(k.owner_fd);
    if (k.lock_fd >= 0)
        close(k.lock_fd);
    return st;
}
