/* Products of all small sizes beside the same sums in double precision, at every level of the
 * instruction set that this processor has. */
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
/* After the above, as cmocka wants it. */
extern "C" {
#include <cmocka.h>
}

#include <cmath>
#include <cstring>
#include <vector>

#include "model/matmul.hpp"

using namespace ccalab;

static float noise()
{
    static uint32_t state = 7;
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / (1 << 23) - 1;
}

static std::vector<float> random(int64_t n)
{
    std::vector<float> v(static_cast<size_t>(n));
    for (float &x : v)
        x = noise();
    return v;
}

/* What is left of a number in bfloat16: its upper half. */
static float widened(uint16_t half)
{
    uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

static std::vector<uint16_t> rounded(std::vector<float> *v)
{
    std::vector<uint16_t> halves(v->size());
    matmul_to_bf16(v->data(), halves.data(), static_cast<int64_t>(v->size()));
    for (size_t i = 0; i < v->size(); i++) {
        float back = widened(halves[i]);
        assert_true(std::fabs(back - (*v)[i]) <= std::fabs((*v)[i]) / 256);
        (*v)[i] = back;
    }
    return halves;
}

static void check(int64_t rows, int64_t out, int64_t in, bool is_bf16)
{
    std::vector<float> x = random(rows * in), w = random(out * in), bias = random(out);
    std::vector<uint16_t> x16, w16;
    if (is_bf16) {
        x16 = rounded(&x);
        w16 = rounded(&w);
    }
    bool is_added = rows % 2, has_bias = in % 2;
    int64_t stride = out + 1, first = out / 3;
    std::vector<float> y = random(rows * stride), before = y;
    const matmul_input input = {is_bf16 ? static_cast<void *>(x16.data()) : x.data(), rows};
    const matmul_weights weights = {is_bf16 ? static_cast<void *>(w16.data()) : w.data(), is_bf16,
                                    out, in};
    matmul(input, weights, first, out,
           {y.data(), stride, has_bias ? bias.data() : nullptr, 0.5f, is_added});
    for (int64_t m = 0; m < rows; m++) {
        for (int64_t n = 0; n < stride; n++) {
            size_t at = static_cast<size_t>(m * stride + n);
            if (n < first || n == out) {
                assert_true(y[at] == before[at]);
                continue;
            }
            double sum = 0;
            for (int64_t k = 0; k < in; k++)
                sum += static_cast<double>(x[static_cast<size_t>(m * in + k)]) *
                       w[static_cast<size_t>(n * in + k)];
            sum = sum / 2 + (has_bias ? bias[static_cast<size_t>(n)] : 0) +
                  (is_added ? before[at] : 0);
            double limit = 1e-6 * (4 + std::sqrt(static_cast<double>(in)));
            if (!(std::fabs(y[at] - sum) < limit))
                fail_msg("%d x %d x %d: %g instead of %g", static_cast<int>(rows),
                         static_cast<int>(in), static_cast<int>(out), static_cast<double>(y[at]),
                         sum);
        }
    }
}

static void check_all(bool is_bf16)
{
    for (int64_t rows : {1, 2, 3, 5, 6, 7, 13})
        for (int64_t out : {1, 3, 4, 9})
            for (int64_t in : {1, 7, 16, 31, 32, 48, 70})
                check(rows, out, in, is_bf16);
    /* Over several blocks of rows, and of the sum. */
    check(200, 5, 2600, is_bf16);
}

static void test_f32(void **state)
{
    (void)state;
    for (matmul_level level : {MATMUL_ANY, MATMUL_V3, MATMUL_V4}) {
        matmul_limit(level);
        check_all(false);
    }
}

static void test_bf16(void **state)
{
    (void)state;
    if (!matmul_has_bf16())
        skip();
    check_all(true);
}

int main()
{
    const CMUnitTest tests[] = {cmocka_unit_test(test_f32), cmocka_unit_test(test_bf16)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
