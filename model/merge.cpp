/* LoRA as a part of the weights: W + alpha / rank * B A, for policies that learn no more. */
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>

#include "model/border.hpp"

extern "C" status policy_merge(policy *p, error *err)
{
    return ccalab::guarded(err, [&] {
        at::NoGradGuard no_grad;
        static const std::string head = "base_model.model.", tail = ".lora_A.weight";
        const backbone_config &backbone = p->config.backbone;
        if (p->is_merged)
            return STATUS_OK;
        for (const ccalab::param &a : p->list.params) {
            if (a.part != POLICY_LORA || !a.name.ends_with(tail))
                continue;
            std::string name =
                a.name.substr(head.size(), a.name.size() - head.size() - tail.size());
            auto find = [&](const std::string &full) {
                return p->list.params[policy_param_find(p, full.c_str())].value;
            };
            at::Tensor b = find(head + name + ".lora_B.weight");
            at::Tensor weight = find(backbone_config_prefix(&backbone) + name + ".weight");
            if (weight.scalar_type() != at::kFloat)
                return STATUS_OK; /* would round the small update away; all are of one type */
            at::Tensor update = at::matmul(b, a.value).mul_(p->config.lora_alpha / p->config.rank);
            bool is_input_first = backbone.family == BACKBONE_GPT2;
            weight.add_(is_input_first ? update.t() : update);
        }
        p->is_merged = true;
        return STATUS_OK;
    });
}
