/* Traces from whatever a path leads to: told apart by content, not by name. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "model/pool.h"
#include "model/trace_samples.h"

#define TEXT_MAX (1u << 30)
#define HEAD_LEN 16

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
        st = (kind == KIND_JSON ? trace_add_iperf3
              : trace_samples_is_wide(text.data, text.len)
                  ? trace_add_samples
                  : trace_add_csv)(s, text.data, text.len, path, err);
    buf_done(&text);
    return st;
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
        return trace_add_run(s, path, err);
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
