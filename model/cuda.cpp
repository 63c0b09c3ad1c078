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
    at::DeviceAllocator *allocator = at::getDeviceAllocator(at::kCUDA);
    allocator->emptyCache(); /* what an earlier policy had is free, too */
    return static_cast<double>(allocator->getMemoryInfo(static_cast<at::DeviceIndex>(n)).first);
}
#else
double ccalab::cuda_free_bytes(int)
{
    return -1;
}
#endif
