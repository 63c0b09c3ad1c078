/* What all backbones share: projections with LoRA, attention with and without a cache. */
#include "model/backbone.hpp"
#include "model/adapter.h"
#include "model/fused.hpp"
#include "model/project.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ccalab
{

/* --- pieces ----------------------------------------------------------------------------------- */

int64_t pass::past(int64_t row) const
{
    return cache ? cache->lengths[static_cast<size_t>(slots[static_cast<size_t>(row)])] : 0;
}

std::vector<int64_t> pass::pasts() const
{
    std::vector<int64_t> all;
    for (size_t row = 0; row < slots.size(); row++)
        all.push_back(past(static_cast<int64_t>(row)));
    return all;
}

int64_t pass::wanted(int64_t tokens) const
{
    return std::max<int64_t>(0, (tokens - first + step - 1) / step);
}

void device_table::set(const at::Tensor &table)
{
    copies_ = {table};
}

int64_t device_table::size() const
{
    return copies_.empty() ? 0 : copies_[0].size(0);
}

at::Tensor device_table::on(at::Device device)
{
    for (const at::Tensor &copy : copies_)
        if (copy.device() == device)
            return copy;
    /* Never an inference tensor: training uses it too. */
    c10::InferenceMode normal_tensors(false);
    return copies_.emplace_back(copies_[0].to(device));
}

at::Tensor projection::operator()(const at::Tensor &x, const pass &pass) const
{
    if (at::GradMode::is_enabled() && x.is_cpu())
        return project(*this, x, pass);
    at::Tensor w = is_input_first ? weight.t() : weight, y;
    if (w.scalar_type() == at::kFloat) {
        y = at::linear(x, w, bias);
    } else {
        y = at::linear(x.to(w.scalar_type()), w).to(at::kFloat);
        y = bias.defined() ? y + bias : y;
    }
    if (!a.defined() || pass.is_merged)
        return y;
    return y + at::linear(at::linear(drop(x, dropout, pass), a), b) * scale;
}

at::Tensor layer_norm::operator()(const at::Tensor &x, double eps) const
{
    return at::layer_norm(x, weight.sizes(), weight, bias, eps);
}

/* --- parameters ------------------------------------------------------------------------------- */

backbone_maker::backbone_maker(param_list &list, const policy_config &config,
                               const weight_source &source)
    : list_(list), config_(config), source_(source)
{
    list_.place = to_device(source_.plan.device[0]);
}

void backbone_maker::enter_layer(int index)
{
    list_.place = to_device(device_plan_of_layer(&source_.plan, index));
}

int backbone_maker::layers() const
{
    int layer = config_.which_layer;
    return layer < 0 ? config_.backbone.num_hidden_layers + layer + 1 : layer + 1;
}

void backbone_maker::add_lora(projection &p, const std::string &name, int64_t in, int64_t out)
{
    if (!adapter_is_target(&config_, name.c_str()) || config_.rank == 0)
        return;
    std::string base = "base_model.model." + name;
    /* PEFT: A by kaiming_uniform(a = sqrt(5)), which is 1 / sqrt(in); B zero. */
    p.a = list_.uniform(base + ".lora_A.weight", POLICY_LORA, {config_.rank, in}, config_.seed,
                        1 / std::sqrt(static_cast<double>(in)));
    p.b = list_.constant(base + ".lora_B.weight", POLICY_LORA, {out, config_.rank}, 0);
    p.scale = config_.lora_alpha / config_.rank;
    p.dropout = config_.lora_dropout;
}

at::Tensor backbone_maker::matrix(const std::string &name, at::IntArrayRef shape,
                                  policy_dtype dtype)
{
    std::string full = backbone_config_prefix(&config_.backbone) + name;
    if (source_.files)
        return list_.loaded(full, shape, dtype, source_.files, source_.err);
    return list_.normal(full, POLICY_BACKBONE, shape, config_.backbone_seed, 0.02, dtype);
}

at::Tensor backbone_maker::vector(const std::string &name, int64_t size, double value)
{
    std::string full = backbone_config_prefix(&config_.backbone) + name;
    if (source_.files)
        return list_.loaded(full, {size}, POLICY_FP32, source_.files, source_.err);
    return list_.constant(full, POLICY_BACKBONE, {size}, value);
}

at::Tensor backbone_maker::table(const std::string &name, int64_t rows, int64_t width)
{
    return matrix(name + ".weight", {rows, width}, POLICY_FP32);
}

projection backbone_maker::linear(const std::string &name, int64_t in, int64_t out, bool has_bias)
{
    projection p;
    p.weight = matrix(name + ".weight", {out, in}, config_.base_dtype);
    if (has_bias)
        p.bias = vector(name + ".bias", out, 0);
    add_lora(p, name, in, out);
    return p;
}

projection backbone_maker::conv1d(const std::string &name, int64_t in, int64_t out)
{
    projection p;
    p.weight = matrix(name + ".weight", {in, out}, config_.base_dtype);
    p.bias = vector(name + ".bias", out, 0);
    p.is_input_first = true;
    /* Kept like all others, and seen as its files have it. */
    p.weight.set_data(p.weight.t().contiguous().t());
    add_lora(p, name, in, out);
    return p;
}

at::Tensor backbone_maker::ones(const std::string &name, int64_t size)
{
    return vector(name + ".weight", size, 1);
}

layer_norm backbone_maker::norm(const std::string &name, int64_t size)
{
    return {ones(name, size), vector(name + ".bias", size, 0)};
}

/* --- the forward pass ------------------------------------------------------------------------- */

backbone::backbone(const policy_config &config, const weight_source &source)
    : config_(config.backbone), plan_(source.plan)
{
}

void backbone::reserve_positions(int64_t)
{
}

std::pair<at::Tensor, at::Tensor> backbone::rotary()
{
    return {};
}

void backbone::reserve_mask(int64_t tokens)
{
    if (mask_.size() >= tokens)
        return;
    at::Tensor mask = at::full({tokens, tokens}, 0.0, at::kFloat);
    float *m = mask.data_ptr<float>();
    /* transformers 4.34 lets a token see `sliding_window` tokens beside itself. */
    int64_t window = config_.sliding_window ? config_.sliding_window : tokens;
    for (int64_t i = 0; i < tokens; i++)
        for (int64_t j = 0; j < tokens; j++)
            if (j > i || i - j > window)
                m[i * tokens + j] = -std::numeric_limits<float>::infinity();
    mask_.set(mask);
}

void backbone::reserve(int64_t tokens)
{
    c10::InferenceMode normal_tensors(false);
    reserve_mask(tokens);
    reserve_positions(tokens);
}

/* A copy only where the device changes. */
at::Tensor backbone::to_layer(const at::Tensor &x, int index) const
{
    return x.to(to_device(device_plan_of_layer(&plan_, index)));
}

/* Nothing to learn, everything on the CPU, and no mask but the causal one. */
bool backbone::can_decode(const at::Tensor &x, int64_t longest) const
{
    bool is_cpu = true;
    for (int i = 0; i < plan_.count; i++)
        is_cpu &= plan_.device[i] == DEVICE_CPU;
    bool is_narrow = decoder_.layers[0].out->weight.scalar_type() != at::kFloat;
    return c10::InferenceMode::is_enabled() && is_cpu && x.scalar_type() == at::kFloat &&
           (!is_narrow || matmul_has_bf16()) &&
           !(config_.sliding_window && longest - 1 > config_.sliding_window);
}

at::Tensor backbone::forward(at::Tensor x, const pass &pass)
{
    int64_t rows = x.size(0), tokens = x.size(1), longest = tokens;
    for (int64_t i = 0; i < rows; i++)
        longest = std::max(longest, pass.past(i) + tokens);
    {
        c10::InferenceMode normal_tensors(false);
        reserve_positions(longest);
    }
    if (can_decode(x, longest)) {
        auto [cosines, sines] = rotary();
        x = decoder_.forward(config_, x, pass, cosines, sines);
    } else {
        reserve(longest);
        x = enter(x, pass);
        for (int i = 0; i < layers_count_; i++)
            x = layer(i, to_layer(x, i), pass);
        x = leave(to_layer(x, layers_count_), pass).slice(1, pass.first, tokens, pass.step);
    }
    if (pass.cache)
        for (int64_t slot : pass.slots)
            pass.cache->lengths[static_cast<size_t>(slot)] += tokens;
    return x;
}

at::Tensor backbone::at_positions(const at::Tensor &table, const at::Tensor &x, int64_t offset,
                                  const pass &pass) const
{
    int64_t rows = x.size(0), tokens = x.size(1);
    if (!pass.cache)
        return table.narrow(0, offset, tokens);
    std::vector<at::Tensor> parts;
    for (int64_t i = 0; i < rows; i++)
        parts.push_back(table.narrow(0, offset + pass.past(i), tokens));
    return at::stack(parts, 0);
}

at::Tensor backbone::split_heads(const at::Tensor &x, int64_t heads)
{
    return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

at::Tensor backbone::mix(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                         int64_t past, const pass &pass)
{
    int64_t rows = q.size(0), heads = q.size(1), tokens = q.size(2), dim = q.size(3);
    int64_t kv = k.size(1), group = heads / kv, seen = past + tokens;
    /* Heads of a group share their keys: stack them as rows instead of repeating the keys. */
    at::Tensor grouped = q.reshape({rows, kv, group * tokens, dim});
    at::Tensor scores =
        at::matmul(grouped, k.transpose(2, 3)) / std::sqrt(static_cast<double>(dim));
    scores = scores.view({rows, kv, group, tokens, seen}) +
             mask_.on(q.device()).narrow(0, past, tokens).narrow(1, 0, seen);
    at::Tensor weights = drop(at::softmax(scores, -1), config_.attention_dropout, pass)
                             .view({rows, kv, group * tokens, seen});
    at::Tensor mixed = at::matmul(weights, v).view({rows, heads, tokens, dim});
    return mixed.transpose(1, 2).reshape({rows, tokens, heads * dim});
}

/* The fused kernels know the causal mask only, and no dropout. */
bool backbone::can_fuse(const at::Tensor &x, const pass &pass) const
{
    int64_t longest = 0;
    for (int64_t i = 0; i < x.size(0); i++)
        longest = std::max(longest, pass.past(i) + x.size(2));
    return x.is_cpu() && x.scalar_type() == at::kFloat &&
           !(pass.dropout && config_.attention_dropout > 0) &&
           !(config_.sliding_window && longest - 1 > config_.sliding_window);
}

at::Tensor backbone::attend(int layer, const at::Tensor &q, const at::Tensor &k,
                            const at::Tensor &v, const pass &pass)
{
    int64_t rows = q.size(0), tokens = q.size(2), first = 0, past = pass.past(0);
    bool is_fused = can_fuse(q, pass);
    if (!pass.cache)
        return is_fused ? fused_attend(q, k, v) : mix(q, k, v, 0, pass);

    const kv_cache::layer &kept = pass.cache->layers[static_cast<size_t>(layer)];
    if (is_fused)
        return fused_attend_cached(q, k, v, kept.k, kept.v, pass.slots, pass.pasts());
    first = pass.slots[0];
    bool is_even = true; /* neighbouring slots of one length: one piece of the cache */
    for (int64_t i = 1; i < rows; i++)
        is_even &= pass.slots[static_cast<size_t>(i)] == first + i && pass.past(i) == past;
    int64_t piece = is_even ? rows : 1;
    std::vector<at::Tensor> mixed;
    for (int64_t i = 0; i < rows; i += piece) {
        int64_t slot = pass.slots[static_cast<size_t>(i)];
        past = pass.past(i);
        auto append = [&](const at::Tensor &cache, const at::Tensor &fresh) {
            at::Tensor seen = cache.narrow(0, slot, piece).narrow(2, 0, past + tokens);
            seen.narrow(2, past, tokens).copy_(fresh.narrow(0, i, piece));
            return seen;
        };
        at::Tensor keys = append(kept.k, k), values = append(kept.v, v);
        mixed.push_back(mix(q.narrow(0, i, piece), keys, values, past, pass));
    }
    return mixed.size() == 1 ? mixed[0] : at::cat(mixed, 0);
}

kv_cache backbone::make_cache(int64_t slots, int64_t capacity) const
{
    kv_cache cache;
    int64_t dim = config_.hidden_size / config_.num_attention_heads;
    for (int i = 0; i < layers_count_; i++) {
        at::Device place = to_device(device_plan_of_layer(&plan_, i));
        auto room = [&] {
            return at::empty({slots, config_.num_key_value_heads, capacity, dim},
                             at::TensorOptions(place).dtype(at::kFloat));
        };
        cache.layers.push_back({room(), room()});
    }
    cache.lengths.assign(static_cast<size_t>(slots), 0);
    return cache;
}

std::unique_ptr<backbone> make_backbone(param_list &list, const policy_config &config,
                                        const weight_source &source)
{
    switch (config.backbone.family) {
    case BACKBONE_GPT2:
        return make_gpt2(list, config, source);
    case BACKBONE_OPT:
        return make_opt(list, config, source);
    default:
        return make_llama(list, config, source);
    }
}

} // namespace ccalab
