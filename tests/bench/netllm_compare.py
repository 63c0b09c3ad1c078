"""Started by tests/bench/netllm.sh: runs both sides round by round and prints the medians."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS, ROUNDS = os.environ.get("THREADS", "2"), int(os.environ.get("ROUNDS", "5"))
RANK, STEPS = "32", "20"
SERVING = ("decide", "cached", "flows")
GLIBC = "/usr/lib/x86_64-linux-gnu/"


def llama(hidden, inner, layers, heads, kv_heads=None):
    return {"model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
            "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": kv_heads or heads, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 2048}


# shape: config, and how much one round does (windows, exact decisions, windows forward)
SHAPES = {
    "tiny": (llama(256, 688, 4, 4), 64, 40, 64),
    "small": (llama(512, 1376, 8, 8), 32, 10, 32),
    "medium": (llama(768, 2048, 12, 12), 16, 5, 8),
    "gpt2": ({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
              "n_positions": 1024}, 16, 5, 8),
    "tinyllama": (llama(2048, 5632, 22, 32, 4), 2, 2, 2),
}
# Six of these do not fit the memory: each side does all its rounds alone.
ALONE = ("tinyllama",)
CACHED = 40  # decisions of a flow in a round: four times a new base
FLOWS = 320  # of 32 flows: once


class Side:
    """A process that answers commands; `dropped` names those it does not know."""

    def __init__(self, command, dropped=(), **environment):
        blas = [d for d in ("openblas-openmp", "blis-openmp") if os.path.isdir(GLIBC + d)]
        # Both sides with the same BLAS, the better one.
        env = dict(os.environ, OMP_NUM_THREADS=THREADS, LD_LIBRARY_PATH=GLIBC + blas[0],
                   **environment)
        self.dropped = dropped
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=env, text=True)
        self.engine = self.read()["torch"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("ended with %d" % self.process.wait())
        return json.loads(line)

    def ask(self, command):
        if command.split()[0] in self.dropped:
            return None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rate(answer, key):
    return answer["count"] / answer.get(key, answer["s"])


def text(value):
    return "-" if value is None else "%.4g" % value


def start(build, path):
    """The sides as functions that start them."""
    torch = [sys.executable, os.path.join(HERE, "netllm_torch.py")]
    bench = os.path.join(build, "netllm_bench")
    sides = (("published", torch + ["published", path, RANK, STEPS], ("cached", "flows")),
             ("batched", torch + ["batched", path, RANK, STEPS], ("cached", "flows")),
             ("adapt", [bench, path, RANK, STEPS, "adapt", "f32"], SERVING),
             ("adapt bf16", [bench, path, RANK, STEPS, "adapt", "bf16"], SERVING),
             ("serve", [bench, path, RANK, STEPS, "serve", "f32"], ("train",)),
             ("serve bf16", [bench, path, RANK, STEPS, "serve", "bf16"], ("train",)))
    return {name: lambda c=command, d=dropped: Side(c, d) for name, command, dropped in sides}


def measure(shape, starts):
    """Those side by side, round by round: prints a row for each."""
    _, windows, decisions, forwards = SHAPES[shape]
    asked = ["train %d" % windows, "decide %d" % decisions, "cached %d" % CACHED,
             "forward %d" % forwards]
    if shape not in ALONE:
        asked.insert(3, "flows %d" % FLOWS)
    columns = ("train", "decide", "cached", "cached all", "flows all", "forward")
    sides = {}
    for name, begin in starts.items():
        try:
            sides[name] = begin()
        except RuntimeError as e:
            print("%s, %s: %s" % (shape, name, e))
    # A small dose first: tables, thread start, memory.
    for side in sides.values():
        for command in ("train 1", "decide 1"):
            side.ask(command)
    rates = {name: {c: [] for c in columns} for name in sides}
    for _ in range(ROUNDS):
        for command in asked:
            for name, side in sides.items():
                answer, what = side.ask(command), command.split()[0]
                for column, key in ((what, "s"), (what + " all", "all_s")):
                    if column in columns and answer:
                        rates[name][column].append(rate(answer, key))
    for name, side in sides.items():
        medians = [statistics.median(v) if v else None for v in rates[name].values()]
        peak = side.ask("memory")["peak_bytes"]
        print("| %s | %s | %.0f |" % (name, " | ".join(map(text, medians)), peak / 1e6), flush=True)
        side.close()


def compare(build, shape):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(SHAPES[shape][0], f)
        f.flush()
        print("\n%s: %s threads, %d rounds" % (shape, THREADS, ROUNDS))
        print("| | windows/s trained | decisions/s | cached | with new bases | 32 flows "
              "cached, with new bases | forward tokens/s | peak MB |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        sides = start(build, f.name)
        for group in [{k: v} for k, v in sides.items()] if shape in ALONE else [sides]:
            measure(shape, group)


def main():
    build, *shapes = sys.argv[1:]
    for shape in shapes or SHAPES:
        compare(build, shape)


main()
