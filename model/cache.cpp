/* Contexts kept between decisions: tokens of steps mapped to the backbone's key/value cache. */
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "model/border.hpp"

using ccalab::bad;
using ccalab::copy_out;
using ccalab::guarded;
using ccalab::view;

struct policy_cache {
    policy *p;
    size_t steps_max;
    ccalab::kv_cache kv;
    std::vector<std::vector<int32_t>> timesteps; /* of the steps in each slot */
};

namespace
{

/* A slot with n steps holds R S A R S A ... R S: the last A is still to come. */
int64_t tokens_of(size_t steps)
{
    return steps ? 3 * static_cast<int64_t>(steps) - 1 : 0;
}

status check(const policy_cache &c, const size_t *slots, const policy_batch &b, error *err)
{
    status st = ccalab::check_batch(*c.p, b, err);
    if (st)
        return st;
    std::vector<bool> is_used(c.timesteps.size());
    for (size_t i = 0; i < b.windows; i++) {
        if (slots[i] >= c.timesteps.size())
            return bad(err, "a slot", "is outside the cache");
        if (is_used[slots[i]])
            return bad(err, "a slot", "is named twice");
        is_used[slots[i]] = true;
        if (c.timesteps[slots[i]].size() + b.steps > c.steps_max)
            return bad(err, "a slot", "has no room for so many more steps");
    }
    return STATUS_OK;
}

/* The windows listed in `at`, all of empty slots or all of slots with an open step. */
void append(policy_cache &c, const size_t *slots, const policy_batch &b, const float *open_actions,
            const std::vector<int64_t> &at, float *predictions)
{
    policy &p = *c.p;
    int64_t windows = static_cast<int64_t>(b.windows), steps = static_cast<int64_t>(b.steps);
    int64_t rows = static_cast<int64_t>(at.size());
    at::Tensor which = at::from_blob(const_cast<int64_t *>(at.data()), {rows}, at::kLong);
    auto input = [&](const auto *values, at::IntArrayRef shape) {
        return view(values, shape).index_select(0, which).to(p.device());
    };
    at::Tensor tokens = p.modules.tokens(
        input(b.states, {windows, steps, p.config.features}), input(b.actions, {windows, steps}),
        input(b.returns, {windows, steps}), input(b.timesteps, {windows, steps}));
    bool has_open = !c.timesteps[slots[at[0]]].empty();
    if (has_open) {
        std::vector<float> actions;
        std::vector<int32_t> times;
        for (int64_t i : at) {
            actions.push_back(open_actions[i]);
            times.push_back(c.timesteps[slots[i]].back());
        }
        at::Tensor open = p.modules.action_token(view(actions.data(), {rows}).to(p.device()),
                                                 view(times.data(), {rows}).to(p.device()));
        tokens = at::cat({open, tokens}, 1);
    }
    ccalab::pass pass;
    pass.cache = &c.kv;
    pass.is_merged = p.is_merged;
    for (int64_t i : at)
        pass.slots.push_back(static_cast<int64_t>(slots[i]));
    pass.first = predictions ? (has_open ? 2 : 1) : tokens.size(1);
    pass.step = 3;
    at::Tensor out = p.backbone->forward(tokens, pass);
    if (predictions)
        out = p.modules.predict(out).to(at::kCPU);
    for (int64_t i = 0; i < rows; i++) {
        if (predictions)
            copy_out(out[i], predictions + at[static_cast<size_t>(i)] * steps);
        std::vector<int32_t> &times = c.timesteps[slots[at[static_cast<size_t>(i)]]];
        const int32_t *fresh = b.timesteps + at[static_cast<size_t>(i)] * steps;
        times.insert(times.end(), fresh, fresh + steps);
    }
}

} // namespace

extern "C" status policy_cache_new(policy *p, size_t slots, size_t steps, policy_cache **out,
                                   error *err)
{
    *out = nullptr;
    return guarded(err, [&] {
        size_t limit = static_cast<size_t>(p->config.backbone.max_position_embeddings);
        if (!slots || slots > 65536)
            return bad(err, "the number of slots", "is not in 1 ... 65536");
        if (!steps || steps > POLICY_STEPS_MAX || steps > (limit + 1) / 3)
            return bad(err, "the steps of a slot",
                       "are 0 or more than max_position_embeddings allows (3 tokens a step)");
        c10::InferenceMode no_gradients;
        auto c = std::make_unique<policy_cache>();
        c->p = p;
        c->steps_max = steps;
        c->kv = p->backbone->make_cache(static_cast<int64_t>(slots), tokens_of(steps));
        c->timesteps.resize(slots);
        *out = c.release();
        return STATUS_OK;
    });
}

extern "C" void policy_cache_free(policy_cache *c)
{
    delete c;
}

extern "C" size_t policy_cache_steps(const policy_cache *c, size_t slot)
{
    return c->timesteps[slot].size();
}

extern "C" void policy_cache_rewind(policy_cache *c, size_t slot, size_t steps)
{
    std::vector<int32_t> &times = c->timesteps[slot];
    times.resize(std::min(steps, times.size()));
    c->kv.lengths[slot] = tokens_of(times.size());
}

extern "C" size_t policy_cache_bytes(const policy_cache *c)
{
    size_t bytes = 0;
    for (const ccalab::kv_cache::layer &l : c->kv.layers)
        bytes += l.k.nbytes() + l.v.nbytes();
    return bytes;
}

extern "C" status policy_forward_cached(policy_cache *c, const size_t *slots,
                                        const policy_batch *batch, const float *open_actions,
                                        float *predictions, error *err)
{
    return guarded(err, [&] {
        status st = check(*c, slots, *batch, err);
        if (st)
            return st;
        c10::InferenceMode no_gradients;
        std::vector<int64_t> empty, open;
        for (size_t i = 0; i < batch->windows; i++)
            (c->timesteps[slots[i]].empty() ? empty : open).push_back(static_cast<int64_t>(i));
        for (const std::vector<int64_t> &at : {empty, open})
            if (!at.empty())
                append(*c, slots, *batch, open_actions, at, predictions);
        return STATUS_OK;
    });
}
