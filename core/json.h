/* Small helpers around cJSON: typed look-ups with defaults, files, and nothing else. */
#ifndef CCALAB_CORE_JSON_H
#define CCALAB_CORE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* Value of obj[key] if it is of the right type, else the default. `obj` may be NULL. */
const char *json_str(const cJSON *obj, const char *key, const char *def);
double json_num(const cJSON *obj, const char *key, double def);
bool json_bool(const cJSON *obj, const char *key, bool def);
const cJSON *json_get(const cJSON *obj, const char *key);

/* Add a number, or null for one that is NaN or infinite: not measured, and no JSON. Returns the
 * item (owned by `obj`), NULL without memory. */
cJSON *json_add_num(cJSON *obj, const char *key, double v);

/* Parse `len` bytes. Returns a tree for cJSON_Delete(), or NULL with *err set (STATUS_INPUT, with
 * the offset of the fault). `what` names the source in the message. */
cJSON *json_parse(const char *text, size_t len, const char *what, struct error *err);
/* Read and parse a file of at most `max` bytes. NULL with *err set. */
cJSON *json_read_file(const char *path, size_t max, struct error *err);
/* Write pretty-printed, atomically. */
CCALAB_MUST_USE enum status json_write_file(const char *path, const cJSON *obj, struct error *err);

#endif
