/* Compiled with -O3 -ffast-math (model/CMakeLists.txt), and once for each level of x86-64: the
 * loader takes what the processor can do. */
#include "model/kernels.h"

#include <float.h>
#include <math.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__)
#define KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL
#endif

/* Without infinity on the way, which -ffast-math may take for a number. */
static inline float sigmoid(float x)
{
    return 1 / (1 + expf(x < -80 ? 80 : -x));
}

KERNEL void kernel_rms_norm(const float *restrict x, const float *restrict gain, float *restrict y,
                            float *restrict scales, size_t rows, size_t width, float eps)
{
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        float sum = 0;
        for (size_t i = 0; i < width; i++)
            sum += x[i] * x[i];
        float scale = 1 / sqrtf(sum / (float)width + eps);
        scales[r] = scale;
        for (size_t i = 0; i < width; i++)
            y[i] = x[i] * scale * gain[i];
    }
}

KERNEL void kernel_rms_norm_back(const float *restrict x, const float *restrict gain,
                                 const float *restrict scales, const float *restrict dy,
                                 float *restrict dx, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++, x += width, dy += width, dx += width) {
        float dot = 0, scale = scales[r];
        for (size_t i = 0; i < width; i++)
            dot += dy[i] * gain[i] * x[i];
        float common = dot * scale * scale / (float)width;
        for (size_t i = 0; i < width; i++)
            dx[i] = scale * (dy[i] * gain[i] - x[i] * common);
    }
}

KERNEL void kernel_layer_norm(const float *restrict x, const float *restrict gain,
                              const float *restrict bias, float *restrict y, size_t rows,
                              size_t width, float eps)
{
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        float sum = 0, squares = 0;
        for (size_t i = 0; i < width; i++)
            sum += x[i];
        float mean = sum / (float)width;
        for (size_t i = 0; i < width; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        float scale = 1 / sqrtf(squares / (float)width + eps);
        for (size_t i = 0; i < width; i++)
            y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
    }
}

KERNEL void kernel_gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f));
}

KERNEL void kernel_gelu_tanh(float *x, size_t n)
{
    /* 1 + tanh(y) is 2 sigmoid(2 y). */
    for (size_t i = 0; i < n; i++)
        x[i] *= sigmoid(1.59576912f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
}

KERNEL void kernel_relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

KERNEL void kernel_swiglu(const float *restrict gate, const float *up, float *out, size_t n)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

KERNEL void kernel_swiglu_back(const float *restrict gate, const float *restrict up,
                               const float *restrict dout, float *restrict dgate,
                               float *restrict dup, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float s = sigmoid(gate[i]);
        dup[i] = dout[i] * gate[i] * s;
        dgate[i] = dout[i] * up[i] * s * (1 + gate[i] * (1 - s));
    }
}

KERNEL void kernel_rotate(const float *restrict x, size_t x_stride, float *restrict y,
                          size_t y_stride, const float *restrict cosines,
                          const float *restrict sines, size_t heads, size_t half, float direction)
{
    for (size_t h = 0; h < heads; h++, x += x_stride, y += y_stride) {
        for (size_t j = 0; j < half; j++) {
            float c = cosines[j], s = direction * sines[j];
            y[j] = x[j] * c - x[j + half] * s;
            y[j + half] = x[j + half] * c + x[j] * s;
        }
    }
}

KERNEL void kernel_attend(struct kernel_rows q, struct kernel_rows k, struct kernel_rows v,
                          struct kernel_rows out, float *weights, size_t tokens, size_t past,
                          size_t dim, float scale)
{
    size_t all = past + tokens;
    for (size_t i = 0; i < tokens; i++, weights += all) {
        const float *restrict qi = q.at + i * q.stride;
        float *restrict oi = out.at + i * out.stride, *restrict w = weights;
        size_t seen = past + i + 1;
        float top = -FLT_MAX, sum = 0;
        for (size_t j = 0; j < seen; j++) {
            const float *restrict kj = k.at + j * k.stride;
            float dot = 0;
            for (size_t d = 0; d < dim; d++)
                dot += qi[d] * kj[d];
            w[j] = dot * scale;
            top = w[j] > top ? w[j] : top;
        }
        for (size_t j = 0; j < seen; j++) {
            w[j] = expf(w[j] - top);
            sum += w[j];
        }
        for (size_t j = 0; j < seen; j++)
            w[j] /= sum;
        for (size_t j = seen; j < all; j++)
            w[j] = 0;
        for (size_t d = 0; d < dim; d++)
            oi[d] = 0;
        for (size_t j = 0; j < seen; j++) {
            const float *restrict vj = v.at + j * v.stride;
            for (size_t d = 0; d < dim; d++)
                oi[d] += w[j] * vj[d];
        }
    }
}

KERNEL void kernel_attend_back(struct kernel_rows q, struct kernel_rows k, struct kernel_rows v,
                               const float *weights, struct kernel_rows dout, struct kernel_rows dq,
                               struct kernel_rows dk, struct kernel_rows dv, float *scratch,
                               size_t tokens, size_t dim, float scale)
{
    for (size_t i = 0; i < tokens; i++, weights += tokens) {
        const float *restrict qi = q.at + i * q.stride, *restrict doi = dout.at + i * dout.stride;
        const float *restrict w = weights;
        float *restrict dqi = dq.at + i * dq.stride, *restrict dw = scratch;
        float mean = 0;
        for (size_t j = 0; j <= i; j++) {
            const float *restrict vj = v.at + j * v.stride;
            float *restrict dvj = dv.at + j * dv.stride;
            float dot = 0;
            for (size_t d = 0; d < dim; d++) {
                dot += doi[d] * vj[d];
                dvj[d] += w[j] * doi[d];
            }
            dw[j] = dot;
            mean += dot * w[j];
        }
        for (size_t d = 0; d < dim; d++)
            dqi[d] = 0;
        for (size_t j = 0; j <= i; j++) {
            const float *restrict kj = k.at + j * k.stride;
            float *restrict dkj = dk.at + j * dk.stride;
            float ds = w[j] * (dw[j] - mean) * scale;
            for (size_t d = 0; d < dim; d++) {
                dqi[d] += ds * kj[d];
                dkj[d] += ds * qi[d];
            }
        }
    }
}

/* Of 32 bits, so that a vector holds many: the finaliser of MurmurHash3 (Appleby) over the index,
 * with one half of the key before it and one within. */
KERNEL void kernel_drop(const float *x, float *y, size_t n, uint64_t key, uint32_t first,
                        float probability)
{
    uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
    uint32_t limit = (uint32_t)((double)probability * 0x1p32);
    float scale = 1 / (1 - probability);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
    for (size_t i = 0; i < n; i++) {
        uint32_t h = (first + (uint32_t)i) * 0x9e3779b1u + low;
        h = (h ^ (h >> 16)) * 0x85ebca6bu;
        h = (h ^ high ^ (h >> 13)) * 0xc2b2ae35u;
        h ^= h >> 16;
        y[i] = h < limit ? 0 : x[i] * scale;
    }
}

KERNEL void kernel_adamw_step(const struct kernel_adamw *o, float *restrict value,
                              float *restrict first, float *restrict second,
                              const float *restrict grad, size_t n)
{
    const struct kernel_adamw c = *o;
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] * c.grad_scale;
        first[i] = first[i] * c.beta1 + g * (1 - c.beta1);
        second[i] = second[i] * c.beta2 + g * g * (1 - c.beta2);
        value[i] =
            value[i] * c.decay - c.step_size * first[i] / (sqrtf(second[i]) / c.bias2 + c.eps);
    }
}

KERNEL double kernel_square_sum(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}
