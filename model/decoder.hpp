/* The forward pass of any family without gradients on the CPU: the same function as the family's
 * own (model/backbone_*.cpp), over buffers that are kept, by model/matmul.hpp and model/kernels.h,
 * two to three times as fast at the sizes of a decision. */
#ifndef CCALAB_MODEL_DECODER_HPP
#define CCALAB_MODEL_DECODER_HPP

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/matmul.hpp"
#include "model/netllm.h"

namespace ccalab
{

struct pass;
struct projection;

/* The columns of a projection from `first` on: GPT-2 has one for query, key and value. */
struct decoder_columns {
    const projection *of = nullptr;
    int64_t first = 0;
};

struct decoder_norm {
    at::Tensor weight, bias; /* bias undefined: by the root mean square */
};

struct decoder_layer {
    decoder_norm attn_norm, mlp_norm;
    decoder_columns q, k, v;
    const projection *out, *gate, *up, *down; /* gate nullptr: an activation instead of SwiGLU */
};

class decoder
{
  public:
    /* Filled by the families. Whatever is pointed to is the backbone's. */
    std::vector<decoder_layer> layers;
    const projection *project_in = nullptr, *project_out = nullptr;
    at::Tensor positions; /* learned; undefined: rotary */
    int64_t position_offset = 0;
    decoder_norm norm; /* weight undefined: none */

    /* x: [rows, tokens, width], float32 on the CPU; the pass is without dropout. cosines, sines:
     * [positions, head_dim / 2], for rotary positions. Returns what the pass wants. */
    at::Tensor forward(const backbone_config &config, const at::Tensor &x, const pass &pass,
                       const at::Tensor &cosines, const at::Tensor &sines);

  private:
    /* A matrix [tokens of the pass, width]; rounded to bfloat16 for those weights. */
    struct activations {
        std::vector<float> values;
        std::vector<uint16_t> rounded;
        int64_t width = 0;
        bool is_rounded = false;
    };
    /* One product of a list that the threads share. */
    struct product {
        matmul_input x;
        matmul_weights w;
        matmul_output y;
    };

    const backbone_config *config_ = nullptr;
    const pass *pass_ = nullptr;
    const float *cosines_ = nullptr, *sines_ = nullptr;
    int64_t rows_ = 0, tokens_ = 0, wanted_ = 0; /* wanted: of the tokens of each row */
    activations hidden_, normed_, some_, q_, k_, v_, rotated_, attended_, gate_, up_;
    std::vector<float> low_[3], scales_, scratch_;
    std::vector<product> products_, updates_; /* W x, then what LoRA adds to it */

    float *resize(activations &a, int64_t count, int64_t width) const;
    void add(const decoder_columns &c, activations &x, int64_t count, float *y, int64_t columns,
             bool is_added);
    void multiply();
    void apply(const projection &p, activations &x, int64_t count, activations &y, int64_t width,
               bool is_added);
    void normalise(const decoder_norm &n, const activations &x, activations &y, int64_t count);
    void activate(bool is_gated, int64_t count);
    void enter(const at::Tensor &x);
    void keep_wanted(const activations &x, activations &y) const;
    void attend(size_t index, bool is_partial);
    void run_layer(size_t index);
};

} // namespace ccalab

#endif
