/* Operations of a decoder layer that read and write memory once: forward and, where gradients are
 * wanted, backward by hand (model/kernels.h). Float32. Norm, SwiGLU and rotation take tensors of
 * other devices too, by way of model/plain.hpp; attention is the caller's there. */
#ifndef CCALAB_MODEL_FUSED_HPP
#define CCALAB_MODEL_FUSED_HPP

#include <ATen/core/Tensor.h>

#include <vector>

namespace ccalab
{

/* x: [..., width]; gain [width], frozen. */
at::Tensor fused_rms_norm(const at::Tensor &x, const at::Tensor &gain, double eps);

/* silu(gate) * up, of one shape. */
at::Tensor fused_swiglu(const at::Tensor &gate, const at::Tensor &up);

/* Rotary positions. x: [rows, heads, tokens, dim] of any layout whose last dimension is dense;
 * cosines, sines: [positions, dim / 2]; the first token of row i is at starts[i], of every row at 0
 * where starts is empty. The result is laid out as [rows, tokens, heads, dim]. */
at::Tensor fused_rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines,
                        const std::vector<int64_t> &starts);

/* Causal softmax attention, q scaled by 1 / sqrt(dim). q: [rows, heads, tokens, dim]; k, v: [rows,
 * kv heads, tokens, dim], the last dimension dense. Returns [rows, tokens, heads * dim]. */
at::Tensor fused_attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v);

/* The same for contexts that continue, without gradients. keys, values: [slots, kv heads, capacity,
 * dim] hold the past[i] tokens before row i of q in slot slots[i]; those of the row itself, k and
 * v, are put behind them. */
at::Tensor fused_attend_cached(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                               const at::Tensor &keys, const at::Tensor &values,
                               const std::vector<int64_t> &slots, const std::vector<int64_t> &past);

} // namespace ccalab

#endif
