/* Operations of model/fused.hpp by libtorch's own, for any device. */
#ifndef CCALAB_MODEL_PLAIN_HPP
#define CCALAB_MODEL_PLAIN_HPP

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>

#include <vector>

namespace ccalab
{

at::Tensor plain_rms_norm(const at::Tensor &x, const at::Tensor &gain, double eps);
at::Tensor plain_swiglu(const at::Tensor &gate, const at::Tensor &up);
at::Tensor plain_rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines,
                        const std::vector<int64_t> &starts);

} // namespace ccalab

#endif
