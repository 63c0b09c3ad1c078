/* Operations of a decoder layer that read and write memory once: forward and, where gradients are
 * wanted, backward by hand (model/kernels.h). Frozen weights get no gradient, not even computed. */
#ifndef CCALAB_MODEL_FUSED_HPP
#define CCALAB_MODEL_FUSED_HPP

#include <ATen/core/Tensor.h>

#include <vector>

namespace ccalab
{

/* x W^T for a frozen weight [out, in]. Where the weight is bfloat16 so is the product (with float
 * accumulation), and x and its gradient are rounded to it on the way in; the result is float. */
at::Tensor fused_linear(const at::Tensor &x, const at::Tensor &weight);

/* Is a product of bfloat16 worth it here: does the processor have AVX512_BF16 or AMX? Without them
 * libtorch's is up to a hundred times slower than that of float. */
bool fused_has_bf16();

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

/* The same for contexts that continue, without gradients: k, v: [slots, kv heads, capacity, dim]
 * hold, in slot slots[i], the past[i] tokens before row i of q and those of q themselves. */
at::Tensor fused_attend_cached(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                               const std::vector<int64_t> &slots, const std::vector<int64_t> &past);

} // namespace ccalab

#endif
