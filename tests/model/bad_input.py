"""netllm adapt and test on what cannot work: each is an error that names the file or field, leaves
nothing half written, and loses nothing that was whole. Usage: bad_input.py NETLLM"""
import json
import os
import struct
import subprocess
import sys
import tempfile

NETLLM = os.path.abspath(sys.argv[1])
TINY = ("--w", "8", "--state-feature-dim", "16", "--rank", "4", "--threads", "1", "--num-epochs",
        "2")
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


def write_pool(path, rows, recipe="lab", nan_at=None):
    states, actions = b"", b""
    for i, (rtt, cwnd, rate, action) in enumerate(rows):
        states += struct.pack("<3f", float("nan") if i == nan_at else rtt, cwnd, rate)
        actions += struct.pack("<d", action)
    n = len(rows)
    parts = {"states": ("F32", [n, 3], states), "actions": ("F64", [n], actions),
             "rewards": ("F64", [n], actions), "dones": ("BOOL", [n], b"\0" * (n - 1) + b"\1" * (n > 0))}
    header = {"__metadata__": {"format": "ccalab-pool", "format_version": "1", "recipe": recipe,
              "columns": "rtt_s,cwnd_bytes,throughput_bps", "flows": json.dumps([{
                  "source": "made", "cc": "", "stream": 0, "rows": n, "cwnd_min": None,
                  "cwnd_max": None}])}}
    at = 0
    for name, (dtype, shape, data) in parts.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(d for _, _, d in parts.values()))


def wave(n):
    return [(0.02 + 0.001 * (i % 7), 30000 + 1448 * (i % 11), 1e7 + 1e5 * (i % 5),
             0.1 * ((i * 37) % 11 - 5)) for i in range(n)]


def adapt(pool, folder, *extra, prefix=()):
    p = subprocess.run([*prefix, NETLLM, "adapt", "--exp-pool-path", pool, "--model-dir", folder,
                        *TINY, *extra], capture_output=True, text=True, timeout=240)
    events = [json.loads(line) for line in p.stdout.splitlines()]
    errors = [e for e in events if e["type"] == "error"]
    return p.returncode, errors[-1] if errors else {}, events, p.stdout + p.stderr


def refused(what, pool, code, *words, folder="m", extra=()):
    rc, error, _, out = adapt(pool, folder, *extra)
    text = error.get("message", "") + " " + error.get("hint", "")
    check(what, rc == code and all(w in text for w in words), out)
    check(f"{what}: nothing is left", not os.path.exists(folder)
          and not [n for n in os.listdir(".") if n.startswith(folder + ".")], os.listdir("."))


def pools():
    write_pool("empty.st", [])
    refused("an empty pool", "empty.st", 8, "empty.st")
    write_pool("one.st", wave(1))
    refused("a pool of one row", "one.st", 8, "1 rows", "--w")
    write_pool("good.st", wave(200))
    refused("a window longer than the pool", "good.st", 8, "200 rows", "smaller --w",
            extra=("--w", "300"))
    refused("the same as published", "good.st", 8, "300 rows", "200",
            extra=("--w", "300", "--recipe", "published"))
    write_pool("nan.st", wave(200), nan_at=17)
    refused("a row that is not a number", "nan.st", 8, "nan.st", "17")
    refused("a pool that is not there", "none.st", 7, "none.st")
    # Nothing varies: there is nothing to learn, but also nothing to divide by zero.
    write_pool("constant.st", [(0.02, 30000, 1e7, 0.0)] * 200)
    rc, _, events, out = adapt("constant.st", "constant")
    results = [e["data"] for e in events if e["type"] == "result"]
    check("a constant pool is trained to nothing", rc == 0 and results[0]["valid_loss"] == 0, out)
    p = subprocess.run([NETLLM, "test", "--exp-pool-path", "constant.st", "--model-dir",
                        "constant"], capture_output=True, text=True)
    check("and tested", p.returncode == 0 and '"test_loss":0,' in p.stdout, p.stdout + p.stderr)


def outputs():
    open("file", "w").close()
    rc, error, _, out = adapt("good.st", "file/model")
    check("an output below a file", rc in (2, 7) and "file" in error.get("message", ""), out)
    rc, error, _, out = adapt("good.st", "/proc/model")
    check("an output that cannot be written", rc == 7 and "/proc/model" in error["message"], out)
    rc, error, _, out = adapt("good.st", "m2", "--published-logs", "file/logs")
    check("logs that cannot be written", rc == 7 and "file/logs" in error["message"], out)


def full_disk():
    os.mkdir("disk")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", "disk"],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        print("     not tested here, a full disk needs a mount:", mount.stderr.strip())
        return
    try:
        rc, _, _, out = adapt("good.st", "disk/m")
        check("a training fits on a small disk", rc == 0, out)
        before = set(os.listdir("disk/m"))
        room = os.statvfs("disk")
        with open("disk/filler", "wb") as f:
            f.write(b"x" * (room.f_bavail * room.f_frsize - 8192))
        rc, error, _, out = adapt("good.st", "disk/m", "--num-epochs", "3", "--lr", "1e-3")
        check("a full disk", rc == 7 and "disk/m" in error["message"]
              and "space" in error["message"] + error.get("hint", ""), out)
        check("nothing half written fills it", sorted(os.listdir("disk")) == ["filler", "m"]
              and set(os.listdir("disk/m")) <= before, os.listdir("disk/m"))
        p = subprocess.run([NETLLM, "test", "--exp-pool-path", "good.st", "--model-dir", "disk/m"],
                           capture_output=True, text=True)
        check("the checkpoint in it is whole", p.returncode == 0, p.stderr)
        os.unlink("disk/filler")
        rc, _, _, out = adapt("good.st", "disk/m")
        check("and with room it goes on", rc == 0, out)
    finally:
        subprocess.run(["umount", "disk"], check=True)


SHAPE = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
         "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
         "rms_norm_eps": 1e-5, "max_position_embeddings": 256, "vocab_size": 8}
WEIGHTS = {"model.norm.weight": [16], "model.layers.0.input_layernorm.weight": [16],
           "model.layers.0.post_attention_layernorm.weight": [16],
           **{f"model.layers.0.self_attn.{k}_proj.weight": [16, 16] for k in "qkvo"},
           "model.layers.0.mlp.gate_proj.weight": [32, 16],
           "model.layers.0.mlp.up_proj.weight": [32, 16],
           "model.layers.0.mlp.down_proj.weight": [16, 32]}


def write_weights(path, weights, dtype="F32", fill=0.1):
    header, data = {}, b""
    for name, shape in weights.items():
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        part = struct.pack("<%df" % n, *[fill] * n) if dtype == "F32" else bytes(4 * n)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def backbones():
    """A folder of a backbone that is not what its files say."""
    os.mkdir("plm")
    plm, file, config = ("--plm-path", "plm"), "plm/model.safetensors", "plm/config.json"
    refused("a backbone without files", "good.st", 7, config, extra=plm)
    for field in ("hidden_size", "num_hidden_layers", "num_attention_heads", "model_type"):
        json.dump({k: v for k, v in SHAPE.items() if k != field}, open(config, "w"))
        refused(f"a config without {field}", "good.st", 8, config, field, extra=plm)
    open(config, "w").write("{")
    refused("a config that is no JSON", "good.st", 8, config, extra=plm)
    json.dump(SHAPE, open(config, "w"))
    refused("a backbone without weights", "good.st", 7, "plm", "holds no weights", extra=plm)
    write_weights(file, WEIGHTS)
    rc, _, _, out = adapt("good.st", "whole", *plm)
    check("a whole backbone is trained on", rc == 0, out)

    q = "model.layers.0.self_attn.q_proj.weight"
    write_weights(file, {**WEIGHTS, q: [16, 8]})
    refused("a weight of another shape", "good.st", 8, file, q, "shape", extra=plm)
    write_weights(file, {k: v for k, v in WEIGHTS.items() if k != q})
    refused("a weight that is not there", "good.st", 8, "plm", q, "missing", extra=plm)
    write_weights(file, WEIGHTS, dtype="I32")
    refused("weights of another type", "good.st", 8, file, "I32", extra=plm)
    write_weights(file, WEIGHTS, fill=float("nan"))
    refused("weights that are no numbers", "good.st", 8, "plm", "not finite", extra=plm)
    write_weights(file, WEIGHTS)
    with open(file, "r+b") as f:
        f.truncate(os.path.getsize(file) - 1)
    refused("a truncated file", "good.st", 8, file, extra=plm)
    os.rename(file, "plm/1.safetensors")
    write_weights("plm/1.safetensors", WEIGHTS)
    json.dump({"weight_map": {k: ("2" if k == q else "1") + ".safetensors" for k in WEIGHTS}},
              open(file + ".index.json", "w"))
    refused("a missing shard", "good.st", 7, "plm/2.safetensors", extra=plm)
    refused("LoRA on a layer that is not there", "good.st", 8, "c_attn", "q_proj",
            extra=("--lora-targets", "q_proj,c_attn"))


def two_trainings():
    """A second training in one directory is refused with the first one's process id; what a killed
    one left is taken over."""
    first = subprocess.Popen([NETLLM, "adapt", "--exp-pool-path", "good.st", "--model-dir", "busy",
                              *TINY, "--num-epochs", "60000"], stdout=subprocess.PIPE, text=True)
    try:
        for line in first.stdout:
            if '"train"' in line:
                break
        rc, error, _, out = adapt("good.st", "busy")
        check("a second training in one directory", rc == 2
              and f"process {first.pid} is training in busy" in error.get("message", ""), out)
        rc, error, _, out = adapt("good.st", "busy/", "--resume")
        check("and its resumption", rc == 2 and str(first.pid) in error.get("message", ""), out)
    finally:
        first.kill()
        first.wait()
    check("a killed training leaves its lock", os.path.exists("busy.netllm-lock"))
    rc, _, _, out = adapt("good.st", "busy")
    check("which the next one takes over", rc == 0, out)
    check("and removes", not os.path.exists("busy.netllm-lock"))


def memory():
    json.dump({"model_type": "llama", "hidden_size": 65536, "intermediate_size": 262144,
               "num_hidden_layers": 200, "num_attention_heads": 64, "num_key_value_heads": 64,
               "rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "vocab_size": 32000},
              open("huge.json", "w"))
    refused("a backbone larger than the memory", "good.st", 9, "GB",
            extra=("--plm-config", "huge.json"))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    pools()
    outputs()
    backbones()
    full_disk()
    two_trainings()
    memory()
    os.chdir("/")
print(f"{len(failures)} failed" if failures else "all good")
sys.exit(1 if failures else 0)
