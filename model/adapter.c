#include "model/adapter.h"

#include <math.h>
#include <string.h>

#include "core/json.h"

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
    for (const char *const *t = backbone_config_targets(&p->backbone); *t; t++)
        cJSON_AddItemToArray(targets, cJSON_CreateString(*t));
    cJSON_AddStringToObject(o, "task_type", "FEATURE_EXTRACTION");
    return o;
}

static enum status bad(const char *path, const char *field, const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "adapter", "%s: '%s' %s", path, field, why);
}

/* The same names as the family's targets, in any order. */
static bool is_targets(const cJSON *names, const struct backbone_config *b)
{
    int found = 0, wanted = 0;
    const cJSON *v;
    for (const char *const *t = backbone_config_targets(b); *t; t++) {
        wanted++;
        cJSON_ArrayForEach(v, names)
        {
            found += cJSON_IsString(v) && strcmp(v->valuestring, *t) == 0;
        }
    }
    return cJSON_IsArray(names) && found == wanted && cJSON_GetArraySize(names) == wanted;
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
    if (!is_targets(json_get(o, "target_modules"), &config->backbone))
        return bad(path, "target_modules", "are not those of this backbone", err);
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
