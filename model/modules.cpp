#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>

#include <cmath>

#include "model/policy.hpp"

namespace ccalab
{

/* torch.nn.Linear's default: weight and bias uniform within 1 / sqrt(fan_in). */
void linear::make(param_list &list, const std::string &name, int64_t in, int64_t out, uint64_t seed)
{
    double bound = 1 / std::sqrt(static_cast<double>(in));
    weight = list.uniform(name + ".weight", POLICY_MODULES, {out, in}, seed, bound);
    bias = list.uniform(name + ".bias", POLICY_MODULES, {out}, seed, bound);
}

at::Tensor linear::operator()(const at::Tensor &x) const
{
    return at::linear(x, weight, bias);
}

void modules::make(param_list &list, const policy_config &config)
{
    int64_t hidden = config.backbone.embedding_size, width = config.state_dim;
    uint64_t seed = config.seed;
    rtt_fc.make(list, "0.rtt_fc", 1, width, seed);
    cwnd_fc.make(list, "0.cwnd_fc", 1, width, seed);
    throughput_fc.make(list, "0.throughput_fc", 1, width, seed);
    fc_final.make(list, "0.fc_final", 3 * width, width, seed);
    timestep = list.normal("1.weight", POLICY_MODULES, {config.timestep_rows, hidden}, seed, 1);
    embed_return.make(list, "2", 1, hidden, seed);
    embed_action.make(list, "3", 1, hidden, seed);
    ln_weight = list.constant("4.weight", POLICY_MODULES, {hidden}, 1);
    ln_bias = list.constant("4.bias", POLICY_MODULES, {hidden}, 0);
    embed_state.make(list, "5", width, hidden, seed);
    head.make(list, "6", hidden, 1, seed);
}

at::Tensor modules::tokens(const at::Tensor &states, const at::Tensor &actions,
                           const at::Tensor &returns, const at::Tensor &timesteps) const
{
    int64_t windows = states.size(0), steps = states.size(1), hidden = ln_weight.size(0);
    at::Tensor features = at::cat({rtt_fc(states.narrow(2, 0, 1)), cwnd_fc(states.narrow(2, 1, 1)),
                                   throughput_fc(states.narrow(2, 2, 1))},
                                  2);
    at::Tensor encoded = at::relu(fc_final(at::relu(features)));
    at::Tensor time = at::embedding(timestep, timesteps);
    at::Tensor r = embed_return(returns.unsqueeze(2)) + time;
    at::Tensor s = embed_state(encoded) + time;
    at::Tensor a = embed_action(actions.unsqueeze(2)) + time;
    /* The last A follows every state token, so that no prediction can see it: leave it out. */
    at::Tensor sequence =
        at::stack({r, s, a}, 2).view({windows, 3 * steps, hidden}).narrow(1, 0, 3 * steps - 1);
    return at::layer_norm(sequence, {hidden}, ln_weight, ln_bias, 1e-5);
}

at::Tensor modules::action_token(const at::Tensor &actions, const at::Tensor &timesteps) const
{
    int64_t hidden = ln_weight.size(0);
    at::Tensor a =
        embed_action(actions.view({-1, 1, 1})) + at::embedding(timestep, timesteps.view({-1, 1}));
    return at::layer_norm(a, {hidden}, ln_weight, ln_bias, 1e-5);
}

at::Tensor modules::predict(const at::Tensor &hidden) const
{
    return head(hidden.to(head.weight.device())).squeeze(2);
}

} // namespace ccalab
