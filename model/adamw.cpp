/* AdamW with decoupled weight decay, in the order of operations of torch.optim.AdamW: on the CPU in
 * one pass over a parameter, clipping included. */
#include <ATen/core/grad_mode.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>

#include <cmath>

#include "model/kernels.h"
#include "model/policy.hpp"

namespace ccalab
{

static const double BETA1 = 0.9, BETA2 = 0.999, EPS = 1e-8;

double grad_norm(const std::vector<param> &params)
{
    double sum = 0;
    for (const param &p : params) {
        if (!p.value.grad().defined())
            continue;
        const at::Tensor &grad = p.value.grad();
        if (grad.is_cpu()) {
            at::Tensor dense = grad.contiguous();
            sum += kernel_square_sum(dense.data_ptr<float>(), static_cast<size_t>(dense.numel()));
            continue;
        }
        double norm = grad.norm().item<double>();
        sum += norm * norm;
    }
    return std::sqrt(sum);
}

void adamw_step(std::vector<param> &params, const policy_step_opts &opts, double norm, int64_t step)
{
    at::NoGradGuard no_grad;
    double clip = opts.clip_norm > 0 ? std::min(1.0, opts.clip_norm / (norm + 1e-6)) : 1;
    double bias1 = 1 - std::pow(BETA1, static_cast<double>(step));
    double bias2 = std::sqrt(1 - std::pow(BETA2, static_cast<double>(step)));
    for (param &p : params) {
        at::Tensor grad = p.value.grad();
        if (!grad.defined())
            continue;
        if (!p.m.defined()) {
            p.m = at::zeros_like(p.value);
            p.v = at::zeros_like(p.value);
        }
        if (grad.is_cpu()) {
            const kernel_adamw o = {static_cast<float>(clip),
                                    static_cast<float>(BETA1),
                                    static_cast<float>(BETA2),
                                    static_cast<float>(EPS),
                                    static_cast<float>(1 - opts.lr * opts.weight_decay),
                                    static_cast<float>(opts.lr / bias1),
                                    static_cast<float>(bias2)};
            kernel_adamw_step(&o, p.value.data_ptr<float>(), p.m.data_ptr<float>(),
                              p.v.data_ptr<float>(), grad.contiguous().data_ptr<float>(),
                              static_cast<size_t>(grad.numel()));
            continue;
        }
        if (clip < 1)
            grad.mul_(clip);
        p.value.mul_(1 - opts.lr * opts.weight_decay);
        p.m.mul_(BETA1).add_(grad, 1 - BETA1);
        p.v.mul_(BETA2).addcmul_(grad, grad, 1 - BETA2);
        at::Tensor denominator = p.v.sqrt().div_(bias2).add_(EPS);
        p.value.addcdiv_(p.m, denominator, -opts.lr / bias1);
    }
}

void zero_grad(std::vector<param> &params)
{
    for (param &p : params)
        p.value.mutable_grad().reset();
}

} // namespace ccalab
