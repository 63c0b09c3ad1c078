#include "model/publish.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/paths.h"

#define FILE_MAX_BYTES (1u << 30)
#define FEATURES       3 /* of a state: rtt, cwnd, throughput */

struct publish {
    char dir[CCALAB_PATH_MAX];
    bool is_test;
    struct buf steps;                     /* of the epoch, JSON objects with commas between them */
    struct buf losses;                    /* of the epoch, lines */
    size_t count;                         /* steps of the epoch */
    unsigned long long cpu_busy, cpu_all; /* at the last step, in ticks */
};

enum status publish_new(const char *dir, bool is_test, int features, struct publish **out,
                        struct error *err)
{
    *out = NULL;
    if (features != FEATURES) {
        error_set(err, STATUS_USAGE, "netllm",
                  "the published logs have states of %d numbers, these have %d", FEATURES,
                  features);
        return error_hint(err, "leave --published-logs out");
    }
    enum status st = path_mkdirs(dir, err);
    if (st)
        return st;
    struct publish *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(err, STATUS_NOMEM, "netllm", "no memory for the logs");
    snprintf(p->dir, sizeof p->dir, "%s", dir);
    p->is_test = is_test;
    buf_init(&p->steps, FILE_MAX_BYTES);
    buf_init(&p->losses, FILE_MAX_BYTES);
    *out = p;
    return STATUS_OK;
}

void publish_free(struct publish *p)
{
    if (!p)
        return;
    buf_done(&p->steps);
    buf_done(&p->losses);
    free(p);
}

/* --- a step ----------------------------------------------------------------------------------- */

/* [[x, ...]], or [[[x], ...]] for columns = 1 below a row; `columns` 0: plain numbers. */
static cJSON *rows_of(const float *v, size_t rows, size_t columns)
{
    cJSON *outer = cJSON_CreateArray(), *list = cJSON_CreateArray();
    for (size_t i = 0; i < rows; i++) {
        if (!columns) {
            cJSON_AddItemToArray(list, cJSON_CreateNumber(v[i]));
            continue;
        }
        cJSON *row = cJSON_CreateArray();
        for (size_t k = 0; k < columns; k++)
            cJSON_AddItemToArray(row, cJSON_CreateNumber(v[i * columns + k]));
        cJSON_AddItemToArray(list, row);
    }
    cJSON_AddItemToArray(outer, list);
    return outer;
}

static cJSON *integers_of(const int32_t *v, size_t rows)
{
    cJSON *outer = cJSON_CreateArray();
    cJSON_AddItemToArray(outer, cJSON_CreateIntArray(v, (int)rows));
    return outer;
}

/* Share of all cores that was busy since the last step, in percent; NaN at the first. */
static double cpu_percent(struct publish *p)
{
    unsigned long long t[8] = {0}, all = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (!f)
        return NAN;
    int n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
                   &t[4], &t[5], &t[6], &t[7]);
    fclose(f);
    for (int i = 0; i < 8; i++)
        all += t[i];
    unsigned long long busy = all - t[3] - t[4]; /* proc(5): idle and iowait are not */
    double share = n == 8 && p->cpu_all && all > p->cpu_all
                       ? 100.0 * (double)(busy - p->cpu_busy) / (double)(all - p->cpu_all)
                       : NAN;
    p->cpu_busy = busy;
    p->cpu_all = all;
    return share;
}

static double ram_percent(void)
{
    unsigned long long total = 0, available = 0;
    char line[256];
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f)
        return NAN;
    while (fgets(line, sizeof line, f)) {
        sscanf(line, "MemTotal: %llu", &total);
        sscanf(line, "MemAvailable: %llu", &available);
    }
    fclose(f);
    return total ? 100.0 * (double)(total - available) / (double)total : NAN;
}

static void add_telemetry(struct publish *p, cJSON *o)
{
    static const char *const train[] = {"GPU Usage", "VRAM Usage"};
    static const char *const test[] = {"GPU1 Usage", "GPU2 Usage", "VRAM1 Usage", "VRAM2 Usage"};
    char now[32];
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    snprintf(now, sizeof now, "%lld.%06ld", (long long)ts.tv_sec, ts.tv_nsec / 1000);
    cJSON_AddStringToObject(o, "timestamps", now);
    if (!p->is_test)
        cJSON_AddStringToObject(o, "timestamps_each_step", now);
    json_add_num(o, "CPU Usage", cpu_percent(p));
    json_add_num(o, "RAM Usage", ram_percent());
    for (size_t i = 0; i < (p->is_test ? 4u : 2u); i++)
        cJSON_AddNullToObject(o, p->is_test ? test[i] : train[i]);
    cJSON_AddNullToObject(o, "Disk Read Speed (MB/s)");
    cJSON_AddNullToObject(o, "Disk Write Speed (MB/s)");
}

static enum status add_step(struct publish *p, const struct dataset_batch *b, size_t i,
                            const float *predictions, double loss, double shown, struct error *err)
{
    size_t w = b->steps, at = i * w;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "step", (double)p->count);
    json_add_num(o, p->is_test ? "test_loss" : "train_loss", shown);
    cJSON_AddItemToObject(o, "states", rows_of(b->states + at * FEATURES, w, FEATURES));
    cJSON_AddItemToObject(o, "actions", rows_of(b->actions + at, w, 1));
    cJSON_AddItemToObject(o, "returns", rows_of(b->returns + at, w, 1));
    cJSON_AddItemToObject(o, "timesteps", integers_of(b->timesteps + at, w));
    cJSON_AddItemToObject(o, "labels", rows_of(b->labels + at, w, 0));
    if (predictions) {
        cJSON_AddItemToObject(o, "actions_pred1", rows_of(predictions + at, w, 0));
        cJSON_AddItemToObject(o, "actions_pred", rows_of(predictions + at, w, 0));
    }
    add_telemetry(p, o);
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    if (text)
        buf_printf(&p->steps, "%s    %s", p->count ? ",\n" : "", text);
    buf_printf(&p->losses, "%.6f\n", loss);
    p->count++;
    bool is_failed = !text || p->steps.is_failed || p->losses.is_failed;
    cJSON_free(text);
    return is_failed ? error_set(err, STATUS_NOMEM, "netllm", "no memory for the logs of an epoch")
                     : STATUS_OK;
}

enum status publish_train(struct publish *p, const struct dataset_batch *b, const double *losses,
                          int grad_accum_steps, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < b->windows && !st; i++)
        st = add_step(p, b, i, NULL, losses[i], losses[i] / grad_accum_steps, err);
    return st;
}

enum status publish_test(struct publish *p, const struct dataset_batch *b, const float *predictions,
                         struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < b->windows && !st; i++) {
        double loss = 0;
        for (size_t k = i * b->steps; k < (i + 1) * b->steps; k++) {
            double difference = (double)predictions[k] - b->labels[k];
            loss += difference * difference / (double)b->steps;
        }
        st = add_step(p, b, i, predictions, loss, loss, err);
    }
    return st;
}

/* --- an epoch --------------------------------------------------------------------------------- */

static enum status write_steps(struct publish *p, int epoch, struct error *err)
{
    char path[CCALAB_PATH_MAX + 64];
    struct buf file;
    buf_init(&file, FILE_MAX_BYTES);
    buf_printf(&file, "{\"steps\": [\n");
    buf_append(&file, p->steps.data, p->steps.len);
    buf_printf(&file, "\n]}\n");
    snprintf(path, sizeof path, "%s/custom_logs_epoch_%s_%d.json", p->dir,
             p->is_test ? "test" : "train", epoch);
    enum status st = file.is_failed
                         ? error_set(err, STATUS_NOMEM, "netllm", "no memory to write %s", path)
                         : file_write_atomic(path, file.data, file.len, err);
    buf_done(&file);
    return st;
}

static enum status write_losses(struct publish *p, int epoch, size_t windows, struct error *err)
{
    char path[CCALAB_PATH_MAX + 64], line[64];
    struct buf file;
    size_t keep = (size_t)epoch * windows;
    snprintf(path, sizeof path, "%s/%s_losses.txt", p->dir, p->is_test ? "test" : "train");
    buf_init(&file, FILE_MAX_BYTES);
    FILE *f = epoch ? fopen(path, "r") : NULL;
    while (f && keep-- > 0 && fgets(line, sizeof line, f))
        buf_append(&file, line, strlen(line));
    if (f)
        fclose(f);
    buf_append(&file, p->losses.data, p->losses.len);
    enum status st = file.is_failed
                         ? error_set(err, STATUS_NOMEM, "netllm", "no memory to write %s", path)
                         : file_write_atomic(path, file.data, file.len, err);
    buf_done(&file);
    return st;
}

enum status publish_epoch(struct publish *p, int epoch, size_t windows, struct error *err)
{
    enum status st = write_steps(p, epoch, err);
    if (!st)
        st = write_losses(p, epoch, windows, err);
    p->steps.len = p->losses.len = p->count = 0;
    return st;
}
