#include "model/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

/* The name at *at, of *len bytes, and *at behind it; false at the end. */
static bool next_name(const char **at, const char **name, size_t *len)
{
    if (!**at)
        return false;
    *name = *at;
    *len = strcspn(*at, ",");
    *at += *len + ((*at)[*len] == ',');
    return true;
}

static bool is_name(const char *text, const char *name, size_t len)
{
    return strlen(text) == len && memcmp(text, name, len) == 0;
}

bool adapter_is_target(const struct policy_config *config, const char *name)
{
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    const char *at = config->lora_targets, *target;
    size_t len;
    if (!*at)
        for (const char *const *t = backbone_config_targets(&config->backbone); *t; t++)
            if (strcmp(*t, last) == 0)
                return true;
    while (next_name(&at, &target, &len))
        if (is_name(last, target, len))
            return true;
    return false;
}

enum status adapter_check_targets(const struct policy_config *config, struct error *err)
{
    const char *const *known = backbone_config_projections(&config->backbone);
    const char *at = config->lora_targets, *name;
    unsigned seen = 0;
    size_t len;
    while (next_name(&at, &name, &len)) {
        unsigned bit = 0;
        char all[POLICY_TARGETS_MAX] = "";
        for (size_t i = 0; known[i]; i++) {
            bit |= is_name(known[i], name, len) ? 1u << i : 0;
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", known[i]);
        }
        if (!bit || (seen & bit)) {
            error_set(err, STATUS_INPUT, "policy", "lora_targets: '%.*s' is %s", (int)len, name,
                      bit ? "named twice" : "no linear layer of this backbone");
            return error_hint(err, "%s has %s", backbone_config_type(&config->backbone), all);
        }
        seen |= bit;
    }
    return STATUS_OK;
}

cJSON *adapter_config_to_json(const struct policy_config *p)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddObjectToObject(o, "alpha_pattern");
    cJSON_AddNullToObject(o, "auto_mapping");
    if (p->plm_path[0])
        cJSON_AddStringToObject(o, "base_model_name_or_path", p->plm_path);
    else
        cJSON_AddNullToObject(o, "base_model_name_or_path");
    cJSON_AddStringToObject(o, "bias", "none");
    /* GPT-2's layers keep their weights transposed. */
    cJSON_AddBoolToObject(o, "fan_in_fan_out", p->backbone.family == BACKBONE_GPT2);
    cJSON_AddBoolToObject(o, "inference_mode", true);
    cJSON_AddBoolToObject(o, "init_lora_weights", true);
    cJSON_AddNullToObject(o, "layers_pattern");
    cJSON_AddNullToObject(o, "layers_to_transform");
    cJSON_AddNumberToObject(o, "lora_alpha", p->lora_alpha);
    cJSON_AddNumberToObject(o, "lora_dropout", p->lora_dropout);
    cJSON_AddNullToObject(o, "modules_to_save");
    cJSON_AddStringToObject(o, "peft_type", "LORA");
    cJSON_AddNumberToObject(o, "r", p->rank);
    cJSON_AddObjectToObject(o, "rank_pattern");
    cJSON_AddNullToObject(o, "revision");
    cJSON *targets = cJSON_AddArrayToObject(o, "target_modules");
    for (const char *const *t = backbone_config_projections(&p->backbone); *t; t++)
        if (adapter_is_target(p, *t))
            cJSON_AddItemToArray(targets, cJSON_CreateString(*t));
    cJSON_AddStringToObject(o, "task_type", "FEATURE_EXTRACTION");
    return o;
}

static enum status bad(const char *path, const char *field, const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "adapter", "%s: '%s' %s", path, field, why);
}

/* A list of names as lora_targets has it. */
static bool read_targets(const cJSON *names, char out[POLICY_TARGETS_MAX])
{
    size_t len = 0;
    const cJSON *v;
    cJSON_ArrayForEach(v, names)
    {
        if (!cJSON_IsString(v) || !*v->valuestring || strchr(v->valuestring, ','))
            return false;
        int n =
            snprintf(out + len, POLICY_TARGETS_MAX - len, "%s%s", len ? "," : "", v->valuestring);
        if (n < 0 || (size_t)n >= POLICY_TARGETS_MAX - len)
            return false;
        len += (size_t)n;
    }
    return len > 0;
}

static enum status from_json(const cJSON *o, const char *path, struct policy_config *config,
                             struct error *err)
{
    double rank = json_num(o, "r", 0), alpha = json_num(o, "lora_alpha", 0);
    double dropout = json_num(o, "lora_dropout", -1);
    const cJSON *ranks = json_get(o, "rank_pattern"), *alphas = json_get(o, "alpha_pattern");
    const cJSON *saved = json_get(o, "modules_to_save"), *only = json_get(o, "layers_to_transform");
    if (strcmp(json_str(o, "peft_type", ""), "LORA") != 0)
        return bad(path, "peft_type", "is not 'LORA'", err);
    if (!(rank >= 1) || rank > 65536 || rank != floor(rank))
        return bad(path, "r", "is no rank from 1 to 65536", err);
    if (!(alpha > 0) || !isfinite(alpha))
        return bad(path, "lora_alpha", "is no positive number", err);
    if (!(dropout >= 0) || !(dropout < 1))
        return bad(path, "lora_dropout", "is no probability below 1", err);
    if (strcmp(json_str(o, "bias", "none"), "none") != 0)
        return bad(path, "bias", "is not 'none'", err);
    if (cJSON_GetArraySize(ranks) || cJSON_GetArraySize(alphas))
        return bad(path, "rank_pattern/alpha_pattern", "is not empty", err);
    if ((saved && !cJSON_IsNull(saved)) || (only && !cJSON_IsNull(only)))
        return bad(path, "modules_to_save/layers_to_transform", "is not null", err);
    if (!read_targets(json_get(o, "target_modules"), config->lora_targets) ||
        adapter_check_targets(config, NULL))
        return bad(path, "target_modules", "is no list of linear layers of this backbone", err);
    config->rank = (int)rank;
    config->lora_alpha = alpha;
    config->lora_dropout = dropout;
    return STATUS_OK;
}

enum status adapter_config_read(const char *path, struct policy_config *config, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    cJSON *root = json_read_file(path, 1u << 20, err);
    if (!root)
        return err->status;
    enum status st = from_json(root, path, config, err);
    cJSON_Delete(root);
    return st;
}
