/* The C side of the policy: arguments checked, exceptions turned into errors. */
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/api/include/torch/version.h>

#include <sched.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "model/adapter.h"
#include "model/border.hpp"
#include "model/memory.hpp"
#include "model/weights.h"

using ccalab::bad;
using ccalab::copy_out;
using ccalab::guarded;
using ccalab::view;

namespace
{

status check_config(const policy_config &c, error *err)
{
    const backbone_config &b = c.backbone;
    bool is_rotary = b.family == BACKBONE_LLAMA || b.family == BACKBONE_MISTRAL;
    if (b.hidden_size < 1 || b.intermediate_size < 1 || b.num_hidden_layers < 1 ||
        b.num_attention_heads < 1 || b.num_key_value_heads < 1 || b.max_position_embeddings < 1 ||
        b.embedding_size < 1)
        return bad(err, "a size of the backbone", "is not positive");
    if (b.hidden_size % b.num_attention_heads ||
        (is_rotary && b.hidden_size / b.num_attention_heads % 2) ||
        b.num_attention_heads % b.num_key_value_heads)
        return bad(err, "the backbone's heads", "do not divide its hidden size");
    if (c.features < 1 || c.features > POLICY_FEATURES_MAX)
        return bad(err, "features", "are not 1 ... 6");
    if (c.state_dim < 1 || c.state_dim > 65536)
        return bad(err, "state_dim", "is not in 1 ... 65536");
    if (c.timestep_rows < 1 || c.timestep_rows > 1 << 24)
        return bad(err, "timestep_rows", "is not in 1 ... 16777216");
    if (c.rank < 0 || c.rank > b.hidden_size)
        return bad(err, "rank", "is negative or larger than the hidden size");
    if (!(c.lora_alpha > 0) || !(c.lora_dropout >= 0) || !(c.lora_dropout < 1))
        return bad(err, "lora_alpha or lora_dropout", "is out of range");
    if (c.which_layer >= b.num_hidden_layers || c.which_layer < -b.num_hidden_layers)
        return bad(err, "which_layer", "is no layer of this backbone");
    if (c.bins.count < 0 || c.bins.count == 1 || c.bins.count > POLICY_BINS_MAX)
        return bad(err, "bins", "are not 2 ... 256 or none");
    for (int i = 1; i < c.bins.count; i++)
        if (!(c.bins.value[i] > c.bins.value[i - 1]))
            return bad(err, "the values of bins", "do not rise");
    return adapter_check_targets(&c, err);
}

} // namespace

status ccalab::check_batch(const policy &p, const policy_batch &b, error *err)
{
    const size_t limit = static_cast<size_t>(p.config.backbone.max_position_embeddings);
    if (!b.windows || !b.steps)
        return bad(err, "the batch", "is empty");
    if (b.steps > POLICY_STEPS_MAX)
        return bad(err, "the window", "has more than 4096 steps");
    if (b.steps > (limit + 1) / 3)
        return bad(err, "the window", "has more tokens (3 a step) than max_position_embeddings");
    for (size_t i = 0; i < b.windows * b.steps; i++)
        if (b.timesteps[i] < 0 || b.timesteps[i] >= p.config.timestep_rows)
            return bad(err, "a timestep", "is outside the timestep table");
    return STATUS_OK;
}

at::Tensor ccalab::outputs(policy &p, const policy_batch &b, const pass &pass, size_t first,
                           size_t count)
{
    int64_t windows = static_cast<int64_t>(count), steps = static_cast<int64_t>(b.steps);
    int64_t features = p.config.features;
    size_t at = first * b.steps;
    auto input = [&](const auto *values, at::IntArrayRef shape) {
        return view(values, shape).to(p.device());
    };
    at::Tensor tokens = p.modules.tokens(
        input(b.states + at * static_cast<size_t>(features), {windows, steps, features}),
        input(b.actions + at, {windows, steps}), input(b.returns + at, {windows, steps}),
        input(b.timesteps + at, {windows, steps}));
    return p.modules.outputs(p.backbone->forward(tokens, pass));
}

ccalab::pass ccalab::at_states(const policy &p)
{
    pass pass;
    pass.is_merged = p.is_merged;
    pass.first = 1;
    pass.step = 3;
    return pass;
}

extern "C" policy_config policy_config_default(void)
{
    policy_config c{};
    c.backbone = backbone_config_tiny();
    c.backbone_seed = c.seed = 100003;
    c.features = POLICY_STATE_FEATURES;
    c.state_dim = 256;
    c.timestep_rows = 20;
    c.rank = 8;
    c.lora_alpha = 32;
    c.lora_dropout = 0.05;
    c.which_layer = -1;
    return c;
}

extern "C" status policy_config_set_plm(policy_config *config, const char *dir, error *err)
{
    char path[POLICY_PATH_MAX];
    if (static_cast<size_t>(std::snprintf(path, sizeof path, "%s/config.json", dir)) >= sizeof path)
        return error_set(err, STATUS_INPUT, "policy", "path too long: %.100s...", dir);
    status st = backbone_config_read(path, &config->backbone, err);
    if (!st)
        std::snprintf(config->plm_path, sizeof config->plm_path, "%s", dir);
    return st;
}

extern "C" uint64_t policy_config_bytes(const policy_config *c)
{
    device_sizes sizes = ccalab::sizes_of(*c);
    return static_cast<uint64_t>(sizes.layers * sizes.layer_bytes + sizes.other_bytes);
}

extern "C" status policy_new(const policy_config *config, policy **out, error *err)
{
    *out = nullptr;
    return guarded(err, [&] {
        status st = check_config(*config, err);
        if (st)
            return st;
        device_plan plan;
        if ((st = ccalab::plan_devices(*config, &plan, err)))
            return st;
        weights *opened = nullptr;
        if (config->plm_path[0] && (st = weights_open(config->plm_path, &opened, err)))
            return st;
        std::unique_ptr<weights, void (*)(weights *)> files(opened, weights_close);
        auto p = std::make_unique<policy>();
        p->config = *config;
        p->plan = plan;
        p->backbone = ccalab::make_backbone(p->list, *config, {files.get(), err, plan});
        p->list.place = p->device();
        p->modules.make(p->list, *config);
        *out = p.release();
        ccalab::memory_trim();
        return STATUS_OK;
    });
}

extern "C" void policy_free(policy *p)
{
    delete p;
}

extern "C" const device_plan *policy_get_devices(const policy *p)
{
    return &p->plan;
}

extern "C" const policy_config *policy_get_config(const policy *p)
{
    return &p->config;
}

extern "C" status policy_forward(policy *p, const policy_batch *batch, float *predictions,
                                 error *err)
{
    return guarded(err, [&] {
        status st = ccalab::check_batch(*p, *batch, err);
        if (st)
            return st;
        c10::InferenceMode no_gradients;
        at::Tensor out = ccalab::outputs(*p, *batch, ccalab::at_states(*p), 0, batch->windows);
        copy_out(p->modules.decide(out), predictions);
        return STATUS_OK;
    });
}

extern "C" status policy_decide(policy *p, const policy_batch *batch, float *decisions, error *err)
{
    return guarded(err, [&] {
        status st = ccalab::check_batch(*p, *batch, err);
        if (st)
            return st;
        c10::InferenceMode no_gradients;
        ccalab::pass pass = ccalab::at_states(*p);
        pass.first = 3 * static_cast<int64_t>(batch->steps) - 2;
        at::Tensor out = ccalab::outputs(*p, *batch, pass, 0, batch->windows);
        copy_out(p->modules.decide(out), decisions);
        return STATUS_OK;
    });
}

extern "C" status policy_step(policy *p, const policy_step_opts *opts, double *grad_norm,
                              error *err)
{
    return guarded(err, [&] {
        double norm = ccalab::grad_norm(p->list.params);
        if (grad_norm)
            *grad_norm = norm;
        if (std::isfinite(norm))
            ccalab::adamw_step(p->list.params, *opts, norm, ++p->steps_taken);
        ccalab::zero_grad(p->list.params);
        return std::isfinite(norm)
                   ? STATUS_OK
                   : error_set(err, STATUS_FAIL, "policy", "the gradient is not finite");
    });
}

extern "C" status policy_backbone_forward(policy *p, const float *embeddings, size_t windows,
                                          size_t tokens, float *hidden, error *err)
{
    return guarded(err, [&] {
        const struct backbone_config &b = p->config.backbone;
        if (!windows || !tokens || tokens > 3 * POLICY_STEPS_MAX ||
            tokens > static_cast<size_t>(b.max_position_embeddings))
            return bad(err, "tokens", "is 0 or more than max_position_embeddings");
        c10::InferenceMode no_gradients;
        at::Tensor x = view(embeddings, {static_cast<int64_t>(windows),
                                         static_cast<int64_t>(tokens), b.embedding_size});
        ccalab::pass pass;
        pass.is_merged = p->is_merged;
        copy_out(p->backbone->forward(x.to(p->device()), pass), hidden);
        return STATUS_OK;
    });
}

/* --- parameters ------------------------------------------------------------------------------- */

extern "C" size_t policy_param_count(const policy *p)
{
    return p->list.params.size();
}

extern "C" void policy_param_info(const policy *p, size_t index, policy_param *info)
{
    const ccalab::param &param = p->list.params[index];
    *info = {};
    info->name = param.name.c_str();
    info->part = param.part;
    info->is_trained = param.part != POLICY_BACKBONE;
    info->rank = static_cast<int>(param.value.dim());
    for (int i = 0; i < info->rank; i++)
        info->shape[i] = param.value.size(i);
    info->numel = static_cast<size_t>(param.value.numel());
}

extern "C" size_t policy_param_find(const policy *p, const char *name)
{
    for (size_t i = 0; i < p->list.params.size(); i++)
        if (p->list.params[i].name == name)
            return i;
    return SIZE_MAX;
}

extern "C" status policy_param_read(const policy *p, size_t index, float *values, error *err)
{
    return guarded(err, [&] {
        copy_out(p->list.params[index].value.detach().to(at::kFloat), values);
        return STATUS_OK;
    });
}

extern "C" status policy_param_write(policy *p, size_t index, const float *values, error *err)
{
    return guarded(err, [&] {
        at::Tensor t = p->list.params[index].value;
        at::NoGradGuard no_grad;
        t.copy_(view(values, t.sizes()));
        return STATUS_OK;
    });
}

extern "C" status policy_grad_read(const policy *p, size_t index, float *values, error *err)
{
    return guarded(err, [&] {
        const at::Tensor &t = p->list.params[index].value;
        copy_out(t.grad().defined() ? t.grad() : at::zeros_like(t).detach(), values);
        return STATUS_OK;
    });
}

/* --- the engine ------------------------------------------------------------------------------- */

static int count_cores()
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

extern "C" status policy_engine_start(int threads, const struct backbone_config *shape, error *err)
{
    return guarded(err, [&] {
        if (threads <= 0 && shape && shape->hidden_size < 256)
            threads = 1;
        if (threads <= 0)
            threads = count_cores();
        at::set_num_threads(threads);
        ccalab::memory_start();
        return STATUS_OK;
    });
}

extern "C" status policy_engine_info(policy_engine *out, error *err)
{
    return guarded(err, [&] {
        *out = {};
        std::snprintf(out->torch_version, sizeof out->torch_version, "%s", TORCH_VERSION);
        out->threads = at::get_num_threads();
        out->cores = count_cores();
        out->cuda_devices = static_cast<int>(at::getNumGPUs());
        return STATUS_OK;
    });
}
