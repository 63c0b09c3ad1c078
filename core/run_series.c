#include "core/run_series.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/paths.h"
#include "core/run_samples.h"

#define FILE_MAX    (512u << 20)
#define COLUMNS_MAX 64
#define NUMBER_MAX  64

/* The next field of a line; *at goes behind it. Our files quote nothing. */
static size_t next_field(const char **at, const char *end, const char **field)
{
    const char *comma = memchr(*at, ',', (size_t)(end - *at));
    *field = *at;
    *at = comma ? comma + 1 : end + 1;
    return (size_t)((comma ? comma : end) - *field);
}

/* NaN for what is no number. */
static double number(const char *field, size_t len)
{
    char text[NUMBER_MAX], *end;
    if (len == 0 || len >= sizeof(text)) {
        return NAN;
    }
    memcpy(text, field, len);
    text[len] = '\0';
    double v = strtod(text, &end);
    return *end == '\0' && isfinite(v) ? v : NAN;
}

struct table {
    const char *src;
    struct series_set *set;
    char columns[COLUMNS_MAX][SERIES_NAME_MAX];
    size_t ncolumns;
};

/* "t_s,cwnd_bytes,...". False where the file is none of ours. */
static bool read_head(struct table *t, const char *line, const char *end)
{
    const char *field;
    size_t len = next_field(&line, end, &field);
    if (len != 3 || memcmp(field, "t_s", 3) != 0) {
        return false;
    }
    while (line <= end && t->ncolumns < COLUMNS_MAX) {
        len = next_field(&line, end, &field);
        snprintf(t->columns[t->ncolumns++], SERIES_NAME_MAX, "%.*s", (int)(len < 1000 ? len : 1000),
                 field);
    }
    return true;
}

static void read_row(struct table *t, const char *line, const char *end)
{
    const char *field;
    size_t len = next_field(&line, end, &field);
    double time = number(field, len);
    if (isnan(time)) {
        return;
    }
    for (size_t i = 0; i < t->ncolumns && line <= end; i++) {
        len = next_field(&line, end, &field);
        series_set_add(t->set, t->src, t->columns[i], time, number(field, len));
    }
}

bool run_series_parse(const char *src, const char *text, size_t len, struct series_set *set)
{
    struct table *t = calloc(1, sizeof(*t));
    const char *end = text + len;
    bool is_head = true;
    if (!t) {
        return false;
    }
    t->src = src;
    t->set = set;
    while (text < end) {
        const char *line = text, *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop && !is_head) {
            break; /* a line that is still being written */
        }
        stop = stop ? stop : end;
        text = stop + 1;
        if (!is_head) {
            read_row(t, line, stop);
        } else if (!read_head(t, line, stop)) {
            break;
        }
        is_head = false;
    }
    free(t);
    return true;
}

static int is_csv(const struct dirent *e)
{
    size_t len = strlen(e->d_name);
    return len > 4 && strcmp(e->d_name + len - 4, ".csv") == 0;
}

static enum status read_file(const char *dir, const char *name, struct series_set *set,
                             struct error *err)
{
    char path[CCALAB_PATH_MAX], src[SERIES_NAME_MAX];
    struct buf text;
    if (!path_join(path, sizeof(path), dir, name)) {
        return error_set(err, STATUS_IO, "samples", "%s: the path is too long", dir);
    }
    enum status st = buf_read_file(&text, path, FILE_MAX, err);
    snprintf(src, sizeof(src), "%.*s", (int)strlen(name) - 4, name);
    if (st == STATUS_OK && !run_series_parse(src, text.data, text.len, set)) {
        st = error_set(err, STATUS_NOMEM, "samples", "out of memory");
    }
    buf_done(&text);
    return st;
}

enum status run_series_read(const char *dir, struct series_set *set, struct error *err)
{
    char samples[CCALAB_PATH_MAX];
    struct dirent **names;
    enum status st = STATUS_OK;
    if (!path_join(samples, sizeof(samples), dir, "samples")) {
        return error_set(err, STATUS_IO, "samples", "%s: the path is too long", dir);
    }
    int n = scandir(samples, &names, is_csv, alphasort);
    if (n < 0) {
        return error_sys(err, STATUS_IO, errno, "samples", "%s", samples);
    }
    for (int i = 0; i < n; i++) {
        if (st == STATUS_OK) {
            st = read_file(samples, names[i]->d_name, set, err);
        }
        free(names[i]);
    }
    free(names);
    return st;
}

struct series *run_series_find(const struct series_set *set, const char *name)
{
    struct series *s = series_set_find(set, name);
    const char *slash = strrchr(name, '/');
    char src[SERIES_NAME_MAX], file[RUN_SAMPLES_NAME_MAX];
    char wanted[RUN_SAMPLES_NAME_MAX + SERIES_NAME_MAX];
    if (s || !slash) {
        return s;
    }
    if ((size_t)(slash - name) >= sizeof(src)) {
        return NULL;
    }
    snprintf(src, sizeof(src), "%.*s", (int)(slash - name), name);
    run_samples_name(src, file, sizeof(file));
    snprintf(wanted, sizeof(wanted), "%s%s", file, slash);
    return series_set_find(set, wanted);
}
