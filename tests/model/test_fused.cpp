// The fused operations beside libtorch's own (model/plain.hpp), forward and backward.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <functional>
extern "C" {
#include <cmocka.h>
}

#include "model/fused.hpp"
#include "model/plain.hpp"

using ccalab::fused_attend;

namespace
{

at::Generator generator = at::detail::createCPUGenerator(7);

at::Tensor noise(at::IntArrayRef shape, bool has_grad = true)
{
    return at::empty(shape).normal_(0, 1, generator).set_requires_grad(has_grad);
}

void expect_close(const char *what, const at::Tensor &a, const at::Tensor &b, double tolerance)
{
    double size = b.abs().max().item<double>(), worst = (a - b).abs().max().item<double>();
    if (!(worst <= tolerance * size) || !(size > 1e-3))
        fail_msg("%s: %g apart of %g", what, worst, size);
}

/* Value and gradients of both for the same inputs; gradients of a weighted sum, so that no
 * direction is left out. */
void compare(const std::vector<at::Tensor> &inputs, const std::function<at::Tensor()> &fused,
             const std::function<at::Tensor()> &plain, double tolerance = 2e-6)
{
    at::Tensor a = fused(), b = plain();
    expect_close("value", a, b, tolerance);
    at::Tensor weights = noise(a.sizes(), false);
    auto of = [&](const at::Tensor &y) {
        return torch::autograd::grad({(y * weights).sum()}, inputs);
    };
    std::vector<at::Tensor> ga = of(a), gb = of(b);
    for (size_t i = 0; i < ga.size(); i++)
        expect_close("gradient", ga[i], gb[i], 10 * tolerance);
    at::NoGradGuard no_grad;
    expect_close("value without gradients", fused(), b, tolerance);
}

void test_rms_norm(void **)
{
    at::Tensor x = noise({3, 7, 48}), gain = noise({48}, false);
    compare(
        {x}, [&] { return ccalab::fused_rms_norm(x, gain, 1e-5); },
        [&] { return ccalab::plain_rms_norm(x, gain, 1e-5); });
}

void test_swiglu(void **)
{
    at::Tensor gate = noise({5, 33}), up = noise({5, 33});
    compare(
        {gate, up}, [&] { return ccalab::fused_swiglu(gate, up); },
        [&] { return ccalab::plain_swiglu(gate, up); });
    /* Where the exponential overflows. */
    at::Tensor far = at::full({40}, -200.0), one = at::ones({40});
    assert_true(ccalab::fused_swiglu(far, one).abs().max().item<double>() < 1e-30);
    assert_true((ccalab::fused_swiglu(-far, one) - 200).abs().max().item<double>() < 1e-3);
}

void test_rotate(void **)
{
    at::Tensor cosines = noise({9, 8}, false), sines = noise({9, 8}, false);
    at::Tensor x = noise({2, 5, 3, 16});
    compare(
        {x}, [&] { return ccalab::fused_rotate(x.transpose(1, 2), cosines, sines, {}); },
        [&] { return ccalab::plain_rotate(x.transpose(1, 2), cosines, sines, {}); });
    at::NoGradGuard no_grad;
    at::Tensor y = ccalab::fused_rotate(x, cosines, sines, {4, 1});
    expect_close("rows", y, ccalab::plain_rotate(x, cosines, sines, {4, 1}), 2e-6);
    auto row_1 = x.narrow(0, 1, 1);
    expect_close("row 1", y.narrow(0, 1, 1), ccalab::plain_rotate(row_1, cosines, sines, {1}),
                 2e-6);
}

at::Tensor plain_attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, int64_t past)
{
    int64_t rows = q.size(0), heads = q.size(1), tokens = q.size(2), dim = q.size(3);
    at::Tensor keys = k.repeat_interleave(heads / k.size(1), 1);
    at::Tensor values = v.repeat_interleave(heads / k.size(1), 1);
    at::Tensor hidden = at::ones({tokens, past + tokens}, at::kBool).triu(past + 1);
    at::Tensor scores = at::matmul(q, keys.transpose(2, 3)) / std::sqrt(static_cast<double>(dim));
    at::Tensor out = at::matmul(at::softmax(scores.masked_fill(hidden, -INFINITY), -1), values);
    return out.transpose(1, 2).reshape({rows, tokens, heads * dim});
}

void test_attend(void **)
{
    /* [rows, tokens, heads, dim] seen as [rows, heads, tokens, dim]; 3 heads share a key. */
    at::Tensor q = noise({2, 11, 6, 20}), k = noise({2, 11, 2, 20}), v = noise({2, 2, 11, 20});
    compare(
        {q, k, v}, [&] { return fused_attend(q.transpose(1, 2), k.transpose(1, 2), v); },
        [&] { return plain_attend(q.transpose(1, 2), k.transpose(1, 2), v, 0); });
}

void test_attend_cached(void **)
{
    at::NoGradGuard no_grad;
    at::Tensor q = noise({2, 4, 3, 8}), k = noise({2, 3, 2, 8}).transpose(1, 2);
    at::Tensor v = noise({2, 2, 3, 8}), keys = noise({5, 2, 16, 8}), values = noise({5, 2, 16, 8});
    at::Tensor before = keys.clone();
    at::Tensor out = ccalab::fused_attend_cached(q, k, v, keys, values, {3, 0}, {13, 0});
    for (int64_t i = 0; i < 2; i++) {
        int64_t slot = i ? 0 : 3, past = i ? 0 : 13;
        expect_close("kept", keys[slot].narrow(1, past, 3), k[i], 0);
        auto part = [&](const at::Tensor &t) {
            return t.narrow(0, slot, 1).narrow(2, 0, past + 3);
        };
        expect_close("context", out[i],
                     plain_attend(q.narrow(0, i, 1), part(keys), part(values), past)[0], 2e-6);
    }
    for (int64_t slot : {1, 2, 4})
        expect_close("other slots", keys[slot], before[slot], 0);
    expect_close("past", keys[3].narrow(1, 0, 13), before[3].narrow(1, 0, 13), 0);
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms_norm),      cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_rotate),        cmocka_unit_test(test_attend),
        cmocka_unit_test(test_attend_cached),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
