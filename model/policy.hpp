/* The inside of the policy: what the C++ files of this room share. C code sees model/netllm.h. */
#ifndef CCALAB_MODEL_POLICY_HPP
#define CCALAB_MODEL_POLICY_HPP

#include <memory>

#include "model/backbone.hpp"
#include "model/netllm.h"
#include "model/worker_pool.hpp"

namespace ccalab
{

struct linear {
    at::Tensor weight, bias;

    void make(param_list &list, const std::string &name, int64_t in, int64_t out, uint64_t seed);
    at::Tensor operator()(const at::Tensor &x) const;
};

/* Encoder, embeddings and head: everything around the backbone. */
struct modules {
    std::vector<linear> feature_fcs; /* rtt_fc, cwnd_fc, ...: one for each feature of a state */
    linear fc_final;
    at::Tensor timestep; /* [rows, hidden] */
    linear embed_return, embed_action;
    at::Tensor ln_weight, ln_bias;
    linear embed_state, head;
    at::Tensor values; /* of the bins; undefined: the head answers itself */
    bool is_mode = false;

    void make(param_list &list, const policy_config &config);
    /* The token sequence (R0 S0 A0 R1 S1 A1 ...) without the last A: [windows, 3 steps - 1,
     * width]. */
    at::Tensor tokens(const at::Tensor &states, const at::Tensor &actions,
                      const at::Tensor &returns, const at::Tensor &timesteps) const;
    /* The A token alone: actions and timesteps [windows] to [windows, 1, width]. */
    at::Tensor action_token(const at::Tensor &actions, const at::Tensor &timesteps) const;
    /* What the head says, [windows, steps, outputs], from the hidden states at the state tokens;
     * from it the scaled actions, [windows, steps]; and both. */
    at::Tensor outputs(const at::Tensor &hidden) const;
    at::Tensor decide(const at::Tensor &outputs) const;
    at::Tensor predict(const at::Tensor &hidden) const;

  private:
    at::Tensor dense_tokens(const at::Tensor &states, const at::Tensor &actions,
                            const at::Tensor &returns, const at::Tensor &timesteps) const;
};

/* Norm of all gradients together. */
double grad_norm(const std::vector<param> &params);
void adamw_step(std::vector<param> &params, const policy_step_opts &opts, double norm,
                int64_t step);
void zero_grad(std::vector<param> &params);

} // namespace ccalab

struct policy {
    policy_config config;
    device_plan plan;
    ccalab::param_list list;
    std::unique_ptr<ccalab::backbone> backbone;
    ccalab::modules modules;
    int64_t windows_seen = 0; /* in training: what dropout counts by */
    int64_t steps_taken = 0;
    size_t pass_windows = SIZE_MAX;               /* see policy_set_passes() */
    std::unique_ptr<ccalab::worker_pool> workers; /* nullptr: the caller's thread alone */
    bool is_merged = false;                       /* see policy_merge() */

    /* Of everything around the backbone. */
    at::Device device() const
    {
        return ccalab::to_device(plan.device[0]);
    }
};

namespace ccalab
{

/* What a policy takes. */
device_sizes sizes_of(const policy_config &c);
/* Which device holds what, where all are there, have the room and compute in base_dtype. */
status plan_devices(const policy_config &c, device_plan *out, error *err);
#ifdef CCALAB_HAVE_CUDA
/* Bytes that CUDA could give on its device n; -1: this libtorch does not tell. */
double cuda_free_bytes(int n);
#endif

/* The head's outputs at the wanted tokens of the windows from `first` on, `count` of them. */
at::Tensor outputs(policy &p, const policy_batch &b, const pass &pass, size_t first, size_t count);
/* A pass that wants the states at which predictions are made, every third token. */
pass at_states(const policy &p);

/* Are the sizes and timesteps of a batch what the policy can take? */
status check_batch(const policy &p, const policy_batch &b, error *err);

} // namespace ccalab

#endif
