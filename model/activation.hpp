/* The activation functions of Hugging Face's configurations. */
#ifndef CCALAB_MODEL_ACTIVATION_HPP
#define CCALAB_MODEL_ACTIVATION_HPP

#include <ATen/core/Tensor.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>

#include "model/backbone_config.h"

namespace ccalab
{

inline at::Tensor activate(backbone_activation activation, const at::Tensor &x)
{
    if (activation == BACKBONE_RELU)
        return at::relu(x);
    return at::gelu(x, activation == BACKBONE_GELU_TANH ? "tanh" : "none");
}

} // namespace ccalab

#endif
