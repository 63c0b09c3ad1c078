/* For judge_policy.py: policies and what they compute, as files that others read.
 *
 * judge_export write FAMILY DIR   a policy with random weights: config.json, model.safetensors, the
 *                                 adapter, the other modules; io.safetensors: inputs, hidden
 * states, predictions, and the losses of a short training judge_export read DIR OUT       hidden
 * states of the folder's own weights and adapter for the embeddings in DIR/io.safetensors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/paths.h"
#include "model/adapter.h"
#include "model/safetensors.h"
#include "tests/model/families.h"

#define WINDOWS     2
#define STEPS       6
#define TOKENS      (3 * STEPS - 1)
#define WIDTH_MAX   32
#define TRAIN_STEPS 50

static enum status join(char *path, const char *dir, const char *name, struct error *err)
{
    if (path_join(path, CCALAB_PATH_MAX, dir, name))
        return STATUS_OK;
    return error_set(err, STATUS_IO, "judge", "path too long: %s/%s", dir, name);
}

struct io {
    float states[WINDOWS * STEPS * 3], actions[WINDOWS * STEPS], returns[WINDOWS * STEPS];
    float labels[WINDOWS * STEPS], predictions[WINDOWS * STEPS], losses[TRAIN_STEPS];
    float embeddings[WINDOWS * TOKENS * WIDTH_MAX], hidden[WINDOWS * TOKENS * WIDTH_MAX];
    int32_t timesteps[WINDOWS * STEPS];
    int64_t width;
};

static void fill_io(struct io *io, const struct policy_config *c)
{
    io->width = c->backbone.embedding_size;
    family_fill(io->states, WINDOWS * STEPS * 3, 2);
    family_fill(io->actions, WINDOWS * STEPS, 1);
    family_fill(io->returns, WINDOWS * STEPS, 1);
    family_fill(io->labels, WINDOWS * STEPS, 1);
    family_fill(io->embeddings, WINDOWS * TOKENS * (size_t)io->width, 1);
    for (int i = 0; i < WINDOWS * STEPS; i++)
        io->timesteps[i] = i % STEPS;
}

static enum status write_io(const char *path, const struct io *io, struct error *err)
{
    const size_t tokens_bytes = WINDOWS * TOKENS * (size_t)io->width * sizeof(float);
    const struct safetensors_tensor tensors[] = {
        {"states", SAFETENSORS_F32, 3, {WINDOWS, STEPS, 3}, io->states, sizeof io->states},
        {"actions", SAFETENSORS_F32, 2, {WINDOWS, STEPS}, io->actions, sizeof io->actions},
        {"returns", SAFETENSORS_F32, 2, {WINDOWS, STEPS}, io->returns, sizeof io->returns},
        {"labels", SAFETENSORS_F32, 2, {WINDOWS, STEPS}, io->labels, sizeof io->labels},
        {"predictions",
         SAFETENSORS_F32,
         2,
         {WINDOWS, STEPS},
         io->predictions,
         sizeof io->predictions},
        {"losses", SAFETENSORS_F32, 1, {TRAIN_STEPS}, io->losses, sizeof io->losses},
        {"embeddings",
         SAFETENSORS_F32,
         3,
         {WINDOWS, TOKENS, io->width},
         io->embeddings,
         tokens_bytes},
        {"hidden", SAFETENSORS_F32, 3, {WINDOWS, TOKENS, io->width}, io->hidden, tokens_bytes},
    };
    return safetensors_write(path, tensors, sizeof tensors / sizeof *tensors, NULL, err);
}

/* Losses of a training on the one batch, from the weights that were saved. */
static enum status train(struct policy *p, const struct policy_batch *batch, struct io *io,
                         struct error *err)
{
    const struct policy_step_opts opts = {.lr = 2e-4, .weight_decay = 1e-4, .clip_norm = 0.25};
    enum status st = STATUS_OK;
    for (int i = 0; i < TRAIN_STEPS && !st; i++) {
        double losses[WINDOWS], sum = 0;
        if (!(st = policy_backward(p, batch, io->labels, 1, losses, err)))
            st = policy_step(p, &opts, NULL, err);
        for (int w = 0; w < WINDOWS; w++)
            sum += losses[w];
        io->losses[i] = (float)(sum / WINDOWS);
    }
    return st;
}

static enum status save(const struct policy *p, const char *dir, const char *const names[3],
                        struct error *err)
{
    char path[CCALAB_PATH_MAX];
    enum status st = STATUS_OK;
    for (int part = 0; part < 3 && !st; part++)
        if (names[part] && !(st = join(path, dir, names[part], err)))
            st = policy_save(p, (enum policy_part)part, path, err);
    return st;
}

static enum status write_folder(const char *name, const char *dir, const char *targets,
                                struct error *err)
{
    enum status st;
    static struct io io;
    char path[CCALAB_PATH_MAX];
    struct policy *p = NULL;
    cJSON *adapter = NULL, *shape = NULL;
    struct policy_config c = policy_config_default();
    const struct family *f = families;
    while (f < families + FAMILIES && strcmp(f->name, name) != 0)
        f++;
    if (f == families + FAMILIES)
        return error_set(err, STATUS_USAGE, "judge", "no family '%s'", name);
    if ((st = family_config(f, &c.backbone, err)))
        return st;
    c.state_dim = 8;
    c.timestep_rows = STEPS;
    c.rank = 2;
    c.lora_dropout = 0;
    snprintf(c.lora_targets, sizeof c.lora_targets, "%s", targets);
    adapter = adapter_config_to_json(&c);
    shape = cJSON_Parse(f->config);
    static const char *const all[] = {"model.safetensors", "adapter_model.safetensors",
                                      "modules_except_plm.safetensors"};
    if ((st = policy_new(&c, &p, err)) || (st = family_enlarge(p, err)) ||
        (st = save(p, dir, all, err)) || (st = join(path, dir, "config.json", err)) ||
        (st = json_write_file(path, shape, err)) ||
        (st = join(path, dir, "adapter_config.json", err)) ||
        (st = json_write_file(path, adapter, err)))
        goto out;

    fill_io(&io, &c);
    const struct policy_batch batch = {WINDOWS,    STEPS,      io.states,
                                       io.actions, io.returns, io.timesteps};
    if ((st = policy_forward(p, &batch, io.predictions, err)) ||
        (st = policy_backbone_forward(p, io.embeddings, WINDOWS, TOKENS, io.hidden, err)) ||
        (st = train(p, &batch, &io, err)))
        goto out;
    static const char *const trained[] = {NULL, "trained_adapter.safetensors",
                                          "trained_modules.safetensors"};
    if ((st = save(p, dir, trained, err)) || (st = join(path, dir, "io.safetensors", err)))
        goto out;
    st = write_io(path, &io, err);
out:
    cJSON_Delete(adapter);
    cJSON_Delete(shape);
    policy_free(p);
    return st;
}

/* Hidden states of the weights in c->plm_path, with the adapter beside them or without. */
static enum status compute(const struct policy_config *c, const char *adapter, const struct io *io,
                           float *hidden, struct error *err)
{
    struct policy *p;
    enum status st = policy_new(c, &p, err);
    if (!st && adapter)
        st = policy_load(p, POLICY_LORA, adapter, err);
    if (!st)
        st = policy_backbone_forward(p, io->embeddings, WINDOWS, TOKENS, hidden, err);
    policy_free(p);
    return st;
}

static enum status read_folder(const char *dir, const char *out_path, struct error *err)
{
    enum status st;
    static struct io io;
    static float base[WINDOWS * TOKENS * WIDTH_MAX], stop[WINDOWS * TOKENS * WIDTH_MAX];
    char path[CCALAB_PATH_MAX];
    struct safetensors *f = NULL;
    struct policy_config c = policy_config_default();
    c.state_dim = 8;
    if ((st = policy_config_set_plm(&c, dir, err)) ||
        (st = join(path, dir, "adapter_config.json", err)) ||
        (st = adapter_config_read(path, &c, err)) ||
        (st = join(path, dir, "io.safetensors", err)) || (st = safetensors_open(path, &f, err)))
        goto out;
    const int64_t width = c.backbone.embedding_size, shape[] = {WINDOWS, TOKENS, width};
    const struct safetensors_tensor *t =
        safetensors_expect(f, "embeddings", SAFETENSORS_F32, 3, shape, err);
    if (!t || t->len_bytes > sizeof io.embeddings) {
        st = STATUS_INPUT;
        goto out;
    }
    memcpy(io.embeddings, t->data, t->len_bytes);
    if ((st = join(path, dir, "adapter_model.safetensors", err)) ||
        (st = compute(&c, path, &io, io.hidden, err)))
        goto out;
    c.rank = 0;
    if ((st = compute(&c, NULL, &io, base, err)))
        goto out;
    c.which_layer = 1;
    if ((st = compute(&c, NULL, &io, stop, err)))
        goto out;
    const struct safetensors_tensor tensors[] = {
        {"hidden", SAFETENSORS_F32, 3, {WINDOWS, TOKENS, width}, io.hidden, t->len_bytes},
        {"base", SAFETENSORS_F32, 3, {WINDOWS, TOKENS, width}, base, t->len_bytes},
        {"stop", SAFETENSORS_F32, 3, {WINDOWS, TOKENS, width}, stop, t->len_bytes},
    };
    st = safetensors_write(out_path, tensors, 3, NULL, err);
out:
    safetensors_close(f);
    return st;
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    if (argc != 4 && argc != 5)
        return 2;
    enum status st = policy_engine_start(1, NULL, &err);
    if (!st)
        st = strcmp(argv[1], "read") == 0
                 ? read_folder(argv[2], argv[3], &err)
                 : write_folder(argv[2], argv[3], argc > 4 ? argv[4] : "", &err);
    if (st)
        error_print(stderr, &err);
    return status_exit_code(st);
}
