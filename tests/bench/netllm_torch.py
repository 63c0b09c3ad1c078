"""The policy on transformers and PEFT, for tests/bench/netllm.sh: the other side of the comparison.

    netllm_torch.py published|batched CONFIG.json RANK STEPS

`published` computes as the published code does: one window at a time, tokens interleaved by a loop,
gradient checkpointing, clipping after every window, everything recomputed for each decision.
`batched` is the same model used well: 32 windows in one pass, stacked tokens, no checkpointing, one
clip before the step. Written anew from the description of both in docs/netllm.md.

Reads commands from standard input and answers each with one JSON object:
    train N      N windows forward and backward, an optimiser step every 32 -> {"s", "count"}
    decide N     N decisions with a full context -> {"s", "count"}
    forward N    N windows forward -> {"s", "count"}, count in tokens
    memory       -> {"rss_bytes", "peak_bytes"}
"""
import json
import os
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, GPT2Model, LlamaModel
import transformers.modeling_utils

FAMILIES = {"llama": (LlamaModel, ["q_proj", "v_proj"]), "gpt2": (GPT2Model, ["c_attn"])}
GROUP = 32  # windows of an optimiser step
STATE_DIM = 256


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs = nn.ModuleList(nn.Linear(1, STATE_DIM) for _ in range(3))
        self.last = nn.Linear(3 * STATE_DIM, STATE_DIM)

    def forward(self, states):
        parts = [torch.relu(f(states[..., i : i + 1])) for i, f in enumerate(self.inputs)]
        return torch.relu(self.last(torch.cat(parts, -1)))


class Policy(nn.Module):
    def __init__(self, config, rank, steps, is_published):
        super().__init__()
        family, targets = FAMILIES[config.model_type]
        transformers.modeling_utils._init_weights = False  # a billion normals take a minute
        plm = family(config)
        for p in plm.parameters():
            if p.dim() > 1:
                p.data.uniform_(-0.03, 0.03)
            p.requires_grad_(False)
        # No part of the model: inputs are embeddings.
        plm.set_input_embeddings(nn.Embedding(8, config.hidden_size))
        plm.get_input_embeddings().requires_grad_(False)
        if is_published:
            plm.gradient_checkpointing_enable()
            plm.enable_input_require_grads()
        self.plm = get_peft_model(plm, LoraConfig(
            r=rank, lora_alpha=32, lora_dropout=0.05, target_modules=targets,
            fan_in_fan_out=config.model_type == "gpt2", task_type="FEATURE_EXTRACTION"))
        hidden = config.hidden_size
        self.encoder = Encoder()
        self.embed_timestep = nn.Embedding(steps, hidden)
        self.embed_return, self.embed_action = nn.Linear(1, hidden), nn.Linear(1, hidden)
        self.embed_state = nn.Linear(STATE_DIM, hidden)
        self.embed_ln = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, 1)
        self.is_published = is_published

    def embed(self, states, actions, returns, timesteps):
        time_ = self.embed_timestep(timesteps)
        return (self.embed_return(returns) + time_,
                self.embed_state(self.encoder(states)) + time_, self.embed_action(actions) + time_)

    def forward(self, states, actions, returns, timesteps):
        r, s, a = self.embed(states, actions, returns, timesteps)
        if self.is_published:
            tokens = []
            for i in range(states.shape[1]):
                tokens.append(torch.cat((r[0, i : i + 1], s[0, i : i + 1], a[0, i : i + 1])))
            x = torch.cat(tokens).unsqueeze(0)
        else:
            x = torch.stack((r, s, a), 2).flatten(1, 2)
        return self.head(self.hidden(self.embed_ln(x))[:, 1::3])

    def hidden(self, x):
        mask = torch.ones(x.shape[:2], dtype=torch.long)
        return self.plm(inputs_embeds=x, attention_mask=mask).last_hidden_state


class Bench:
    def __init__(self, policy, steps):
        self.policy, self.steps = policy, steps
        self.is_published = policy.is_published
        self.trained = [p for p in policy.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=1e-4, weight_decay=1e-4)
        self.windows = 0

    def batch(self, n):
        times = torch.arange(self.steps).expand(n, -1)
        return (torch.randn(n, self.steps, 3), torch.randn(n, self.steps, 1),
                torch.rand(n, self.steps, 1), times), torch.randn(n, self.steps, 1)

    def train(self, count):
        self.policy.train()
        size = 1 if self.is_published else min(GROUP, count)
        for _ in range(0, count, size):
            inputs, labels = self.batch(size)
            loss = torch.mean((self.policy(*inputs) - labels) ** 2)
            (loss * size / GROUP).backward()
            self.windows += size
            is_full = self.windows % GROUP == 0
            if self.is_published or is_full:
                nn.utils.clip_grad_norm_(self.trained, 0.25)
            if is_full:
                self.optimiser.step()
                self.optimiser.zero_grad()

    def decide(self, count):
        """One flow, full context: R and S of this step behind w - 1 whole steps."""
        self.policy.eval()
        policy = self.policy
        with torch.no_grad():
            inputs, _ = self.batch(1)
            r, s, a = policy.embed(*inputs)
            past = [torch.cat((r[:, i], s[:, i], a[:, i])) for i in range(self.steps - 1)]
            for _ in range(count):
                (states, actions, returns, times), _ = self.batch(1)
                r, s, _ = policy.embed(states[:, -1:], actions[:, -1:], returns[:, -1:],
                                       times[:, -1:])
                x = torch.cat(past + [r[0], s[0]]).unsqueeze(0)
                action = policy.head(policy.hidden(policy.embed_ln(x))[:, -1])
                a = policy.embed_action(action.view(1, 1, 1)) + policy.embed_timestep(times[:, -1:])
                past = past[1:] + [torch.cat((r[0], s[0], a[0]))]

    def forward(self, count):
        self.policy.eval()
        size = 1 if self.is_published else min(GROUP, count)
        with torch.no_grad():
            for _ in range(0, count, size):
                self.policy(*self.batch(size)[0])


def memory():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {"rss_bytes": 1024 * int(fields["VmRSS"].split()[0]),
            "peak_bytes": 1024 * int(fields["VmHWM"].split()[0])}


def main():
    way, config, rank, steps = sys.argv[1:]
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(1)
    config = json.load(open(config))
    config = AutoConfig.for_model(**dict(config, vocab_size=8))
    bench = Bench(Policy(config, int(rank), int(steps), way == "published"), int(steps))
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        command, _, number = line.strip().partition(" ")
        if command == "memory":
            print(json.dumps(memory()), flush=True)
            continue
        count = int(number)
        start = time.monotonic()
        getattr(bench, command)(count)
        seconds = time.monotonic() - start
        if command == "forward":
            count *= 3 * int(steps)
        print(json.dumps({"s": seconds, "count": count}), flush=True)


main()
