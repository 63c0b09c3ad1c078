/* What model/fused.cpp does on the CPU, by libtorch's own operations: for all other devices. */
#include "model/plain.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/stack.h>

namespace ccalab
{

at::Tensor plain_rms_norm(const at::Tensor &x, const at::Tensor &gain, double eps)
{
    return x * at::rsqrt((x * x).mean({-1}, true) + eps) * gain;
}

at::Tensor plain_swiglu(const at::Tensor &gate, const at::Tensor &up)
{
    return at::silu(gate) * up;
}

at::Tensor plain_rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines,
                        const std::vector<int64_t> &starts)
{
    int64_t tokens = x.size(2), half = x.size(3) / 2;
    /* [tokens, half], or where the rows start anywhere [rows, 1, tokens, half]. */
    auto at_starts = [&](const at::Tensor &table) {
        if (starts.empty())
            return table.narrow(0, 0, tokens);
        std::vector<at::Tensor> rows;
        for (int64_t start : starts)
            rows.push_back(table.narrow(0, start, tokens));
        return at::stack(rows, 0).unsqueeze(1);
    };
    at::Tensor c = at_starts(cosines), s = at_starts(sines);
    at::Tensor a = x.narrow(3, 0, half), b = x.narrow(3, half, half);
    return at::cat({a * c - b * s, b * c + a * s}, 3);
}

} // namespace ccalab
