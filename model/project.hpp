/* The projections of a decoder layer in training: frozen weights, and LoRA where a projection has
 * it, in one differentiable operation that keeps nothing which it can compute again. */
#ifndef CCALAB_MODEL_PROJECT_HPP
#define CCALAB_MODEL_PROJECT_HPP

#include "model/backbone.hpp"

namespace ccalab
{

/* p(x) with gradients for x, A and B; x float32 on the CPU. */
at::Tensor project(const projection &p, const at::Tensor &x, const pass &pass);

} // namespace ccalab

#endif
