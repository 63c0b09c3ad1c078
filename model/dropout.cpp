#include "model/dropout.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/backbone.hpp"
#include "model/kernels.h"

namespace ccalab
{

drop_mask dropout::next(double probability)
{
    return {mix(seed_ ^ mix(calls_++)), first_window_, probability};
}

void drop_mask::apply(const at::Tensor &x, const at::Tensor &out) const
{
    int64_t rows = x.size(0), width = x.numel() / rows;
    const float *from = x.data_ptr<float>();
    float *to = out.data_ptr<float>();
    for (int64_t r = 0; r < rows; r++) {
        uint64_t row_key = mix(key ^ mix(first_window + static_cast<uint64_t>(r)));
        at::parallel_for(0, width, 65536, [=, this](int64_t begin, int64_t end) {
            kernel_drop(from + r * width + begin, to + r * width + begin,
                        static_cast<size_t>(end - begin), row_key, static_cast<uint32_t>(begin),
                        static_cast<float>(probability));
        });
    }
}

namespace
{

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

struct drop_function : Function<drop_function> {
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &input, drop_mask mask)
    {
        at::Tensor x = input.contiguous(), y = at::empty_like(x);
        mask.apply(x, y);
        ctx->saved_data["key"] = static_cast<int64_t>(mask.key);
        ctx->saved_data["window"] = static_cast<int64_t>(mask.first_window);
        ctx->saved_data["probability"] = mask.probability;
        return y;
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        const drop_mask mask = {static_cast<uint64_t>(ctx->saved_data["key"].toInt()),
                                static_cast<uint64_t>(ctx->saved_data["window"].toInt()),
                                ctx->saved_data["probability"].toDouble()};
        at::Tensor dy = grads[0].contiguous(), dx = at::empty_like(dy);
        mask.apply(dy, dx);
        return {dx, at::Tensor()};
    }
};

} // namespace

at::Tensor drop(const at::Tensor &x, double probability, const pass &pass)
{
    if (!pass.dropout || probability <= 0)
        return x;
    drop_mask mask = pass.dropout->next(probability);
    if (x.is_cpu())
        return drop_function::apply(x, mask);
    at::Tensor kept = at::ones_like(x, x.options().device(at::kCPU).requires_grad(false),
                                    at::MemoryFormat::Contiguous);
    mask.apply(kept, kept);
    return x * kept.to(x.device());
}

} // namespace ccalab
