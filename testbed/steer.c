#include "testbed/steer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"

#define ANSWER_MAX        (1u << 20)
#define ANSWER_TIMEOUT_MS 2000

/* --- asking ----------------------------------------------------------------------------------- */

static int dial(const char *path, struct error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        error_set(err, STATUS_HOST, "testbed", "%s is too long for a socket", path);
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    error_sys(err, STATUS_HOST, errno, "testbed", "cannot reach the bottleneck at %s", path);
    if (err)
        error_hint(err, "is the lab up (ccalab testbed status), and does its ccalab-link know "
                        "--control?");
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* One line into *b. False at the end of time or stream. */
static bool read_line(int fd, struct buf *b)
{
    uint64_t deadline = clock_mono_ns() + ANSWER_TIMEOUT_MS * 1000000ull;
    while (!b->is_failed && !memchr(b->data, '\n', b->len)) {
        char chunk[4096];
        uint64_t now = clock_mono_ns();
        struct pollfd p = {fd, POLLIN, 0};
        int r = now < deadline ? poll(&p, 1, (int)((deadline - now) / 1000000) + 1) : 0;
        ssize_t n = r > 0 ? read(fd, chunk, sizeof chunk) : -1;
        if (n > 0)
            buf_append(b, chunk, (size_t)n);
        else if (r == 0 || n == 0 || errno != EINTR)
            return false;
    }
    return !b->is_failed;
}

cJSON *steer_ask(const char *path, const cJSON *request, struct error *err)
{
    cJSON *answer = NULL;
    struct buf b;
    char *text = cJSON_PrintUnformatted(request);
    int fd = text ? dial(path, err) : -1;
    buf_init(&b, ANSWER_MAX);
    if (fd < 0)
        goto out;
    if (!send_all(fd, text, strlen(text)) || !send_all(fd, "\n", 1) || !read_line(fd, &b)) {
        error_set(err, STATUS_HOST, "testbed", "the bottleneck at %s does not answer", path);
        goto out;
    }
    answer = json_parse(b.data, b.len, "the bottleneck's answer", err);
    if (answer && !json_bool(answer, "ok", false)) {
        error_set(err, status_from_name(json_str(answer, "status", "")), "link", "%s",
                  json_str(answer, "message", "it refused and did not say why"));
        if (err)
            error_hint(err, "%s", json_str(answer, "hint", ""));
        cJSON_Delete(answer);
        answer = NULL;
    }
out:
    cJSON_free(text);
    buf_done(&b);
    if (fd >= 0)
        close(fd);
    return answer;
}

cJSON *steer_get(const char *path, struct error *err)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "cmd", "get");
    cJSON *answer = steer_ask(path, request, err);
    cJSON_Delete(request);
    return answer;
}

/* --- set and get ------------------------------------------------------------------------------ */

/* The socket of the router that was asked for. *s: caller calls lab_state_done(). */
static enum status find_router(const struct testbed_options *o, struct lab_state *s, char *path,
                               size_t size, struct error *err)
{
    if (lab_state_load(o->name, s, NULL) != STATUS_OK || !proc_is_alive(&s->keeper)) {
        error_set(err, STATUS_FAIL, "testbed", "no lab %s is up", o->name);
        return err ? error_hint(err, "ccalab testbed status shows which are") : STATUS_FAIL;
    }
    int i = o->router ? topology_find(&s->topology, o->router) : s->topology.nclients;
    if (i < 0 || topology_node(&s->topology, i).role != TOPOLOGY_ROUTER)
        return error_set(err, STATUS_FAIL, "testbed", "lab %s has no router '%.40s'", o->name,
                         o->router);
    lab_control_path(o->name, topology_node(&s->topology, i).name, path, size);
    return STATUS_OK;
}

static enum status usage(struct error *err, const char *what, const char *arg)
{
    error_set(err, STATUS_USAGE, "testbed", "%s: '%.100s'", what, arg);
    return err ? error_hint(err, "keys are rate, delay, jitter, loss, aqm, and path.HOST")
               : STATUS_USAGE;
}

/* "loss=1%" and "loss=0.01" are the same; the bottleneck judges the number. */
static enum status add_loss(cJSON *to, const char *value, struct error *err)
{
    char *end = NULL;
    double v = strtod(value, &end);
    bool is_percent = end != value && strcmp(end, "%") == 0;
    if (end == value || (*end && !is_percent))
        return usage(err, "loss is no number", value);
    cJSON_AddNumberToObject(to, "loss", is_percent ? v / 100 : v);
    return STATUS_OK;
}

static enum status add_path(cJSON *request, const struct topology *t, const char *host,
                            const char *value, struct error *err)
{
    int i = topology_find(t, host);
    if (i < 0 || topology_node(t, i).role == TOPOLOGY_ROUTER)
        return usage(err, "no client or server has that name", host);
    cJSON *paths = cJSON_GetObjectItem(request, "paths");
    if (!paths)
        paths = cJSON_AddObjectToObject(request, "paths");
    cJSON_AddStringToObject(paths, topology_node(t, i).address, value);
    return STATUS_OK;
}

static enum status add_assignment(cJSON *request, cJSON *direction, const struct topology *t,
                                  const char *text, struct error *err)
{
    static const char *const keys[] = {"rate", "delay", "jitter", "aqm"};
    const char *value = strchr(text, '=') + 1;
    char key[64];
    size_t len = (size_t)(value - 1 - text);
    if (len >= sizeof key)
        return usage(err, "unknown key", text);
    memcpy(key, text, len);
    key[len] = '\0';
    if (strncmp(key, "path.", 5) == 0)
        return add_path(request, t, key + 5, value, err);
    if (strcmp(key, "loss") == 0)
        return add_loss(direction, value, err);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i]) == 0) {
            cJSON_AddStringToObject(direction, key, value);
            return STATUS_OK;
        }
    }
    return usage(err, "unknown key", key);
}

static enum status print(const struct testbed_options *o, const char *path, struct error *err)
{
    static const char *const directions[] = {"down", "up"};
    cJSON *answer = steer_get(path, err);
    if (!answer)
        return err ? err->status : STATUS_HOST;
    cJSON_DeleteItemFromObject(answer, "ok");
    if (o->is_json) {
        char *text = cJSON_Print(answer);
        printf("%s\n", text ? text : "");
        cJSON_free(text);
    }
    for (int i = 0; i < 2 && !o->is_json; i++) {
        const cJSON *d = json_get(answer, directions[i]);
        double rate = json_num(d, "rate_bps", 0);
        printf("%-4s  ", directions[i]);
        if (rate > 0)
            printf("%g Mbit/s", rate / 1e6);
        else
            printf("unlimited");
        printf(", %g ms", json_num(d, "delay_us", 0) / 1e3);
        if (json_num(d, "jitter_us", 0) > 0)
            printf(", jitter %g ms", json_num(d, "jitter_us", 0) / 1e3);
        if (json_num(d, "loss", 0) > 0)
            printf(", loss %g %%", json_num(d, "loss", 0) * 100);
        printf(", %s\n      sent %.0f bytes %.0f packets, dropped %.0f, backlog %.0f bytes %.0f "
               "packets\n",
               json_str(d, "aqm", "?"), json_num(d, "out_bytes", 0), json_num(d, "out_pkts", 0),
               json_num(d, "drop", 0), json_num(d, "backlog_bytes", 0),
               json_num(d, "backlog_pkts", 0));
    }
    cJSON_Delete(answer);
    return STATUS_OK;
}

enum status steer_print(const struct testbed_options *o, struct error *err)
{
    struct lab_state s;
    char path[LAB_PATH_MAX];
    enum status st = find_router(o, &s, path, sizeof path, err);
    if (st == STATUS_OK)
        st = print(o, path, err);
    lab_state_done(&s);
    return st;
}

enum status steer_set(const struct testbed_options *o, struct error *err)
{
    struct lab_state s;
    struct error e = {0};
    char path[LAB_PATH_MAX];
    cJSON *request = cJSON_CreateObject(), *direction = cJSON_CreateObject(), *answer = NULL;
    enum status st = find_router(o, &s, path, sizeof path, err);
    cJSON_AddStringToObject(request, "cmd", "set");
    for (int i = 0; st == STATUS_OK && i < o->nassignments; i++)
        st = add_assignment(request, direction, &s.topology, o->assignments[i], err);
    if (st == STATUS_OK) {
        if (direction->child && !o->is_up)
            cJSON_AddItemToObject(request, "down", cJSON_Duplicate(direction, true));
        if (direction->child && !o->is_down)
            cJSON_AddItemToObject(request, "up", cJSON_Duplicate(direction, true));
        answer = steer_ask(path, request, &e);
        st = answer ? print(o, path, &e) : e.status;
        if (st != STATUS_OK && err)
            *err = e;
    }
    cJSON_Delete(answer);
    cJSON_Delete(direction);
    cJSON_Delete(request);
    lab_state_done(&s);
    return st;
}
