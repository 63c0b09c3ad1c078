/* What only a libtorch with CUDA has. Its own headers for it want NVIDIA's toolkit; these do not.
 */
#include <ATen/Context.h>
#include <torch/csrc/api/include/torch/version.h>

#include "model/policy.hpp"

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 10)
#include <c10/core/CachingDeviceAllocator.h>

double ccalab::cuda_free_bytes(int n)
{
    at::globalContext().lazyInitDevice(at::kCUDA); /* which registers the allocator */
    auto [free_bytes, total_bytes] =
        at::getDeviceAllocator(at::kCUDA)->getMemoryInfo(static_cast<at::DeviceIndex>(n));
    return static_cast<double>(free_bytes);
}
#else
double ccalab::cuda_free_bytes(int)
{
    return -1;
}
#endif
