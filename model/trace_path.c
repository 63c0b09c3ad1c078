/* Traces from whatever a path leads to: told apart by content, not by name. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/json.h"
#include "model/pool.h"
#include "model/trace.h"

#define TEXT_MAX  (1u << 30)
#define FILES_MAX 4096
#define HEAD_LEN  16
#define RUN_MAX   (16u << 20) /* of a run.json */

enum kind { KIND_JSON, KIND_CSV, KIND_POOL, KIND_PICKLE, KIND_UNKNOWN };

static enum kind kind_of(const uint8_t *head, size_t len)
{
    size_t i = 0;

    if (len > 8 && head[8] == '{' && !head[5] && !head[6] && !head[7])
        return KIND_POOL; /* a safetensors header of less than 1 TiB */
    if (len > 1 && head[0] == 0x80 && head[1] <= 5)
        return KIND_PICKLE;
    while (i < len && strchr(" \t\r\n", head[i]))
        i++;
    if (i < len && head[i] == '{')
        return KIND_JSON;
    return len >= 4 && !memcmp(head, "t_s,", 4) ? KIND_CSV : KIND_UNKNOWN;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory that end with `suffix`, sorted; the caller frees each and the list. */
static enum status list_files(const char *dir, const char *suffix, char ***out, size_t *count,
                              struct error *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    *out = NULL;
    *count = 0;
    if (!d)
        return error_sys(err, STATUS_IO, errno, "trace", "%s", dir);
    *out = calloc(FILES_MAX, sizeof **out);
    while (*out && *count < FILES_MAX && (e = readdir(d))) {
        size_t len = strlen(e->d_name), tail = strlen(suffix);
        if (len > tail && !strcmp(e->d_name + len - tail, suffix))
            (*out)[(*count)++] = strdup(e->d_name);
    }
    closedir(d);
    if (!*out)
        return error_set(err, STATUS_NOMEM, "trace", "no memory");
    qsort(*out, *count, sizeof **out, by_name);
    return STATUS_OK;
}

/* What the run says of where its flows come from, to those from `first` on. */
static enum status add_provenance(struct trace_set *s, size_t first, const char *dir,
                                  struct error *err)
{
    char path[PATH_MAX];
    struct stat info;

    snprintf(path, sizeof path, "%s/run.json", dir);
    if (stat(path, &info))
        return STATUS_OK; /* samples that somebody put into a folder */
    cJSON *run = json_read_file(path, RUN_MAX, err);
    if (!run)
        return err->status;
    const cJSON *from = json_get(run, "provenance");
    for (size_t i = first; i < s->count && cJSON_IsObject(from); i++) {
        struct trace *t = &s->at[i];
        snprintf(t->scenario, sizeof t->scenario, "%s", json_str(from, "scenario", ""));
        t->seed = json_num(from, "seed", NAN);
        if (!t->cc[0])
            snprintf(t->cc, sizeof t->cc, "%s", json_str(from, "cc", ""));
    }
    cJSON_Delete(run);
    return STATUS_OK;
}

/* The samples of a run directory (core/run.h). */
static enum status add_run_samples(struct trace_set *s, const char *dir, struct error *err)
{
    char path[PATH_MAX], **names;
    size_t count;
    enum status st;

    snprintf(path, sizeof path, "%s/samples.csv", dir);
    struct stat info;
    if (!stat(path, &info))
        return trace_add_path(s, path, err);
    snprintf(path, sizeof path, "%s/iperf3", dir);
    if (stat(path, &info)) {
        error_set(err, STATUS_INPUT, "trace", "%s has neither samples.csv nor iperf3/", dir);
        return error_hint(err, "a run directory is wanted, or files of its");
    }
    st = list_files(path, ".json", &names, &count, err);
    if (st == STATUS_OK && !count)
        st = error_set(err, STATUS_INPUT, "trace", "%s is empty", path);
    for (size_t i = 0; i < count; i++) {
        if (st == STATUS_OK && !names[i])
            st = error_set(err, STATUS_NOMEM, "trace", "no memory");
        if (st == STATUS_OK) {
            snprintf(path, sizeof path, "%s/iperf3/%s", dir, names[i]);
            st = trace_add_path(s, path, err);
        }
        free(names[i]);
    }
    free(names);
    return st;
}

static enum status add_pool_file(struct trace_set *s, const char *path, struct error *err)
{
    struct pool *p = NULL;
    enum status st = pool_load(path, &p, err);

    if (st == STATUS_OK)
        st = trace_add_pool(s, p, path, err);
    pool_free(p);
    return st;
}

static enum status add_text_file(struct trace_set *s, const char *path, enum kind kind,
                                 struct error *err)
{
    struct buf text;
    enum status st = buf_read_file(&text, path, TEXT_MAX, err);

    if (st == STATUS_OK)
        st = (kind == KIND_JSON ? trace_add_iperf3 : trace_add_csv)(s, text.data, text.len, path,
                                                                    err);
    buf_done(&text);
    return st;
}

static enum status add_run(struct trace_set *s, const char *dir, struct error *err)
{
    size_t first = s->count;
    enum status st = add_run_samples(s, dir, err);

    return st == STATUS_OK ? add_provenance(s, first, dir, err) : st;
}

enum status trace_add_path(struct trace_set *s, const char *path, struct error *err)
{
    uint8_t head[HEAD_LEN];
    struct stat info;
    enum kind kind;
    size_t len;
    FILE *f;

    if (stat(path, &info))
        return error_sys(err, STATUS_IO, errno, "trace", "%s", path);
    if (S_ISDIR(info.st_mode))
        return add_run(s, path, err);
    f = fopen(path, "re");
    if (!f)
        return error_sys(err, STATUS_IO, errno, "trace", "%s", path);
    len = fread(head, 1, sizeof head, f);
    fclose(f);
    kind = kind_of(head, len);
    if (kind == KIND_POOL)
        return add_pool_file(s, path, err);
    if (kind == KIND_JSON || kind == KIND_CSV)
        return add_text_file(s, path, kind, err);
    if (!len)
        return error_set(err, STATUS_INPUT, "trace", "%s is empty", path);
    if (kind == KIND_PICKLE) {
        error_set(err, STATUS_INPUT, "trace", "%s is a pickle", path);
        return error_hint(err, "netllm pool import %s -o POOL.safetensors", path);
    }
    error_set(err, STATUS_INPUT, "trace", "%s: no iperf3 JSON, no CSV of samples, no pool", path);
    return error_hint(err, "give the run directory, or files of it");
}
