/* First values of parameters. Each value is a hash of (seed, name of the parameter, index), so it
 * does not depend on the order of creation, on threads or on the version of libtorch. */
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <cstdint>

#include "model/params.hpp"
#include "model/weights.h"

namespace ccalab
{

namespace
{

uint64_t key_of(uint64_t seed, const std::string &name)
{
    uint64_t key = mix(seed);
    for (unsigned char c : name)
        key = mix(key ^ c);
    return key;
}

/* In [0, 1), 53 bits. */
double unit(uint64_t key, uint64_t index)
{
    return static_cast<double>(mix(key + index * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

} // namespace

at::Tensor param_list::add(const std::string &name, policy_part part, at::Tensor value)
{
    value = value.to(place);
    value.requires_grad_(part != POLICY_BACKBONE);
    params.push_back({name, part, value, {}, {}});
    return value;
}

at::Tensor param_list::uniform(const std::string &name, policy_part part, at::IntArrayRef shape,
                               uint64_t seed, double bound)
{
    at::Tensor t = at::empty(shape, at::kFloat);
    float *out = t.data_ptr<float>();
    uint64_t key = key_of(seed, name), n = static_cast<uint64_t>(t.numel());
    for (uint64_t i = 0; i < n; i++)
        out[i] = static_cast<float>(bound * (2 * unit(key, i) - 1));
    return add(name, part, t);
}

at::Tensor param_list::normal(const std::string &name, policy_part part, at::IntArrayRef shape,
                              uint64_t seed, double sd, policy_dtype dtype)
{
    at::Tensor t = at::empty(shape, at::kFloat);
    float *out = t.data_ptr<float>();
    uint64_t key = key_of(seed, name), n = static_cast<uint64_t>(t.numel());
    /* Box-Muller: two values from two. */
    for (uint64_t i = 0; i < n; i += 2) {
        double radius = sd * std::sqrt(-2 * std::log(1 - unit(key, i)));
        double angle = 2 * M_PI * unit(key, i + 1);
        out[i] = static_cast<float>(radius * std::cos(angle));
        if (i + 1 < n)
            out[i + 1] = static_cast<float>(radius * std::sin(angle));
    }
    return add(name, part, dtype == POLICY_BF16 ? t.to(at::kBFloat16) : t);
}

at::Tensor param_list::constant(const std::string &name, policy_part part, at::IntArrayRef shape,
                                double value)
{
    return add(name, part, at::full(shape, value, at::kFloat));
}

at::Tensor param_list::loaded(const std::string &name, at::IntArrayRef shape, policy_dtype dtype,
                              const weights *files, error *err)
{
    bool is_narrow = dtype == POLICY_BF16;
    at::Tensor t = at::empty(shape, is_narrow ? at::kBFloat16 : at::kFloat);
    status st = weights_read(files, name.c_str(), static_cast<int>(shape.size()), shape.data(),
                             is_narrow ? SAFETENSORS_BF16 : SAFETENSORS_F32, t.data_ptr(), err);
    if (st)
        throw failure{st};
    return add(name, POLICY_BACKBONE, t);
}

} // namespace ccalab
