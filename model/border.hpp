/* The border between C and C++: what every extern "C" function of the policy needs. */
#ifndef CCALAB_MODEL_BORDER_HPP
#define CCALAB_MODEL_BORDER_HPP

#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <new>

#include "model/policy.hpp"

namespace ccalab
{

/* Run `body`; whatever it throws becomes an error of ours. */
template <typename F> status guarded(error *err, F body)
{
    try {
        return body();
    } catch (const failure &f) {
        return f.st;
    } catch (const std::bad_alloc &) {
        return error_set(err, STATUS_NOMEM, "policy", "out of memory");
    } catch (const c10::OutOfMemoryError &e) {
        /* Of a CUDA device: it says of which, and how much it has. */
        return error_set(err, STATUS_NOMEM, "policy", "out of memory: %.400s",
                         e.what_without_backtrace());
    } catch (const c10::Error &e) {
        /* libtorch has no type for it on the CPU; its allocator's words since 1.0. */
        if (std::strstr(e.what_without_backtrace(), "allocate memory"))
            return error_set(err, STATUS_NOMEM, "policy", "out of memory");
        /* Without the backtrace, which says nothing to a user. */
        return error_set(err, STATUS_INTERNAL, "policy", "libtorch: %.400s",
                         e.what_without_backtrace());
    } catch (const std::exception &e) {
        return error_set(err, STATUS_INTERNAL, "policy", "%.400s", e.what());
    } catch (...) {
        return error_set(err, STATUS_INTERNAL, "policy", "unknown exception");
    }
}

inline status bad(error *err, const char *field, const char *why)
{
    return error_set(err, STATUS_INPUT, "policy", "%s %s", field, why);
}

/* The caller's array as a tensor, not copied. */
inline at::Tensor view(const float *data, at::IntArrayRef shape)
{
    return at::from_blob(const_cast<float *>(data), shape, at::kFloat);
}

inline at::Tensor view(const int32_t *data, at::IntArrayRef shape)
{
    return at::from_blob(const_cast<int32_t *>(data), shape, at::kInt).to(at::kLong);
}

inline void copy_out(const at::Tensor &t, float *out)
{
    at::Tensor dense = t.to(at::kCPU).contiguous();
    std::memcpy(out, dense.data_ptr<float>(), static_cast<size_t>(dense.numel()) * sizeof *out);
}

} // namespace ccalab

#endif
