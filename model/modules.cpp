#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "model/kernels.h"
#include "model/matmul.hpp"
#include "model/policy.hpp"
#include "model/team.hpp"

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

static const char *const feature_names[POLICY_FEATURES_MAX] = {
    "0.rtt_fc", "0.cwnd_fc", "0.throughput_fc", "0.min_rtt_fc", "0.ce_fc", "0.lost_fc"};

void modules::make(param_list &list, const policy_config &config)
{
    int64_t hidden = config.backbone.embedding_size, width = config.state_dim;
    uint64_t seed = config.seed;
    feature_fcs.resize(static_cast<size_t>(config.features));
    for (size_t k = 0; k < feature_fcs.size(); k++)
        feature_fcs[k].make(list, feature_names[k], 1, width, seed);
    fc_final.make(list, "0.fc_final", config.features * width, width, seed);
    timestep = list.normal("1.weight", POLICY_MODULES, {config.timestep_rows, hidden}, seed, 1);
    embed_return.make(list, "2", 1, hidden, seed);
    embed_action.make(list, "3", 1, hidden, seed);
    ln_weight = list.constant("4.weight", POLICY_MODULES, {hidden}, 1);
    ln_bias = list.constant("4.bias", POLICY_MODULES, {hidden}, 0);
    embed_state.make(list, "5", width, hidden, seed);
    head.make(list, "6", hidden, std::max(1, config.bins.count), seed);
    if (config.bins.count)
        values = at::empty({config.bins.count}, at::kFloat);
    for (int i = 0; i < config.bins.count; i++)
        values.data_ptr<float>()[i] = config.bins.value[i];
    if (values.defined())
        values = values.to(head.weight.device());
    is_mode = config.bins.is_mode;
}

namespace
{

/* y = x W^T + bias, x: [count, in]. */
void dense(const linear &l, const float *x, float *y, int64_t count)
{
    int64_t out = l.weight.size(0), in = l.weight.size(1);
    const matmul_weights w = {l.weight.data_ptr<float>(), false, out, in};
    int64_t grain = std::max<int64_t>(4, (1 << 17) / (count * in));
    team_run((out + 3) / 4, grain / 4, [&](int64_t begin, int64_t end, int) {
        matmul({x, count}, w, 4 * begin, std::min(4 * end, out),
               {y, out, l.bias.data_ptr<float>(), 1, false});
    });
}

/* Nothing to learn, and everything in the memory of the CPU. */
bool is_dense(const at::Tensor &x)
{
    return c10::InferenceMode::is_enabled() && x.is_cpu();
}

} // namespace

/* tokens() where is_dense(): the same, without libtorch's operations and their threads. */
at::Tensor modules::dense_tokens(const at::Tensor &states, const at::Tensor &actions,
                                 const at::Tensor &returns, const at::Tensor &timesteps) const
{
    int64_t windows = states.size(0), steps = states.size(1), count = windows * steps;
    int64_t hidden = ln_weight.size(0), width = fc_final.weight.size(0);
    at::Tensor dense_states = states.contiguous(), times = timesteps.contiguous();
    at::Tensor dense_actions = actions.contiguous(), dense_returns = returns.contiguous();
    at::Tensor out = at::empty({windows, 3 * steps - 1, hidden}, states.options());
    int64_t per_state = states.size(2);
    std::vector<float> features(static_cast<size_t>(count * per_state * width));
    std::vector<float> encoded(static_cast<size_t>(count * width));
    std::vector<float> embedded(static_cast<size_t>(count * hidden));
    const float *x = dense_states.data_ptr<float>();
    float *f = features.data();
    for (int64_t i = 0; i < count; i++)
        for (const linear &fc : feature_fcs) {
            const float *w = fc.weight.data_ptr<float>(), *bias = fc.bias.data_ptr<float>();
            for (int64_t j = 0; j < width; j++)
                *f++ = std::max(0.0f, w[j] * *x + bias[j]);
            x++;
        }
    dense(fc_final, features.data(), encoded.data(), count);
    kernel_relu(encoded.data(), encoded.size());
    dense(embed_state, encoded.data(), embedded.data(), count);

    std::vector<float> sum(static_cast<size_t>(hidden));
    float *token = out.data_ptr<float>();
    auto put = [&](int64_t step) {
        const float *time = timestep.data_ptr<float>() + times.data_ptr<int64_t>()[step] * hidden;
        for (int64_t j = 0; j < hidden; j++)
            sum[static_cast<size_t>(j)] += time[j];
        kernel_layer_norm(sum.data(), ln_weight.data_ptr<float>(), ln_bias.data_ptr<float>(), token,
                          1, static_cast<size_t>(hidden), 1e-5f);
        token += hidden;
    };
    auto put_scalar = [&](const linear &l, float x, int64_t step) {
        const float *w = l.weight.data_ptr<float>(), *bias = l.bias.data_ptr<float>();
        for (int64_t j = 0; j < hidden; j++)
            sum[static_cast<size_t>(j)] = w[j] * x + bias[j];
        put(step);
    };
    for (int64_t i = 0; i < count; i++) {
        put_scalar(embed_return, dense_returns.data_ptr<float>()[i], i);
        std::copy_n(embedded.data() + i * hidden, hidden, sum.data());
        put(i);
        if ((i + 1) % steps)
            put_scalar(embed_action, dense_actions.data_ptr<float>()[i], i);
    }
    return out;
}

at::Tensor modules::tokens(const at::Tensor &states, const at::Tensor &actions,
                           const at::Tensor &returns, const at::Tensor &timesteps) const
{
    if (is_dense(states))
        return dense_tokens(states, actions, returns, timesteps);
    int64_t windows = states.size(0), steps = states.size(1), hidden = ln_weight.size(0);
    std::vector<at::Tensor> features;
    for (size_t k = 0; k < feature_fcs.size(); k++)
        features.push_back(feature_fcs[k](states.narrow(2, static_cast<int64_t>(k), 1)));
    at::Tensor encoded = at::relu(fc_final(at::relu(at::cat(features, 2))));
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

at::Tensor modules::outputs(const at::Tensor &hidden) const
{
    at::Tensor here = hidden.to(head.weight.device());
    if (!is_dense(here))
        return head(here);
    at::Tensor x = here.contiguous();
    at::Tensor y = at::empty({x.size(0), x.size(1), head.weight.size(0)}, x.options());
    dense(head, x.data_ptr<float>(), y.data_ptr<float>(), x.size(0) * x.size(1));
    return y;
}

at::Tensor modules::decide(const at::Tensor &outputs) const
{
    if (!values.defined())
        return outputs.squeeze(2);
    return is_mode ? at::embedding(values.unsqueeze(1), outputs.argmax(2)).squeeze(2)
                   : at::matmul(at::softmax(outputs, 2), values);
}

at::Tensor modules::predict(const at::Tensor &hidden) const
{
    return decide(outputs(hidden));
}

} // namespace ccalab
