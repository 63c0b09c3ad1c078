/* Llama and Mistral: pre-norm decoder layers of rotary attention with grouped key/value heads and a
 * SwiGLU, as transformers' LlamaModel and MistralModel compute them from inputs_embeds. Mistral
 * looks back over a sliding window only (Jiang et al., 2023), which the mask knows. */
#include <ATen/ops/empty.h>

#include <cmath>

#include "model/backbone.hpp"
#include "model/fused.hpp"

namespace ccalab
{

namespace
{

class llama : public backbone
{
  public:
    llama(param_list &list, const policy_config &config, const weight_source &source);

  protected:
    void reserve_positions(int64_t tokens) override;
    std::pair<at::Tensor, at::Tensor> rotary() override;
    at::Tensor enter(const at::Tensor &x, const pass &pass) override;
    at::Tensor layer(int index, const at::Tensor &x, const pass &pass) override;
    at::Tensor leave(const at::Tensor &x, const pass &pass) override;

  private:
    struct weights {
        at::Tensor input_norm, post_norm;
        projection q, k, v, o, gate, up, down;
    };

    std::vector<weights> layers_;
    at::Tensor norm_;
    device_table cos_, sin_;      /* [tokens, head_dim / 2] */
    std::vector<int64_t> starts_; /* positions at which the rows of the pass begin */

    at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight) const;
    at::Tensor rotate(const at::Tensor &x);
};

llama::llama(param_list &list, const policy_config &config, const weight_source &source)
    : backbone(config, source)
{
    backbone_maker make(list, config, source);
    int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
    int64_t kv = hidden / config_.num_attention_heads * config_.num_key_value_heads;
    layers_count_ = make.layers();
    for (int i = 0; i < layers_count_; i++) {
        make.enter_layer(i);
        std::string name = "layers." + std::to_string(i) + ".";
        weights l;
        l.input_norm = make.ones(name + "input_layernorm", hidden);
        l.q = make.linear(name + "self_attn.q_proj", hidden, hidden, false);
        l.k = make.linear(name + "self_attn.k_proj", hidden, kv, false);
        l.v = make.linear(name + "self_attn.v_proj", hidden, kv, false);
        l.o = make.linear(name + "self_attn.o_proj", hidden, hidden, false);
        l.post_norm = make.ones(name + "post_attention_layernorm", hidden);
        l.gate = make.linear(name + "mlp.gate_proj", hidden, inner, false);
        l.up = make.linear(name + "mlp.up_proj", hidden, inner, false);
        l.down = make.linear(name + "mlp.down_proj", inner, hidden, false);
        layers_.push_back(l);
    }
    make.enter_layer(layers_count_);
    norm_ = make.ones("norm", hidden);
    for (const weights &l : layers_)
        decoder_.layers.push_back({{l.input_norm, {}},
                                   {l.post_norm, {}},
                                   {&l.q, 0},
                                   {&l.k, 0},
                                   {&l.v, 0},
                                   &l.o,
                                   &l.gate,
                                   &l.up,
                                   &l.down});
    decoder_.norm = {norm_, {}};
}

std::pair<at::Tensor, at::Tensor> llama::rotary()
{
    return {cos_.on(at::kCPU), sin_.on(at::kCPU)};
}

void llama::reserve_positions(int64_t tokens)
{
    if (cos_.size() >= tokens)
        return;
    int64_t half = config_.hidden_size / config_.num_attention_heads / 2;
    at::Tensor cosines = at::empty({tokens, half}, at::kFloat);
    at::Tensor sines = at::empty({tokens, half}, at::kFloat);
    float *c = cosines.data_ptr<float>(), *s = sines.data_ptr<float>();
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
    cos_.set(cosines);
    sin_.set(sines);
}

at::Tensor llama::rms_norm(const at::Tensor &x, const at::Tensor &weight) const
{
    return fused_rms_norm(x, weight, config_.norm_eps);
}

/* x: [rows, heads, tokens, head_dim]. Pairs are (j, j + head_dim / 2). */
at::Tensor llama::rotate(const at::Tensor &x)
{
    return fused_rotate(x, cos_.on(x.device()), sin_.on(x.device()), starts_);
}

at::Tensor llama::enter(const at::Tensor &x, const pass &pass)
{
    if (pass.cache || !starts_.empty()) /* passes side by side only read it */
        starts_ = pass.pasts();
    return x;
}

at::Tensor llama::layer(int index, const at::Tensor &x, const pass &pass)
{
    const weights &l = layers_[static_cast<size_t>(index)];
    int64_t heads = config_.num_attention_heads, kv = config_.num_key_value_heads;
    at::Tensor n = rms_norm(x, l.input_norm);
    at::Tensor q = rotate(split_heads(l.q(n, pass), heads));
    at::Tensor k = rotate(split_heads(l.k(n, pass), kv));
    at::Tensor v = split_heads(l.v(n, pass), kv);
    at::Tensor h = x + l.o(attend(index, q, k, v, pass), pass);
    n = rms_norm(h, l.post_norm);
    return h + l.down(fused_swiglu(l.gate(n, pass), l.up(n, pass)), pass);
}

at::Tensor llama::leave(const at::Tensor &x, const pass &)
{
    return rms_norm(x, norm_);
}

} // namespace

std::unique_ptr<backbone> make_llama(param_list &list, const policy_config &config,
                                     const weight_source &source)
{
    return std::make_unique<llama>(list, config, source);
}

} // namespace ccalab
