#include "model/backbone_config.h"

#include <math.h>
#include <string.h>

#include "core/json.h"

/* Larger than any published model, small enough that products stay far from overflow. */
#define SIZE_MAX_FIELD (1 << 20)

struct backbone_config backbone_config_tiny(void)
{
    return (struct backbone_config){
        .model_type = "llama",
        .hidden_size = 64,
        .intermediate_size = 172,
        .num_hidden_layers = 2,
        .num_attention_heads = 4,
        .num_key_value_heads = 2,
        .rms_norm_eps = 1e-6,
        .rope_theta = 10000,
        .max_position_embeddings = 2048,
    };
}

static enum status bad(const char *what, const char *field, const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "config", "%s: '%s' %s", what, field, why);
}

/* `def` 0: the field is required. */
static enum status read_size(const cJSON *obj, const char *what, const char *field, int def,
                             int *out, struct error *err)
{
    const cJSON *v = json_get(obj, field);
    if ((!v || cJSON_IsNull(v)) && def) {
        *out = def;
        return STATUS_OK;
    }
    if (!v)
        return bad(what, field, "is missing", err);
    if (!cJSON_IsNumber(v) || v->valuedouble != floor(v->valuedouble) || v->valuedouble < 1 ||
        v->valuedouble > SIZE_MAX_FIELD)
        return bad(what, field, "is no size from 1 to 1048576", err);
    *out = (int)v->valuedouble;
    return STATUS_OK;
}

static enum status read_positive(const cJSON *obj, const char *what, const char *field, double def,
                                 double *out, struct error *err)
{
    const cJSON *v = json_get(obj, field);
    *out = v ? v->valuedouble : def;
    if (v && (!cJSON_IsNumber(v) || !(*out > 0) || !isfinite(*out)))
        return bad(what, field, "is no positive number", err);
    return STATUS_OK;
}

/* Fields that would make the model another function than the one built here. */
static enum status check_variant(const cJSON *obj, const struct backbone_config *c,
                                 const char *what, struct error *err)
{
    const cJSON *scaling = json_get(obj, "rope_scaling");
    if (strcmp(json_str(obj, "hidden_act", "silu"), "silu") != 0)
        return bad(what, "hidden_act", "is not 'silu'", err);
    if (scaling && !cJSON_IsNull(scaling))
        return bad(what, "rope_scaling", "is not supported", err);
    if (json_bool(obj, "attention_bias", false) || json_bool(obj, "mlp_bias", false))
        return bad(what, "attention_bias/mlp_bias", "is not supported", err);
    if (c->hidden_size % c->num_attention_heads || c->hidden_size / c->num_attention_heads % 2)
        return bad(what, "hidden_size", "does not split into heads of an even size", err);
    if (c->num_attention_heads % c->num_key_value_heads)
        return bad(what, "num_key_value_heads", "does not divide num_attention_heads", err);
    int head_dim = c->hidden_size / c->num_attention_heads;
    if (json_num(obj, "head_dim", head_dim) != head_dim)
        return bad(what, "head_dim", "is not hidden_size / num_attention_heads", err);
    return STATUS_OK;
}

enum status backbone_config_from_json(const cJSON *obj, const char *what,
                                      struct backbone_config *out, struct error *err)
{
    enum status st;
    struct backbone_config c = {0};
    const char *type = json_str(obj, "model_type", NULL);
    if (!type)
        return bad(what, "model_type", "is missing", err);
    if (strcmp(type, "llama") != 0) {
        error_set(err, STATUS_INPUT, "config", "%s: model_type '%.40s' is not supported", what,
                  type);
        return error_hint(err, "supported: llama");
    }
    snprintf(c.model_type, sizeof c.model_type, "%s", type);
    if ((st = read_size(obj, what, "hidden_size", 0, &c.hidden_size, err)) ||
        (st = read_size(obj, what, "intermediate_size", 0, &c.intermediate_size, err)) ||
        (st = read_size(obj, what, "num_hidden_layers", 0, &c.num_hidden_layers, err)) ||
        (st = read_size(obj, what, "num_attention_heads", 0, &c.num_attention_heads, err)) ||
        (st = read_size(obj, what, "num_key_value_heads", c.num_attention_heads,
                        &c.num_key_value_heads, err)) ||
        (st = read_size(obj, what, "max_position_embeddings", 2048, &c.max_position_embeddings,
                        err)) ||
        (st = read_positive(obj, what, "rms_norm_eps", 1e-6, &c.rms_norm_eps, err)) ||
        (st = read_positive(obj, what, "rope_theta", 10000, &c.rope_theta, err)) ||
        (st = check_variant(obj, &c, what, err)))
        return st;
    *out = c;
    return STATUS_OK;
}

enum status backbone_config_read(const char *path, struct backbone_config *out, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    cJSON *root = json_read_file(path, 16u << 20, err);
    if (!root)
        return err->status;
    enum status st = backbone_config_from_json(root, path, out, err);
    cJSON_Delete(root);
    return st;
}

cJSON *backbone_config_to_json(const struct backbone_config *c)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "model_type", c->model_type);
    cJSON_AddNumberToObject(o, "hidden_size", c->hidden_size);
    cJSON_AddNumberToObject(o, "intermediate_size", c->intermediate_size);
    cJSON_AddNumberToObject(o, "num_hidden_layers", c->num_hidden_layers);
    cJSON_AddNumberToObject(o, "num_attention_heads", c->num_attention_heads);
    cJSON_AddNumberToObject(o, "num_key_value_heads", c->num_key_value_heads);
    cJSON_AddNumberToObject(o, "rms_norm_eps", c->rms_norm_eps);
    cJSON_AddNumberToObject(o, "rope_theta", c->rope_theta);
    cJSON_AddNumberToObject(o, "max_position_embeddings", c->max_position_embeddings);
    return o;
}

uint64_t backbone_config_parameters(const struct backbone_config *c)
{
    uint64_t h = (uint64_t)c->hidden_size, i = (uint64_t)c->intermediate_size;
    uint64_t kv = h / (uint64_t)c->num_attention_heads * (uint64_t)c->num_key_value_heads;
    uint64_t layer = 2 * h * h + 2 * h * kv + 3 * h * i + 2 * h;
    return layer * (uint64_t)c->num_hidden_layers + h;
}
