#include "model/backbone_config.h"

#include <math.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/suggest.h"

/* Larger than any published model, small enough that products stay far from overflow. */
#define SIZE_MAX_FIELD (1 << 20)

#define LLAMA_PROJECTIONS                                                                          \
    {                                                                                              \
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"                \
    }

static const struct {
    const char *type, *prefix;
    const char *targets[3];
    const char *projections[8];
} families[] = {
    [BACKBONE_LLAMA] = {"llama", "model.", {"q_proj", "v_proj"}, LLAMA_PROJECTIONS},
    [BACKBONE_MISTRAL] = {"mistral", "model.", {"q_proj", "v_proj"}, LLAMA_PROJECTIONS},
    [BACKBONE_GPT2] = {"gpt2", "transformer.", {"c_attn"}, {"c_attn", "c_proj", "c_fc"}},
    [BACKBONE_OPT] = {"opt",
                      "model.",
                      {"q_proj", "v_proj"},
                      {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}},
};

#define FAMILIES (sizeof families / sizeof *families)

static const char *const activations[] = {
    [BACKBONE_SILU] = "silu",
    [BACKBONE_RELU] = "relu",
    [BACKBONE_GELU] = "gelu",
    [BACKBONE_GELU_TANH] = "gelu_new",
};

struct backbone_config backbone_config_tiny(void)
{
    return (struct backbone_config){
        .family = BACKBONE_LLAMA,
        .hidden_size = 64,
        .intermediate_size = 172,
        .num_hidden_layers = 2,
        .num_attention_heads = 4,
        .num_key_value_heads = 2,
        .max_position_embeddings = 2048,
        .embedding_size = 64,
        .norm_eps = 1e-6,
        .rope_theta = 10000,
    };
}

const char *backbone_config_type(const struct backbone_config *c)
{
    return families[c->family].type;
}

const char *backbone_config_prefix(const struct backbone_config *c)
{
    return families[c->family].prefix;
}

const char *const *backbone_config_targets(const struct backbone_config *c)
{
    return families[c->family].targets;
}

const char *const *backbone_config_projections(const struct backbone_config *c)
{
    return families[c->family].projections;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The first fault is kept, so that the fields can be listed plainly. */
struct reader {
    const cJSON *obj;
    const char *what;
    struct error *err;
    enum status status;
};

static void fault(struct reader *r, const char *field, const char *why)
{
    if (!r->status)
        r->status = error_set(r->err, STATUS_INPUT, "config", "%s: '%s' %s", r->what, field, why);
}

static const cJSON *find(const struct reader *r, const char *field)
{
    const cJSON *v = json_get(r->obj, field);
    return cJSON_IsNull(v) ? NULL : v;
}

/* `def` 0: the field is required. */
static int read_size(struct reader *r, const char *field, int def)
{
    const cJSON *v = find(r, field);
    if (!v && (def < 1 || def > SIZE_MAX_FIELD))
        fault(r, field, def ? "is missing, and its default is too large" : "is missing");
    if (!v)
        return def ? def : 1;
    if (!cJSON_IsNumber(v) || v->valuedouble != floor(v->valuedouble) || v->valuedouble < 1 ||
        v->valuedouble > SIZE_MAX_FIELD) {
        fault(r, field, "is no size from 1 to 1048576");
        return 1;
    }
    return (int)v->valuedouble;
}

static double read_positive(struct reader *r, const char *field, double def)
{
    const cJSON *v = json_get(r->obj, field);
    if (!v)
        return def;
    if (!cJSON_IsNumber(v) || !(v->valuedouble > 0) || !isfinite(v->valuedouble))
        fault(r, field, "is no positive number");
    return v->valuedouble;
}

static double read_probability(struct reader *r, const char *field, double def)
{
    const cJSON *v = json_get(r->obj, field);
    if (!v)
        return def;
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || !(v->valuedouble < 1))
        fault(r, field, "is no probability below 1");
    return v->valuedouble;
}

/* A switch that must be as the arithmetic here has it. */
static void expect_bool(struct reader *r, const char *field, bool value)
{
    const cJSON *v = find(r, field);
    if (v && (!cJSON_IsBool(v) || cJSON_IsTrue(v) != value))
        fault(r, field, "is not supported");
}

static enum backbone_activation read_activation(struct reader *r, const char *field,
                                                enum backbone_activation def)
{
    const cJSON *v = json_get(r->obj, field);
    if (!v)
        return def;
    for (int a = BACKBONE_RELU; a <= BACKBONE_GELU_TANH; a++)
        if (cJSON_IsString(v) && strcmp(v->valuestring, activations[a]) == 0)
            return (enum backbone_activation)a;
    fault(r, field, "is none of 'relu', 'gelu', 'gelu_new'");
    return def;
}

static void read_llama(struct reader *r, struct backbone_config *c)
{
    bool is_mistral = c->family == BACKBONE_MISTRAL;
    const cJSON *window = json_get(r->obj, "sliding_window");
    c->hidden_size = c->embedding_size = read_size(r, "hidden_size", 0);
    c->intermediate_size = read_size(r, "intermediate_size", 0);
    c->num_hidden_layers = read_size(r, "num_hidden_layers", 0);
    c->num_attention_heads = read_size(r, "num_attention_heads", 0);
    c->num_key_value_heads = read_size(
        r, "num_key_value_heads",
        is_mistral && !json_get(r->obj, "num_key_value_heads") ? 8 : c->num_attention_heads);
    c->max_position_embeddings =
        read_size(r, "max_position_embeddings", is_mistral ? 4096 * 32 : 2048);
    c->norm_eps = read_positive(r, "rms_norm_eps", 1e-6);
    c->rope_theta = read_positive(r, "rope_theta", 10000);
    if (is_mistral && !cJSON_IsNull(window))
        c->sliding_window = read_size(r, "sliding_window", 4096);
    if (strcmp(json_str(r->obj, "hidden_act", "silu"), "silu") != 0)
        fault(r, "hidden_act", "is not 'silu'");
    if (find(r, "rope_scaling"))
        fault(r, "rope_scaling", "is not supported");
    expect_bool(r, "attention_bias", false);
    expect_bool(r, "mlp_bias", false);
    if (c->hidden_size / c->num_attention_heads % 2)
        fault(r, "hidden_size", "does not split into heads of an even size");
    if (c->num_attention_heads % c->num_key_value_heads)
        fault(r, "num_key_value_heads", "does not divide num_attention_heads");
    int head_dim = c->hidden_size / c->num_attention_heads;
    if (find(r, "head_dim") && json_num(r->obj, "head_dim", 0) != head_dim)
        fault(r, "head_dim", "is not hidden_size / num_attention_heads");
}

static void read_gpt2(struct reader *r, struct backbone_config *c)
{
    c->hidden_size = c->embedding_size = read_size(r, "n_embd", 0);
    c->intermediate_size = read_size(r, "n_inner", 4 * c->hidden_size);
    c->num_hidden_layers = read_size(r, "n_layer", 0);
    c->num_attention_heads = c->num_key_value_heads = read_size(r, "n_head", 0);
    c->max_position_embeddings = read_size(r, "n_positions", 1024);
    c->norm_eps = read_positive(r, "layer_norm_epsilon", 1e-5);
    c->activation = read_activation(r, "activation_function", BACKBONE_GELU_TANH);
    c->embedding_dropout = read_probability(r, "embd_pdrop", 0.1);
    c->attention_dropout = read_probability(r, "attn_pdrop", 0.1);
    c->residual_dropout = read_probability(r, "resid_pdrop", 0.1);
    expect_bool(r, "scale_attn_weights", true);
    expect_bool(r, "scale_attn_by_inverse_layer_idx", false);
}

static void read_opt(struct reader *r, struct backbone_config *c)
{
    const cJSON *before = find(r, "do_layer_norm_before");
    c->hidden_size = read_size(r, "hidden_size", 0);
    c->intermediate_size = read_size(r, "ffn_dim", 0);
    c->num_hidden_layers = read_size(r, "num_hidden_layers", 0);
    c->num_attention_heads = c->num_key_value_heads = read_size(r, "num_attention_heads", 0);
    c->max_position_embeddings = read_size(r, "max_position_embeddings", 2048);
    c->embedding_size = read_size(r, "word_embed_proj_dim", c->hidden_size);
    c->is_post_norm = cJSON_IsFalse(before);
    if (before && !cJSON_IsBool(before))
        fault(r, "do_layer_norm_before", "is no boolean");
    c->norm_eps = 1e-5;
    c->activation = read_activation(r, "activation_function", BACKBONE_RELU);
    c->attention_dropout = read_probability(r, "attention_dropout", 0);
    c->residual_dropout = read_probability(r, "dropout", 0.1);
    expect_bool(r, "_remove_final_layer_norm", false);
    expect_bool(r, "enable_bias", true);
    expect_bool(r, "layer_norm_elementwise_affine", true);
}

static enum status unknown_type(const char *what, const char *type, struct error *err)
{
    const char *names[FAMILIES + 1] = {0};
    struct buf hint;
    buf_init(&hint, 256);
    buf_printf(&hint, "known:");
    for (size_t i = 0; i < FAMILIES; i++) {
        names[i] = families[i].type;
        buf_printf(&hint, "%s %s", i ? "," : "", families[i].type);
    }
    const char *near = did_you_mean(type, names);
    error_set(err, STATUS_INPUT, "config", "%s: model_type '%.40s' is not supported", what, type);
    if (near)
        buf_printf(&hint, "; did you mean '%s'?", near);
    error_hint(err, "%s", hint.data);
    buf_done(&hint);
    return STATUS_INPUT;
}

enum status backbone_config_from_json(const cJSON *obj, const char *what,
                                      struct backbone_config *out, struct error *err)
{
    struct backbone_config c = {0};
    struct reader r = {.obj = obj, .what = what, .err = err};
    const char *type = json_str(obj, "model_type", NULL);
    if (!type) {
        fault(&r, "model_type", "is missing");
        return r.status;
    }
    size_t family = 0;
    while (family < FAMILIES && strcmp(families[family].type, type) != 0)
        family++;
    if (family == FAMILIES)
        return unknown_type(what, type, err);
    c.family = (enum backbone_family)family;
    if (c.family == BACKBONE_GPT2)
        read_gpt2(&r, &c);
    else if (c.family == BACKBONE_OPT)
        read_opt(&r, &c);
    else
        read_llama(&r, &c);
    if (c.hidden_size % c.num_attention_heads)
        fault(&r, c.family == BACKBONE_GPT2 ? "n_embd" : "hidden_size",
              "does not split into its heads");
    if (!r.status)
        *out = c;
    return r.status;
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

/* --- writing ---------------------------------------------------------------------------------- */

static void write_llama(cJSON *o, const struct backbone_config *c)
{
    cJSON_AddNumberToObject(o, "hidden_size", c->hidden_size);
    cJSON_AddNumberToObject(o, "intermediate_size", c->intermediate_size);
    cJSON_AddNumberToObject(o, "num_hidden_layers", c->num_hidden_layers);
    cJSON_AddNumberToObject(o, "num_attention_heads", c->num_attention_heads);
    cJSON_AddNumberToObject(o, "num_key_value_heads", c->num_key_value_heads);
    cJSON_AddNumberToObject(o, "max_position_embeddings", c->max_position_embeddings);
    cJSON_AddNumberToObject(o, "rms_norm_eps", c->norm_eps);
    cJSON_AddNumberToObject(o, "rope_theta", c->rope_theta);
    if (c->family == BACKBONE_MISTRAL && c->sliding_window)
        cJSON_AddNumberToObject(o, "sliding_window", c->sliding_window);
    else if (c->family == BACKBONE_MISTRAL)
        cJSON_AddNullToObject(o, "sliding_window");
}

static void write_gpt2(cJSON *o, const struct backbone_config *c)
{
    cJSON_AddNumberToObject(o, "n_embd", c->hidden_size);
    cJSON_AddNumberToObject(o, "n_inner", c->intermediate_size);
    cJSON_AddNumberToObject(o, "n_layer", c->num_hidden_layers);
    cJSON_AddNumberToObject(o, "n_head", c->num_attention_heads);
    cJSON_AddNumberToObject(o, "n_positions", c->max_position_embeddings);
    cJSON_AddNumberToObject(o, "layer_norm_epsilon", c->norm_eps);
    cJSON_AddStringToObject(o, "activation_function", activations[c->activation]);
    cJSON_AddNumberToObject(o, "embd_pdrop", c->embedding_dropout);
    cJSON_AddNumberToObject(o, "attn_pdrop", c->attention_dropout);
    cJSON_AddNumberToObject(o, "resid_pdrop", c->residual_dropout);
}

static void write_opt(cJSON *o, const struct backbone_config *c)
{
    cJSON_AddNumberToObject(o, "hidden_size", c->hidden_size);
    cJSON_AddNumberToObject(o, "ffn_dim", c->intermediate_size);
    cJSON_AddNumberToObject(o, "num_hidden_layers", c->num_hidden_layers);
    cJSON_AddNumberToObject(o, "num_attention_heads", c->num_attention_heads);
    cJSON_AddNumberToObject(o, "max_position_embeddings", c->max_position_embeddings);
    cJSON_AddNumberToObject(o, "word_embed_proj_dim", c->embedding_size);
    cJSON_AddBoolToObject(o, "do_layer_norm_before", !c->is_post_norm);
    cJSON_AddStringToObject(o, "activation_function", activations[c->activation]);
    cJSON_AddNumberToObject(o, "attention_dropout", c->attention_dropout);
    cJSON_AddNumberToObject(o, "dropout", c->residual_dropout);
}

cJSON *backbone_config_to_json(const struct backbone_config *c)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "model_type", backbone_config_type(c));
    if (c->family == BACKBONE_GPT2)
        write_gpt2(o, c);
    else if (c->family == BACKBONE_OPT)
        write_opt(o, c);
    else
        write_llama(o, c);
    return o;
}

uint64_t backbone_config_parameters(const struct backbone_config *c)
{
    uint64_t h = (uint64_t)c->hidden_size, i = (uint64_t)c->intermediate_size;
    uint64_t layers = (uint64_t)c->num_hidden_layers, width = (uint64_t)c->embedding_size;
    uint64_t positions = (uint64_t)c->max_position_embeddings;
    if (c->family == BACKBONE_LLAMA || c->family == BACKBONE_MISTRAL) {
        uint64_t kv = h / (uint64_t)c->num_attention_heads * (uint64_t)c->num_key_value_heads;
        return (2 * h * h + 2 * h * kv + 3 * h * i + 2 * h) * layers + h;
    }
    /* Four projections and an MLP of two, all with bias, and two norms. */
    uint64_t layer = 4 * (h * h + h) + (h * i + i) + (i * h + h) + 4 * h;
    uint64_t norm = c->is_post_norm ? 0 : 2 * h;
    uint64_t project = width == h ? 0 : 2 * width * h;
    return layer * layers + norm + project + (positions + (c->family == BACKBONE_OPT ? 2 : 0)) * h;
}
