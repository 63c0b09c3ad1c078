#include "core/json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"

const cJSON *json_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

const char *json_str(const cJSON *obj, const char *key, const char *def)
{
    const cJSON *v = json_get(obj, key);
    return cJSON_IsString(v) ? v->valuestring : def;
}

double json_num(const cJSON *obj, const char *key, double def)
{
    const cJSON *v = json_get(obj, key);
    return cJSON_IsNumber(v) ? v->valuedouble : def;
}

bool json_bool(const cJSON *obj, const char *key, bool def)
{
    const cJSON *v = json_get(obj, key);
    return cJSON_IsBool(v) ? cJSON_IsTrue(v) : def;
}

cJSON *json_add_num(cJSON *obj, const char *key, double v)
{
    return isfinite(v) ? cJSON_AddNumberToObject(obj, key, v) : cJSON_AddNullToObject(obj, key);
}

cJSON *json_parse(const char *text, size_t len, const char *what, struct error *err)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);
    if (root) {
        while (end < text + len && strchr(" \t\r\n", *end))
            end++;
        if (end == text + len)
            return root;
        cJSON_Delete(root);
    }
    size_t at = end ? (size_t)(end - text) : 0;
    if (len == 0)
        error_set(err, STATUS_INPUT, "json", "%s is empty", what);
    else
        error_set(err, STATUS_INPUT, "json", "%s is not valid JSON at byte %zu of %zu", what, at,
                  len);
    return NULL;
}

cJSON *json_read_file(const char *path, size_t max, struct error *err)
{
    struct buf b;
    cJSON *root = NULL;
    if (buf_read_file(&b, path, max, err) == STATUS_OK)
        root = json_parse(b.data, b.len, path, err);
    buf_done(&b);
    return root;
}

enum status json_write_file(const char *path, const cJSON *obj, struct error *err)
{
    char *text = cJSON_Print(obj);
    if (!text)
        return error_set(err, STATUS_NOMEM, "json", "no memory to write %s", path);
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    buf_puts(&b, text);
    buf_puts(&b, "\n");
    cJSON_free(text);
    enum status st = b.is_failed
                         ? error_set(err, STATUS_NOMEM, "json", "no memory to write %s", path)
                         : file_write_atomic(path, b.data, b.len, err);
    buf_done(&b);
    return st;
}
