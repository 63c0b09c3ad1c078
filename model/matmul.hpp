/* Products of a few rows with a frozen matrix, each matrix read once and never packed: what a
 * decision of some ten to hundred tokens consists of. A BLAS copies its operands into an order of
 * its own first, which costs as much as the product where there are few rows. */
#ifndef CCALAB_MODEL_MATMUL_HPP
#define CCALAB_MODEL_MATMUL_HPP

#include <cstdint>

namespace ccalab
{

/* A matrix as Hugging Face keeps it: [out, in], dense. */
struct matmul_weights {
    const void *at;
    bool is_bf16;
    int64_t out, in;
};

/* x: [rows, in], float32, or bfloat16 where the weights are. */
struct matmul_input {
    const void *at;
    int64_t rows;
};

/* Where column n of the product goes: y[row * stride + n]. */
struct matmul_output {
    float *at;
    int64_t stride;
    const float *bias; /* [out]; NULL: none */
    float scale;
    bool is_added; /* to what is there */
};

/* Columns first ... last - 1 of y = scale * x W^T + bias, in float32. Several threads may compute
 * different columns. */
void matmul(const matmul_input &x, const matmul_weights &w, int64_t first, int64_t last,
            const matmul_output &y);

/* Does this processor multiply bfloat16 as matmul() does (AVX512_BF16)? */
bool matmul_has_bf16();

/* Compute as a processor of a lower level would, for tests: of no level beyond x86-64, -v3, -v4. */
enum matmul_level { MATMUL_ANY, MATMUL_V3, MATMUL_V4 };
void matmul_limit(matmul_level highest);

/* Rounded to nearest, ties to even. */
void matmul_to_bf16(const float *x, uint16_t *y, int64_t n);

} // namespace ccalab

#endif
