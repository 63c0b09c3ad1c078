/* The gradient of a batch: its windows in passes, on one thread or several. */
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_softmax.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/bins.h"
#include "model/border.hpp"
#include "model/dropout.hpp"

using ccalab::bad;
using ccalab::guarded;
using ccalab::view;

namespace
{

struct job {
    policy *p;
    const policy_batch *batch;
    const float *labels;
    double weight;
    double *window_losses;
    std::vector<at::Tensor> trained;
};

/* Of each step, from the head's outputs [windows, steps, outputs]. */
at::Tensor step_losses(const policy &p, const at::Tensor &out, const float *labels)
{
    const policy_bins &bins = p.config.bins;
    at::IntArrayRef shape = out.sizes().slice(0, 2);
    if (!bins.count) {
        at::Tensor difference = out.squeeze(2) - view(labels, shape).to(p.device());
        return difference * difference;
    }
    std::vector<int32_t> wanted;
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        wanted.push_back(bins_of(&bins, labels[i]));
    at::Tensor index = view(wanted.data(), shape).to(p.device()).unsqueeze(2);
    return -at::log_softmax(out, 2).gather(2, index).squeeze(2);
}

/* Of each window: the mean over its steps that have a label. */
at::Tensor losses_of(const policy &p, const at::Tensor &out, const float *labels)
{
    at::IntArrayRef shape = out.sizes().slice(0, 2);
    if (std::none_of(labels, labels + shape[0] * shape[1], [](float v) { return std::isnan(v); }))
        return step_losses(p, out, labels).mean({1});
    std::vector<float> any(labels, labels + shape[0] * shape[1]), known;
    for (float &v : any) {
        known.push_back(std::isnan(v) ? 0 : 1);
        v = std::isnan(v) ? 0 : v; /* no weight makes a number of NaN */
    }
    at::Tensor weights = view(known.data(), shape);
    weights = (weights / weights.sum({1}, true).clamp_min(1)).to(p.device());
    return (step_losses(p, out, any.data()) * weights).sum({1});
}

/* Gradients of windows first ... first + count - 1, in the order of job.trained. */
std::vector<at::Tensor> gradients(const job &j, size_t first, size_t count)
{
    const policy_batch &b = *j.batch;
    ccalab::dropout dropout(j.p->config.seed, static_cast<uint64_t>(j.p->windows_seen) + first);
    ccalab::pass pass = ccalab::at_states(*j.p);
    pass.dropout = &dropout;
    at::Tensor out = ccalab::outputs(*j.p, b, pass, first, count);
    at::Tensor losses = losses_of(*j.p, out, j.labels + first * b.steps);
    at::Tensor values = losses.detach().to(at::kCPU);
    for (size_t i = 0; i < count; i++)
        j.window_losses[first + i] = values.data_ptr<float>()[i];
    at::Tensor loss = losses.sum() * (j.weight / static_cast<double>(b.windows));
    return torch::autograd::grad({loss}, j.trained, {}, {}, false, true);
}

void add(const job &j, const std::vector<at::Tensor> &grads)
{
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < grads.size(); i++) {
        at::Tensor &sum = j.trained[i].mutable_grad();
        if (!grads[i].defined())
            continue;
        if (sum.defined())
            sum.add_(grads[i]);
        else
            sum = grads[i];
    }
}

bool is_on_cpu(const policy &p)
{
    return p.plan.count == 1 && p.plan.device[0] == DEVICE_CPU;
}

} // namespace

extern "C" status policy_set_passes(policy *p, int workers, size_t windows, error *err)
{
    return guarded(err, [&] {
        if (workers < 1 || !windows)
            return bad(err, "workers or windows of a pass", "is not positive");
        p->pass_windows = windows;
        p->workers.reset();
        if (workers > 1 && is_on_cpu(*p))
            p->workers = std::make_unique<ccalab::worker_pool>(static_cast<size_t>(workers));
        return STATUS_OK;
    });
}

extern "C" size_t policy_pass_windows(const policy_config *config, size_t steps)
{
    const backbone_config &b = config->backbone;
    if (config->devices.is_auto || config->devices.device >= DEVICE_CUDA)
        return 32;
    device_sizes sizes = ccalab::sizes_of(*config);
    /* A layer keeps its input and what its norms, products and activation are made of. */
    double floats = 7.0 * b.hidden_size + 2.0 * b.intermediate_size;
    double bytes = 3.0 * static_cast<double>(steps) * sizes.layers * floats * sizeof(float);
    return static_cast<size_t>(std::clamp(24e6 / bytes, 2.0, 8.0));
}

extern "C" status policy_backward(policy *p, const policy_batch *batch, const float *labels,
                                  double weight, double *window_losses, error *err)
{
    return guarded(err, [&] {
        status st = ccalab::check_batch(*p, *batch, err);
        if (st)
            return st;
        if (p->is_merged)
            return bad(err, "the policy", "is merged, it learns no more");
        job j = {p, batch, labels, weight, window_losses, {}};
        for (const ccalab::param &param : p->list.params)
            if (param.part != POLICY_BACKBONE)
                j.trained.push_back(param.value);
        size_t each = std::min(p->pass_windows, batch->windows);
        size_t passes = (batch->windows + each - 1) / each;
        size_t side = p->workers ? std::min(p->workers->size(), passes) : 1;
        p->backbone->reserve(3 * static_cast<int64_t>(batch->steps));
        for (size_t done = 0; done < passes; done += side) {
            std::vector<std::vector<at::Tensor>> found(std::min(side, passes - done));
            auto pass = [&](size_t i) {
                size_t first = (done + i) * each;
                found[i] = gradients(j, first, std::min(each, batch->windows - first));
            };
            if (side > 1)
                p->workers->run(found.size(), pass);
            else
                pass(0);
            for (const std::vector<at::Tensor> &grads : found)
                add(j, grads);
        }
        p->windows_seen += static_cast<int64_t>(batch->windows);
        return STATUS_OK;
    });
}
