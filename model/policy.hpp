/* The inside of the policy: what the C++ files of this room share. C code sees model/netllm.h. */
#ifndef CCALAB_MODEL_POLICY_HPP
#define CCALAB_MODEL_POLICY_HPP

#include <ATen/TensorOperators.h>
#include <ATen/core/Generator.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/netllm.h"

namespace ccalab
{

struct param {
    std::string name;
    policy_part part;
    at::Tensor value;
    at::Tensor m, v; /* moments of AdamW, made at the first step */
};

/* Makes parameters, draws their first values and keeps the list of them. */
class param_list
{
  public:
    std::vector<param> params;

    /* Uniform in [-bound, bound). */
    at::Tensor uniform(const std::string &name, policy_part part, at::IntArrayRef shape,
                       uint64_t seed, double bound);
    at::Tensor normal(const std::string &name, policy_part part, at::IntArrayRef shape,
                      uint64_t seed, double sd);
    at::Tensor constant(const std::string &name, policy_part part, at::IntArrayRef shape,
                        double value);

  private:
    at::Tensor add(const std::string &name, policy_part part, at::Tensor value);
};

struct linear {
    at::Tensor weight, bias;

    void make(param_list &list, const std::string &name, int64_t in, int64_t out, uint64_t seed);
    at::Tensor operator()(const at::Tensor &x) const;
};

/* What a forward pass needs to know beside its input. */
struct pass {
    at::Generator *dropout = nullptr; /* nullptr: evaluation */
};

/* W x, and where LoRA is on + alpha / rank * B (A dropout(x)). */
struct lora_linear {
    at::Tensor weight, a, b;
    double scale = 0, dropout = 0;

    at::Tensor operator()(const at::Tensor &x, const pass &pass) const;
};

/* Llama without token embedding and LM head: embeddings in, hidden states out. */
class llama
{
  public:
    void make(param_list &list, const policy_config &config);
    /* x: [windows, tokens, hidden]; the same shape out, after the final norm. */
    at::Tensor forward(at::Tensor x, const pass &pass);

  private:
    struct layer {
        at::Tensor input_norm, post_norm;
        lora_linear q, v;
        at::Tensor k, o, gate, up, down;
    };

    backbone_config config_{};
    std::vector<layer> layers_;
    at::Tensor norm_;
    at::Tensor cos_, sin_, mask_; /* for as many tokens as were asked for so far */

    void reserve(int64_t tokens);
    at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight) const;
    at::Tensor rotate(const at::Tensor &x) const;
    at::Tensor attention(const layer &l, const at::Tensor &x, const pass &pass) const;
};

/* Encoder, embeddings and head: everything around the backbone. */
struct modules {
    linear rtt_fc, cwnd_fc, throughput_fc, fc_final;
    at::Tensor timestep; /* [rows, hidden] */
    linear embed_return, embed_action;
    at::Tensor ln_weight, ln_bias;
    linear embed_state, head;

    void make(param_list &list, const policy_config &config);
    /* The token sequence (R0 S0 A0 R1 S1 A1 ...) without the last A: [windows, 3 steps - 1,
     * hidden]. */
    at::Tensor tokens(const at::Tensor &states, const at::Tensor &actions,
                      const at::Tensor &returns, const at::Tensor &timesteps) const;
    /* Predictions [windows, steps] from the hidden states at the state tokens. */
    at::Tensor predict(const at::Tensor &hidden) const;
};

/* Norm of all gradients together. */
double grad_norm(const std::vector<param> &params);
void adamw_step(std::vector<param> &params, const policy_step_opts &opts, double norm,
                int64_t step);
void zero_grad(std::vector<param> &params);

} // namespace ccalab

struct policy {
    policy_config config;
    ccalab::param_list list;
    ccalab::llama backbone;
    ccalab::modules modules;
    at::Generator dropout;
    int64_t steps_taken = 0;
};

#endif
