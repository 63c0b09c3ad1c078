#include "testbed/tc.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "testbed/build.h"
#include "testbed/lab.h"
#include "testbed/link/aqm_spec.h"
#include "testbed/steer.h"
#include "testbed/tc_format.h"

#define REAL_TIMEOUT_MS 10000
#define OUTPUT_MAX      (4u << 20)

enum { TC_OK = 0, TC_USAGE = 1, TC_KERNEL = 2 }; /* exit statuses of tc(8) */

enum command { COMMAND_SHOW, COMMAND_ADD, COMMAND_REPLACE, COMMAND_CHANGE, COMMAND_DELETE };

/* A command line that may concern us. */
struct request {
    bool has_stats, is_json, is_pretty;
    enum command command;
    const char *dev; /* NULL: none was named */
    bool is_root, has_parent;
    const char *const *kind; /* the kind and its options, in argv; NULL: none */
    int nwords;
};

/* The bottleneck's ends. tc queues towards where packets leave, so bn1 is direction down. */
static const struct {
    const char *dev, *direction, *handle;
} ports[] = {{BUILD_TUN_A, "up", "8002:"}, {BUILD_TUN_B, "down", "8001:"}};

static int port_of(const char *dev)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(dev, ports[i].dev) == 0)
            return i;
    return -1;
}

/* --- whose namespace this is ------------------------------------------------------------------ */

struct search {
    struct stat self;
    char path[LAB_PATH_MAX];
    bool is_found;
};

static void look_at_lab(void *user, const char *lab)
{
    struct search *f = user;
    struct lab_state s;
    if (f->is_found || lab_state_load(lab, &s, NULL) != STATUS_OK)
        return;
    for (int i = 0; i < s.topology.nrouters && !f->is_found; i++) {
        char netns[LAB_PATH_MAX];
        struct stat st;
        const char *router = s.topology.routers[i].name;
        lab_netns_path(lab, router, netns, sizeof netns);
        if (stat(netns, &st) == 0 && st.st_dev == f->self.st_dev && st.st_ino == f->self.st_ino) {
            f->is_found = true;
            lab_control_path(lab, router, f->path, sizeof f->path);
        }
    }
    lab_state_done(&s);
}

/* The control socket of the router that we are in. */
static bool find_control(char *out, size_t size)
{
    struct search f = {.is_found = false};
    if (stat("/proc/self/ns/net", &f.self) != 0)
        return false;
    lab_each(look_at_lab, &f);
    snprintf(out, size, "%s", f.path);
    return f.is_found;
}

/* --- the real tc ------------------------------------------------------------------------------ */

/* Take the lab's own bin/ out of $PATH: whoever says tc from now on means the real one. */
static void clean_path(void)
{
    char runtime[LAB_PATH_MAX], *copy = strdup(getenv("PATH") ? getenv("PATH") : ""), *save = NULL;
    struct buf b;
    buf_init(&b, CCALAB_PATH_MAX);
    if (!copy || !paths_runtime(runtime, sizeof runtime))
        return;
    for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
        if (strncmp(dir, runtime, strlen(runtime)) != 0)
            buf_printf(&b, "%s%s", b.len ? ":" : "", dir);
    setenv("PATH", b.data, 1);
    buf_done(&b);
    free(copy);
}

/* "tc" and the words, NULL-terminated; for free(). */
static const char **real_argv(int argc, char *const *argv)
{
    const char **real = calloc((size_t)argc + 2, sizeof *real);
    if (!real)
        return NULL;
    real[0] = "tc";
    for (int i = 0; i < argc; i++)
        real[i + 1] = argv[i];
    return real;
}

static int become_real(int argc, char *const *argv)
{
    char program[CCALAB_PATH_MAX];
    const char **real = real_argv(argc, argv);
    if (!real || !paths_which("tc", program, sizeof program)) {
        fprintf(stderr, "tc: command not found: install the package iproute2\n");
        return 127;
    }
    execv(program, (char *const *)real);
    perror("tc");
    return 127;
}

/* --- understanding the command line ----------------------------------------------------------- */

/* As iproute2 has it: any beginning of the word stands for it. */
static bool is_short_for(const char *text, const char *word)
{
    return text[0] && strncmp(text, word, strlen(text)) == 0;
}

/* False: an option that is not for us to understand. */
static bool take_option(struct request *r, const char *text)
{
    text += text[1] == '-' ? 2 : 1;
    if (is_short_for(text, "statistics") || is_short_for(text, "stats"))
        r->has_stats = true;
    else if (is_short_for(text, "json"))
        r->is_json = true;
    else if (is_short_for(text, "pretty"))
        r->is_pretty = true;
    else
        return is_short_for(text, "details") || is_short_for(text, "color");
    return true;
}

static bool take_command(struct request *r, const char *text)
{
    static const struct {
        const char *word;
        enum command command;
    } commands[] = {{"add", COMMAND_ADD},         {"change", COMMAND_CHANGE},
                    {"replace", COMMAND_REPLACE}, {"delete", COMMAND_DELETE},
                    {"show", COMMAND_SHOW},       {"list", COMMAND_SHOW},
                    {"lst", COMMAND_SHOW}};
    if (is_short_for(text, "link")) /* comes before list */
        return false;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (is_short_for(text, commands[i].word)) {
            r->command = commands[i].command;
            return true;
        }
    }
    return false;
}

/* False: nothing for us, the real tc shall have it. */
static bool understand(struct request *r, int argc, char *const *argv)
{
    int i = 0;
    *r = (struct request){.command = COMMAND_SHOW};
    while (i < argc && argv[i][0] == '-')
        if (!take_option(r, argv[i++]))
            return false;
    if (i == argc || !is_short_for(argv[i++], "qdisc") || (i < argc && !take_command(r, argv[i++])))
        return false;
    for (; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "dev") == 0 && has_value) {
            r->dev = argv[++i];
        } else if (strcmp(argv[i], "root") == 0) {
            r->is_root = true;
        } else if (r->command != COMMAND_SHOW && strcmp(argv[i], "handle") == 0 && has_value) {
            i++; /* there is but one qdisc, whose handle is ours to choose */
        } else if (r->command != COMMAND_SHOW && strcmp(argv[i], "parent") == 0 && has_value) {
            r->has_parent = true;
            i++;
        } else if (r->command == COMMAND_SHOW) {
            return false;
        } else {
            r->kind = (const char *const *)&argv[i];
            r->nwords = argc - i;
            break;
        }
    }
    if (r->dev ? port_of(r->dev) < 0 : r->command != COMMAND_SHOW)
        return false;
    return true;
}

/* --- show ------------------------------------------------------------------------------------- */

/* What the real tc says, without what it says of our ports. */
static void add_real_text(const char *text, struct buf *out)
{
    bool is_ours = false;
    while (*text) {
        size_t len = strcspn(text, "\n");
        len += text[len] == '\n';
        if (strncmp(text, "qdisc ", 6) == 0) {
            const char *dev = strstr(text, " dev ");
            char name[32] = "";
            if (dev && dev < text + len)
                sscanf(dev, " dev %31s", name);
            is_ours = port_of(name) >= 0;
        }
        if (!is_ours)
            buf_append(out, text, len);
        text += len;
    }
}

static void add_real_json(const char *text, size_t len, cJSON *list)
{
    cJSON *real = json_parse(text, len, "tc", NULL), *item;
    while (cJSON_IsArray(real) && (item = cJSON_DetachItemFromArray(real, 0)))
        if (port_of(json_str(item, "dev", "")) < 0)
            cJSON_AddItemToArray(list, item);
        else
            cJSON_Delete(item);
    cJSON_Delete(real);
}

/* Returns tc's exit status. */
static int add_real(const struct request *r, int argc, char *const *argv, struct buf *out,
                    cJSON *list)
{
    struct error e = {0};
    struct buf text;
    const char **real = real_argv(argc, argv);
    buf_init(&text, OUTPUT_MAX);
    enum status st = real ? spawn_run(real, NULL, NULL, &text, REAL_TIMEOUT_MS, &e) : STATUS_NOMEM;
    if (st != STATUS_OK)
        fprintf(stderr, "tc: %s\n", e.message);
    else if (r->is_json)
        add_real_json(text.data, text.len, list);
    else
        add_real_text(text.data, out);
    buf_done(&text);
    free(real);
    return st == STATUS_OK ? TC_OK : TC_USAGE;
}

static int show(const struct request *r, int argc, char *const *argv, const cJSON *answer)
{
    struct buf out;
    cJSON *list = cJSON_CreateArray();
    buf_init(&out, OUTPUT_MAX);
    int code = r->dev ? TC_OK : add_real(r, argc, argv, &out, list);
    for (int i = 0; i < 2; i++) {
        struct tc_format f = {.handle = ports[i].handle,
                              .dev = r->dev ? NULL : ports[i].dev,
                              .direction = json_get(answer, ports[i].direction),
                              .has_stats = r->has_stats};
        if (r->dev && port_of(r->dev) != i)
            continue;
        if (r->is_json)
            cJSON_AddItemToArray(list, tc_format_json(&f));
        else
            tc_format_text(&f, &out);
    }
    if (r->is_json) {
        char *text = r->is_pretty ? cJSON_Print(list) : cJSON_PrintUnformatted(list);
        printf("%s\n", text ? text : "[]");
        cJSON_free(text);
    } else {
        fputs(out.data, stdout);
    }
    buf_done(&out);
    cJSON_Delete(list);
    return code;
}

/* --- change ----------------------------------------------------------------------------------- */

static int refuse(int code, const char *text)
{
    fprintf(stderr, "%s\n", text);
    return code;
}

static bool is_known_kind(const char *kind)
{
    if (strcmp(kind, "pfifo") == 0 || strcmp(kind, "bfifo") == 0)
        return true;
    for (size_t i = 0; aqm_kinds[i]; i++)
        if (strcmp(aqm_kinds[i]->name, kind) == 0)
            return strcmp(kind, "fifo") != 0; /* ours alone */
    return false;
}

/* tc's words as a spec: pfifo counts packets, bfifo bytes; options that are not given stay as they
 * are where the kind stays, as in the kernel. */
static void make_spec(const struct request *r, const char *now, struct buf *spec)
{
    char kind[32];
    bool is_pfifo = strcmp(r->kind[0], "pfifo") == 0, is_bfifo = strcmp(r->kind[0], "bfifo") == 0;
    tc_format_kind(now, kind, sizeof kind);
    if (is_pfifo || is_bfifo)
        buf_puts(spec, "fifo");
    else
        buf_puts(spec, strcmp(kind, r->kind[0]) == 0 ? now : r->kind[0]);
    for (int i = 1; i < r->nwords; i++) {
        const char *word = r->kind[i];
        bool is_bare = word[0] && word[strspn(word, "0123456789")] == '\0';
        buf_printf(spec, " %s%s", word, !is_bare ? "" : is_pfifo ? "p" : is_bfifo ? "b" : "");
    }
}

static int send_aqm(const char *control, int port, const char *spec)
{
    struct error e = {0};
    cJSON *request = cJSON_CreateObject(), *d;
    cJSON_AddStringToObject(request, "cmd", "set");
    d = cJSON_AddObjectToObject(request, ports[port].direction);
    cJSON_AddStringToObject(d, "aqm", spec);
    cJSON *answer = steer_ask(control, request, &e);
    if (!answer)
        fprintf(stderr, "Error: %s.\n", e.message);
    bool is_done = answer != NULL;
    cJSON_Delete(answer);
    cJSON_Delete(request);
    return is_done ? TC_OK : TC_KERNEL;
}

/* The queue is the kernel's, under the HTB that has the rate. At the root, where people put a
 * qdisc, ours goes below it; whether there is such a kind, and what it takes, the kernel says. */
static int change_kernel(const struct request *r, const char *control, const char *now)
{
    struct buf spec;
    size_t kind_len = strcspn(now + strlen(AQM_KERNEL), " ");
    const char *kind = now + strlen(AQM_KERNEL);
    bool is_same =
        r->kind && strlen(r->kind[0]) == kind_len && strncmp(kind, r->kind[0], kind_len) == 0;
    bool is_fifo = strncmp(kind, "pfifo", 5) == 0 || strncmp(kind, "bfifo", 5) == 0;
    if (r->has_parent || !r->is_root)
        return refuse(TC_KERNEL, "Error: the rate's HTB is the lab's: put the qdisc at the root.");
    if (r->command == COMMAND_DELETE)
        return is_fifo ? refuse(TC_KERNEL, "Error: Cannot delete qdisc with handle of zero.")
                       : send_aqm(control, port_of(r->dev), AQM_KERNEL "pfifo");
    if (r->command == COMMAND_ADD && !is_fifo)
        return refuse(TC_KERNEL, "Error: Exclusivity flag on, cannot modify.");
    if (!r->kind)
        return refuse(TC_KERNEL, "Error: Specified qdisc kind is unknown.");
    if (r->command == COMMAND_CHANGE && !is_same)
        return refuse(TC_KERNEL, "Error: Invalid qdisc name: must match existing qdisc.");
    buf_init(&spec, 4096);
    buf_puts(&spec, AQM_KERNEL);
    for (int i = 0; i < r->nwords; i++)
        buf_printf(&spec, "%s%s", i ? " " : "", r->kind[i]);
    int code = send_aqm(control, port_of(r->dev), spec.data);
    buf_done(&spec);
    return code;
}

/* A fifo is what a device has that was given no qdisc: it can be added over, and not deleted. */
static int change(const struct request *r, const char *control, const cJSON *answer)
{
    int port = port_of(r->dev), code;
    char kind[32];
    struct error e = {0};
    struct buf spec;
    const char *now = json_str(json_get(answer, ports[port].direction), "aqm", "");
    bool is_fifo = strncmp(now, "fifo", 4) == 0;
    if (aqm_spec_is_kernel(now))
        return change_kernel(r, control, now);
    tc_format_kind(now, kind, sizeof kind);
    if (r->has_parent)
        return refuse(TC_KERNEL, "Error: Failed to find specified qdisc.");
    if (!r->is_root)
        return refuse(TC_KERNEL, "Error: Handle cannot be zero.");
    if (r->command == COMMAND_DELETE)
        return is_fifo ? refuse(TC_KERNEL, "Error: Cannot delete qdisc with handle of zero.")
                       : send_aqm(control, port, "fifo");
    if (r->command == COMMAND_ADD && !is_fifo)
        return refuse(TC_KERNEL, "Error: Exclusivity flag on, cannot modify.");
    if (!r->kind || (!is_known_kind(r->kind[0]) && r->nwords == 1))
        return refuse(TC_KERNEL, "Error: Specified qdisc kind is unknown.");
    if (!is_known_kind(r->kind[0])) {
        fprintf(stderr, "Unknown qdisc \"%s\", hence option \"%s\" is unparsable\n", r->kind[0],
                r->kind[1]);
        return TC_USAGE;
    }
    if (r->command == COMMAND_CHANGE && strcmp(kind, r->kind[0]) != 0)
        return refuse(TC_KERNEL, "Error: Invalid qdisc name: must match existing qdisc.");
    buf_init(&spec, 4096);
    make_spec(r, now, &spec);
    if (spec.is_failed || aqm_spec_check(spec.data, &e) != STATUS_OK) {
        fprintf(stderr, "%s\n%s%s", spec.is_failed ? "too many options" : e.message, e.hint,
                e.hint[0] ? "\n" : "");
        code = TC_USAGE;
    } else {
        code = send_aqm(control, port, spec.data);
    }
    buf_done(&spec);
    return code;
}

int tc_main(int argc, char *const *argv)
{
    char control[LAB_PATH_MAX];
    struct request r;
    struct error e = {0};
    clean_path();
    if (!understand(&r, argc, argv) || !find_control(control, sizeof control))
        return become_real(argc, argv);
    cJSON *answer = steer_get(control, &e);
    if (!answer) {
        fprintf(stderr, "Error: %s.\n", e.message);
        return TC_KERNEL;
    }
    if (r.command == COMMAND_SHOW &&
        aqm_spec_is_kernel(json_str(json_get(answer, "down"), "aqm", ""))) {
        cJSON_Delete(answer);
        return become_real(argc, argv);
    }
    int code =
        r.command == COMMAND_SHOW ? show(&r, argc, argv, answer) : change(&r, control, answer);
    cJSON_Delete(answer);
    if (fflush(stdout) != 0)
        code = TC_USAGE;
    return code;
}
