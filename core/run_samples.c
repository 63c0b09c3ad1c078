#include "core/run_samples.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/paths.h"

#define FILES_MAX   256
#define COLUMNS_MAX 64

struct samples_file {
    char *src;
    char name[128];
    FILE *file; /* NULL: it could not be opened, which was said */
    char *columns[COLUMNS_MAX];
    size_t ncolumns;
    bool has_fault; /* said once, not once a line */
};

struct run_samples {
    char dir[CCALAB_PATH_MAX];
    struct samples_file *files[FILES_MAX];
    size_t n;
    bool is_full;
};

struct run_samples *run_samples_new(const char *dir)
{
    struct run_samples *s = calloc(1, sizeof(*s));
    if (s && !path_join(s->dir, sizeof(s->dir), dir, "samples")) {
        free(s);
        s = NULL;
    }
    return s;
}

static bool is_taken(const struct run_samples *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->files[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void run_samples_name(const char *src, char *out, size_t size)
{
    snprintf(out, size, "%s", src);
    for (char *p = out; *p; p++) {
        bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                        (*p >= '0' && *p <= '9') || strchr("-_#.", *p);
        if (!is_plain || (p == out && *p == '.')) {
            *p = '_';
        }
    }
}

/* No two are the same. */
static void choose_name(const struct run_samples *s, struct samples_file *f)
{
    char safe[RUN_SAMPLES_NAME_MAX];
    run_samples_name(f->src, safe, sizeof(safe));
    snprintf(f->name, sizeof(f->name), "%s.csv", safe);
    for (size_t i = 2; is_taken(s, f->name); i++) {
        snprintf(f->name, sizeof(f->name), "%s-%zu.csv", safe, i);
    }
}

static void fault(struct samples_file *f, const char *what)
{
    if (!f->has_fault) {
        log_error("samples/%s: %s", f->name, what);
    }
    f->has_fault = true;
}

static void open_file(struct run_samples *s, struct samples_file *f, const cJSON *values)
{
    char path[CCALAB_PATH_MAX];
    struct error err;
    const cJSON *v;
    cJSON_ArrayForEach(v, values)
    {
        char *column = f->ncolumns < COLUMNS_MAX ? strdup(v->string) : NULL;
        if (column) {
            f->columns[f->ncolumns++] = column;
        }
    }
    if (path_mkdirs(s->dir, &err) != STATUS_OK) {
        fault(f, err.message);
        return;
    }
    if (path_join(path, sizeof(path), s->dir, f->name)) {
        f->file = fopen(path, "we");
    }
    if (!f->file) {
        fault(f, strerror(errno));
        return;
    }
    setvbuf(f->file, NULL, _IOLBF, 0); /* a killed console leaves whole lines */
    fputs("t_s", f->file);
    for (size_t i = 0; i < f->ncolumns; i++) {
        fprintf(f->file, ",%s", f->columns[i]);
    }
    fputc('\n', f->file);
}

static struct samples_file *find(struct run_samples *s, const struct event *ev)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->files[i]->src, ev->src) == 0) {
            return s->files[i];
        }
    }
    struct samples_file *f = s->n < FILES_MAX ? calloc(1, sizeof(*f)) : NULL;
    char *src = f ? strdup(ev->src) : NULL;
    if (!src) {
        if (!s->is_full) {
            log_error("samples: more than %d sources, the rest is left out", FILES_MAX);
        }
        s->is_full = true;
        free(f);
        return NULL;
    }
    f->src = src;
    choose_name(s, f);
    s->files[s->n++] = f;
    open_file(s, f, json_get(ev->body, "values"));
    return f;
}

void run_samples_add(struct run_samples *s, const struct event *ev)
{
    const cJSON *values = json_get(ev->body, "values"), *v;
    struct samples_file *f = find(s, ev);
    size_t known = 0;
    if (!f || !f->file) {
        return;
    }
    fprintf(f->file, "%.6f", ev->t);
    for (size_t i = 0; i < f->ncolumns; i++) {
        v = json_get(values, f->columns[i]);
        known += v != NULL;
        if (cJSON_IsNumber(v) && isfinite(v->valuedouble)) {
            fprintf(f->file, ",%.15g", v->valuedouble);
        } else {
            fputc(',', f->file);
        }
    }
    fputc('\n', f->file);
    if (ferror(f->file)) {
        fault(f, strerror(errno));
    } else if ((size_t)cJSON_GetArraySize(values) > known) {
        fault(f, "a value that the first sample did not have is left out");
    }
}

void run_samples_free(struct run_samples *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct samples_file *f = s->files[i];
        if (f->file && fclose(f->file) != 0) {
            fault(f, strerror(errno));
        }
        for (size_t k = 0; k < f->ncolumns; k++) {
            free(f->columns[k]);
        }
        free(f->src);
        free(f);
    }
    free(s);
}
