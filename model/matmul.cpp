/* A tile of up to 6 rows and 4 columns is kept in registers and reduced at the end: both operands
 * are read along their rows, as they lie. Compiled for each level of x86-64; -ffast-math, since
 * sums are in no order (model/CMakeLists.txt). */
#include "model/matmul.hpp"

#include <algorithm>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#define V4      [[gnu::target("arch=x86-64-v4")]]
#define V4_BF16 [[gnu::target("arch=x86-64-v4,avx512bf16")]]
#define V3      [[gnu::target("arch=x86-64-v3")]]
#endif

namespace ccalab
{

namespace
{

const int COLUMNS = 4;

/* What the rows of x take up while a few rows of W pass by: half of a second-level cache. */
const int64_t BLOCK_BYTES = 512 << 10;
const int64_t BLOCK_ROWS = 96;

typedef float quad __attribute__((vector_size(16)));

template <int LANES> struct lanes {
    typedef float vec __attribute__((vector_size(4 * LANES)));
    typedef float loose __attribute__((vector_size(4 * LANES), aligned(4)));
};

struct job {
    matmul_input x;
    matmul_weights w;
    int64_t first, last;
    matmul_output y;
};

/* A rectangle of the product, over a part of the sum. */
struct part {
    int64_t row, column, from, to;
};

/* The sums of the lanes of a, b, c and d. */
[[gnu::always_inline]] inline void reduce(const lanes<4>::vec *v, quad *out)
{
    lanes<4>::vec ab = __builtin_shufflevector(v[0], v[1], 0, 1, 4, 5) +
                       __builtin_shufflevector(v[0], v[1], 2, 3, 6, 7);
    lanes<4>::vec cd = __builtin_shufflevector(v[2], v[3], 0, 1, 4, 5) +
                       __builtin_shufflevector(v[2], v[3], 2, 3, 6, 7);
    *out =
        __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

[[gnu::always_inline]] inline void reduce(const lanes<8>::vec *v, quad *out)
{
    lanes<4>::vec halves[4];
    for (int i = 0; i < 4; i++)
        halves[i] = __builtin_shufflevector(v[i], v[i], 0, 1, 2, 3) +
                    __builtin_shufflevector(v[i], v[i], 4, 5, 6, 7);
    reduce(halves, out);
}

[[gnu::always_inline]] inline void reduce(const lanes<16>::vec *v, quad *out)
{
    lanes<16>::vec ab = __builtin_shufflevector(v[0], v[1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19,
                                                20, 21, 22, 23) +
                        __builtin_shufflevector(v[0], v[1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25,
                                                26, 27, 28, 29, 30, 31);
    lanes<16>::vec cd = __builtin_shufflevector(v[2], v[3], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19,
                                                20, 21, 22, 23) +
                        __builtin_shufflevector(v[2], v[3], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25,
                                                26, 27, 28, 29, 30, 31);
    lanes<16>::vec all =
        __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
        __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    /* a, b, c and d have four lanes each. */
    all += __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    all += __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    *out = __builtin_shufflevector(all, all, 0, 4, 8, 12);
}

/* One row of a tile: `sums` belong to columns column ... column + count - 1. A later part of the
 * sum adds to the earlier ones, and the bias comes with the first. */
[[gnu::always_inline]] inline void put(const job &j, const part &p, int64_t row, const quad &sums,
                                       int count)
{
    float *y = j.y.at + row * j.y.stride + p.column;
    const float *bias = j.y.bias && !p.from ? j.y.bias + p.column : nullptr;
    bool is_added = j.y.is_added || p.from;
    quad v = j.y.scale * sums;
    if (count == COLUMNS) {
        if (bias)
            v += *reinterpret_cast<const lanes<4>::loose *>(bias);
        if (is_added)
            v += *reinterpret_cast<const lanes<4>::loose *>(y);
        *reinterpret_cast<lanes<4>::loose *>(y) = v;
        return;
    }
    for (int n = 0; n < count; n++)
        y[n] = v[n] + (bias ? bias[n] : 0) + (is_added ? y[n] : 0);
}

template <int LANES, int ROWS>
[[gnu::always_inline]] inline void tile_f32(const job &j, const part &p, int count)
{
    typedef typename lanes<LANES>::vec vec;
    typedef typename lanes<LANES>::loose loose;
    int64_t in = j.w.in, k = p.from;
    const float *x = static_cast<const float *>(j.x.at) + p.row * in;
    const float *w[COLUMNS];
    /* Columns that are not there are the last one again: read, and not put. */
    for (int n = 0; n < COLUMNS; n++)
        w[n] = static_cast<const float *>(j.w.at) + (p.column + std::min(n, count - 1)) * in;
    vec sums[ROWS][COLUMNS] = {};
    for (; k + LANES <= p.to; k += LANES) {
        vec b[COLUMNS];
#pragma GCC unroll 4
        for (int n = 0; n < COLUMNS; n++)
            b[n] = *reinterpret_cast<const loose *>(w[n] + k);
#pragma GCC unroll 6
        for (int m = 0; m < ROWS; m++) {
            vec a = *reinterpret_cast<const loose *>(x + m * in + k);
#pragma GCC unroll 4
            for (int n = 0; n < COLUMNS; n++)
                sums[m][n] += a * b[n];
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++) {
        quad total;
        reduce(sums[m], &total);
        for (int64_t i = k; i < p.to; i++)
            for (int n = 0; n < COLUMNS; n++)
                total[n] += x[m * in + i] * w[n][i];
        put(j, p, p.row + m, total, count);
    }
}

#ifdef __x86_64__
/* Pairs of bfloat16 are multiplied and added to the float32 of their lane. */
template <int ROWS> V4_BF16 void tile_bf16(const job &j, const part &p, int count)
{
    const int LANES = 32;
    int64_t in = j.w.in;
    const uint16_t *x = static_cast<const uint16_t *>(j.x.at) + p.row * in;
    const uint16_t *w[COLUMNS];
    for (int n = 0; n < COLUMNS; n++)
        w[n] = static_cast<const uint16_t *>(j.w.at) + (p.column + std::min(n, count - 1)) * in;
    __m512 sums[ROWS][COLUMNS] = {};
    for (int64_t k = p.from; k < p.to; k += LANES) {
        /* Behind the end are zeros. */
        __mmask32 inside = p.to - k >= LANES ? ~0u : (1u << (p.to - k)) - 1;
        __m512bh b[COLUMNS];
#pragma GCC unroll 4
        for (int n = 0; n < COLUMNS; n++)
            b[n] = (__m512bh)_mm512_maskz_loadu_epi16(inside, w[n] + k);
#pragma GCC unroll 6
        for (int m = 0; m < ROWS; m++) {
            __m512bh a = (__m512bh)_mm512_maskz_loadu_epi16(inside, x + m * in + k);
#pragma GCC unroll 4
            for (int n = 0; n < COLUMNS; n++)
                sums[m][n] = _mm512_dpbf16_ps(sums[m][n], a, b[n]);
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++) {
        lanes<16>::vec of_row[COLUMNS];
        for (int n = 0; n < COLUMNS; n++)
            of_row[n] = (lanes<16>::vec)sums[m][n];
        quad total;
        reduce(of_row, &total);
        put(j, p, p.row + m, total, count);
    }
}

template <int ROWS> V4 void tile_v4(const job &j, const part &p, int count)
{
    tile_f32<16, ROWS>(j, p, count);
}

template <int ROWS> V3 void tile_v3(const job &j, const part &p, int count)
{
    tile_f32<8, ROWS>(j, p, count);
}
#endif

template <int ROWS> void tile_any(const job &j, const part &p, int count)
{
    tile_f32<4, ROWS>(j, p, count);
}

/* Tiles of 1, 2, ... rows. As many as the registers hold. */
struct kernel {
    int rows;
    void (*tile[6])(const job &j, const part &p, int count);
};

kernel kernel_f32(matmul_level highest)
{
#ifdef __x86_64__
    if (highest >= MATMUL_V4 && __builtin_cpu_supports("x86-64-v4"))
        return {6, {tile_v4<1>, tile_v4<2>, tile_v4<3>, tile_v4<4>, tile_v4<5>, tile_v4<6>}};
    if (highest >= MATMUL_V3 && __builtin_cpu_supports("x86-64-v3"))
        return {3, {tile_v3<1>, tile_v3<2>, tile_v3<3>}};
#endif
    (void)highest;
    return {2, {tile_any<1>, tile_any<2>}};
}

kernel kernel_bf16()
{
#ifdef __x86_64__
    return {6,
            {tile_bf16<1>, tile_bf16<2>, tile_bf16<3>, tile_bf16<4>, tile_bf16<5>, tile_bf16<6>}};
#else
    return {};
#endif
}

/* Ask for a share of the rows of W that come next, while there is work on those that are here. */
void prefetch(const matmul_weights &w, const part &next, int count, int64_t share, int64_t shares)
{
    int64_t size = w.is_bf16 ? 2 : 4, bytes = (next.to - next.from) * size;
    int64_t begin = bytes * share / shares / 64 * 64, end = bytes * (share + 1) / shares;
    for (int n = 0; n < count; n++) {
        const char *row =
            static_cast<const char *>(w.at) + ((next.column + n) * w.in + next.from) * size;
        for (int64_t i = begin; i < end; i += 64)
            __builtin_prefetch(row + i, 0, 2);
    }
}

kernel of_f32 = kernel_f32(MATMUL_V4);
const kernel of_bf16 = kernel_bf16();

} // namespace

void matmul_limit(matmul_level highest)
{
    of_f32 = kernel_f32(highest);
}

void matmul(const matmul_input &x, const matmul_weights &w, int64_t first, int64_t last,
            const matmul_output &y)
{
    const kernel &kernel = w.is_bf16 ? of_bf16 : of_f32;
    const job j = {x, w, first, last, y};
    int64_t size = w.is_bf16 ? 2 : 4;
    int64_t rows_max = std::min(x.rows, BLOCK_ROWS);
    int64_t depth = std::max<int64_t>(BLOCK_BYTES / size / rows_max / 64 * 64, 512);
    for (int64_t row = 0; row < x.rows; row += rows_max) {
        int64_t row_end = std::min(row + rows_max, x.rows);
        for (int64_t from = 0; from < w.in; from += depth) {
            int64_t to = std::min(from + depth, w.in);
            for (int64_t n = first; n < last; n += COLUMNS) {
                int count = static_cast<int>(std::min<int64_t>(COLUMNS, last - n));
                int next = static_cast<int>(std::min<int64_t>(COLUMNS, last - n - count));
                int64_t tiles = (row_end - row + kernel.rows - 1) / kernel.rows;
                for (int64_t t = 0, m = row; t < tiles; t++, m += kernel.rows) {
                    int64_t rows = std::min<int64_t>(kernel.rows, row_end - m);
                    prefetch(w, {0, n + count, from, to}, next, t, tiles);
                    kernel.tile[rows - 1](j, {m, n, from, to}, count);
                }
            }
        }
    }
}

bool matmul_has_bf16()
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

#ifdef __x86_64__
V4_BF16 static void to_bf16(const float *x, uint16_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 inside = static_cast<__mmask16>(n - i >= 16 ? 0xffff : (1u << (n - i)) - 1);
        __m512 v = _mm512_maskz_loadu_ps(inside, x + i);
        _mm256_mask_storeu_epi16(y + i, inside, (__m256i)_mm512_cvtneps_pbh(v));
    }
}
#endif

void matmul_to_bf16(const float *x, uint16_t *y, int64_t n)
{
#ifdef __x86_64__
    to_bf16(x, y, n);
#else
    (void)x, (void)y, (void)n;
#endif
}

} // namespace ccalab
