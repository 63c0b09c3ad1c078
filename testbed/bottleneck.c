#include "testbed/bottleneck.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "testbed/build.h"
#include "testbed/lab.h"

#define ARGS_MAX (40 + 2 * TOPOLOGY_LEAVES_MAX)

enum status bottleneck_has_control(bool *out, struct error *err)
{
    char program[CCALAB_PATH_MAX];
    const char *const argv[] = {program, "--help", NULL};
    struct buf help;
    *out = false;
    enum status st = paths_program("ccalab-link", program, sizeof program, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&help, 65536);
    st = spawn_run(argv, NULL, NULL, &help, 5000, err);
    *out = st == STATUS_OK && strstr(help.data, "--control") != NULL;
    buf_done(&help);
    return st;
}

/* "link/down" of another router than the first is "link.<router>/down". */
static void pass_on(struct bottleneck *b, const struct event *ev, const char *line)
{
    if (!b->is_first && ev->type == EVENT_SAMPLE && strncmp(ev->src, "link", 4) == 0) {
        char src[64];
        snprintf(src, sizeof src, "link.%s%.32s", b->router, ev->src + 4);
        cJSON *o = cJSON_Duplicate(ev->body, true);
        cJSON_ReplaceItemInObject(o, "src", cJSON_CreateString(src));
        char *text = cJSON_PrintUnformatted(o);
        if (text)
            fprintf(stdout, "%s\n", text);
        cJSON_free(text);
        cJSON_Delete(o);
    } else {
        fprintf(stdout, "%s\n", line);
    }
    fflush(stdout);
}

static void on_event(void *user, const struct event *ev, const char *line)
{
    struct bottleneck *b = user;
    if (!ev) {
        event_write_log(stdout, LOG_LEVEL_WARN, "ccalab-link: %s", line);
        return;
    }
    /* Its results become part of the keeper's: whoever waits for a result waits for the lab's. */
    if (ev->type == EVENT_RESULT) {
        const cJSON *data = json_get(ev->body, "data");
        const char *state = json_str(data, "state", "");
        cJSON **slot = strcmp(state, "up") == 0     ? &b->up
                       : strcmp(state, "down") == 0 ? &b->down
                                                    : NULL;
        if (slot && !*slot)
            *slot = cJSON_Duplicate(data, true);
    } else if (ev->type == EVENT_ERROR) {
        error_set(&b->error, status_from_name(json_str(ev->body, "status", "")), "link", "%s",
                  json_str(ev->body, "message", ""));
        error_hint(&b->error, "%s", json_str(ev->body, "hint", ""));
    } else {
        pass_on(b, ev, line);
    }
}

static void on_output(void *user, int fd, const char *data, size_t len)
{
    struct bottleneck *b = user;
    if (fd == 1) {
        event_reader_feed(&b->reader, data, len, NULL, on_event, b);
        return;
    }
    while (len && data[len - 1] == '\n')
        len--;
    if (len == 0)
        return;
    size_t keep = len < sizeof b->stderr_tail ? len : sizeof b->stderr_tail - 1;
    memcpy(b->stderr_tail, data + len - keep, keep);
    b->stderr_tail[keep] = '\0';
    event_write_log(stdout, LOG_LEVEL_INFO, "%s", b->stderr_tail); /* it names itself */
}

static void on_exit(void *user, int wait_status)
{
    struct bottleneck *b = user;
    event_reader_end(&b->reader, NULL, on_event, b);
    event_reader_done(&b->reader);
    b->wait_status = wait_status;
    b->child = NULL;
}

/* A command line in the making; the texts live in `pool`. */
struct args {
    const char *argv[ARGS_MAX];
    int argc;
    char pool[8192];
    size_t used;
};

static void add(struct args *a, const char *flag, const char *value)
{
    size_t n = strlen(value) + 1;
    if (a->argc + 3 > ARGS_MAX || a->used + n > sizeof a->pool)
        return; /* cannot be: every text is bounded by the topology */
    memcpy(a->pool + a->used, value, n);
    a->argv[a->argc++] = flag;
    a->argv[a->argc++] = a->pool + a->used;
    a->used += n;
}

static void add_us(struct args *a, const char *flag, uint32_t us)
{
    char text[32];
    snprintf(text, sizeof text, "%uus", us);
    add(a, flag, text);
}

static void add_router(struct args *a, const struct topology_router *r)
{
    char text[64];
    snprintf(text, sizeof text, "%llubit", (unsigned long long)r->rate_bps);
    add(a, "--rate", text);
    snprintf(text, sizeof text, "%llubit", (unsigned long long)r->up_rate_bps);
    if (r->up_rate_bps != r->rate_bps && !r->up_rate_trace[0])
        add(a, "--up-rate", text);
    add_us(a, "--delay", r->rtt_us / 2);
    add(a, "--aqm", r->aqm);
    if (r->jitter_us)
        add_us(a, "--jitter", r->jitter_us);
    if (r->burst_us)
        add_us(a, "--burst", r->burst_us);
    snprintf(text, sizeof text, "%.9g", r->loss);
    if (r->loss > 0)
        add(a, "--loss", text);
    if (r->rate_steps[0])
        add(a, "--rate-steps", r->rate_steps);
    if (r->rate_trace[0])
        add(a, "--rate-trace", r->rate_trace);
    if (r->up_rate_trace[0])
        add(a, "--up-rate-trace", r->up_rate_trace);
    if (r->packet_log[0])
        add(a, "--packet-log", r->packet_log);
}

/* The hosts' own delays are all laid into the first bottleneck: every path crosses it. */
static void add_paths(struct args *a, const struct topology *t)
{
    for (int i = 0; i < t->nleaves; i++) {
        char text[64];
        snprintf(text, sizeof text, "10.98.%d.2=%uus", i + 1, t->leaves[i].delay_us);
        if (t->leaves[i].delay_us)
            add(a, "--path", text);
    }
}

enum status bottleneck_start(struct bottleneck *b, uv_loop_t *loop, const struct testbed_options *o,
                             int router, const char *control, struct error *err)
{
    const struct topology *t = &o->topology;
    char program[CCALAB_PATH_MAX], ns[LAB_PATH_MAX], end[LAB_PATH_MAX + 8];
    struct args a = {.argv = {program}, .argc = 1};
    *b = (struct bottleneck){.router = t->routers[router].name, .is_first = router == 0};
    enum status st = paths_program("ccalab-link", program, sizeof program, err);
    if (st != STATUS_OK)
        return st;
    lab_netns_path(o->name, b->router, ns, sizeof ns);
    snprintf(end, sizeof end, "%s:%s", ns, build_port_in(&t->routers[router]));
    add(&a, "--a", end);
    snprintf(end, sizeof end, "%s:%s", ns, build_port_out(&t->routers[router]));
    add(&a, "--b", end);
    add_router(&a, &t->routers[router]);
    if (router == 0)
        add_paths(&a, t);
    add_us(&a, "--interval", o->interval_us);
    add(&a, "--ports", link_port_names[o->ports]);
    if (control)
        add(&a, "--control", control);
    struct spawn_opts opts = {.argv = a.argv};
    struct child_callbacks cb = {on_output, on_exit};
    event_reader_init(&b->reader);
    st = child_start(loop, &opts, &cb, b, &b->child, err);
    if (st != STATUS_OK)
        event_reader_done(&b->reader);
    return st;
}

enum status bottleneck_why_ended(const struct bottleneck *b, struct error *err)
{
    int ws = b->wait_status;
    char how[64];
    if (WIFSIGNALED(ws))
        snprintf(how, sizeof how, "was killed by signal %d", WTERMSIG(ws));
    else
        snprintf(how, sizeof how, "ended with exit status %d", WEXITSTATUS(ws));
    if (b->error.status == STATUS_OK)
        return error_set(err, STATUS_HOST, "testbed", "the bottleneck of %s, ccalab-link, %s%s%s",
                         b->router, how, b->stderr_tail[0] ? ": " : "", b->stderr_tail);
    error_set(err, b->error.status, "testbed", "the bottleneck of %s, ccalab-link, %s: %.380s",
              b->router, how, b->error.message);
    return err ? error_hint(err, "%s", b->error.hint) : b->error.status;
}

void bottleneck_done(struct bottleneck *b)
{
    cJSON_Delete(b->up);
    cJSON_Delete(b->down);
    b->up = b->down = NULL;
}
