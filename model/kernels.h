/* Arithmetic of a decoder layer in one pass over memory each, on plain float32. What libtorch
 * does in five to ten operations with a temporary each is one of these; model/fused.cpp makes
 * differentiable operations of them. Nothing here allocates, checks or starts threads. */
#ifndef CCALAB_MODEL_KERNELS_H
#define CCALAB_MODEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = x / sqrt(mean(x^2) + eps) * gain, row by row (Zhang and Sennrich, 2019). scales: [rows],
 * what each row was multiplied by; the gradient needs it. */
void kernel_rms_norm(const float *x, const float *gain, float *y, float *scales, size_t rows,
                     size_t width, float eps);
void kernel_rms_norm_back(const float *x, const float *gain, const float *scales, const float *dy,
                          float *dx, size_t rows, size_t width);

/* y = (x - mean(x)) / sqrt(variance(x) + eps) * gain + bias, row by row (Ba et al., 2016). */
void kernel_layer_norm(const float *x, const float *gain, const float *bias, float *y, size_t rows,
                       size_t width, float eps);

/* In place: gelu (Hendrycks and Gimpel, 2016) by the error function or, as GPT-2 has it, by tanh.
 */
void kernel_gelu(float *x, size_t n);
void kernel_gelu_tanh(float *x, size_t n);
void kernel_relu(float *x, size_t n);

/* out = silu(gate) * up (Shazeer, 2020); out may be up. */
void kernel_swiglu(const float *gate, const float *up, float *out, size_t n);
void kernel_swiglu_back(const float *gate, const float *up, const float *dout, float *dgate,
                        float *dup, size_t n);

/* Rotate the pairs (j, j + half) of each head of one token by the angles whose cosines and sines
 * are given (Su et al., 2021); direction -1 turns back. Strides are in floats. */
void kernel_rotate(const float *x, size_t x_stride, float *y, size_t y_stride, const float *cosines,
                   const float *sines, size_t heads, size_t half, float direction);

/* The tokens of one head, `stride` floats apart. */
struct kernel_rows {
    float *at;
    size_t stride;
};

/* One head of causal softmax attention: token i of q sees the tokens 0 ... past + i of k and v.
 * weights: [tokens, past + tokens], what each sees how much of; 0 above the diagonal. */
void kernel_attend(struct kernel_rows q, struct kernel_rows k, struct kernel_rows v,
                   struct kernel_rows out, float *weights, size_t tokens, size_t past, size_t dim,
                   float scale);
/* Its gradients, past = 0. dq is overwritten, dk and dv are added to (heads of a group share
 * them); scratch: [tokens]. */
void kernel_attend_back(struct kernel_rows q, struct kernel_rows k, struct kernel_rows v,
                        const float *weights, struct kernel_rows dout, struct kernel_rows dq,
                        struct kernel_rows dk, struct kernel_rows dv, float *scratch, size_t tokens,
                        size_t dim, float scale);

/* y = x with each value 0 by `probability` and scaled by 1 / (1 - probability) otherwise
 * (Srivastava et al., 2014), decided by a hash of the key and the value's index, first + i. y may
 * be x. */
void kernel_drop(const float *x, float *y, size_t n, uint64_t key, uint32_t first,
                 float probability);

/* One step of AdamW for one parameter. */
struct kernel_adamw {
    float grad_scale; /* of clipping */
    float beta1, beta2, eps;
    float decay;     /* 1 - lr * weight decay */
    float step_size; /* lr / (1 - beta1^t) */
    float bias2;     /* sqrt(1 - beta2^t) */
};
void kernel_adamw_step(const struct kernel_adamw *o, float *value, float *first, float *second,
                       const float *grad, size_t n);
/* Sum of squares. */
double kernel_square_sum(const float *x, size_t n);

#ifdef __cplusplus
}
#endif

#endif
