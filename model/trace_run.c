/* Traces from a run directory (core/run.h): from its samples, or its iperf3 files. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/run_samples.h"
#include "model/trace_samples.h"

#define TEXT_MAX  (1u << 30)
#define FILES_MAX 4096
#define RUN_MAX   (16u << 20) /* of a run.json */

/* A file of samples/. */
struct run_file {
    char *name; /* without ".csv" */
    struct trace_samples samples;
    const struct run_file *driven; /* the decisions on the flow that these samples are of */
    const cJSON *socket;           /* what run.json says of it: {"src", "local", "cc"} */
};

struct run {
    struct trace_set *set;
    const char *dir;
    cJSON *json; /* NULL: there is none */
    struct run_file *files;
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory that end with `suffix`, sorted; the caller frees each and the list,
 * whatever it returns. */
static enum status list_files(const char *dir, const char *suffix, char ***out, size_t *count,
                              struct error *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool is_whole = true, is_full = false;

    *out = NULL;
    *count = 0;
    if (!d)
        return error_sys(err, STATUS_IO, errno, "trace", "%s", dir);
    *out = calloc(FILES_MAX, sizeof **out);
    while (*out && is_whole && !is_full && (e = readdir(d))) {
        size_t len = strlen(e->d_name), tail = strlen(suffix);
        if (len <= tail || strcmp(e->d_name + len - tail, suffix) != 0)
            continue;
        is_full = *count == FILES_MAX;
        is_whole = is_full || ((*out)[*count] = strdup(e->d_name)) != NULL;
        *count += is_whole && !is_full;
    }
    closedir(d);
    if (!*out || !is_whole)
        return error_set(err, STATUS_NOMEM, "trace", "no memory");
    if (is_full)
        return error_set(err, STATUS_INPUT, "trace", "%s holds more than %d files", dir, FILES_MAX);
    qsort(*out, *count, sizeof **out, by_name);
    return STATUS_OK;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* --- samples ---------------------------------------------------------------------------------- */

static enum status read_file(struct run *r, char *name, struct error *err)
{
    struct run_file *f = &r->files[r->count];
    char path[PATH_MAX];
    struct buf text;

    snprintf(path, sizeof path, "%s/samples/%s", r->dir, name);
    enum status st = buf_read_file(&text, path, TEXT_MAX, err);
    if (st == STATUS_OK)
        st = trace_samples_read(text.data, text.len, path, &f->samples, err);
    buf_done(&text);
    if (st != STATUS_OK || !f->samples.count) {
        trace_samples_done(&f->samples);
        return st;
    }
    f->name = strndup(name, strlen(name) - strlen(".csv"));
    if (!f->name) {
        trace_samples_done(&f->samples);
        return error_set(err, STATUS_NOMEM, "trace", "no memory");
    }
    r->count++;
    return STATUS_OK;
}

static enum status read_files(struct run *r, struct error *err)
{
    char path[PATH_MAX], **names = NULL;
    size_t count = 0;
    struct stat info;

    snprintf(path, sizeof path, "%s/samples", r->dir);
    if (stat(path, &info))
        return STATUS_OK;
    enum status st = list_files(path, ".csv", &names, &count, err);
    if (st == STATUS_OK && count && !(r->files = calloc(count, sizeof *r->files)))
        st = error_set(err, STATUS_NOMEM, "trace", "no memory");
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = read_file(r, names[i], err);
    free_names(names, count);
    return st;
}

/* Which file has the decisions on which flow, by the addresses of its socket. */
static void link_socket(struct run *r, const cJSON *socket)
{
    char src[RUN_SAMPLES_NAME_MAX], name[RUN_SAMPLES_NAME_MAX], driven[RUN_SAMPLES_NAME_MAX];

    snprintf(src, sizeof src, "drive/%s", json_str(socket, "local", ""));
    run_samples_name(src, driven, sizeof driven);
    run_samples_name(json_str(socket, "src", ""), name, sizeof name);
    for (size_t i = 0; i < r->count; i++) {
        struct run_file *f = &r->files[i];
        if (f->samples.is_driven || strcmp(f->name, name) != 0)
            continue;
        f->socket = socket;
        for (size_t k = 0; k < r->count; k++)
            if (r->files[k].samples.is_driven && !strcmp(r->files[k].name, driven))
                f->driven = &r->files[k];
    }
}

static void link_sockets(struct run *r)
{
    const cJSON *part, *flow, *socket;

    cJSON_ArrayForEach(part, r->json)
    {
        cJSON_ArrayForEach(flow, json_get(part, "flows"))
        {
            cJSON_ArrayForEach(socket, json_get(json_get(flow, "tcp"), "sockets"))
            {
                link_socket(r, socket);
            }
        }
    }
}

/* The samples that rows are made of. Rows of counters are those of the decisions where they were
 * noted: windows that are sampled at other times are those of two decisions. */
static const struct run_file *origin(const struct run *r, const struct run_file *f)
{
    bool has_decisions = r->set->interval_s > 0 && f->driven && f->driven->samples.count > 1 &&
                         trace_samples_has_counters(&f->driven->samples);

    return has_decisions ? f->driven : f;
}

/* A flow's file, and not one of decisions on a flow that has been sampled as well. */
static bool is_flow(const struct run *r, const struct run_file *f)
{
    if (!f->samples.is_driven)
        return true;
    for (size_t i = 0; i < r->count; i++)
        if (!r->files[i].samples.is_driven)
            return false;
    return true;
}

/* Is the flow one of whose experience there is to be? Those of the provenance's list "flows", by
 * their label, else all. */
static bool is_wanted(const struct run *r, const struct run_file *f)
{
    const cJSON *labels = json_get(json_get(r->json, "provenance"), "flows"), *label;
    size_t len = strcspn(f->name, "#");

    if (!cJSON_IsArray(labels))
        return true;
    cJSON_ArrayForEach(label, labels)
    {
        const char *text = cJSON_IsString(label) ? label->valuestring : "";
        if (strlen(text) == len && !memcmp(text, f->name, len))
            return true;
    }
    return false;
}

static enum status add_flow(struct run *r, const struct run_file *f, int stream,
                            const struct trace_samples *all, size_t count, size_t own, double t0_s,
                            struct error *err)
{
    const cJSON *from = json_get(r->json, "provenance");
    char path[PATH_MAX];
    struct trace *t;

    snprintf(path, sizeof path, "%s/samples/%s.csv", r->dir, origin(r, f)->name);
    enum status st = trace_add(r->set, path, &t, err);
    if (st != STATUS_OK)
        return st;
    t->stream = stream;
    snprintf(t->cc, sizeof t->cc, "%s", json_str(from, "cc", json_str(f->socket, "cc", "")));
    return trace_samples_cut(&all[own], all, count, r->set->interval_s, t0_s, t, err);
}

static enum status add_flows(struct run *r, struct error *err)
{
    struct trace_samples *all = calloc(r->count, sizeof *all);
    double first_s = INFINITY;
    size_t count = 0, own = 0;
    enum status st = STATUS_OK;

    if (!all)
        return error_set(err, STATUS_NOMEM, "trace", "no memory");
    for (size_t i = 0; i < r->count; i++) {
        if (!is_flow(r, &r->files[i]))
            continue;
        all[count++] = origin(r, &r->files[i])->samples; /* borrowed */
        first_s = fmin(first_s, all[count - 1].at[0].s.t_s);
    }
    double t0_s = json_num(json_get(r->json, "run"), "t0", first_s);
    for (size_t i = 0; i < r->count && st == STATUS_OK; i++) {
        if (!is_flow(r, &r->files[i]))
            continue;
        if (is_wanted(r, &r->files[i]))
            st = add_flow(r, &r->files[i], (int)own, all, count, own, t0_s, err);
        own++;
    }
    free(all);
    return st;
}

/* --- the rest --------------------------------------------------------------------------------- */

static enum status add_iperf3(struct run *r, struct error *err)
{
    char path[PATH_MAX], **names = NULL;
    size_t count = 0;
    struct stat info;

    snprintf(path, sizeof path, "%s/iperf3", r->dir);
    if (stat(path, &info)) {
        error_set(err, STATUS_INPUT, "trace", "%s has neither samples of flows nor iperf3/",
                  r->dir);
        return error_hint(err, "a run directory is wanted, or files of its");
    }
    enum status st = list_files(path, ".json", &names, &count, err);
    if (st == STATUS_OK && !count)
        st = error_set(err, STATUS_INPUT, "trace", "%s is empty", path);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        snprintf(path, sizeof path, "%s/iperf3/%s", r->dir, names[i]);
        st = trace_add_path(r->set, path, err);
    }
    free_names(names, count);
    return st;
}

static enum status add_what_is_there(struct run *r, struct error *err)
{
    char path[PATH_MAX];
    struct stat info;
    enum status st = read_files(r, err);

    if (st != STATUS_OK)
        return st;
    if (r->count) {
        link_sockets(r);
        return add_flows(r, err);
    }
    snprintf(path, sizeof path, "%s/samples.csv", r->dir);
    return stat(path, &info) ? add_iperf3(r, err) : trace_add_path(r->set, path, err);
}

/* What the run says of where its flows come from, to those from `first` on. */
static void add_provenance(struct run *r, size_t first)
{
    const cJSON *from = json_get(r->json, "provenance");

    for (size_t i = first; i < r->set->count && cJSON_IsObject(from); i++) {
        struct trace *t = &r->set->at[i];
        snprintf(t->scenario, sizeof t->scenario, "%s", json_str(from, "scenario", ""));
        t->seed = json_num(from, "seed", NAN);
        if (!t->cc[0])
            snprintf(t->cc, sizeof t->cc, "%s", json_str(from, "cc", ""));
    }
}

enum status trace_add_run(struct trace_set *s, const char *dir, struct error *err)
{
    struct run r = {.set = s, .dir = dir};
    size_t first = s->count;
    char path[PATH_MAX];
    struct stat info;
    enum status st = STATUS_OK;

    snprintf(path, sizeof path, "%s/run.json", dir);
    if (!stat(path, &info)) { /* else: samples that somebody put into a folder */
        r.json = json_read_file(path, RUN_MAX, err);
        st = r.json ? STATUS_OK : err->status;
    }
    if (st == STATUS_OK)
        st = add_what_is_there(&r, err);
    if (st == STATUS_OK)
        add_provenance(&r, first);
    for (size_t i = 0; i < r.count; i++) {
        trace_samples_done(&r.files[i].samples);
        free(r.files[i].name);
    }
    free(r.files);
    cJSON_Delete(r.json);
    return st;
}
