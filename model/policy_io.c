/* Parameters of a policy to and from safetensors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/netllm.h"
#include "model/safetensors.h"

static enum status no_memory(const char *path, struct error *err)
{
    return error_set(err, STATUS_NOMEM, "policy", "no memory for the tensors of %s", path);
}

enum status policy_save(const struct policy *p, enum policy_part part, const char *path,
                        struct error *err)
{
    enum status st = STATUS_OK;
    size_t params = policy_param_count(p), count = 0;
    struct safetensors_tensor *tensors = calloc(params + 1, sizeof *tensors);
    if (!tensors)
        return no_memory(path, err);
    for (size_t i = 0; i < params && !st; i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        if (info.part != part)
            continue;
        float *values = malloc(info.numel * sizeof *values);
        struct safetensors_tensor *t = &tensors[count++];
        *t = (struct safetensors_tensor){.name = info.name,
                                         .dtype = SAFETENSORS_F32,
                                         .rank = info.rank,
                                         .shape = {info.shape[0], info.shape[1]},
                                         .data = values,
                                         .len_bytes = info.numel * sizeof *values};
        st = values ? policy_param_read(p, i, values, err) : no_memory(path, err);
    }
    if (!st) {
        cJSON *metadata = cJSON_CreateObject();
        cJSON_AddStringToObject(metadata, "format", "pt"); /* what transformers and PEFT expect */
        st = safetensors_write(path, tensors, count, metadata, err);
        cJSON_Delete(metadata);
    }
    for (size_t i = 0; i < count; i++)
        free((void *)tensors[i].data);
    free(tensors);
    return st;
}

static enum status load_one(struct policy *p, size_t index, const struct policy_param *info,
                            const struct safetensors *f, const char *path, struct error *err)
{
    const struct safetensors_tensor *t =
        safetensors_expect(f, info->name, SAFETENSORS_F32, info->rank, info->shape, err);
    if (!t)
        return STATUS_INPUT;
    float *values = malloc(t->len_bytes + 1);
    if (!values)
        return no_memory(path, err);
    memcpy(values, t->data, t->len_bytes);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < info->numel && !st; i++)
        if (!isfinite(values[i]))
            st = error_set(err, STATUS_INPUT, "policy",
                           "%s: tensor '%s' holds a value that is "
                           "not finite",
                           path, info->name);
    if (!st)
        st = policy_param_write(p, index, values, err);
    free(values);
    return st;
}

enum status policy_load(struct policy *p, enum policy_part part, const char *path,
                        struct error *err)
{
    struct safetensors *f;
    enum status st = safetensors_open(path, &f, err);
    if (st)
        return st;
    size_t count = 0;
    for (size_t i = 0; i < policy_param_count(p) && !st; i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        if (info.part != part)
            continue;
        count++;
        st = load_one(p, i, &info, f, path, err);
    }
    if (!st && count != safetensors_count(f))
        st =
            error_set(err, STATUS_INPUT, "policy", "%s holds %zu tensors, the policy has %zu there",
                      path, safetensors_count(f), count);
    safetensors_close(f);
    return st;
}
