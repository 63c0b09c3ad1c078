/* GPT-2 (Radford et al., 2019): learned positions, pre-norm layers with one projection for query,
 * key and value, an MLP of gelu; as transformers' GPT2Model computes it from inputs_embeds. */
#include "model/activation.hpp"
#include "model/backbone.hpp"

namespace ccalab
{

namespace
{

class gpt2 : public backbone
{
  public:
    gpt2(param_list &list, const policy_config &config, const weight_source &source);

  protected:
    at::Tensor enter(const at::Tensor &x, const pass &pass) override;
    at::Tensor layer(int index, const at::Tensor &x, const pass &pass) override;
    at::Tensor leave(const at::Tensor &x, const pass &pass) override;

  private:
    struct weights {
        layer_norm ln_1, ln_2;
        projection attn, attn_out, fc, fc_out;
    };

    at::Tensor positions_;
    std::vector<weights> layers_;
    layer_norm norm_;
};

gpt2::gpt2(param_list &list, const policy_config &config, const weight_source &source)
    : backbone(config, source)
{
    backbone_maker make(list, config, source);
    int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
    layers_count_ = make.layers();
    positions_ = make.table("wpe", config_.max_position_embeddings, hidden);
    for (int i = 0; i < layers_count_; i++) {
        make.enter_layer(i);
        std::string name = "h." + std::to_string(i) + ".";
        weights l;
        l.ln_1 = make.norm(name + "ln_1", hidden);
        l.attn = make.conv1d(name + "attn.c_attn", hidden, 3 * hidden);
        l.attn_out = make.conv1d(name + "attn.c_proj", hidden, hidden);
        l.ln_2 = make.norm(name + "ln_2", hidden);
        l.fc = make.conv1d(name + "mlp.c_fc", hidden, inner);
        l.fc_out = make.conv1d(name + "mlp.c_proj", inner, hidden);
        layers_.push_back(l);
    }
    make.enter_layer(layers_count_);
    norm_ = make.norm("ln_f", hidden);
    for (const weights &l : layers_)
        decoder_.layers.push_back({{l.ln_1.weight, l.ln_1.bias},
                                   {l.ln_2.weight, l.ln_2.bias},
                                   {&l.attn, 0},
                                   {&l.attn, hidden},
                                   {&l.attn, 2 * hidden},
                                   &l.attn_out,
                                   nullptr,
                                   &l.fc,
                                   &l.fc_out});
    decoder_.norm = {norm_.weight, norm_.bias};
    decoder_.positions = positions_;
}

at::Tensor gpt2::enter(const at::Tensor &x, const pass &pass)
{
    return drop(x + at_positions(positions_, x, 0, pass), config_.embedding_dropout, pass);
}

at::Tensor gpt2::layer(int index, const at::Tensor &x, const pass &pass)
{
    const weights &l = layers_[static_cast<size_t>(index)];
    int64_t hidden = config_.hidden_size, heads = config_.num_attention_heads;
    at::Tensor qkv = l.attn(l.ln_1(x, config_.norm_eps), pass);
    auto third = [&](int64_t i) { return split_heads(qkv.narrow(2, i * hidden, hidden), heads); };
    at::Tensor attended = attend(index, third(0), third(1), third(2), pass);
    at::Tensor h = x + drop(l.attn_out(attended, pass), config_.residual_dropout, pass);
    at::Tensor inner = activate(config_.activation, l.fc(l.ln_2(h, config_.norm_eps), pass));
    return h + drop(l.fc_out(inner, pass), config_.residual_dropout, pass);
}

at::Tensor gpt2::leave(const at::Tensor &x, const pass &)
{
    return norm_(x, config_.norm_eps);
}

} // namespace

std::unique_ptr<backbone> make_gpt2(param_list &list, const policy_config &config,
                                    const weight_source &source)
{
    return std::make_unique<gpt2>(list, config, source);
}

} // namespace ccalab
