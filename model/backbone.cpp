/* Llama: pre-norm decoder layers of rotary attention with grouped key/value heads and a SwiGLU,
 * as transformers' LlamaModel computes it from inputs_embeds in float32. */
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <limits>

#include "model/policy.hpp"

namespace ccalab
{

at::Tensor lora_linear::operator()(const at::Tensor &x, const pass &pass) const
{
    at::Tensor y = at::linear(x, weight);
    if (!a.defined())
        return y;
    at::Tensor dropped = x;
    if (pass.dropout && dropout > 0)
        dropped = x * at::empty_like(x).bernoulli_(1 - dropout, *pass.dropout).div_(1 - dropout);
    return y + at::linear(at::linear(dropped, a), b) * scale;
}

static lora_linear make_lora_linear(param_list &list, const std::string &name, int64_t in,
                                    int64_t out, const policy_config &config)
{
    lora_linear l;
    l.weight = list.normal("model." + name + ".weight", POLICY_BACKBONE, {out, in},
                           config.backbone_seed, 0.02);
    if (config.rank > 0) {
        std::string base = "base_model.model." + name;
        /* PEFT: A by kaiming_uniform(a = sqrt(5)), which is 1 / sqrt(in); B zero. */
        l.a = list.uniform(base + ".lora_A.weight", POLICY_LORA, {config.rank, in}, config.seed,
                           1 / std::sqrt(static_cast<double>(in)));
        l.b = list.constant(base + ".lora_B.weight", POLICY_LORA, {out, config.rank}, 0);
        l.scale = config.lora_alpha / config.rank;
        l.dropout = config.lora_dropout;
    }
    return l;
}

void llama::make(param_list &list, const policy_config &config)
{
    config_ = config.backbone;
    int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
    int64_t kv = hidden / config_.num_attention_heads * config_.num_key_value_heads;
    int count = config.which_layer < 0 ? config_.num_hidden_layers + config.which_layer + 1
                                       : config.which_layer + 1;
    auto weight = [&](const std::string &name, int64_t out, int64_t in) {
        return list.normal("model." + name + ".weight", POLICY_BACKBONE, {out, in},
                           config.backbone_seed, 0.02);
    };
    auto ones = [&](const std::string &name) {
        return list.constant("model." + name + ".weight", POLICY_BACKBONE, {hidden}, 1);
    };
    for (int i = 0; i < count; i++) {
        std::string name = "layers." + std::to_string(i) + ".";
        layer l;
        l.input_norm = ones(name + "input_layernorm");
        l.q = make_lora_linear(list, name + "self_attn.q_proj", hidden, hidden, config);
        l.k = weight(name + "self_attn.k_proj", kv, hidden);
        l.v = make_lora_linear(list, name + "self_attn.v_proj", hidden, kv, config);
        l.o = weight(name + "self_attn.o_proj", hidden, hidden);
        l.post_norm = ones(name + "post_attention_layernorm");
        l.gate = weight(name + "mlp.gate_proj", inner, hidden);
        l.up = weight(name + "mlp.up_proj", inner, hidden);
        l.down = weight(name + "mlp.down_proj", hidden, inner);
        layers_.push_back(l);
    }
    norm_ = ones("norm");
}

/* Rotation tables and the causal mask, once for the longest sequence so far. They must serve
 * training too, hence no inference tensors. */
void llama::reserve(int64_t tokens)
{
    if (mask_.defined() && mask_.size(0) >= tokens)
        return;
    c10::InferenceMode normal_tensors(false);
    int64_t half = config_.hidden_size / config_.num_attention_heads / 2;
    cos_ = at::empty({tokens, half}, at::kFloat);
    sin_ = at::empty({tokens, half}, at::kFloat);
    mask_ = at::full({tokens, tokens}, 0.0, at::kFloat);
    float *c = cos_.data_ptr<float>(), *s = sin_.data_ptr<float>(), *m = mask_.data_ptr<float>();
    for (int64_t j = 0; j < half; j++) {
        /* In float, as transformers does: at late positions the rounding of the angle shows. */
        float power = std::pow(static_cast<float>(config_.rope_theta),
                               static_cast<float>(2 * j) / static_cast<float>(2 * half));
        float frequency = 1.0f / power;
        for (int64_t pos = 0; pos < tokens; pos++) {
            float angle = static_cast<float>(pos) * frequency;
            c[pos * half + j] = std::cos(angle);
            s[pos * half + j] = std::sin(angle);
        }
    }
    for (int64_t i = 0; i < tokens; i++)
        for (int64_t j = i + 1; j < tokens; j++)
            m[i * tokens + j] = -std::numeric_limits<float>::infinity();
}

at::Tensor llama::rms_norm(const at::Tensor &x, const at::Tensor &weight) const
{
    at::Tensor scale = at::rsqrt((x * x).mean({-1}, true) + config_.rms_norm_eps);
    return x * scale * weight;
}

/* x: [windows, heads, tokens, head_dim]. Pairs are (j, j + head_dim / 2). */
at::Tensor llama::rotate(const at::Tensor &x) const
{
    int64_t tokens = x.size(2), half = x.size(3) / 2;
    at::Tensor c = cos_.narrow(0, 0, tokens), s = sin_.narrow(0, 0, tokens);
    at::Tensor x1 = x.narrow(3, 0, half), x2 = x.narrow(3, half, half);
    return at::cat({x1 * c - x2 * s, x2 * c + x1 * s}, 3);
}

at::Tensor llama::attention(const layer &l, const at::Tensor &x, const pass &pass) const
{
    int64_t windows = x.size(0), tokens = x.size(1), hidden = x.size(2);
    int64_t heads = config_.num_attention_heads, kv = config_.num_key_value_heads;
    int64_t group = heads / kv, dim = hidden / heads;
    auto split = [&](const at::Tensor &t, int64_t n) {
        return t.view({windows, tokens, n, dim}).transpose(1, 2);
    };
    at::Tensor q = rotate(split(l.q(x, pass), heads));
    at::Tensor k = rotate(split(at::linear(x, l.k), kv));
    at::Tensor v = split(l.v(x, pass), kv);

    /* Heads of a group share their keys: stack them as rows instead of repeating the keys. */
    q = q.reshape({windows, kv, group * tokens, dim});
    at::Tensor scores = at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(dim));
    scores = scores.view({windows, kv, group, tokens, tokens}) +
             mask_.narrow(0, 0, tokens).narrow(1, 0, tokens);
    at::Tensor weights = at::softmax(scores, -1).view({windows, kv, group * tokens, tokens});
    at::Tensor mixed = at::matmul(weights, v).view({windows, heads, tokens, dim});
    return at::linear(mixed.transpose(1, 2).reshape({windows, tokens, hidden}), l.o);
}

at::Tensor llama::forward(at::Tensor x, const pass &pass)
{
    reserve(x.size(1));
    for (const layer &l : layers_) {
        x = x + attention(l, rms_norm(x, l.input_norm), pass);
        at::Tensor n = rms_norm(x, l.post_norm);
        x = x + at::linear(at::silu(at::linear(n, l.gate)) * at::linear(n, l.up), l.down);
    }
    return rms_norm(x, norm_);
}

} // namespace ccalab
