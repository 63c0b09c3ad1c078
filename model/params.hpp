/* The parameters of a policy: named tensors, their first values, the optimiser's step. */
#ifndef CCALAB_MODEL_PARAMS_HPP
#define CCALAB_MODEL_PARAMS_HPP

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/netllm.h"

namespace ccalab
{

struct param {
    std::string name;
    policy_part part;
    at::Tensor value;
    at::Tensor m, v; /* moments of AdamW, made at the first step */
};

/* Makes parameters, draws their first values and keeps the list of them. */
class param_list
{
  public:
    std::vector<param> params;

    /* Uniform in [-bound, bound). */
    at::Tensor uniform(const std::string &name, policy_part part, at::IntArrayRef shape,
                       uint64_t seed, double bound);
    at::Tensor normal(const std::string &name, policy_part part, at::IntArrayRef shape,
                      uint64_t seed, double sd);
    at::Tensor constant(const std::string &name, policy_part part, at::IntArrayRef shape,
                        double value);

  private:
    at::Tensor add(const std::string &name, policy_part part, at::Tensor value);
};

} // namespace ccalab

#endif
