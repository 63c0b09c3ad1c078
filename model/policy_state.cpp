#include "model/policy_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstring>

#include "model/border.hpp"

using ccalab::guarded;

namespace
{

void read(const at::Tensor &t, float *out, size_t numel)
{
    if (!t.defined()) {
        std::fill(out, out + numel, 0.0f);
        return;
    }
    at::Tensor values = t.to(at::kCPU);
    std::memcpy(out, values.data_ptr<float>(), numel * sizeof *out);
}

} // namespace

extern "C" int64_t policy_windows_seen(const policy *p)
{
    return p->windows_seen;
}

extern "C" void policy_set_windows_seen(policy *p, int64_t windows)
{
    p->windows_seen = windows;
}

extern "C" int64_t policy_steps_taken(const policy *p)
{
    return p->steps_taken;
}

extern "C" void policy_set_steps_taken(policy *p, int64_t steps)
{
    p->steps_taken = steps;
}

extern "C" status policy_moments_read(const policy *p, size_t index, float *first, float *second,
                                      error *err)
{
    return guarded(err, [&] {
        const ccalab::param &param = p->list.params[index];
        size_t numel = static_cast<size_t>(param.value.numel());
        read(param.m, first, numel);
        read(param.v, second, numel);
        return STATUS_OK;
    });
}

extern "C" status policy_moments_write(policy *p, size_t index, const float *first,
                                       const float *second, error *err)
{
    return guarded(err, [&] {
        at::NoGradGuard no_grad;
        ccalab::param &param = p->list.params[index];
        /* Copies, beside their parameter. */
        auto moments = [&](const float *values) {
            return at::empty_like(param.value).copy_(ccalab::view(values, param.value.sizes()));
        };
        param.m = moments(first);
        param.v = moments(second);
        return STATUS_OK;
    });
}

extern "C" status policy_clip(policy *p, double max_norm, double *norm, error *err)
{
    return guarded(err, [&] {
        at::NoGradGuard no_grad;
        double before = ccalab::grad_norm(p->list.params);
        if (norm)
            *norm = before;
        double factor = max_norm / (before + 1e-6);
        if (factor < 1)
            for (ccalab::param &param : p->list.params)
                if (param.value.grad().defined())
                    param.value.grad().mul_(factor);
        return STATUS_OK;
    });
}
