/* OPT (Zhang et al., 2022): learned positions from row 2 on, biased projections, an MLP of relu; as
 * transformers' OPTModel computes it from inputs_embeds. The 350m differs from all others: its
 * norms follow the residual sums instead of preceding the layers, there is no norm at the end, and
 * embeddings are narrower than the layers, with a projection in and one out. */
#include "model/activation.hpp"
#include "model/backbone.hpp"

namespace ccalab
{

namespace
{

const int64_t POSITION_OFFSET = 2; /* rows kept for padding in the model OPT came from */

class opt : public backbone
{
  public:
    opt(param_list &list, const policy_config &config, const weight_source &source);

  protected:
    at::Tensor enter(const at::Tensor &x, const pass &pass) override;
    at::Tensor layer(int index, const at::Tensor &x, const pass &pass) override;
    at::Tensor leave(const at::Tensor &x, const pass &pass) override;

  private:
    struct weights {
        layer_norm attn_norm, final_norm;
        projection q, k, v, out, fc1, fc2;
    };

    bool is_projected_, is_post_norm_;
    projection project_in_, project_out_;
    at::Tensor positions_;
    std::vector<weights> layers_;
    layer_norm norm_;
};

opt::opt(param_list &list, const policy_config &config, const weight_source &source)
    : backbone(config, source)
{
    backbone_maker make(list, config, source);
    int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
    int64_t width = config_.embedding_size;
    layers_count_ = make.layers();
    is_projected_ = width != hidden;
    is_post_norm_ = config_.is_post_norm;
    positions_ = make.table("decoder.embed_positions",
                            config_.max_position_embeddings + POSITION_OFFSET, hidden);
    if (is_projected_) {
        project_in_ = make.linear("decoder.project_in", width, hidden, false);
        make.enter_layer(layers_count_);
        project_out_ = make.linear("decoder.project_out", hidden, width, false);
    }
    for (int i = 0; i < layers_count_; i++) {
        make.enter_layer(i);
        std::string name = "decoder.layers." + std::to_string(i) + ".";
        weights l;
        l.q = make.linear(name + "self_attn.q_proj", hidden, hidden, true);
        l.k = make.linear(name + "self_attn.k_proj", hidden, hidden, true);
        l.v = make.linear(name + "self_attn.v_proj", hidden, hidden, true);
        l.out = make.linear(name + "self_attn.out_proj", hidden, hidden, true);
        l.attn_norm = make.norm(name + "self_attn_layer_norm", hidden);
        l.fc1 = make.linear(name + "fc1", hidden, inner, true);
        l.fc2 = make.linear(name + "fc2", inner, hidden, true);
        l.final_norm = make.norm(name + "final_layer_norm", hidden);
        layers_.push_back(l);
    }
    make.enter_layer(layers_count_);
    if (!is_post_norm_)
        norm_ = make.norm("decoder.final_layer_norm", hidden);
    for (const weights &l : layers_)
        decoder_.layers.push_back({{l.attn_norm.weight, l.attn_norm.bias},
                                   {l.final_norm.weight, l.final_norm.bias},
                                   {&l.q, 0},
                                   {&l.k, 0},
                                   {&l.v, 0},
                                   &l.out,
                                   nullptr,
                                   &l.fc1,
                                   &l.fc2});
    decoder_.norm = {norm_.weight, norm_.bias};
    decoder_.positions = positions_;
    decoder_.position_offset = POSITION_OFFSET;
    if (is_projected_) {
        decoder_.project_in = &project_in_;
        decoder_.project_out = &project_out_;
    }
}

at::Tensor opt::enter(const at::Tensor &x, const pass &pass)
{
    at::Tensor wide = is_projected_ ? project_in_(x, pass) : x;
    return wide + at_positions(positions_, x, POSITION_OFFSET, pass);
}

at::Tensor opt::layer(int index, const at::Tensor &x, const pass &pass)
{
    const weights &l = layers_[static_cast<size_t>(index)];
    int64_t heads = config_.num_attention_heads;
    double eps = config_.norm_eps;
    at::Tensor n = is_post_norm_ ? x : l.attn_norm(x, eps);
    at::Tensor attended =
        attend(index, split_heads(l.q(n, pass), heads), split_heads(l.k(n, pass), heads),
               split_heads(l.v(n, pass), heads), pass);
    at::Tensor h = x + drop(l.out(attended, pass), config_.residual_dropout, pass);
    if (is_post_norm_)
        h = l.attn_norm(h, eps);
    n = is_post_norm_ ? h : l.final_norm(h, eps);
    at::Tensor inner = activate(config_.activation, l.fc1(n, pass));
    at::Tensor y = h + drop(l.fc2(inner, pass), config_.residual_dropout, pass);
    return is_post_norm_ ? l.final_norm(y, eps) : y;
}

at::Tensor opt::leave(const at::Tensor &x, const pass &pass)
{
    at::Tensor y = is_post_norm_ ? x : norm_(x, config_.norm_eps);
    return is_projected_ ? project_out_(y, pass) : y;
}

} // namespace

std::unique_ptr<backbone> make_opt(param_list &list, const policy_config &config,
                                   const weight_source &source)
{
    return std::make_unique<opt>(list, config, source);
}

} // namespace ccalab
