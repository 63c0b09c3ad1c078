"""Started by tests/bench/llama_cpp.sh: runs both sides round by round and prints the medians."""
import glob
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS, ROUNDS = os.environ.get("THREADS", "2"), int(os.environ.get("ROUNDS", "5"))
STEPS = 20
TOKENS = 3 * STEPS - 1


def llama(hidden, inner, layers, heads, kv_heads=None):
    return {"model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
            "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": kv_heads or heads, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 2048}


# shape: config, decisions of one round
SHAPES = {"tiny": (llama(256, 688, 4, 4), 50), "small": (llama(512, 1376, 8, 8), 20),
          "medium": (llama(768, 2048, 12, 12), 5),
          "gpt2": ({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
                    "n_positions": 1024}, 5),
          "tinyllama": (llama(2048, 5632, 22, 32, 4), 2)}


def llama_rate(command, env):
    out = subprocess.run([*command, "-r", "3", "-o", "json"], capture_output=True, text=True,
                         env=env, check=True).stdout
    return json.loads(out)[0]["avg_ts"]


def netllm_rate(command, decisions):
    answers = subprocess.run(command, input="decide 2\ndecide %d\n" % decisions,
                             capture_output=True, text=True, check=True,
                             env=dict(os.environ, OMP_NUM_THREADS=THREADS)).stdout
    last = json.loads(answers.splitlines()[-1])
    return TOKENS * last["count"] / last["s"]


def sides(build, venv, config, shape, decisions):
    blas = glob.glob("/usr/lib/*/openblas-openmp") + glob.glob("/usr/lib/*/blis-openmp")
    env = dict(os.environ, OMP_NUM_THREADS=THREADS, LD_LIBRARY_PATH=":".join(blas))
    for kind in ("f32", "bf16"):
        gguf = os.path.join(venv, "%s-%s.gguf" % (shape, kind))
        if not os.path.exists(gguf):
            subprocess.run([sys.executable, os.path.join(HERE, "llama_gguf.py"), config, kind,
                            gguf], check=True)
        for name, folder in (("its own kernels", "make-OFF"), ("BLAS", "make-ON")):
            for attention in ("off", "on"):
                command = [os.path.join(venv, folder, "bin", "llama-bench"), "-m", gguf, "-p",
                           str(TOKENS), "-n", "0", "-t", THREADS, "-fa", attention]
                label = "llama.cpp %s, %s, flash attention %s" % (kind, name, attention)
                yield label, lambda c=command: llama_rate(c, env)
        command = [os.path.join(build, "netllm_bench"), config, "32", str(STEPS), "serve", kind]
        yield "netllm %s" % kind, lambda c=command: netllm_rate(c, decisions)


def main():
    build, venv, *shapes = sys.argv[1:]
    for shape in shapes or SHAPES:
        config, decisions = SHAPES[shape]
        path = os.path.join(venv, shape + ".json")
        with open(path, "w") as f:
            json.dump(config, f)
        all_sides = dict(sides(build, venv, path, shape, decisions))
        rates = {name: [] for name in all_sides}
        for _ in range(ROUNDS):
            for name, rate in all_sides.items():
                rates[name].append(rate())
        print("\n%s, %d tokens, %s threads, %d rounds\n\n| | tokens/s |\n|---|---|"
              % (shape, TOKENS, THREADS, ROUNDS))
        for name, values in rates.items():
            print("| %s | %.0f |" % (name, statistics.median(values)), flush=True)


main()
