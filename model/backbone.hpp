/* What all language-model backbones share: one interface, attention, LoRA, the KV cache. */
#ifndef CCALAB_MODEL_BACKBONE_HPP
#define CCALAB_MODEL_BACKBONE_HPP

#include <memory>

#include "model/decoder.hpp"
#include "model/dropout.hpp"
#include "model/params.hpp"

namespace ccalab
{

/* Keys and values of every layer for several contexts, each in a slot of its own. To crop a
 * context is to shorten its length. */
struct kv_cache {
    struct layer {
        at::Tensor k, v; /* [slots, key/value heads, capacity, head_dim] */
    };
    std::vector<layer> layers;
    std::vector<int64_t> lengths; /* tokens in each slot */
};

/* What a forward pass needs to know beside its input. */
struct pass {
    class dropout *dropout = nullptr; /* nullptr: evaluation */
    /* Where the input continues contexts: row i of the input is appended to slot slots[i]. */
    kv_cache *cache = nullptr;
    std::vector<int64_t> slots;
    bool is_merged = false; /* LoRA is in the weights already */
    /* Of each row's tokens, whose hidden states are wanted: first, first + step, ... */
    int64_t first = 0, step = 1;

    /* How many these are. */
    int64_t wanted(int64_t tokens) const;

    /* Tokens before the input's row. */
    int64_t past(int64_t row) const;
    /* The same for all rows; empty without a cache. */
    std::vector<int64_t> pasts() const;
};

/* A table made on the CPU, and its copies on the devices that read it. */
class device_table
{
  public:
    void set(const at::Tensor &table);
    /* Entries in the first dimension; 0 before set(). */
    int64_t size() const;
    at::Tensor on(at::Device device);

  private:
    std::vector<at::Tensor> copies_;
};

/* W x + bias, and where LoRA is on + alpha / rank * B (A dropout(x)). */
struct projection {
    at::Tensor weight, bias;
    bool is_input_first = false; /* GPT-2's Conv1D keeps [in, out], all others [out, in] */
    at::Tensor a, b;
    double scale = 0, dropout = 0;

    at::Tensor operator()(const at::Tensor &x, const pass &pass) const;
};

struct layer_norm {
    at::Tensor weight, bias;

    at::Tensor operator()(const at::Tensor &x, double eps) const;
};

/* Where the frozen weights come from, files or random numbers, and where they go. */
struct weight_source {
    const weights *files = nullptr;
    error *err = nullptr;
    device_plan plan;
};

/* Makes the frozen weights of a backbone and their LoRA, under Hugging Face's and PEFT's names, on
 * the first device until told otherwise. */
class backbone_maker
{
  public:
    backbone_maker(param_list &list, const policy_config &config, const weight_source &source);

    projection linear(const std::string &name, int64_t in, int64_t out, bool has_bias);
    projection conv1d(const std::string &name, int64_t in, int64_t out);
    at::Tensor ones(const std::string &name, int64_t size);
    layer_norm norm(const std::string &name, int64_t size);
    at::Tensor table(const std::string &name, int64_t rows, int64_t width);
    /* How many layers early stop leaves. */
    int layers() const;
    /* What follows lies where this layer lies; behind the last layer: the final norm. */
    void enter_layer(int index);

  private:
    param_list &list_;
    const policy_config &config_;
    const weight_source &source_;

    at::Tensor matrix(const std::string &name, at::IntArrayRef shape, policy_dtype dtype);
    at::Tensor vector(const std::string &name, int64_t size, double value);
    void add_lora(projection &p, const std::string &name, int64_t in, int64_t out);
};

/* A decoder without token embedding and LM head: embeddings in, hidden states out. */
class backbone
{
  public:
    virtual ~backbone() = default;
    /* x: [rows, tokens, width]; the wanted ones of these out, after the final norm. With a cache
     * the tokens follow what each row's slot holds, and are kept there. */
    at::Tensor forward(at::Tensor x, const pass &pass);
    /* Make what passes of up to `tokens` tokens read: from then on they may run side by side, those
     * without a cache. */
    void reserve(int64_t tokens);
    /* Room for `slots` contexts of up to `capacity` tokens. */
    kv_cache make_cache(int64_t slots, int64_t capacity) const;

  protected:
    backbone(const policy_config &config, const weight_source &source);

    backbone_config config_;
    device_plan plan_;
    int layers_count_ = 0;
    decoder decoder_; /* filled by the families */

    /* Tables for positions 0 ... tokens - 1, never of inference tensors: training uses them too. */
    virtual void reserve_positions(int64_t tokens);
    /* The tables of rotary positions on the CPU: cosines, sines. Undefined: there are none. */
    virtual std::pair<at::Tensor, at::Tensor> rotary();
    virtual at::Tensor enter(const at::Tensor &x, const pass &pass) = 0;
    virtual at::Tensor layer(int index, const at::Tensor &x, const pass &pass) = 0;
    virtual at::Tensor leave(const at::Tensor &x, const pass &pass) = 0;

    /* Rows of `table` at the input's positions, `offset` rows further down: [tokens, width], or
     * [rows, tokens, width] where contexts continue. */
    at::Tensor at_positions(const at::Tensor &table, const at::Tensor &x, int64_t offset,
                            const pass &pass) const;
    /* [rows, tokens, heads * head_dim] to [rows, heads, tokens, head_dim]. */
    static at::Tensor split_heads(const at::Tensor &x, int64_t heads);
    /* Causal softmax attention over the cache and the input itself, for any family. q: [rows,
     * heads, tokens, head_dim]; k, v with as many or fewer heads, each shared by a group of q's.
     * Returns [rows, tokens, heads * head_dim]. */
    at::Tensor attend(int layer, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                      const pass &pass);

  private:
    device_table mask_; /* [tokens, tokens]: 0 where a token may look, -inf elsewhere */

    at::Tensor to_layer(const at::Tensor &x, int index) const;

    void reserve_mask(int64_t tokens);
    bool can_decode(const at::Tensor &x, int64_t longest) const;
    bool can_fuse(const at::Tensor &x, const pass &pass) const;
    at::Tensor mix(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, int64_t past,
                   const pass &pass);
};

std::unique_ptr<backbone> make_llama(param_list &list, const policy_config &config,
                                     const weight_source &source); /* Mistral */
std::unique_ptr<backbone> make_gpt2(param_list &list, const policy_config &config,
                                    const weight_source &source);
std::unique_ptr<backbone> make_opt(param_list &list, const policy_config &config,
                                   const weight_source &source);
/* Of the family that config.backbone names. */
std::unique_ptr<backbone> make_backbone(param_list &list, const policy_config &config,
                                        const weight_source &source);

} // namespace ccalab

#endif
