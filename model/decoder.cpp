#include "model/decoder.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/backbone.hpp"
#include "model/kernels.h"
#include "model/team.hpp"

namespace ccalab
{

namespace
{

/* Multiplications below which another thread costs more than it saves; as many floats of other
 * work. */
constexpr int64_t GRAIN = 1 << 17, FLOATS_GRAIN = 1 << 14;
/* Columns that a thread takes at a time: those of a tile of matmul(). */
constexpr int64_t COLUMNS = 4;

int64_t grain(int64_t all, int64_t each)
{
    return std::max<int64_t>(1, all / std::max<int64_t>(1, each));
}

size_t size_of(int64_t n)
{
    return static_cast<size_t>(n);
}

} // namespace

float *decoder::resize(activations &a, int64_t count, int64_t width) const
{
    size_t size = size_of(count * width);
    if (a.values.size() < size)
        a.values.resize(size);
    a.width = width;
    a.is_rounded = false;
    return a.values.data();
}

/* --- products --------------------------------------------------------------------------------- */

/* `columns` of x W^T + bias, with LoRA where it is on, into y or added to it. Up to three before
 * multiply() does them. */
void decoder::add(const decoder_columns &c, activations &x, int64_t count, float *y,
                  int64_t columns, bool is_added)
{
    const projection &p = *c.of;
    at::Tensor w = p.is_input_first ? p.weight.t() : p.weight;
    bool is_bf16 = w.scalar_type() == at::kBFloat16;
    int64_t in = w.size(1), skipped = c.first * in * (is_bf16 ? 2 : 4);
    const float *values = x.values.data();
    if (is_bf16 && !x.is_rounded) {
        size_t size = size_of(count * in);
        if (x.rounded.size() < size)
            x.rounded.resize(size);
        uint16_t *rounded = x.rounded.data();
        team_run(count, grain(FLOATS_GRAIN, in), [=](int64_t begin, int64_t end, int) {
            matmul_to_bf16(values + begin * in, rounded + begin * in, (end - begin) * in);
        });
        x.is_rounded = true;
    }
    const void *input = is_bf16 ? static_cast<const void *>(x.rounded.data()) : values;
    const float *bias = p.bias.defined() ? p.bias.data_ptr<float>() + c.first : nullptr;
    products_.push_back({{input, count},
                         {static_cast<const char *>(w.data_ptr()) + skipped, is_bf16, columns, in},
                         {y, columns, bias, 1, is_added}});
    if (!p.a.defined() || pass_->is_merged)
        return;
    int64_t rank = p.a.size(0);
    std::vector<float> &low = low_[updates_.size()];
    if (low.size() < size_of(count * rank))
        low.resize(size_of(count * rank));
    products_.push_back({{values, count},
                         {p.a.data_ptr<float>(), false, rank, in},
                         {low.data(), rank, nullptr, static_cast<float>(p.scale), false}});
    updates_.push_back({{low.data(), count},
                        {p.b.data_ptr<float>() + c.first * rank, false, columns, rank},
                        {y, columns, nullptr, 1, true}});
}

/* All that was added: the threads share the columns of all matrices together. */
void decoder::multiply()
{
    for (std::vector<product> *list : {&products_, &updates_}) {
        int64_t groups = 0, work = 0;
        for (const product &p : *list) {
            groups += (p.w.out + COLUMNS - 1) / COLUMNS;
            work += p.x.rows * p.w.out * p.w.in;
        }
        if (!groups)
            continue;
        team_run(groups, grain(GRAIN, work / groups), [&](int64_t begin, int64_t end, int) {
            for (const product &p : *list) {
                int64_t here = (p.w.out + COLUMNS - 1) / COLUMNS;
                int64_t from = std::max<int64_t>(begin, 0), to = std::min(end, here);
                if (from < to)
                    matmul(p.x, p.w, from * COLUMNS, std::min(to * COLUMNS, p.w.out), p.y);
                begin -= here;
                end -= here;
            }
        });
        list->clear();
    }
}

void decoder::apply(const projection &p, activations &x, int64_t count, activations &y,
                    int64_t width, bool is_added)
{
    float *to = resize(y, count, width);
    add({&p, 0}, x, count, to, width, is_added);
    multiply();
}

/* --- between the products --------------------------------------------------------------------- */

void decoder::normalise(const decoder_norm &n, const activations &x, activations &y, int64_t count)
{
    int64_t width = x.width;
    float *to = resize(y, count, width), eps = static_cast<float>(config_->norm_eps);
    const float *from = x.values.data(), *gain = n.weight.data_ptr<float>();
    const float *bias = n.bias.defined() ? n.bias.data_ptr<float>() : nullptr;
    if (scales_.size() < size_of(count))
        scales_.resize(size_of(count));
    float *scales = scales_.data();
    team_run(count, grain(FLOATS_GRAIN, width), [=](int64_t begin, int64_t end, int) {
        size_t rows = size_of(end - begin), at = size_of(begin * width);
        if (bias)
            kernel_layer_norm(from + at, gain, bias, to + at, rows, size_of(width), eps);
        else
            kernel_rms_norm(from + at, gain, to + at, scales + begin, rows, size_of(width), eps);
    });
}

/* up_ = silu(gate_) * up_, or the configuration's activation of up_. */
void decoder::activate(bool is_gated, int64_t count)
{
    const float *gate = gate_.values.data();
    float *up = up_.values.data();
    backbone_activation kind = config_->activation;
    team_run(count * up_.width, FLOATS_GRAIN, [=](int64_t begin, int64_t end, int) {
        size_t n = size_of(end - begin);
        if (is_gated)
            kernel_swiglu(gate + begin, up + begin, up + begin, n);
        else if (kind == BACKBONE_RELU)
            kernel_relu(up + begin, n);
        else if (kind == BACKBONE_GELU_TANH)
            kernel_gelu_tanh(up + begin, n);
        else
            kernel_gelu(up + begin, n);
    });
}

/* The tokens that the pass wants of each row, close together. */
void decoder::keep_wanted(const activations &x, activations &y) const
{
    int64_t width = x.width;
    float *to = resize(y, rows_ * wanted_, width);
    const float *from = x.values.data();
    for (int64_t row = 0; row < rows_; row++)
        for (int64_t i = 0; i < wanted_; i++, to += width)
            std::memmove(to, from + (row * tokens_ + pass_->first + i * pass_->step) * width,
                         size_of(width) * sizeof *to);
}

void decoder::attend(size_t index, bool is_partial)
{
    int64_t heads = config_->num_attention_heads, kv = config_->num_key_value_heads;
    int64_t dim = config_->hidden_size / heads, group = heads / kv;
    int64_t asked = is_partial ? wanted_ : tokens_;
    kv_cache *cache = pass_->cache;
    std::vector<int64_t> past(size_of(rows_), 0);
    for (int64_t row = 0; row < rows_; row++)
        past[size_of(row)] = pass_->past(row);
    int64_t seen = *std::max_element(past.begin(), past.end()) + tokens_;
    resize(attended_, rows_ * asked, heads * dim);
    if (!cache && cosines_)
        resize(rotated_, rows_ * tokens_, kv * dim);

    int64_t room = std::max(asked * seen, dim);
    if (scratch_.size() < size_of(team_size() * room))
        scratch_.resize(size_of(team_size() * room));

    auto one = [&](int64_t row, int64_t shared, float *scratch) {
        int64_t before = past[size_of(row)], at = (row * tokens_ * kv + shared) * dim;
        kernel_rows fresh_k = {k_.values.data() + at, size_of(kv * dim)}, k = fresh_k;
        kernel_rows v = {v_.values.data() + at, size_of(kv * dim)};
        if (!cache && cosines_)
            k.at = rotated_.values.data() + at;
        if (cache) {
            const kv_cache::layer &kept = cache->layers[index];
            int64_t slot = pass_->slots[size_of(row)];
            int64_t first = slot * kept.k.stride(0) + shared * kept.k.stride(1);
            kernel_rows fresh_v = v;
            k = {kept.k.data_ptr<float>() + first, size_of(dim)};
            v = {kept.v.data_ptr<float>() + first, size_of(dim)};
            for (int64_t t = 0; t < tokens_; t++) {
                size_t to = size_of((before + t) * dim), from = size_of(t * kv * dim);
                std::memcpy(v.at + to, fresh_v.at + from, size_of(dim) * sizeof *v.at);
                if (!cosines_)
                    std::memcpy(k.at + to, fresh_k.at + from, size_of(dim) * sizeof *k.at);
            }
        }
        auto rotate = [&](const float *from, float *to, int64_t position) {
            int64_t angle = position * dim / 2;
            kernel_rotate(from, 0, to, 0, cosines_ + angle, sines_ + angle, 1, size_of(dim / 2), 1);
        };
        for (int64_t t = 0; cosines_ && t < tokens_; t++)
            rotate(fresh_k.at + size_of(t) * fresh_k.stride,
                   k.at + size_of(cache ? before + t : t) * k.stride, before + t);
        for (int64_t head = shared * group; head < (shared + 1) * group; head++) {
            int64_t of_row = (row * asked * heads + head) * dim;
            kernel_rows q = {q_.values.data() + of_row, size_of(heads * dim)};
            kernel_rows out = {attended_.values.data() + of_row, q.stride};
            auto position = [&](int64_t i) {
                return before + (is_partial ? pass_->first + i * pass_->step : i);
            };
            for (int64_t i = 0; cosines_ && i < asked; i++) {
                float *at = q.at + size_of(i) * q.stride;
                std::memcpy(scratch, at, size_of(dim) * sizeof *at);
                rotate(scratch, at, position(i));
            }
            /* Neighbours are one piece. */
            int64_t piece = is_partial ? 1 : asked;
            for (int64_t i = 0; i < asked; i += piece) {
                kernel_attend(q, k, v, out, scratch, size_of(piece), size_of(position(i)),
                              size_of(dim), 1 / std::sqrt(static_cast<float>(dim)));
                q.at += size_of(piece) * q.stride;
                out.at += size_of(piece) * out.stride;
            }
        }
    };
    team_run(rows_ * kv, grain(GRAIN, 2 * group * asked * seen * dim),
             [&](int64_t begin, int64_t end, int member) {
                 for (int64_t i = begin; i < end; i++)
                     one(i / kv, i % kv, scratch_.data() + member * room);
             });
}

/* --- layers ----------------------------------------------------------------------------------- */

void decoder::enter(const at::Tensor &x)
{
    int64_t count = rows_ * tokens_, width = x.size(2), hidden = config_->hidden_size;
    activations &first = project_in ? normed_ : hidden_;
    resize(first, count, width);
    std::memcpy(first.values.data(), x.data_ptr<float>(), size_of(count * width) * sizeof(float));
    if (project_in)
        apply(*project_in, first, count, hidden_, hidden, false);
    if (!positions.defined())
        return;
    for (int64_t i = 0; i < count; i++) {
        int64_t position = position_offset + pass_->past(i / tokens_) + i % tokens_;
        const float *learned = positions.data_ptr<float>() + position * hidden;
        float *h = hidden_.values.data() + i * hidden;
        for (int64_t k = 0; k < hidden; k++)
            h[k] += learned[k];
    }
}

void decoder::run_layer(size_t index)
{
    const decoder_layer &l = layers[index];
    int64_t hidden = config_->hidden_size, heads = config_->num_attention_heads;
    int64_t kv = hidden / heads * config_->num_key_value_heads, inner = config_->intermediate_size;
    int64_t all = rows_ * tokens_, count = all;
    bool is_partial = index + 1 == layers.size() && wanted_ < tokens_;
    bool is_post = config_->is_post_norm;

    if (!is_post)
        normalise(l.attn_norm, hidden_, normed_, all);
    activations *x = is_post ? &hidden_ : &normed_, *asking = x;
    add(l.k, *x, all, resize(k_, all, kv), kv, false);
    add(l.v, *x, all, resize(v_, all, kv), kv, false);
    if (is_partial) {
        /* Nobody reads the others: of the last layer their keys and values are all. */
        count = rows_ * wanted_;
        keep_wanted(*x, some_);
        asking = &some_;
    }
    if (count)
        add(l.q, *asking, count, resize(q_, count, hidden), hidden, false);
    multiply();
    attend(index, is_partial);
    if (is_partial)
        keep_wanted(hidden_, hidden_);
    if (!count)
        return;

    apply(*l.out, attended_, count, hidden_, hidden, true);
    normalise(is_post ? l.attn_norm : l.mlp_norm, hidden_, normed_, count);
    if (is_post)
        std::swap(hidden_, normed_);
    x = is_post ? &hidden_ : &normed_;
    add({l.up, 0}, *x, count, resize(up_, count, inner), inner, false);
    if (l.gate)
        add({l.gate, 0}, *x, count, resize(gate_, count, inner), inner, false);
    multiply();
    activate(l.gate, count);
    apply(*l.down, up_, count, hidden_, hidden, true);
    if (is_post) {
        normalise(l.mlp_norm, hidden_, normed_, count);
        std::swap(hidden_, normed_);
    }
}

at::Tensor decoder::forward(const backbone_config &config, const at::Tensor &x, const pass &pass,
                            const at::Tensor &cosines, const at::Tensor &sines)
{
    config_ = &config;
    pass_ = &pass;
    cosines_ = cosines.defined() ? cosines.data_ptr<float>() : nullptr;
    sines_ = sines.defined() ? sines.data_ptr<float>() : nullptr;
    rows_ = x.size(0);
    tokens_ = x.size(1);
    wanted_ = pass.wanted(tokens_);
    enter(x.contiguous());
    for (size_t i = 0; i < layers.size(); i++)
        run_layer(i);

    int64_t count = rows_ * wanted_;
    activations *last = &hidden_;
    if (norm.weight.defined()) {
        normalise(norm, hidden_, normed_, count);
        last = &normed_;
    }
    if (project_out && count) {
        apply(*project_out, *last, count, some_, config.embedding_size, false);
        last = &some_;
    }
    at::Tensor y = at::empty({rows_, wanted_, last->width}, x.options());
    std::memcpy(y.data_ptr<float>(), last->values.data(), y.nbytes());
    return y;
}

} // namespace ccalab
