"""Judge of the policy's arithmetic: the same weights, computed in plain Python at double precision.

judge_policy.py EXPORT      (the program judge_export)
"""
import json
import math
import struct
import subprocess
import sys
import tempfile

TOLERANCE = 1e-5
HEADS, KV_HEADS, EPS, THETA, RANK, ALPHA = 4, 2, 1e-6, 500000.0, 2, 32.0


def read_safetensors(path):
    """name -> (shape, flat list)"""
    raw = open(path, "rb").read()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    tensors = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        assert t["dtype"] == "F32", name
        begin, end = (8 + size + offset for offset in t["data_offsets"])
        tensors[name] = (t["shape"], list(struct.unpack(f"<{(end - begin) // 4}f", raw[begin:end])))
    return tensors


def rows(tensor):
    (n, m), flat = tensor
    return [flat[i * m : (i + 1) * m] for i in range(n)]


def nested(tensor):
    shape, flat = tensor
    if len(shape) == 1:
        return flat
    step = len(flat) // shape[0]
    return [nested((shape[1:], flat[i * step : (i + 1) * step])) for i in range(shape[0])]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def linear(x, weight, bias=None):
    y = [dot(x, w) for w in weight]
    return [a + b for a, b in zip(y, bias)] if bias else y


def add(*vectors):
    return [sum(values) for values in zip(*vectors)]


def rms_norm(x, gain):
    scale = 1 / math.sqrt(dot(x, x) / len(x) + EPS)
    return [v * scale * g for v, g in zip(x, gain)]


def rotate(x, position):
    half = len(x) // 2
    out = [0.0] * len(x)
    for j in range(half):
        angle = position / THETA ** (2 * j / len(x))
        c, s = math.cos(angle), math.sin(angle)
        out[j] = x[j] * c - x[j + half] * s
        out[j + half] = x[j + half] * c + x[j] * s
    return out


def silu(v):
    return v / (1 + math.exp(-v))


class Backbone:
    def __init__(self, base, adapter):
        self.base, self.adapter = base, adapter
        self.layers = 1 + max(int(n.split(".")[2]) for n in base if n.startswith("model.layers."))

    def project(self, layer, name, x):
        y = linear(x, rows(self.base[f"model.layers.{layer}.{name}.weight"]))
        key = f"base_model.model.layers.{layer}.{name}.lora_"
        if key + "A.weight" in self.adapter:
            down = linear(x, rows(self.adapter[key + "A.weight"]))
            up = linear(down, rows(self.adapter[key + "B.weight"]))
            y = [a + ALPHA / RANK * b for a, b in zip(y, up)]
        return y

    def gain(self, name):
        return self.base[f"model.{name}.weight"][1]

    def attend(self, layer, tokens):
        size = len(tokens[0]) // HEADS
        split = lambda v: [v[i : i + size] for i in range(0, len(v), size)]
        q, k, v = ([split(self.project(layer, f"self_attn.{n}_proj", t)) for t in tokens]
                   for n in "qkv")
        q = [[rotate(h, i) for h in heads] for i, heads in enumerate(q)]
        k = [[rotate(h, i) for h in heads] for i, heads in enumerate(k)]
        out = []
        for i in range(len(tokens)):
            mixed = []
            for h in range(HEADS):
                g = h // (HEADS // KV_HEADS)
                scores = [dot(q[i][h], k[j][g]) / math.sqrt(size) for j in range(i + 1)]
                top = max(scores)
                weights = [math.exp(s - top) for s in scores]
                total = math.fsum(weights)
                mixed += [math.fsum(w / total * v[j][g][d] for j, w in enumerate(weights))
                          for d in range(size)]
            out.append(self.project(layer, "self_attn.o_proj", mixed))
        return out

    def forward(self, x):
        for i in range(self.layers):
            normed = [rms_norm(t, self.gain(f"layers.{i}.input_layernorm")) for t in x]
            x = [add(t, a) for t, a in zip(x, self.attend(i, normed))]
            for n, t in enumerate(x):
                m = rms_norm(t, self.gain(f"layers.{i}.post_attention_layernorm"))
                gate = self.project(i, "mlp.gate_proj", m)
                up = self.project(i, "mlp.up_proj", m)
                inner = [silu(a) * b for a, b in zip(gate, up)]
                x[n] = add(t, self.project(i, "mlp.down_proj", inner))
        return [rms_norm(t, self.gain("norm")) for t in x]


def predict(modules, backbone, states, actions, returns):
    def layer(name, x):
        return linear(x, rows(modules[name + ".weight"]), modules[name + ".bias"][1])

    relu = lambda x: [max(v, 0.0) for v in x]
    tokens = []
    for i, (state, action, ret) in enumerate(zip(states, actions, returns)):
        features = []
        for name, value in zip(("rtt_fc", "cwnd_fc", "throughput_fc"), state):
            features += relu(layer("0." + name, [value]))
        encoded = relu(layer("0.fc_final", features))
        time = rows(modules["1.weight"])[i]
        tokens += [add(layer("2", [ret]), time), add(layer("5", encoded), time),
                   add(layer("3", [action]), time)]
    for n, t in enumerate(tokens):
        mean = math.fsum(t) / len(t)
        variance = math.fsum((v - mean) ** 2 for v in t) / len(t)
        tokens[n] = [(v - mean) / math.sqrt(variance + 1e-5) * g + b
                     for v, g, b in zip(t, modules["4.weight"][1], modules["4.bias"][1])]
    hidden = backbone.forward(tokens)
    return [layer("6", hidden[3 * i + 1])[0] for i in range(len(states))]


def worst(a, b):
    if isinstance(a, list):
        assert len(a) == len(b)
        return max(worst(x, y) for x, y in zip(a, b))
    return abs(a - b) if math.isfinite(a) and math.isfinite(b) else math.inf


def verdict(what, difference, size):
    print(f"{what}: largest difference {difference:.2e}, values up to {size:.3f}")
    # A judge of nothing but zeros would agree with anything.
    return difference < TOLERANCE and size > 0.1


def judge_plain(folder):
    io = {k: nested(v) for k, v in read_safetensors(folder + "/io.safetensors").items()}
    adapter = read_safetensors(folder + "/adapter_model.safetensors")
    backbone = Backbone(read_safetensors(folder + "/model.safetensors"), adapter)
    modules = read_safetensors(folder + "/modules_except_plm.safetensors")
    assert len(adapter) == 4 * backbone.layers, "LoRA on q and v, A and B, of every layer"
    largest = lambda t: worst(t, [[[0] * len(r) for r in w] for w in t])

    hidden = [backbone.forward(w) for w in io["embeddings"]]
    ok = verdict("hidden states", worst(hidden, io["hidden"]), largest(io["hidden"]))
    mine = [[predict(modules, backbone, s, a, r)]
            for s, a, r in zip(io["states"], io["actions"], io["returns"])]
    theirs = [[w] for w in io["predictions"]]
    return verdict("predictions", worst(mine, theirs), largest(theirs)) and ok


def main():
    (program,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "write", "llama_gqa", folder], check=True)
        ok = judge_plain(folder)
    sys.exit(0 if ok else 1)


main()
