/* `ccalab testbed up|status|down|...`. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/netns.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "testbed/build.h"
#include "testbed/doctor.h"
#include "testbed/keeper.h"
#include "testbed/lab.h"
#include "testbed/options.h"
#include "testbed/prague.h"
#include "testbed/shell.h"
#include "testbed/sshd.h"
#include "testbed/steer.h"
#include "testbed/sweep.h"
#include "testbed/tc.h"
#include "testbed/testbed.h"

#define UP_TIMEOUT_MS   20000
#define DOWN_TIMEOUT_MS 2500
#define LOCK_TIMEOUT_MS 3000

/* --- status ----------------------------------------------------------------------------------- */

/* "up", "building", "stopping", or "dead": its keeper was killed and only `down` is left to do. */
static const char *condition(const struct lab_state *s)
{
    return proc_is_alive(&s->keeper) ? lab_phase_name(s->phase) : "dead";
}

static void print_router(const struct topology_router *r)
{
    char down[32] = "unlimited", up[40] = "", more[128] = "";
    if (r->rate_bps)
        snprintf(down, sizeof down, "%g Mbit/s", (double)r->rate_bps / 1e6);
    if (r->up_rate_bps != r->rate_bps)
        snprintf(up, sizeof up, " (up %g Mbit/s)", (double)r->up_rate_bps / 1e6);
    size_t used = 0;
    if (r->jitter_us || r->loss > 0)
        used = (size_t)snprintf(more, sizeof more, ", jitter %g ms, loss %g %%", r->jitter_us / 1e3,
                                r->loss * 100);
    if (r->burst_us)
        snprintf(more + used, sizeof more - used, ", in bursts of %g ms", r->burst_us / 1e3);
    printf("  bottleneck  %s%s, base RTT %g ms, %s%s  (%s)\n", down, up, r->rtt_us / 1e3, r->aqm,
           more, r->name);
}

static void print_rung(const struct lab_state *s)
{
    const cJSON *rung = json_get(s->up, "rung"), *lack;
    const char *sep = ", without ";
    if (!rung)
        return;
    printf("  rung        %.0f (%s)", json_num(rung, "number", 0), json_str(rung, "name", "?"));
    cJSON_ArrayForEach(lack, json_get(rung, "lacks"))
    {
        printf("%s%s", sep, cJSON_IsString(lack) ? lack->valuestring : "?");
        sep = " and ";
    }
    printf("\n");
}

static void print_prague(const struct lab_state *s)
{
    const cJSON *prague = json_get(s->up, "prague");
    const char *cc = json_str(prague, "cc", NULL);
    if (cc)
        printf("  Prague      %s, \"-C %s\"\n", json_str(prague, "label", ""), cc);
    else if (prague)
        printf("  Prague      none: %s (%s)\n", json_str(prague, "reason", ""),
               json_str(prague, "hint", ""));
    if (json_str(prague, "note", NULL))
        printf("              %s\n", json_str(prague, "note", ""));
}

static void print_lab(const struct lab_state *s)
{
    const char *is = condition(s), *ssh = json_str(s->up, "ssh_config", NULL);
    printf("lab %s: %s, keeper %d, %.0f s old\n", s->name, is, (int)s->keeper.pid,
           fmax(0, clock_wall_s() - s->created_s));
    for (int i = 0; i < s->topology.nrouters; i++)
        print_router(&s->topology.routers[i]);
    if (strcmp(is, "dead") == 0)
        printf("  its keeper was killed; clean up with: ccalab testbed down --name %s\n", s->name);
    print_rung(s);
    print_prague(s);
    printf("  %-16s%-8s%-13s%-10s%s\n", "host", "role", "address", "delay", "namespace");
    for (int i = 0; i < topology_nodes(&s->topology); i++) {
        struct topology_node n = topology_node(&s->topology, i);
        char netns[LAB_PATH_MAX], delay[32] = "-";
        lab_netns_path(s->name, n.name, netns, sizeof netns);
        if (n.role != TOPOLOGY_ROUTER && s->topology.leaves[n.index].delay_us)
            snprintf(delay, sizeof delay, "+%g ms", s->topology.leaves[n.index].delay_us / 1e3);
        printf("  %-16s%-8s%-13s%-10s%s\n", n.name, topology_role_name(n.role), n.address, delay,
               netns);
    }
    if (strcmp(is, "dead") == 0)
        return;
    printf("  a shell     ccalab testbed shell --name %s %s\n", s->name,
           topology_node(&s->topology, 0).name);
    if (ssh)
        printf("  by ssh      ssh -F %s %s\n", ssh, topology_node(&s->topology, 0).name);
}

struct listing {
    const char *only; /* NULL: all */
    cJSON *array;     /* NULL: print */
    int count;
};

static void list_lab(void *user, const char *name)
{
    struct listing *l = user;
    struct lab_state s;
    if ((l->only && strcmp(l->only, name) != 0) || lab_state_load(name, &s, NULL) != STATUS_OK)
        return;
    l->count++;
    if (l->array) {
        cJSON *o = lab_state_to_json(&s);
        cJSON_AddStringToObject(o, "state", condition(&s));
        cJSON_AddItemToArray(l->array, o);
    } else {
        print_lab(&s);
    }
    lab_state_done(&s);
}

static enum status run_status(const struct testbed_options *o, struct error *err)
{
    struct listing l = {.only = o->has_name ? o->name : NULL};
    if (o->is_json)
        l.array = cJSON_CreateArray();
    lab_each(list_lab, &l);
    if (o->is_json) {
        cJSON *root = cJSON_CreateObject();
        cJSON_AddItemToObject(root, "labs", l.array);
        char *text = cJSON_Print(root);
        printf("%s\n", text ? text : "");
        cJSON_free(text);
        cJSON_Delete(root);
    } else if (l.count == 0 && !o->has_name) {
        printf("no lab is up\n");
    }
    if (l.count == 0 && o->has_name)
        return error_set(err, STATUS_FAIL, "testbed", "there is no lab %s", o->name);
    return STATUS_OK;
}

/* --- down ------------------------------------------------------------------------------------- */

/* Ask the keeper to end; SIGKILL if it does not. Harmless if there is none. */
static void end_keeper(const char *name)
{
    struct lab_state s;
    if (lab_state_load(name, &s, NULL) != STATUS_OK)
        return;
    int fd = proc_open(&s.keeper);
    if (fd >= 0) {
        proc_signal(fd, SIGTERM);
        if (!proc_wait(fd, DOWN_TIMEOUT_MS)) {
            fprintf(stderr, "the keeper of %s does not end: killing it\n", name);
            proc_signal(fd, SIGKILL);
            proc_wait(fd, 1000);
        }
        close(fd);
    }
    lab_state_done(&s);
}

static enum status down_one(const char *name, struct error *err)
{
    char path[LAB_PATH_MAX];
    struct sweep_report r = {0};
    lab_path(name, "lab.json", path, sizeof path);
    bool was_up = lab_is_locked(name);
    bool was_dead = !was_up && access(path, F_OK) == 0;
    if (was_up)
        end_keeper(name);
    int fd = -1;
    enum status st = lab_lock(name, LOCK_TIMEOUT_MS, &fd, err);
    if (st == STATUS_OK && fd < 0)
        st = error_set(err, STATUS_TIMEOUT, "testbed", "another command is at work on %s", name);
    if (st == STATUS_OK)
        st = sweep_lab(name, &r, err);
    if (st == STATUS_OK) {
        lab_remove_dir(name);
        if (prague_sweep())
            printf("%s: took BPF congestion controls back that a killed lab had registered\n",
                   name);
        if (r.namespaces || r.processes)
            printf("%s: removed %d namespace%s, killed %d process%s\n", name, r.namespaces,
                   r.namespaces == 1 ? "" : "s", r.processes, r.processes == 1 ? "" : "es");
        else
            printf("%s: %s\n", name, was_up || was_dead ? "down" : "nothing to remove");
    }
    if (fd >= 0)
        close(fd);
    return st;
}

struct down_all {
    char names[64][LAB_NAME_MAX + 1];
    int count;
};

static void collect(void *user, const char *name)
{
    struct down_all *d = user;
    if (d->count < 64)
        snprintf(d->names[d->count++], sizeof d->names[0], "%s", name);
}

static enum status run_down(const struct testbed_options *o, struct error *err)
{
    enum status st = STATUS_OK;
    if (!o->is_all)
        return down_one(o->name, err);
    struct down_all d = {.count = 0};
    lab_each(collect, &d); /* first all names: down removes the directories under our feet */
    for (int i = 0; i < d.count; i++) {
        struct error e = {0};
        if (down_one(d.names[i], &e) != STATUS_OK) {
            if (st != STATUS_OK)
                error_print(stderr, err); /* of the lab before */
            st = e.status;
            *err = e;
        }
    }
    if (d.count == 0)
        printf("no lab is up\n");
    return st;
}

/* --- up --------------------------------------------------------------------------------------- */

static volatile sig_atomic_t is_interrupted;

static void on_signal(int signum)
{
    (void)signum;
    is_interrupted = 1;
}

struct wait_up {
    bool is_up, is_down, has_error;
    struct error error;
};

static void on_keeper_event(void *user, const struct event *ev, const char *line)
{
    struct wait_up *w = user;
    (void)line;
    if (!ev)
        return;
    if (ev->type == EVENT_PROGRESS) {
        fprintf(stderr, "%.0f/%.0f %s\n", json_num(ev->body, "done", 0),
                json_num(ev->body, "total", 0), json_str(ev->body, "text", ""));
    } else if (ev->type == EVENT_LOG) {
        fprintf(stderr, "%s: %s\n", json_str(ev->body, "level", "log"),
                json_str(ev->body, "text", ""));
    } else if (ev->type == EVENT_RESULT) {
        const char *state = json_str(json_get(ev->body, "data"), "state", "");
        w->is_up |= strcmp(state, "up") == 0;
        w->is_down |= strcmp(state, "down") == 0;
    } else if (ev->type == EVENT_ERROR) {
        w->has_error = true;
        error_set(&w->error, status_from_name(json_str(ev->body, "status", "")),
                  json_str(ev->body, "subsystem", "testbed"), "%s",
                  json_str(ev->body, "message", ""));
        error_hint(&w->error, "%s", json_str(ev->body, "hint", ""));
    }
}

/* Make the lab's directory and an empty events.jsonl: *out to write, *in to read. */
static enum status open_events(const char *name, int *out, int *in, struct error *err)
{
    char path[LAB_PATH_MAX];
    int lock = -1;
    enum status st = lab_claim(name, &lock, err);
    if (st != STATUS_OK)
        return st;
    lab_path(name, "events.jsonl", path, sizeof path);
    *out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    *in = *out < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (*in < 0) {
        int saved = errno;
        error_sys(err, STATUS_IO, saved, "testbed", "cannot write %s", path);
        st = saved == ENOSPC ? error_hint(err, "the disk is full: free some space there")
                             : STATUS_IO;
    }
    close(lock);
    return st;
}

/* Read the keeper's events until it is up, ended or failed. False: no end in sight. */
static bool follow(int in, const struct proc_id *keeper, struct wait_up *w)
{
    struct event_reader r;
    uint64_t deadline = clock_mono_ns() + UP_TIMEOUT_MS * 1000000ull;
    bool is_over = false;
    event_reader_init(&r);
    while (!is_over && !is_interrupted && clock_mono_ns() < deadline) {
        char chunk[4096];
        /* In this order: what it wrote before its end must still be read. */
        bool is_alive = proc_is_alive(keeper);
        ssize_t n;
        while ((n = read(in, chunk, sizeof chunk)) > 0)
            event_reader_feed(&r, chunk, (size_t)n, NULL, on_keeper_event, w);
        is_over = w->is_up || w->is_down || w->has_error || !is_alive;
        if (!is_over)
            poll(NULL, 0, 10);
    }
    event_reader_done(&r);
    return is_over;
}

static enum status run_up(const struct testbed_options *o, struct error *err)
{
    char self[CCALAB_PATH_MAX];
    cJSON *json = topology_to_json(&o->topology);
    char *topology = cJSON_PrintUnformatted(json);
    int out = -1, in = -1;
    pid_t pid = 0;
    struct wait_up w = {0};
    struct proc_id keeper;
    enum status st = build_check(o->ports, err);
    if (st == STATUS_OK && o->has_sshd)
        st = sshd_check(err);
    if (st == STATUS_OK && !paths_self(self, sizeof self))
        st = error_set(err, STATUS_INTERNAL, "testbed", "cannot find this program's own path");
    if (st == STATUS_OK && !topology)
        st = error_set(err, STATUS_NOMEM, "testbed", "no memory for the topology");
    if (st == STATUS_OK)
        st = open_events(o->name, &out, &in, err);
    if (st != STATUS_OK)
        goto out;
    const char *const argv[] = {self,
                                "testbed",
                                "keep",
                                "--name",
                                o->name,
                                "--topology",
                                topology,
                                "--interval",
                                "0",
                                "--ports",
                                link_port_names[o->ports],
                                o->has_sshd ? "--sshd" : NULL,
                                NULL};
    struct spawn_opts opts = {.argv = argv,
                              .cwd = "/",
                              .fd_in = -1,
                              .fd_out = out,
                              .fd_err = -1,
                              .has_own_session = true,
                              .survives_parent = true};
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    st = spawn_start(&opts, &pid, err);
    if (st != STATUS_OK)
        goto out;
    proc_id_of(pid, &keeper);
    bool is_over = follow(in, &keeper, &w);
    if (w.is_up) {
        struct listing l = {.only = o->name};
        list_lab(&l, o->name);
        goto out;
    }
    int fd = proc_open(&keeper);
    if (fd >= 0) { /* interrupted, or too slow; after an error it ends by itself */
        proc_signal(fd, SIGTERM);
        proc_wait(fd, DOWN_TIMEOUT_MS);
        close(fd);
    }
    if (w.has_error) {
        *err = w.error;
        st = w.error.status;
    } else if (is_interrupted) {
        st = error_set(err, STATUS_INTERRUPTED, "testbed", "interrupted: the lab is down again");
    } else if (is_over) {
        st = error_set(err, STATUS_HOST, "testbed", "the keeper ended while it built the lab");
    } else {
        st = error_set(err, STATUS_TIMEOUT, "testbed", "the lab was not up within %d s",
                       UP_TIMEOUT_MS / 1000);
    }
out:
    cJSON_free(topology);
    cJSON_Delete(json);
    if (out >= 0)
        close(out);
    if (in >= 0)
        close(in);
    return st;
}

int testbed_main(int argc, char **argv)
{
    struct testbed_options o;
    struct error err = {0};
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return doctor_main(argc - 1, argv + 1);
    enum status st = testbed_options_parse(argc, argv, &o, &err);
    if (st == STATUS_OK) {
        switch (o.verb) {
        case TESTBED_UP:
            st = run_up(&o, &err);
            break;
        case TESTBED_STATUS:
            st = run_status(&o, &err);
            break;
        case TESTBED_DOWN:
            st = run_down(&o, &err);
            break;
        case TESTBED_KEEP:
            st = keeper_run(&o, &err);
            break;
        case TESTBED_SET:
            st = steer_set(&o, &err);
            break;
        case TESTBED_GET:
            st = steer_print(&o, &err);
            break;
        case TESTBED_SHELL:
            st = shell_run(&o, &err);
            break;
        case TESTBED_DIAL:
            st = shell_dial(&o, &err);
            break;
        case TESTBED_TC:
            return tc_main(o.argc, o.argv);
        case TESTBED_COOKIE:
            printf("%llx\n", (unsigned long long)netns_cookie());
            break;
        case TESTBED_HELP:
            fputs(testbed_usage, stdout);
            break;
        }
    }
    if (st != STATUS_OK)
        error_print(stderr, &err);
    fflush(stdout);
    return status_exit_code(st);
}
