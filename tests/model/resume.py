"""A training killed with SIGKILL at random moments, ten times, and resumed each time, ends where
one that was never killed ends: same losses, same weights to the last bit. So does one that SIGTERM
stopped in the middle of an epoch. Usage: resume.py NETLLM [SEED]"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NETLLM = os.path.abspath(sys.argv[1])
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(4), "little")
KILLS = 10
WEIGHTS = ("adapter_model.safetensors", "modules_except_plm.safetensors", "netllm.json")
OPTIONS = ("--exp-pool-path", "pool.safetensors", "--w", "8", "--state-feature-dim", "16",
           "--rank", "4", "--lr", "1e-3", "--grad-accum-steps", "4", "--num-epochs", "8",
           "--threads", "1", "--save-per-steps", "3", "--published-logs")
rng = random.Random(SEED)
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


def make_pool():
    cwnd, intervals, noise = 20 * 1448, [], random.Random(1)
    for i in range(300):
        cwnd = cwnd + 1448 if noise.random() > 0.06 else max(14480, cwnd * 7 // 10)
        rtt = int(20000 + cwnd / 5 + noise.random() * 2000)
        stream = {"socket": 5, "snd_cwnd": cwnd, "rtt": rtt, "omitted": False,
                  "bits_per_second": cwnd * 8e6 / rtt}
        intervals.append({"streams": [stream], "sum": {"start": i / 10}})
    json.dump({"start": {}, "intervals": intervals,
               "end": {"sender_tcp_congestion": "cubic"}}, open("run.json", "w"))
    subprocess.run([NETLLM, "pool", "build", "-o", "pool.safetensors", "run.json"], check=True,
                   stdout=subprocess.DEVNULL)


def finish(*args):
    p = subprocess.run([NETLLM, "adapt", *args], capture_output=True, text=True, timeout=280)
    events = [json.loads(line) for line in p.stdout.splitlines()]
    results = [e["data"] for e in events if e["type"] == "result"]
    if p.returncode != 0 or not results:
        print(p.stdout[-2000:], p.stderr)
        sys.exit(1)
    return results[0], events


def stop(after, delay, number, *args):
    """Start, wait for `after` optimiser steps and `delay` seconds, send the signal."""
    p = subprocess.Popen([NETLLM, "adapt", *args], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True)
    steps, last = 0, 0
    while steps < after:
        line = p.stdout.readline()
        if not line:
            break
        if '"src":"train"' in line:
            steps += 1
            last = json.loads(line)["values"]["step"]
    time.sleep(delay)
    p.send_signal(number)
    p.stdout.read()
    return p.wait(timeout=240), last


def contents(folder):
    return {name: open(f"{folder}/{name}", "rb").read() for name in WEIGHTS}


def compare(what, result, folder, reference):
    expected, weights = reference
    same = [k for k in ("train_loss", "valid_loss", "best_epoch", "steps", "epochs")
            if result[k] != expected[k]]
    check(f"{what}: the same final losses", not same, (same, result, expected))
    check(f"{what}: the same best weights, bit by bit", contents(folder) == weights,
          [n for n in WEIGHTS if contents(folder)[n] != weights[n]])
    check(f"{what}: nothing half written is left",
          sorted(os.listdir(folder)) == sorted(os.listdir("whole"))
          and not [n for n in os.listdir(".") if n.startswith(folder + ".")],
          (os.listdir(folder), os.listdir(".")))


def main():
    print(f"seed {SEED}", flush=True)
    make_pool()
    whole, _ = finish(*OPTIONS, "logs-whole", "--model-dir", "whole")
    reference = (whole, contents("whole"))

    places = []
    for i in range(5 * KILLS):
        # Mostly in the middle, sometimes while it still starts.
        after = 0 if rng.random() < 0.2 else rng.randrange(1, max(2, whole["steps"] // 16))
        delay = rng.random() * (0.6 if after == 0 else 0.01)
        resume = ("--resume",) if i else ()
        rc, step = stop(after, delay, signal.SIGKILL, *resume, *OPTIONS, "logs-killed",
                        "--model-dir", "killed")
        if rc == -signal.SIGKILL:
            places.append(step)
        else:  # it was faster: another one
            check("a training that was not hit ends well", rc == 0, rc)
            shutil.rmtree("killed")
        if len(places) == KILLS:
            break
    check("ten kills hit a running training", len(places) == KILLS, places)
    print("     killed after steps", places, flush=True)
    # From here on the state alone says what is trained.
    exists = os.path.exists("killed/training.safetensors")
    options = ("--resume", "--model-dir", "killed") + (() if exists else OPTIONS + ("logs-killed",))
    result, events = finish(*options)
    check("it went on in the middle", not exists or any(
        "resumed in epoch" in e["text"] for e in events if e["type"] == "log"))
    compare("killed ten times", result, "killed", reference)
    check("train_losses.txt has each window's loss", len(open("logs-whole/train_losses.txt")
          .readlines()) % whole["epochs"] == 0 and os.path.exists("logs-killed/train_losses.txt"))

    rc, _ = stop(whole["steps"] // 2, 0, signal.SIGTERM, *OPTIONS, "logs-term", "--model-dir",
                 "term")
    check("SIGTERM ends it with 130", rc == 130, rc)
    result, _ = finish("--resume", "--model-dir", "term")
    compare("stopped once", result, "term", reference)
    again, _ = finish("--resume", "--model-dir", "term")
    check("a finished training resumed gives its result again",
          again["valid_loss"] == whole["valid_loss"] and again["steps"] == whole["steps"], again)

    p = subprocess.run([NETLLM, "adapt", "--resume", "--model-dir", "term", "--lr", "2e-3"],
                       capture_output=True, text=True)
    check("another learning rate is refused by name", p.returncode == 8 and "'lr'" in p.stderr,
          p.stderr)
    # Another training that begins with its weights, on its scales.
    more = [*OPTIONS[:-1], "--num-epochs", "1", "--lr", "1e-9", "--model-dir", "more"]
    result, _ = finish(*more, "--start-from", "whole")
    check("begun with the weights of a training, its first epoch loses as little",
          abs(result["valid_loss"] / whole["valid_loss"] - 1) < 1e-3,
          (result["valid_loss"], whole["valid_loss"]))
    norm = [json.load(open(f"{d}/netllm.json"))["norm"] for d in ("more", "whole")]
    check("and has its constants", norm[0] == norm[1], norm)
    for words, why in ((["--seed", "4"], "backbone"), (["--w", "9"], "window"),
                       (["--horizon", "3"], "returns"), (["--loss", "ce"], "loss"),
                       (["--rank", "2"], "lora")):
        p = subprocess.run([NETLLM, "adapt", *more, *words, "--start-from", "whole"],
                           capture_output=True, text=True)
        check(f"{words[0]} that is not its own is refused", p.returncode in (2, 8)
              and why in p.stderr, p.stderr)
    with open("term/training.safetensors", "r+b") as f:
        f.truncate(5000)
    p = subprocess.run([NETLLM, "adapt", "--resume", "--model-dir", "term"], capture_output=True,
                       text=True)
    check("a damaged state is refused by name", p.returncode == 8
          and "training.safetensors" in p.stderr, p.stderr)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
    os.chdir("/")
print(f"{len(failures)} failed" if failures else "all good")
sys.exit(1 if failures else 0)
