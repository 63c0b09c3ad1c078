#include "model/project.hpp"

#include <ATen/core/IListRef.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

namespace ccalab
{

namespace
{

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

/* x: [windows, tokens, in] to [windows * tokens, in]. */
at::Tensor flat(const at::Tensor &x)
{
    return x.reshape({-1, x.size(-1)});
}

/* A narrow weight takes narrow inputs. */
at::Tensor times(const at::Tensor &x, const at::Tensor &weight)
{
    if (weight.scalar_type() == at::kFloat)
        return at::mm(x, weight);
    return at::mm(x.to(weight.scalar_type()), weight).to(at::kFloat);
}

/* W x + bias. */
at::Tensor base(const projection &p, const at::Tensor &rows)
{
    at::Tensor w = p.is_input_first ? p.weight : p.weight.t();
    if (p.bias.defined() && w.scalar_type() == at::kFloat)
        return at::addmm(p.bias, rows, w);
    at::Tensor y = times(rows, w);
    return p.bias.defined() ? y.add_(p.bias) : y;
}

at::Tensor shaped_like(const at::Tensor &x, const at::Tensor &rows)
{
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = rows.size(1);
    return rows.view(shape);
}

/* [out, in], whichever way round it lies. */
at::Tensor output_first(const projection &p)
{
    return p.is_input_first ? p.weight.t() : p.weight;
}

struct frozen_function : Function<frozen_function> {
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const projection *p)
    {
        ctx->saved_data["weight"] = output_first(*p);
        return shaped_like(x, base(*p, flat(x)));
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        at::Tensor dx = times(flat(grads[0]), ctx->saved_data["weight"].toTensor());
        return {shaped_like(grads[0], dx), at::Tensor()};
    }
};

struct lora_function : Function<lora_function> {
    /* p and mask need not live on: what the gradient needs of them is kept. */
    static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &a,
                              const at::Tensor &b, const projection *p, const drop_mask *mask)
    {
        at::Tensor y = base(*p, flat(x));
        at::Tensor narrow = at::mm(dropped(x, mask), a.t());
        y.addmm_(narrow, b.t(), 1, p->scale);
        ctx->save_for_backward({x, a, b, narrow});
        ctx->saved_data["weight"] = output_first(*p);
        ctx->saved_data["scale"] = p->scale;
        ctx->saved_data["has_mask"] = mask != nullptr;
        if (mask) {
            ctx->saved_data["key"] = static_cast<int64_t>(mask->key);
            ctx->saved_data["window"] = static_cast<int64_t>(mask->first_window);
            ctx->saved_data["probability"] = mask->probability;
        }
        return shaped_like(x, y);
    }
    static tensor_list backward(AutogradContext *ctx, tensor_list grads)
    {
        tensor_list saved = ctx->get_saved_variables();
        const at::Tensor &x = saved[0], &a = saved[1], &b = saved[2], &narrow = saved[3];
        double scale = ctx->saved_data["scale"].toDouble();
        drop_mask mask = {}, *used = nullptr;
        if (ctx->saved_data["has_mask"].toBool()) {
            mask = {static_cast<uint64_t>(ctx->saved_data["key"].toInt()),
                    static_cast<uint64_t>(ctx->saved_data["window"].toInt()),
                    ctx->saved_data["probability"].toDouble()};
            used = &mask;
        }
        at::Tensor dy = flat(grads[0]);
        at::Tensor dnarrow = at::mm(dy, b).mul_(scale);
        at::Tensor db = at::mm(dy.t(), narrow).mul_(scale);
        at::Tensor da = at::mm(dnarrow.t(), dropped(x, used));
        at::Tensor dx = times(dy, ctx->saved_data["weight"].toTensor());
        if (used) {
            at::Tensor through = at::mm(dnarrow, a).view(x.sizes());
            used->apply(through, through);
            dx.add_(flat(through));
        } else {
            dx.addmm_(dnarrow, a);
        }
        return {dx.view(x.sizes()), da, db, at::Tensor(), at::Tensor()};
    }

  private:
    static at::Tensor dropped(const at::Tensor &x, const drop_mask *mask)
    {
        if (!mask)
            return flat(x);
        at::Tensor whole = x.contiguous(), out = at::empty_like(whole);
        mask->apply(whole, out);
        return flat(out);
    }
};

} // namespace

at::Tensor project(const projection &p, const at::Tensor &x, const pass &pass)
{
    if (!p.a.defined())
        return frozen_function::apply(x, &p);
    const drop_mask *none = nullptr;
    if (!pass.dropout || p.dropout <= 0)
        return lora_function::apply(x, p.a, p.b, &p, none);
    const drop_mask mask = pass.dropout->next(p.dropout);
    return lora_function::apply(x, p.a, p.b, &p, &mask);
}

} // namespace ccalab
