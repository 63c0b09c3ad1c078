#include "model/fused.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "model/kernels.h"
#include "model/plain.hpp"

namespace ccalab
{

namespace
{

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

/* Without gradients nothing is kept for them: then there is no context. */
template <typename F, typename... Args> at::Tensor apply(Args &&...args)
{
    if (at::GradMode::is_enabled())
        return F::apply(std::forward<Args>(args)...);
    return F::forward(nullptr, std::forward<Args>(args)...);
}

/* Floats below which another thread costs more than it saves. */
constexpr int64_t GRAIN = 16384;

int64_t grain(int64_t floats_each)
{
    return std::max<int64_t>(1, GRAIN / std::max<int64_t>(1, floats_each));
}

struct rms_norm_function : Function<rms_norm_function> {
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &input, const at::Tensor &gain,
                              double eps)
    {
        at::Tensor x = input.contiguous(), y = at::empty_like(x);
        int64_t width = x.size(-1), rows = x.numel() / width;
        at::Tensor scales = at::empty({rows}, x.options());
        const float *xp = x.data_ptr<float>(), *gp = gain.data_ptr<float>();
        float *yp = y.data_ptr<float>(), *sp = scales.data_ptr<float>();
        at::parallel_for(0, rows, grain(width), [=](int64_t begin, int64_t end) {
            kernel_rms_norm(xp + begin * width, gp, yp + begin * width, sp + begin,
                            static_cast<size_t>(end - begin), static_cast<size_t>(width),
                            static_cast<float>(eps));
        });
        if (ctx) {
            ctx->save_for_backward({x});
            ctx->saved_data["gain"] = gain;
            ctx->saved_data["scales"] = scales;
        }
        return y;
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        at::Tensor x = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
        at::Tensor gain = ctx->saved_data["gain"].toTensor();
        at::Tensor scales = ctx->saved_data["scales"].toTensor(), dx = at::empty_like(x);
        int64_t width = x.size(-1), rows = x.numel() / width;
        const float *xp = x.data_ptr<float>(), *gp = gain.data_ptr<float>();
        const float *sp = scales.data_ptr<float>(), *dyp = dy.data_ptr<float>();
        float *dxp = dx.data_ptr<float>();
        at::parallel_for(0, rows, grain(width), [=](int64_t begin, int64_t end) {
            kernel_rms_norm_back(xp + begin * width, gp, sp + begin, dyp + begin * width,
                                 dxp + begin * width, static_cast<size_t>(end - begin),
                                 static_cast<size_t>(width));
        });
        return {dx, at::Tensor(), at::Tensor()};
    }
};

struct swiglu_function : Function<swiglu_function> {
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &gate_in,
                              const at::Tensor &up_in)
    {
        at::Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
        at::Tensor out = at::empty_like(gate);
        const float *gp = gate.data_ptr<float>(), *pp = up.data_ptr<float>();
        float *op = out.data_ptr<float>();
        at::parallel_for(0, gate.numel(), GRAIN, [=](int64_t begin, int64_t end) {
            kernel_swiglu(gp + begin, pp + begin, op + begin, static_cast<size_t>(end - begin));
        });
        if (ctx)
            ctx->save_for_backward({gate, up});
        return out;
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        tensor_list saved = ctx->get_saved_variables();
        at::Tensor dout = grads[0].contiguous();
        at::Tensor dgate = at::empty_like(saved[0]), dup = at::empty_like(saved[1]);
        const float *gp = saved[0].data_ptr<float>(), *pp = saved[1].data_ptr<float>();
        const float *op = dout.data_ptr<float>();
        float *dgp = dgate.data_ptr<float>(), *dpp = dup.data_ptr<float>();
        at::parallel_for(0, dout.numel(), GRAIN, [=](int64_t begin, int64_t end) {
            kernel_swiglu_back(gp + begin, pp + begin, op + begin, dgp + begin, dpp + begin,
                               static_cast<size_t>(end - begin));
        });
        return {dgate, dup};
    }
};

/* direction 1 or -1. Both ways the result is laid out as [rows, tokens, heads, dim]. */
at::Tensor rotated(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines,
                   const std::vector<int64_t> &starts, float direction)
{
    int64_t rows = x.size(0), heads = x.size(1), tokens = x.size(2), dim = x.size(3);
    at::Tensor y = at::empty({rows, tokens, heads, dim}, x.options());
    const float *xp = x.data_ptr<float>();
    const float *cp = cosines.data_ptr<float>(), *sp = sines.data_ptr<float>();
    float *yp = y.data_ptr<float>();
    int64_t row_stride = x.stride(0), head_stride = x.stride(1), token_stride = x.stride(2);
    at::parallel_for(0, rows * tokens, grain(heads * dim), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            int64_t row = i / tokens, token = i % tokens;
            int64_t at =
                (token + (starts.empty() ? 0 : starts[static_cast<size_t>(row)])) * dim / 2;
            kernel_rotate(xp + row * row_stride + token * token_stride,
                          static_cast<size_t>(head_stride), yp + i * heads * dim,
                          static_cast<size_t>(dim), cp + at, sp + at, static_cast<size_t>(heads),
                          static_cast<size_t>(dim / 2), direction);
        }
    });
    return y.transpose(1, 2);
}

at::Tensor dense_rows(const at::Tensor &x)
{
    return x.stride(3) == 1 ? x : x.contiguous();
}

struct rotate_function : Function<rotate_function> {
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &cosines,
                              const at::Tensor &sines)
    {
        if (ctx) {
            ctx->saved_data["cosines"] = cosines;
            ctx->saved_data["sines"] = sines;
        }
        return rotated(dense_rows(x), cosines, sines, {}, 1);
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        return {rotated(dense_rows(grads[0]), ctx->saved_data["cosines"].toTensor(),
                        ctx->saved_data["sines"].toTensor(), {}, -1),
                at::Tensor(), at::Tensor()};
    }
};

/* The tokens of one head of [rows, heads, tokens, dim]. */
kernel_rows rows_of(const at::Tensor &t, int64_t row, int64_t head)
{
    return {t.data_ptr<float>() + row * t.stride(0) + head * t.stride(1),
            static_cast<size_t>(t.stride(2))};
}

struct attend_function : Function<attend_function> {
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &q_in, const at::Tensor &k_in,
                              const at::Tensor &v_in)
    {
        at::Tensor q = dense_rows(q_in), k = dense_rows(k_in), v = dense_rows(v_in);
        int64_t rows = q.size(0), heads = q.size(1), tokens = q.size(2), dim = q.size(3);
        int64_t group = heads / k.size(1);
        at::Tensor out = at::empty({rows, tokens, heads, dim}, q.options());
        at::Tensor view = out.transpose(1, 2);
        at::Tensor weights = at::empty({rows, heads, tokens, tokens}, q.options());
        float *wp = weights.data_ptr<float>();
        at::parallel_for(
            0, rows * heads, grain(tokens * tokens * dim), [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; i++) {
                    int64_t row = i / heads, head = i % heads;
                    kernel_attend(rows_of(q, row, head), rows_of(k, row, head / group),
                                  rows_of(v, row, head / group), rows_of(view, row, head),
                                  wp + i * tokens * tokens, static_cast<size_t>(tokens), 0,
                                  static_cast<size_t>(dim), 1 / std::sqrt(static_cast<float>(dim)));
                }
            });
        ctx->save_for_backward({q, k, v});
        ctx->saved_data["weights"] = weights;
        return out.view({rows, tokens, heads * dim});
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        tensor_list saved = ctx->get_saved_variables();
        const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2];
        at::Tensor weights = ctx->saved_data["weights"].toTensor();
        int64_t rows = q.size(0), heads = q.size(1), tokens = q.size(2), dim = q.size(3);
        int64_t kv = k.size(1), group = heads / kv;
        at::Tensor dout = grads[0].contiguous().view({rows, tokens, heads, dim}).transpose(1, 2);
        at::Tensor dq = at::empty({rows, tokens, heads, dim}, q.options()).transpose(1, 2);
        at::Tensor dk = at::zeros({rows, tokens, kv, dim}, q.options()).transpose(1, 2);
        at::Tensor dv = at::zeros({rows, tokens, kv, dim}, q.options()).transpose(1, 2);
        const float *wp = weights.data_ptr<float>();
        at::parallel_for(
            0, rows * kv, grain(group * tokens * tokens * dim), [&](int64_t begin, int64_t end) {
                std::vector<float> scratch(static_cast<size_t>(tokens));
                for (int64_t i = begin * group; i < end * group; i++) {
                    int64_t row = i / heads, head = i % heads, shared = head / group;
                    kernel_attend_back(
                        rows_of(q, row, head), rows_of(k, row, shared), rows_of(v, row, shared),
                        wp + i * tokens * tokens, rows_of(dout, row, head), rows_of(dq, row, head),
                        rows_of(dk, row, shared), rows_of(dv, row, shared), scratch.data(),
                        static_cast<size_t>(tokens), static_cast<size_t>(dim),
                        1 / std::sqrt(static_cast<float>(dim)));
                }
            });
        return {dq, dk, dv};
    }
};

} // namespace

at::Tensor fused_rms_norm(const at::Tensor &x, const at::Tensor &gain, double eps)
{
    if (!x.is_cpu())
        return plain_rms_norm(x, gain, eps);
    return apply<rms_norm_function>(x, gain, eps);
}

at::Tensor fused_swiglu(const at::Tensor &gate, const at::Tensor &up)
{
    if (!gate.is_cpu())
        return plain_swiglu(gate, up);
    return apply<swiglu_function>(gate, up);
}

at::Tensor fused_rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines,
                        const std::vector<int64_t> &starts)
{
    if (!x.is_cpu())
        return plain_rotate(x, cosines, sines, starts);
    if (!starts.empty()) /* contexts that continue: evaluation only */
        return rotated(dense_rows(x), cosines, sines, starts, 1);
    return apply<rotate_function>(x, cosines, sines);
}

/* Causal attention of q's rows over the first past[i] + tokens tokens of slot slots[i]. */
static at::Tensor attend_rows(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values,
                              const std::vector<int64_t> &slots, const std::vector<int64_t> &past)
{
    int64_t rows = q.size(0), heads = q.size(1), tokens = q.size(2), dim = q.size(3);
    int64_t group = heads / keys.size(1), longest = *std::max_element(past.begin(), past.end());
    at::Tensor out = at::empty({rows, tokens, heads, dim}, q.options());
    at::Tensor view = out.transpose(1, 2);
    at::parallel_for(
        0, rows * heads, grain(tokens * (longest + tokens) * dim), [&](int64_t begin, int64_t end) {
            std::vector<float> weights(static_cast<size_t>(tokens * (longest + tokens)));
            for (int64_t i = begin; i < end; i++) {
                int64_t row = i / heads, head = i % heads;
                int64_t slot = slots[static_cast<size_t>(row)];
                kernel_attend(rows_of(q, row, head), rows_of(keys, slot, head / group),
                              rows_of(values, slot, head / group), rows_of(view, row, head),
                              weights.data(), static_cast<size_t>(tokens),
                              static_cast<size_t>(past[static_cast<size_t>(row)]),
                              static_cast<size_t>(dim), 1 / std::sqrt(static_cast<float>(dim)));
            }
        });
    return out.view({rows, tokens, heads * dim});
}

/* Put the tokens of each row of `fresh` behind the past ones of its slot. */
static void append(const at::Tensor &kept, const at::Tensor &fresh,
                   const std::vector<int64_t> &slots, const std::vector<int64_t> &past)
{
    int64_t rows = fresh.size(0), heads = fresh.size(1), tokens = fresh.size(2);
    size_t bytes = static_cast<size_t>(fresh.size(3)) * sizeof(float);
    for (int64_t i = 0; i < rows * heads; i++) {
        int64_t row = i / heads, head = i % heads;
        kernel_rows to = rows_of(kept, slots[static_cast<size_t>(row)], head);
        kernel_rows from = rows_of(fresh, row, head);
        to.at += static_cast<size_t>(past[static_cast<size_t>(row)]) * to.stride;
        for (int64_t t = 0; t < tokens; t++, to.at += to.stride, from.at += from.stride)
            std::memcpy(to.at, from.at, bytes);
    }
}

at::Tensor fused_attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v)
{
    if (at::GradMode::is_enabled())
        return attend_function::apply(q, k, v);
    std::vector<int64_t> slots(static_cast<size_t>(q.size(0))), past(slots.size(), 0);
    std::iota(slots.begin(), slots.end(), 0);
    return attend_rows(dense_rows(q), dense_rows(k), dense_rows(v), slots, past);
}

at::Tensor fused_attend_cached(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                               const at::Tensor &keys, const at::Tensor &values,
                               const std::vector<int64_t> &slots, const std::vector<int64_t> &past)
{
    append(keys, dense_rows(k), slots, past);
    append(values, dense_rows(v), slots, past);
    return attend_rows(dense_rows(q), keys, values, slots, past);
}

} // namespace ccalab
