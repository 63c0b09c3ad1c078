#include "model/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "model/adapter.h"

#define ADAPTER_MODEL  "adapter_model.safetensors"
#define ADAPTER_CONFIG "adapter_config.json"
#define MODULES        "modules_except_plm.safetensors"
#define NETLLM         "netllm.json"

static const char *const files[] = {ADAPTER_MODEL, ADAPTER_CONFIG, MODULES, NETLLM,
                                    CHECKPOINT_STATE};
#define FILES (sizeof files / sizeof *files)

#define FORMAT         "ccalab-policy"
#define FORMAT_VERSION 2

/* --- netllm.json ------------------------------------------------------------------------------ */

static cJSON *numbers(const double *v, int n)
{
    return cJSON_CreateDoubleArray(v, n);
}

cJSON *checkpoint_to_json(const struct checkpoint *c)
{
    const struct policy_config *p = &c->policy;
    cJSON *root = cJSON_CreateObject(), *o;
    cJSON_AddStringToObject(root, "format", FORMAT);
    cJSON_AddNumberToObject(root, "format_version", FORMAT_VERSION);

    o = cJSON_AddObjectToObject(root, "policy");
    cJSON_AddItemToObject(o, "backbone", backbone_config_to_json(&p->backbone));
    cJSON_AddStringToObject(o, "plm_path", p->plm_path);
    cJSON_AddStringToObject(o, "base_dtype", p->base_dtype == POLICY_BF16 ? "bf16" : "fp32");
    /* 64 bits: as text, a JSON number keeps 53. */
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)p->backbone_seed);
    cJSON_AddStringToObject(o, "backbone_seed", seed);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)p->seed);
    cJSON_AddStringToObject(o, "seed", seed);
    cJSON_AddNumberToObject(o, "state_dim", p->state_dim);
    if (p->features != POLICY_STATE_FEATURES) /* absent: as it was before there were others */
        cJSON_AddNumberToObject(o, "features", p->features);
    cJSON_AddNumberToObject(o, "timestep_rows", p->timestep_rows);
    cJSON_AddStringToObject(
        o, "timestep", c->data.is_published ? "place in the episode" : "position in the window");
    cJSON_AddNumberToObject(o, "rank", p->rank);
    cJSON_AddNumberToObject(o, "lora_alpha", p->lora_alpha);
    cJSON_AddNumberToObject(o, "lora_dropout", p->lora_dropout);
    cJSON_AddStringToObject(o, "lora_targets", p->lora_targets);
    cJSON_AddNumberToObject(o, "which_layer", p->which_layer);
    if (p->bins.count) {
        cJSON *bins = cJSON_AddObjectToObject(o, "bins");
        cJSON_AddStringToObject(bins, "decision", p->bins.is_mode ? "mode" : "mean");
        cJSON_AddItemToObject(bins, "values", cJSON_CreateFloatArray(p->bins.value, p->bins.count));
    }

    o = cJSON_AddObjectToObject(root, "data");
    cJSON_AddStringToObject(o, "pool", c->pool);
    cJSON_AddNumberToObject(o, "pool_rows", (double)c->pool_rows);
    cJSON_AddStringToObject(o, "recipe", c->recipe);
    cJSON_AddBoolToObject(o, "published", c->data.is_published);
    cJSON_AddStringToObject(o, "split",
                            c->data.is_published ? "none: all rows are training and test"
                                                 : "chronological per episode, 70/15/15 %");
    cJSON_AddNumberToObject(o, "w", c->data.steps);
    cJSON_AddNumberToObject(o, "sample_step", c->data.sample_step);
    cJSON_AddNumberToObject(o, "gamma", c->data.gamma);
    cJSON_AddNumberToObject(o, "scale", c->data.scale);
    cJSON_AddNumberToObject(o, "horizon", c->data.horizon);

    o = cJSON_AddObjectToObject(root, "norm");
    cJSON_AddItemToObject(o, "state_mean", numbers(c->norm.state_mean, p->features));
    cJSON_AddItemToObject(o, "state_std", numbers(c->norm.state_std, p->features));
    cJSON_AddNumberToObject(o, "action_offset", c->norm.action_offset);
    cJSON_AddNumberToObject(o, "action_span", c->norm.action_span);
    cJSON_AddNumberToObject(o, "action_mean", c->norm.action_mean);
    cJSON_AddNumberToObject(o, "reward_min", c->norm.reward_min);
    cJSON_AddNumberToObject(o, "reward_max", c->norm.reward_max);
    cJSON_AddNumberToObject(o, "max_return", c->norm.max_return);
    if (recipe_of(c->recipe) == RECIPE_LOOP)
        cJSON_AddNumberToObject(o, "return_std", c->norm.return_std);

    o = cJSON_AddObjectToObject(root, "training");
    cJSON_AddNumberToObject(o, "epochs", c->epochs);
    cJSON_AddNumberToObject(o, "best_epoch", c->best_epoch);
    cJSON_AddNumberToObject(o, "train_loss", c->train_loss);
    json_add_num(o, "valid_loss", c->valid_loss);
    return root;
}

/* Reading: the first fault is kept, so that the fields can be listed plainly. */
struct reader {
    const char *path;
    const cJSON *obj;
    struct error *err;
    enum status status;
};

static void fault(struct reader *r, const char *field, const char *why)
{
    if (!r->status)
        r->status =
            error_set(r->err, STATUS_INPUT, "checkpoint", "%s: '%s' %s", r->path, field, why);
}

static double read_num(struct reader *r, const char *field, double min, double max)
{
    const cJSON *v = json_get(r->obj, field);
    if (cJSON_IsNumber(v) && v->valuedouble >= min && v->valuedouble <= max)
        return v->valuedouble;
    fault(r, field, v ? "is out of range" : "is missing");
    return min;
}

static int read_int(struct reader *r, const char *field, int min, int max)
{
    return (int)read_num(r, field, min, max);
}

static uint64_t read_seed(struct reader *r, const char *field)
{
    const char *text = json_str(r->obj, field, "");
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (!*text || *end || errno)
        fault(r, field, "is no seed");
    return v;
}

static void read_array(struct reader *r, const char *field, double *out, int n)
{
    const cJSON *a = json_get(r->obj, field), *v;
    int i = 0;
    cJSON_ArrayForEach(v, a)
    {
        if (i < n && cJSON_IsNumber(v) && isfinite(v->valuedouble))
            out[i++] = v->valuedouble;
        else
            i = n + 1;
    }
    if (!cJSON_IsArray(a) || i != n)
        fault(r, field, "is no array of as many numbers as a state has");
}

static void read_bins(struct reader *r, struct policy_bins *out)
{
    const cJSON *bins = json_get(r->obj, "bins"), *values = json_get(bins, "values"), *v;
    if (!bins)
        return;
    out->is_mode = strcmp(json_str(bins, "decision", "mean"), "mode") == 0;
    cJSON_ArrayForEach(v, values)
    {
        if (out->count == POLICY_BINS_MAX || !cJSON_IsNumber(v) || !isfinite(v->valuedouble) ||
            fabs(v->valuedouble) > 1e30) {
            fault(r, "bins", "has too many values, or one that is no number");
            return;
        }
        out->value[out->count++] = (float)v->valuedouble;
    }
    if (out->count < 2)
        fault(r, "bins", "has less than 2 values");
}

static enum status from_json(const cJSON *root, const char *path, struct checkpoint *c,
                             struct error *err)
{
    static const double HUGE = 1e300;
    struct reader r = {.path = path, .obj = root, .err = err};
    *c = (struct checkpoint){0};
    if (strcmp(json_str(root, "format", ""), FORMAT) != 0 ||
        json_num(root, "format_version", 0) != FORMAT_VERSION)
        return error_set(err, STATUS_INPUT, "checkpoint", "%s is no policy of version %d", path,
                         FORMAT_VERSION);

    r.obj = json_get(root, "policy");
    enum status st =
        backbone_config_from_json(json_get(r.obj, "backbone"), path, &c->policy.backbone, err);
    if (st)
        return st;
    snprintf(c->policy.plm_path, sizeof c->policy.plm_path, "%s", json_str(r.obj, "plm_path", ""));
    if (strcmp(json_str(r.obj, "base_dtype", "fp32"), "bf16") == 0)
        c->policy.base_dtype = POLICY_BF16;
    c->policy.backbone_seed = read_seed(&r, "backbone_seed");
    c->policy.seed = read_seed(&r, "seed");
    c->policy.state_dim = read_int(&r, "state_dim", 1, 65536);
    c->policy.features = POLICY_STATE_FEATURES;
    if (json_get(r.obj, "features"))
        c->policy.features = read_int(&r, "features", 1, POLICY_FEATURES_MAX);
    c->policy.timestep_rows = read_int(&r, "timestep_rows", 1, 1 << 24);
    c->policy.rank = read_int(&r, "rank", 0, 1 << 20);
    c->policy.lora_alpha = read_num(&r, "lora_alpha", 1e-6, 1e6);
    c->policy.lora_dropout = read_num(&r, "lora_dropout", 0, 0.999);
    snprintf(c->policy.lora_targets, sizeof c->policy.lora_targets, "%s",
             json_str(r.obj, "lora_targets", ""));
    c->policy.which_layer = read_int(&r, "which_layer", -(1 << 20), 1 << 20);

    read_bins(&r, &c->policy.bins);

    r.obj = json_get(root, "data");
    snprintf(c->pool, sizeof c->pool, "%s", json_str(r.obj, "pool", ""));
    snprintf(c->recipe, sizeof c->recipe, "%s", json_str(r.obj, "recipe", ""));
    if (recipe_features(recipe_of(c->recipe)) != c->policy.features)
        fault(&r, "recipe", "has states of another number of features than the policy");
    c->pool_rows = (uint64_t)read_num(&r, "pool_rows", 0, POOL_ROWS_MAX);
    c->data.is_published = json_bool(r.obj, "published", false);
    c->data.steps = read_int(&r, "w", 1, c->policy.timestep_rows);
    c->data.sample_step = read_int(&r, "sample_step", 0, 1 << 24);
    c->data.gamma = read_num(&r, "gamma", 0, 1);
    c->data.scale = read_num(&r, "scale", 1e-12, HUGE);
    c->data.horizon = read_int(&r, "horizon", 0, 1 << 24);

    r.obj = json_get(root, "norm");
    read_array(&r, "state_mean", c->norm.state_mean, c->policy.features);
    read_array(&r, "state_std", c->norm.state_std, c->policy.features);
    for (int i = 0; i < c->policy.features; i++)
        if (!(c->norm.state_std[i] > 0))
            fault(&r, "state_std", "is not positive");
    c->norm.action_offset = read_num(&r, "action_offset", -HUGE, HUGE);
    c->norm.action_span = read_num(&r, "action_span", 1e-300, HUGE);
    c->norm.action_mean = read_num(&r, "action_mean", -HUGE, HUGE);
    c->norm.reward_min = read_num(&r, "reward_min", -HUGE, HUGE);
    c->norm.reward_max = read_num(&r, "reward_max", -HUGE, HUGE);
    c->norm.max_return = read_num(&r, "max_return", 0, HUGE);
    c->norm.return_std =
        recipe_of(c->recipe) == RECIPE_LOOP ? read_num(&r, "return_std", 1e-300, HUGE) : 1;

    r.obj = json_get(root, "training");
    c->epochs = read_int(&r, "epochs", 1, 1 << 30);
    c->best_epoch = read_int(&r, "best_epoch", 1, 1 << 30);
    c->train_loss = read_num(&r, "train_loss", 0, HUGE);
    c->valid_loss =
        cJSON_IsNull(json_get(r.obj, "valid_loss")) ? NAN : read_num(&r, "valid_loss", 0, HUGE);
    return r.status;
}

/* --- directory -------------------------------------------------------------------------------- */

static enum status file_in(char *out, const char *dir, const char *name, struct error *err)
{
    if (path_join(out, CCALAB_PATH_MAX, dir, name))
        return STATUS_OK;
    return error_set(err, STATUS_IO, "checkpoint", "path too long: %s/%s", dir, name);
}

/* One of our files, or what an interrupted write of one left: its name and six letters. */
static bool is_our_file(const char *name, bool *is_leftover)
{
    for (size_t i = 0; i < FILES; i++) {
        size_t len = strlen(files[i]);
        if (strncmp(name, files[i], len) != 0)
            continue;
        *is_leftover = name[len] == '.' && strlen(name + len) == 7;
        if (!name[len] || *is_leftover)
            return true;
    }
    return false;
}

enum status checkpoint_check_target(const char *dir, struct error *err)
{
    enum status st = STATUS_OK;
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT)
        return STATUS_OK;
    if (!d)
        return error_sys(err, STATUS_USAGE, errno, "checkpoint", "%s cannot become a checkpoint",
                         dir);
    for (struct dirent *e; !st && (e = readdir(d));) {
        bool is_leftover;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !is_our_file(e->d_name, &is_leftover)) {
            error_set(err, STATUS_USAGE, "checkpoint",
                      "%s holds '%.100s', which is no part of a "
                      "checkpoint",
                      dir, e->d_name);
            error_hint(err, "name a directory that is absent or empty");
            st = STATUS_USAGE;
        }
    }
    closedir(d);
    return st;
}

/* Our files in `dir`, all or only those half written. */
static void remove_files(const char *dir, bool leftovers_only)
{
    char path[CCALAB_PATH_MAX];
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        bool is_leftover;
        if (is_our_file(e->d_name, &is_leftover) && (is_leftover || !leftovers_only) &&
            path_join(path, sizeof path, dir, e->d_name))
            unlink(path);
    }
    closedir(d);
}

static void remove_checkpoint(const char *dir)
{
    remove_files(dir, false);
    rmdir(dir);
}

/* The names that a checkpoint has while it is exchanged. */
struct names {
    char target[CCALAB_PATH_MAX]; /* without slashes at its end */
    char fresh[CCALAB_PATH_MAX];  /* being written */
    char old[CCALAB_PATH_MAX];    /* being replaced, where the file system cannot exchange */
};

static enum status names_of(const char *dir, struct names *n, struct error *err)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if ((size_t)snprintf(n->target, sizeof n->target, "%.*s", (int)len, dir) < sizeof n->target &&
        (size_t)snprintf(n->fresh, sizeof n->fresh, "%.*s.netllm-new", (int)len, dir) <
            sizeof n->fresh &&
        (size_t)snprintf(n->old, sizeof n->old, "%.*s.netllm-old", (int)len, dir) < sizeof n->old)
        return STATUS_OK;
    return error_set(err, STATUS_IO, "checkpoint", "path too long: %s", dir);
}

enum status checkpoint_prepare(const char *dir, struct error *err)
{
    struct names n;
    enum status st = names_of(dir, &n, err);
    if (st)
        return st;
    /* Killed between the two renames of put_in_place(): the one renamed away is whole. */
    if (access(n.target, F_OK) != 0 && access(n.old, F_OK) == 0 && rename(n.old, n.target) != 0)
        return error_sys(err, STATUS_IO, errno, "checkpoint", "cannot rename %s to %s", n.old,
                         n.target);
    if ((st = checkpoint_check_target(n.target, err)) || (st = path_mkdirs(n.target, err)))
        return st;
    remove_files(n.target, true);
    remove_checkpoint(n.fresh);
    remove_checkpoint(n.old);
    return STATUS_OK;
}

static enum status put_in_place(const struct names *n, struct error *err)
{
    if (renameat2(AT_FDCWD, n->fresh, AT_FDCWD, n->target, RENAME_NOREPLACE) == 0)
        return STATUS_OK;
    /* There is one already, or the file system knows no flags: then two renames. */
    if (errno == EEXIST &&
        renameat2(AT_FDCWD, n->fresh, AT_FDCWD, n->target, RENAME_EXCHANGE) == 0) {
        remove_checkpoint(n->fresh);
        return STATUS_OK;
    }
    if ((rename(n->target, n->old) == 0 || errno == ENOENT) && rename(n->fresh, n->target) == 0) {
        remove_checkpoint(n->old);
        return STATUS_OK;
    }
    return error_sys(err, STATUS_IO, errno, "checkpoint", "cannot rename %s to %s", n->fresh,
                     n->target);
}

/* The state of the training stands in the directory that is replaced: take it along. */
static enum status keep_state(const struct names *n, struct error *err)
{
    char from[CCALAB_PATH_MAX], to[CCALAB_PATH_MAX];
    if (!path_join(from, sizeof from, n->target, CHECKPOINT_STATE) ||
        !path_join(to, sizeof to, n->fresh, CHECKPOINT_STATE))
        return error_set(err, STATUS_IO, "checkpoint", "path too long: %s", n->fresh);
    if (link(from, to) == 0 || errno == ENOENT)
        return STATUS_OK;
    return error_sys(err, STATUS_IO, errno, "checkpoint", "cannot link %s to %s", from, to);
}

enum status checkpoint_save(const char *dir, const struct checkpoint *c, const struct policy *p,
                            struct error *err)
{
    struct names n;
    char path[CCALAB_PATH_MAX];
    cJSON *obj = NULL;
    bool has_fresh = false;
    enum status st = names_of(dir, &n, err);
    if (st || (st = checkpoint_check_target(n.target, err)))
        return st;
    remove_checkpoint(n.fresh);
    if ((st = path_mkdirs(n.fresh, err)))
        goto out;
    has_fresh = true;

    if ((st = file_in(path, n.fresh, ADAPTER_MODEL, err)) ||
        (st = policy_save(p, POLICY_LORA, path, err)) ||
        (st = file_in(path, n.fresh, MODULES, err)) ||
        (st = policy_save(p, POLICY_MODULES, path, err)) ||
        (st = file_in(path, n.fresh, ADAPTER_CONFIG, err)))
        goto out;
    obj = adapter_config_to_json(&c->policy);
    if ((st = json_write_file(path, obj, err)) || (st = file_in(path, n.fresh, NETLLM, err)))
        goto out;
    cJSON_Delete(obj);
    obj = checkpoint_to_json(c);
    if ((st = json_write_file(path, obj, err)) || (st = keep_state(&n, err)))
        goto out;
    st = put_in_place(&n, err);
out:
    if (st && has_fresh)
        remove_checkpoint(n.fresh);
    cJSON_Delete(obj);
    return st;
}

enum status checkpoint_read(const char *dir, struct checkpoint *out, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    struct error local;
    err = err ? err : &local;
    enum status st = file_in(path, dir, NETLLM, err);
    if (st)
        return st;
    cJSON *root = json_read_file(path, 1u << 20, err);
    if (!root)
        return err->status;
    st = from_json(root, path, out, err);
    cJSON_Delete(root);
    return st;
}

enum status checkpoint_load_weights(const char *dir, struct policy *p, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    enum status st = file_in(path, dir, ADAPTER_MODEL, err);
    if (st || (st = policy_load(p, POLICY_LORA, path, err)) ||
        (st = file_in(path, dir, MODULES, err)))
        return st;
    return policy_load(p, POLICY_MODULES, path, err);
}

enum status checkpoint_load(const char *dir, const struct device_request *devices,
                            struct checkpoint *c, struct policy **out, struct error *err)
{
    struct policy *p = NULL;
    *out = NULL;
    enum status st = checkpoint_read(dir, c, err);
    if (st)
        return st;
    if (devices)
        c->policy.devices = *devices;
    if ((st = policy_new(&c->policy, &p, err)))
        return st;
    if ((st = checkpoint_load_weights(dir, p, err)))
        policy_free(p);
    else
        *out = p;
    return st;
}
