/* The parameters of a policy: named tensors, their first values, the optimiser's step. */
#ifndef CCALAB_MODEL_PARAMS_HPP
#define CCALAB_MODEL_PARAMS_HPP

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/devices.h"
#include "model/netllm.h"

struct weights;

namespace ccalab
{

inline at::Device to_device(int device)
{
    return device < DEVICE_CUDA
               ? at::Device(at::kCPU)
               : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(device - DEVICE_CUDA));
}

/* SplitMix64 (Steele, Lea and Flood, 2014), used as a function of a counter. */
inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Thrown where an error has been set already. */
struct failure {
    status st;
};

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
    at::Device place = at::kCPU; /* of the parameters made from here on */

    /* Uniform in [-bound, bound). */
    at::Tensor uniform(const std::string &name, policy_part part, at::IntArrayRef shape,
                       uint64_t seed, double bound);
    at::Tensor normal(const std::string &name, policy_part part, at::IntArrayRef shape,
                      uint64_t seed, double sd, policy_dtype dtype = POLICY_FP32);
    at::Tensor constant(const std::string &name, policy_part part, at::IntArrayRef shape,
                        double value);

    /* A tensor of the backbone as the files of a Hugging Face folder have it, in `dtype`.
     * Throws failure. */
    at::Tensor loaded(const std::string &name, at::IntArrayRef shape, policy_dtype dtype,
                      const weights *files, error *err);

  private:
    at::Tensor add(const std::string &name, policy_part part, at::Tensor value);
};

} // namespace ccalab

#endif
