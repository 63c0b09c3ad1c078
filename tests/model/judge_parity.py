"""Judge of all backbones: transformers and PEFT, each side reading what the other wrote.

judge_parity.py EXPORT     (the program judge_export; judge_parity.sh makes the environment)
"""
import os
import subprocess
import sys
import tempfile

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

FAMILIES = ["llama", "llama_gqa", "mistral", "gpt2", "opt", "opt_350m"]
TARGETS = {"gpt2": ["c_attn"]}
# Other layers than the usual ones.
ALL = {"llama_gqa": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
       "gpt2": ["c_attn", "c_proj", "c_fc"], "opt": ["k_proj", "out_proj", "fc1", "fc2"]}
HIDDEN_TOLERANCE, LOSS_TOLERANCE = 1e-5, 1e-4
faults = []


def verdict(family, what, mine, theirs, tolerance, is_relative=False):
    difference = (mine - theirs).abs()
    if is_relative:
        difference = difference / theirs.abs()
    worst, size = float(difference.max()), float(theirs.abs().max())
    # A judge of nothing but zeros would agree with anything.
    is_good = mine.shape == theirs.shape and worst <= tolerance and size > 0.1
    print(f"{family}: {what}: {'relative ' if is_relative else ''}difference {worst:.1e}, "
          f"values up to {size:.3f}{'' if is_good else '  WRONG'}")
    if not is_good:
        faults.append(f"{family}: {what}")


def hidden_of(model, embeddings):
    model.eval()
    with torch.no_grad():
        return model(inputs_embeds=embeddings).last_hidden_state


def stop_after(model, layer):
    """The reference of early stop: a model whose later layers are gone."""
    stack = model.decoder if hasattr(model, "decoder") else model
    name = "h" if hasattr(stack, "h") else "layers"
    setattr(stack, name, getattr(stack, name)[: layer + 1])
    return model


class Policy(nn.Module):
    """NetLLM's modules around a PEFT model, as its congestion control policy has them."""

    def __init__(self, plm, modules, width, state_dim, rows):
        super().__init__()
        self.plm = plm
        encoder = nn.Module()
        encoder.rtt_fc, encoder.cwnd_fc, encoder.throughput_fc = (
            nn.Linear(1, state_dim) for _ in range(3))
        encoder.fc_final = nn.Linear(3 * state_dim, state_dim)
        self.others = nn.ModuleList([
            encoder, nn.Embedding(rows, width), nn.Linear(1, width), nn.Linear(1, width),
            nn.LayerNorm(width), nn.Linear(state_dim, width), nn.Linear(width, 1)])
        self.others.load_state_dict(modules)

    def forward(self, io):
        encoder, time, returns, actions, norm, state, head = self.others
        s = io["states"]
        features = torch.cat([torch.relu(fc(s[..., i : i + 1])) for i, fc in enumerate(
            (encoder.rtt_fc, encoder.cwnd_fc, encoder.throughput_fc))], -1)
        when = time(torch.arange(s.shape[1]).expand(s.shape[:2]))
        tokens = torch.stack([
            returns(io["returns"].unsqueeze(-1)) + when,
            state(torch.relu(encoder.fc_final(features))) + when,
            actions(io["actions"].unsqueeze(-1)) + when], 2).flatten(1, 2)
        hidden = self.plm(inputs_embeds=norm(tokens)).last_hidden_state
        return head(hidden[:, 1::3]).squeeze(-1)


def judge_ours(family, folder, steps=None):
    """They read what we wrote, and train from there, all steps or only some of them."""
    io = load_file(f"{folder}/io.safetensors")
    adapter = f"{folder}/adapter"  # of its own: AutoModel would follow it to a base on the hub
    os.mkdir(adapter)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        os.replace(f"{folder}/{name}", f"{adapter}/{name}")
    base, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    missing = [k for k in report["missing_keys"] if "embed_tokens" not in k and "wte" not in k]
    assert not missing and not report["unexpected_keys"] and not report["mismatched_keys"], report
    model = PeftModel.from_pretrained(base, adapter, is_trainable=True)
    verdict(family, "our files, read by PEFT", io["hidden"], hidden_of(model, io["embeddings"]),
            HIDDEN_TOLERANCE)

    rows = io["states"].shape[1]
    policy = Policy(model, load_file(f"{folder}/modules_except_plm.safetensors"),
                    io["embeddings"].shape[2], 8, rows)
    with torch.no_grad():
        verdict(family, "predictions", io["predictions"], policy(io), HIDDEN_TOLERANCE)
    trained = [p for p in policy.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=2e-4, weight_decay=1e-4)
    losses = []
    policy.train()  # without dropout: every probability is 0
    for _ in range(steps or len(io["losses"])):
        loss = ((policy(io) - io["labels"]) ** 2).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 0.25)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.detach())
    losses = torch.stack(losses)
    verdict(family, "loss after one step", io["losses"][:2], losses[:2], LOSS_TOLERANCE, True)
    verdict(family, f"{len(losses)} losses", io["losses"][:len(losses)], losses, LOSS_TOLERANCE,
            True)
    assert steps or losses[-1] < 0.98 * losses[0], "nothing was learnt: no curve to compare"


def judge_theirs(family, program, folder, shape, kind, targets=None):
    """We read what they wrote: sharded safetensors, or the pickles of torch.save()."""
    torch.manual_seed(7)
    config = AutoConfig.from_pretrained(shape)
    model = AutoModel.from_config(config)
    for name, p in model.named_parameters():
        nn.init.normal_(p, 1.0 if p.dim() == 1 and name.endswith("weight") else 0.0, 0.15)
    dtype = {"safetensors": torch.float32, "bin": torch.float16, "bf16": torch.bfloat16}[kind]
    model = model.to(dtype)
    model.save_pretrained(folder, safe_serialization=kind != "bin", max_shard_size="20KB")
    files = os.listdir(folder)
    assert sum(f.endswith((".safetensors", ".bin")) for f in files) > 1, files
    model = AutoModel.from_pretrained(folder)  # not .float(): that keeps rounded rotation tables

    embeddings = load_file(f"{shape}/io.safetensors")["embeddings"]
    save_file({"embeddings": embeddings}, f"{folder}/io.safetensors")
    base = hidden_of(model, embeddings)
    peft = get_peft_model(model, LoraConfig(
        r=3, lora_alpha=16, lora_dropout=0.05, target_modules=targets or TARGETS.get(
            config.model_type, ["q_proj", "v_proj"]), task_type="FEATURE_EXTRACTION"))
    for name, p in peft.named_parameters():
        if "lora" in name:
            nn.init.normal_(p, 0, 0.15)
    peft.save_pretrained(folder, safe_serialization=True)
    with_lora = hidden_of(peft, embeddings)
    with peft.disable_adapter():
        stop = hidden_of(stop_after(model, 1), embeddings)
    out = f"{folder}/out.safetensors"
    subprocess.run([program, "read", folder, out], check=True)
    ours = load_file(out)
    verdict(family, f"their {kind} files", ours["base"], base, HIDDEN_TOLERANCE)
    verdict(family, f"their adapter ({kind})", ours["hidden"], with_lora, HIDDEN_TOLERANCE)
    verdict(family, f"early stop ({kind})", ours["stop"], stop, HIDDEN_TOLERANCE)


def main():
    (program,) = sys.argv[1:]
    print("transformers", transformers.__version__, "torch", torch.__version__, torch.__file__)
    with tempfile.TemporaryDirectory() as root:
        for family in FAMILIES:
            folder = f"{root}/{family}"
            os.mkdir(folder)
            subprocess.run([program, "write", family, folder], check=True)
            judge_ours(family, folder)
            for kind in ("safetensors", "bin", "bf16"):
                theirs = f"{folder}/{kind}"
                os.mkdir(theirs)
                judge_theirs(family, program, theirs, folder, kind)
        for family, targets in ALL.items():
            folder = f"{root}/{family}_all"
            os.mkdir(folder)
            subprocess.run([program, "write", family, folder, ",".join(targets)], check=True)
            # Where so many layers learn, rounding grows to 4e-4 in 50 steps.
            judge_ours(f"{family} {'+'.join(targets)}", folder, 10)
            os.mkdir(f"{folder}/theirs")
            judge_theirs(f"{family} {'+'.join(targets)}", program, f"{folder}/theirs", folder,
                         "safetensors", targets)
    for fault in faults:
        print("wrong:", fault)
    sys.exit(1 if faults else 0)


main()
