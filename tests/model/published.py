"""netllm adapt --recipe published against the published arithmetic, worked out here from the pool's
CSV: windows, labels cut to whole numbers, action inputs, returns, timesteps, losses, the warm-up's
rate; and netllm test, which scores fresh weights only when asked to. Usage: published.py NETLLM"""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

NETLLM = os.path.abspath(sys.argv[1])
W, EPOCHS, ACCUM, ROWS = 8, 2, 6, 135
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def run(*args):
    p = subprocess.run([NETLLM, *args], capture_output=True, text=True, timeout=240)
    if p.returncode != 0:
        print(p.stdout[-2000:], p.stderr)
        sys.exit(1)
    return [json.loads(line) for line in p.stdout.splitlines()]


def result(events):
    return [e["data"] for e in events if e["type"] == "result"][-1]


def make_pool():
    noise, cwnd, intervals = random.Random(3), 40 * 1448, []
    for i in range(ROWS):
        cwnd = cwnd + 1448 if noise.random() > 0.1 else max(14480, cwnd * 7 // 10)
        rate = 0 if noise.random() < 0.3 else cwnd * 50
        stream = {"socket": 5, "snd_cwnd": cwnd, "rtt": 20000 + cwnd // 5, "omitted": False,
                  "bits_per_second": rate}
        intervals.append({"streams": [stream], "sum": {"start": i}})
    json.dump({"start": {}, "intervals": intervals,
               "end": {"sender_tcp_congestion": "cubic"}}, open("run.json", "w"))
    run("pool", "build", "--recipe", "published", "-o", "pool.st", "run.json")
    run("pool", "export", "pool.st", "--csv", "-o", "pool.csv")
    lines = open("pool.csv").read().splitlines()[1:]
    return [[float(v) for v in line.split(",")] for line in lines]


def expected(rows):
    """What the published data set makes of a pool of one episode: gamma 1, scale 1000."""
    rewards = [r[4] for r in rows]
    low, high = min(rewards), max(rewards)
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = (reward - low) / (high - low) + total
        returns.append(total / 1000)
    returns.reverse()
    return [{"state": r[:3], "label": float(math.trunc(single(r[3]))),
             "action": single(single(single(r[3]) + 1.0) / 6.0), "return": single(g)}
            for r, g in zip(rows, returns)]


def singles(v):
    """The log has 15 digits, more than float32 has."""
    return [singles(x) for x in v] if isinstance(v, list) else single(v)


def judge_step(step, rows):
    first = step["timesteps"][0][0]
    want = rows[first : first + W]
    assert step["timesteps"] == [list(range(first, first + W))], step["timesteps"]
    assert step["labels"] == [[r["label"] for r in want]], step["labels"]
    assert singles(step["actions"]) == [[[r["action"]] for r in want]], step["actions"]
    assert singles(step["returns"]) == [[[r["return"]] for r in want]], step["returns"]
    assert singles(step["states"]) == [[singles(r["state"]) for r in want]], step["states"]
    return first


def main():
    rows = expected(make_pool())
    check("labels are 0 but where the window was largest",
          {r["label"] for r in rows} == {0.0, 1.0} and sum(r["label"] for r in rows) < 5)
    events = run("adapt", "--recipe", "published", "--exp-pool-path", "pool.st", "--model-dir", "m",
                 "--w", str(W), "--num-epochs", str(EPOCHS), "--grad-accum-steps", str(ACCUM),
                 "--rank", "4", "--state-feature-dim", "16", "--threads", "1", "--published-logs",
                 "logs", "--adapt", "--plm-size", "base", "--target-return-scale", "1.0",
                 "--trace", "fcc-test", "--fixed-order", "--eval-per-epoch", "2")
    windows = ROWS // W
    lines = [float(v) for v in open("logs/train_losses.txt")]
    check("train_losses.txt: a line a window and epoch", len(lines) == EPOCHS * windows, len(lines))
    orders = []
    for epoch in range(EPOCHS):
        steps = json.load(open(f"logs/custom_logs_epoch_train_{epoch}.json"))["steps"]
        starts = [judge_step(s, rows) for s in steps]
        orders.append(starts)
        check(f"epoch {epoch}: every window once, none at the end that does not fit",
              sorted(starts) == list(range(0, windows * W, W)), starts)
        check(f"epoch {epoch}: train_loss is the loss over {ACCUM}", all(
            abs(s["train_loss"] * ACCUM - line) < 1e-6
            for s, line in zip(steps, lines[epoch * windows :])))
    check("shuffled anew", orders[0] != orders[1] and orders[0] != sorted(orders[0]))

    train = [e["values"] for e in events if e.get("src") == "train"]
    check("an optimiser step for every group and for the rest",
          len(train) == EPOCHS * math.ceil(windows / ACCUM), len(train))
    check("warm-up over 2000 steps", all(math.isclose(v["lr"], 1e-4 * (s + 1) / 2000)
                                         for s, v in enumerate(train)), train)
    check("gradients clipped while they add up", all(v["grad_norm"] <= 0.25 * (1 + 1e-5)
                                                     for v in train), train)
    check("no validation, the best is the last", not [e for e in events if e.get("src") == "valid"]
          and result(events)["best_epoch"] == EPOCHS and result(events)["valid_loss"] is None)
    mean = sum(lines[-windows:]) / windows
    check("the epoch's loss is the mean of its windows",
          abs(result(events)["train_loss"] - mean) < 2e-6)

    # By default the test loads what was trained; as published only on request, and says so.
    losses = {}
    for name, extra in (("trained", ()), ("fresh", ("--untrained",))):
        events = run("test", "--exp-pool-path", "pool.st", "--model-dir", "m", "--published-logs",
                     name, "--threads", "1", *extra)
        steps = json.load(open(f"{name}/custom_logs_epoch_test_0.json"))["steps"]
        check(f"test, {name}: on the training windows, in order",
              [judge_step(s, rows) for s in steps] == list(range(0, windows * W, W)))
        error = [(p - y) ** 2 for s in steps
                 for p, y in zip(s["actions_pred"][0], s["labels"][0])]
        losses[name] = result(events)["test_loss"]
        check(f"test, {name}: the loss is that of what it logged",
              math.isclose(losses[name], sum(error) / len(error), rel_tol=1e-5))
        check(f"test, {name}: says what it is", any("never trained" in e["text"] for e in events
              if e["type"] == "log") == bool(extra) and result(events)["untrained"] == bool(extra))
    check("what was trained is what is tested", losses["trained"] != losses["fresh"], losses)
    p = subprocess.run([NETLLM, "serve", "--model-dir", "m"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True)
    check("it cannot decide live, and says why", p.returncode == 8 and "timesteps" in p.stderr,
          p.stderr)
    p = subprocess.run([NETLLM, "adapt", "--exp-pool-path", "pool.st", "--model-dir", "n",
                        "--device", "cuda:63"], capture_output=True, text=True)
    check("a device that is not there is named, and who says so", p.returncode == 6
          and "cuda:63" in p.stderr and "libtorch" in p.stderr, p.stderr)
    p = subprocess.run([NETLLM, "adapt", "--exp-pool-path", "pool.st", "--model-dir", "n",
                        "--plm-type", "gpt2"], capture_output=True, text=True)
    check("a backbone that is not there is named by its path", p.returncode == 7
          and "downloaded_plms/gpt2/base/config.json" in p.stderr, p.stderr)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
    os.chdir("/")
print(f"{len(failures)} failed" if failures else "all good")
sys.exit(1 if failures else 0)
