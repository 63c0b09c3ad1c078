"""netllm as a user meets it: exit codes, events, signals. Usage: netllm_cli.py NETLLM

What has nothing of libtorch is the same code in every build: it is judged in the one without, under
the sanitizers."""
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

NETLLM = sys.argv[1]
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


def run(*args, program=NETLLM, **env):
    p = subprocess.run([program, *args], capture_output=True, text=True, timeout=240,
                       env={**os.environ, **env})
    events = []
    for line in p.stdout.splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            events.append({"type": "text", "text": line})
    return p.returncode, events, p.stdout + p.stderr


def last(events, kind):
    found = [e for e in events if e["type"] == kind]
    return found[-1] if found else {}


def iperf3(path, count, seed, **extra):
    rng = random.Random(seed)
    cwnd, intervals = 20 * 1448, []
    for i in range(count):
        cwnd = cwnd + 1448 if rng.random() > 0.06 else max(14480, cwnd * 7 // 10)
        rtt = int(20000 + cwnd / 5 + rng.random() * 2000)
        stream = {"socket": 5, "snd_cwnd": cwnd, "rtt": rtt, "omitted": i < 3,
                  "bits_per_second": cwnd * 8e6 / rtt * (0.9 + 0.2 * rng.random())}
        intervals.append({"streams": [stream], "sum": {"start": i / 10}})
    json.dump({"start": {}, "intervals": intervals, "end": {"sender_tcp_congestion": "cubic"},
               **extra}, open(path, "w"))


def usage():
    for args, code in ((["--help"], 0), (["--version"], 0), ([], 2), (["nothing"], 2),
                       (["pool"], 2), (["pool", "-o"], 2),
                       (["pool", "build", "-o"], 2), (["pool", "stir"], 2),
                       (["pool", "build", "--recipe", "x", "-o", "y", "z"], 2),
                       (["pool", "export", "x", "-o", "y"], 2),
                       (["pool", "--help"], 0), (["info", "--help"], 0), (["info", "--bad"], 2),
                       (["info"], 0), (["info", "/nonexistent"], 7)):
        rc, _, out = run(*args)
        check(f"netllm {' '.join(args)} exits with {code}", rc == code, f"{rc}: {out}")


def has_libtorch():
    rc, _, out = run("info", "--json")
    info = json.loads(out)
    check("info --json names the version", rc == 0 and info["netllm"])
    return info.get("libtorch") is not None


def blas():
    """Whatever BLAS the system prefers, the one that shares libtorch's threads is loaded."""
    folders = [d for d in glob.glob("/usr/lib/*/*-openmp") if os.path.exists(d + "/libblas.so.3")]
    others = glob.glob("/usr/lib/*/blas") + glob.glob("/usr/lib/*/openblas-pthread")
    rc, _, out = run("info", "--json", LD_LIBRARY_PATH=":".join(others))
    name = json.loads(out)["blas"]["name"]
    check(f"BLAS: {name}", rc == 0 and (not folders or name.endswith("-openmp")), out)


def pool():
    iperf3("a.json", 203, 1)
    iperf3("b.json", 203, 2)
    rc, events, out = run("pool", "build", "--recipe", "tutorial", "-o", "pool.safetensors", "a.json",
                          "b.json")
    data = last(events, "result").get("data", {})
    check("pool: two files, two episodes, omitted rows left out", rc == 0 and data["rows"] == 400
          and data["episodes"] == 2 and data["flows"][1]["source"] == "b.json"
          and data["path"] == "pool.safetensors" and data["recipe"] == "tutorial", out)
    rc, _, out = run("info", "pool.safetensors")
    check("info of a pool", rc == 0 and "400 rows in 2 episodes" in out, out)

    with open("driven.csv", "w") as f:  # a decision is taken as advised, the next one is not
        f.write("t_s,wanted_pkts,advised_bytes,cwnd_bytes,srtt_us,min_rtt_us,throughput_bps,"
                "bytes_acked,delivered,delivered_ce,lost\n")
        for i, (cwnd, advised) in enumerate(((10000, ""), (10000, 20000), (20000, 30000),
                                             (15000, 15000), (15000, ""))):
            f.write(f"{100 + i / 50},6,{advised},{cwnd},20000,20000,1,{(i + 1) * 10000},"
                    f"{10 * i + 10},0,0\n")
    rc, _, out = run("pool", "build", "--recipe", "loop", "-o", "loop.safetensors", "driven.csv")
    rc, _, out = run("info", "loop.safetensors")
    check("info of a pool with advice", rc == 0 and "another than the action in 33.3 % of the rows, "
          "mean 0.405465, deviation 0" in out, out)
    rc, _, out = run("info", "--json", "loop.safetensors")
    advice = json.loads(out).get("advice", {})
    check("info --json of it", rc == 0 and abs(advice["share"] - 1 / 3) < 1e-9
          and abs(advice["mean"] - 0.4054651) < 1e-6 and advice["std"] == 0, out)


def pool_refusals():
    iperf3("failed.json", 5, 1, error="unable to connect to server: Connection refused")
    rc, events, out = run("pool", "build", "-o", "x.safetensors", "failed.json")
    error = last(events, "error")
    check("pool: a failed run is refused with iperf3's message", rc == 8
          and error.get("status") == "input" and "Connection refused" in error["message"], out)
    check("pool: and nothing is written", not os.path.exists("x.safetensors"))
    rc, events, out = run("pool", "build", "-o", "/nonexistent/x", "a.json")
    check("pool: an unwritable output", rc == 7 and last(events, "error")["status"] == "io", out)


def without_torch(program):
    """`program` has no netllm-torch beside it."""
    for args in (("adapt", "--exp-pool-path", "pool.safetensors", "--model-dir", "m"), ("test",),
                 ("serve",), ("distill",), ("drive", "model:m"),
                 ("drive", "copy-last", "--advisor=model:m"), ("info", "--model-dir", "m")):
        rc, events, out = run(*args, program=program)
        error = last(events, "error")
        check(f"{' '.join(args)} without libtorch names the package", rc == 6
              and "libtorch-dev" in out
              and (args[0] == "info" or error.get("status") == "unavailable"), out)
    rc, _, out = run("info", program=program)
    check("info without libtorch", rc == 0 and "libtorch: not built in" in out, out)


def two_programs():
    """Only what computes with the policy loads libtorch, and so becomes netllm-torch."""
    loaded = subprocess.run(["ldd", NETLLM], capture_output=True, text=True, check=True).stdout
    check("netllm itself links no libtorch", "libtorch" not in loaded and "libc.so" in loaded, loaded)
    os.mkdir("alone")
    without_torch(shutil.copy(NETLLM, "alone"))
    for args in (("model:none",), ("copy-last", "--advisor", "model:none")):
        rc, events, out = run("drive", *args)
        check(f"drive {' '.join(args)} reads the policy's folder", rc == 7
              and "none/netllm.json" in last(events, "error").get("message", ""), out)


COMMON = ("--exp-pool-path", "pool.safetensors", "--model-dir", "model")
TINY = ("--w", "10", "--state-feature-dim", "32", "--rank", "4", "--lr", "1e-3",
        "--grad-accum-steps", "8", "--threads", "1")


def adapt():
    rc, events, out = run("adapt", *COMMON, *TINY, "--num-epochs", "4", "--warmup-steps", "2")
    data = last(events, "result").get("data", {})
    check("adapt: result", rc == 0 and data.get("checkpoint") == "model"
          and 1 <= data["best_epoch"] <= 4 and data["valid_loss"] > 0
          and set(data["baselines"]) == {"constant", "persistence", "no_op"}
          and data["parameters"]["trainable"] < data["parameters"]["total"]
          and data["seconds"] > 0, out)
    train = [e["values"] for e in events if e.get("src") == "train"]
    valid = [e["values"] for e in events if e.get("src") == "valid"]
    check("adapt: a sample each step and each epoch", len(train) == data["steps"] and
          len(valid) == 4 and set(train[0]) == {"loss", "lr", "grad_norm", "step", "epoch", "tokens_s",
                                                 "rss_mib", "eta_s"}, out)
    check("adapt: speed, memory and time left are measured", all(
        v["tokens_s"] > 0 and v["rss_mib"] > 10 and v["eta_s"] >= 0 for v in train)
          and train[-1]["eta_s"] == 0, train[-1])
    check("adapt: linear warm-up over two steps",
          [v["lr"] for v in train[:3]] == [5e-4, 1e-3, 1e-3], train[:3])
    check("adapt: best is the best", min(v["loss"] for v in valid) == data["valid_loss"], valid)
    check("adapt: short pools are told of closer windows",
          any("overlap" in e["text"] for e in events if e["type"] == "log"))
    check("the checkpoint is complete and alone", sorted(os.listdir("model")) == [
        "adapter_config.json", "adapter_model.safetensors", "modules_except_plm.safetensors",
        "netllm.json", "training.safetensors"] and not [n for n in os.listdir(".") if n.startswith("model.")])
    config = json.load(open("model/adapter_config.json"))
    check("adapter_config.json is PEFT's", config["peft_type"] == "LORA" and config["r"] == 4
          and config["target_modules"] == ["q_proj", "v_proj"] and config["lora_alpha"] == 32)

    again = run("adapt", *COMMON, *TINY, "--num-epochs", "4", "--warmup-steps", "2")[1]
    check("adapt: the same seed gives the same losses",
          [e["values"]["loss"] for e in again if e.get("src") == "train"]
          == [v["loss"] for v in train])

    rc, events, out = run("test", *COMMON)
    data = last(events, "result").get("data", {})
    check("test: result", rc == 0 and data.get("test_loss", -1) > 0
          and data["baselines"]["constant"] > 0 and data["baselines"]["copy_input"] == 0
          and data["windows"] > 0 and data["checkpoint"] == "model"
          and 0 < data["decision_ms"]["p50"] <= data["decision_ms"]["p99"]
          and data["rollout"]["decisions"] == 60 and "copying" in data["note"], out)
    scores, base = data["scores"], data["baselines"]
    check("test: beside every baseline, in the action's unit", set(base) == {
        "constant", "persistence", "copy_input", "no_op", "ridge", "mlp"} and all(
            base[k] == scores[k]["mse"] for k in base) and base["ridge"] < base["constant"]
          and base["mlp"] < base["constant"] and scores["policy"]["mse"] == data["test_loss"], base)
    check("test: a bucket says nothing of bytes", scores["policy"]["mse_bytes"] is None
          and scores["policy"]["mae"] > 0, scores)
    check("test: what it does when asked for other returns", len(data["calibration"]) == 6 and all(
        c["test_loss"] > 0 for c in data["calibration"]), data["calibration"])
    rc, _, out = run("info", "--model-dir", "model")
    check("info of a checkpoint", rc == 0 and "0.rtt_fc.weight" in out and "[32, 1]" in out, out)
    rc, _, out = run("info", "--json", "--model-dir", "model")
    check("info --json of a checkpoint", rc == 0 and json.loads(out)["rank"] == 4, out)


def losses_of(events):
    return [e["values"]["loss"] for e in events if e.get("src") == "train"]


def ways():
    """Workers, bins and other targets of LoRA."""
    some = ("--exp-pool-path", "pool.safetensors", *TINY, "--num-epochs", "2", "--batch-size", "2")
    one = losses_of(run("adapt", *some, "--model-dir", "w1", "--workers", "1")[1])
    three = losses_of(run("adapt", *some, "--model-dir", "w3", "--workers", "3")[1])
    check("adapt: workers change no loss, with dropout", len(one) > 1 and one == three, (one, three))

    rc, events, out = run("adapt", *some, "--model-dir", "narrow", "--base-dtype", "bf16")
    narrow = losses_of(events)
    check("adapt: bfloat16 is near float32, or refused", rc == 6 if rc else all(
        abs(a - b) < 0.02 * b for a, b in zip(narrow, one)), (narrow, one, out))

    bins = (*some, "--model-dir", "bins", "--loss", "ce", "--lora-targets", "down_proj,k_proj")
    rc, events, out = run("adapt", *bins, "--bins", "5", "--decision", "mode")
    data = last(events, "result").get("data", {})
    kept = json.load(open("bins/netllm.json"))["policy"]["bins"] if rc == 0 else {}
    check("adapt: cross-entropy of bins", rc == 0 and kept["decision"] == "mode"
          and 2 <= len(kept["values"]) <= 5 and kept["values"] == sorted(kept["values"])
          and losses_of(events)[0] < 1.7, out)  # ln 5 = 1.61: it starts from their shares
    check("adapt: the targets are PEFT's", json.load(open("bins/adapter_config.json"))[
        "target_modules"] == ["k_proj", "down_proj"])
    rc, events, out = run("test", "--exp-pool-path", "pool.safetensors", "--model-dir", "bins")
    check("test: a decision is judged as any other", rc == 0
          and last(events, "result")["data"]["baselines"]["constant"] > 0, out)
    rc, events, out = run("adapt", "--resume", "--model-dir", "bins", "--decision", "mean")
    check("adapt: another decision is not resumed", rc == 8
          and "'decision'" in last(events, "error")["message"], out)
    for extra, what in ((("--bins", "4"), "--loss ce"), (("--loss", "l1"), "mse"),
                        (("--loss", "ce", "--recipe", "published"), "published")):
        rc, events, out = run("adapt", *some, "--model-dir", "none", *extra)
        check(f"adapt: {' '.join(extra)} is refused", rc == 2
              and what in last(events, "error")["message"], out)


def dry_run():
    """What can be known before there is a pool."""
    for command, extra, code, what in (
            ("adapt", ("--num-epochs", "3"), 0, "dry_run"), ("adapt", ("--lr", "x"), 2, "--lr"),
            ("adapt", ("--bins", "4"), 2, "--loss ce"), ("adapt", ("--rank", "65"), 8, "rank"),
            ("adapt", ("--plm-path", "nowhere"), 7, "nowhere"),
            ("adapt", ("--model-dir", "none", "--lora-targets", "q"), 8, "'q'"),
            ("distill", ("--hidden", "8"), 0, "dry_run"), ("distill", ("--rows", "0"), 2, "--rows"),
            ("distill", ("stray",), 2, "no more")):
        rc, _, out = run(command, "--dry-run", *extra)
        check(f"{command} --dry-run {' '.join(extra)}", rc == code and what in out, out)
    check("a dry run leaves nothing", not os.path.exists("none"))


def slow_blas():
    """A BLAS that makes computing slow is named before it begins."""
    slow = glob.glob("/usr/lib/*/blas/libblas.so.3")
    if not slow:
        print("no reference BLAS here: its warning is not tested", flush=True)
        return
    commands = (("adapt", *COMMON, *TINY, "--num-epochs", "1", "--model-dir", "slow"),
                ("test", *COMMON), ("serve", "--model-dir", "model"))
    for command in commands:
        for preload in (slow[0], ""):
            p = subprocess.run([NETLLM, *command], capture_output=True, text=True, timeout=240,
                               stdin=subprocess.DEVNULL, env={**os.environ, "LD_PRELOAD": preload})
            check(f"{command[0]} {'names' if preload else 'says nothing of'} the BLAS",
                  p.returncode == 0 and ("BLAS reference" in p.stdout) == bool(preload),
                  p.stdout + p.stderr)


def lab():
    """The default recipe has windows in bytes; patience ends what gets no better."""
    run("pool", "build", "-o", "lab.safetensors", "a.json", "b.json")
    args = ("--exp-pool-path", "lab.safetensors", "--model-dir", "lab")
    rc, events, out = run("adapt", *args, *TINY, "--num-epochs", "50", "--patience", "2", "--lr",
                          "1e-6", "--label-clip", "3", "--weight-decay", "0")
    data = last(events, "result").get("data", {})
    check("adapt: patience", rc == 0 and (data["stopped_early"] or data["epochs"] == 50), out)
    rc, events, out = run("test", *args, "--target-return-scale", "0.5")
    data = last(events, "result").get("data", {})
    score = data.get("scores", {}).get("policy", {})
    # Hardly trained, it still answers the mean action: its head started at 0.
    check("adapt: it starts as the constant answer", rc == 0 and abs(
        data["test_loss"] / data["baselines"]["constant"] - 1) < 0.05, out)
    check("test: bytes and ratios", score["mae_bytes"] > 0 and 0 <= score["within_5_percent"] <= 1
          and abs(score["mse_log_ratio"] - score["mse"]) < 1e-6
          and data["rollout"]["mae_bytes"] > 0, out)


def config():
    shape = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
             "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 1,
             "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "max_position_embeddings": 64,
             "vocab_size": 100}
    json.dump(shape, open("config.json", "w"))
    args = ("--exp-pool-path", "pool.safetensors", "--model-dir", "deep/er/model", *TINY,
            "--num-epochs", "1", "--plm-config", "config.json", "--random-init", "7")
    rc, events, out = run("adapt", *args, "--which-layer", "1")
    saved = json.load(open("deep/er/model/netllm.json")) if rc == 0 else {}
    check("adapt: a config.json, early stop and a seed", rc == 0
          and saved["policy"]["backbone"]["num_key_value_heads"] == 1
          and saved["policy"]["backbone_seed"] == "7" and saved["policy"]["which_layer"] == 1, out)
    check("adapt: says that the weights are random",
          any("random weights" in e["text"] for e in events if e["type"] == "log"), out)
    rc, _, out = run("test", "--exp-pool-path", "pool.safetensors", "--model-dir", "deep/er/model")
    check("test: of that checkpoint", rc == 0, out)
    rc, events, out = run("adapt", *args, "--w", "25")
    check("a window longer than the backbone's positions is refused", rc == 8
          and "max_position_embeddings" in last(events, "error")["message"], out)
    del shape["num_hidden_layers"]
    json.dump(shape, open("config.json", "w"))
    rc, events, out = run("adapt", *args)
    check("a config.json without a field is refused by its name", rc == 8
          and "'num_hidden_layers' is missing" in last(events, "error")["message"], out)


def devices():
    """The layers in pieces on one device are the same policy."""
    losses = []
    for extra in ((), ("--device", "cpu", "--device-mid", "cpu", "--device-out", "cpu")):
        args = ("--exp-pool-path", "pool.safetensors", "--model-dir", "split")
        rc, events, out = run("adapt", *args, *TINY, "--num-epochs", "2", *extra)
        trained = [e["values"]["loss"] for e in events if e["type"] == "sample"]
        rc_test, events, more = run("test", *args, *extra)
        data = last(events, "result").get("data", {})
        losses.append((trained, data.get("test_loss"), data.get("rollout", {}).get("loss")))
        check(f"adapt and test {' '.join(extra)}", rc == rc_test == 0 and trained, out + more)
    check("devices: three pieces on one give the same bits", losses[0] == losses[1], losses)
    for args, code, word in ((("--device", "gpu"), 2, "'gpu'"), (("--devices", "all"), 2, "'all'"),
                             (("--device-mid", "cuda:63"), 6, "cuda:63")):
        for command in (("adapt", *COMMON), ("test", *COMMON), ("serve", "--model-dir", "model")):
            rc, _, out = run(*command, *args)
            check(f"{command[0]} {' '.join(args)} exits with {code}", rc == code and word in out, out)
    if not json.loads(run("info", "--json")[2])["cuda_devices"]:
        rc, _, out = run("test", *COMMON, "--devices", "auto")
        check("--devices auto without CUDA", rc == 6 and "cuda:0" in out, out)


def refusals():
    rc, events, out = run("adapt", *COMMON, "--w", "40")
    error = last(events, "error")
    check("a pool too short says how many rows it takes", rc == 8
          and error["status"] == "input" and "rows" in error["hint"], out)
    for args in (["--lr", "x"], ["--lr", "nan"], ["--num-epochs", "0"], ["--rank", "-1"],
                 ["--gamma", "2"], ["--nothing"], ["--lr"], ["stray"]):
        rc, events, out = run("adapt", *COMMON, *args)
        check(f"adapt {' '.join(args)} is a usage error", rc == 2
              and last(events, "error").get("status") == "usage", out)
    rc, events, out = run("adapt", *COMMON, *TINY, "--num-epochs", "9", "--lr", "1e12",
                          "--warmup-steps", "1")
    check("a NaN stops the training and names epoch and window", rc == 1
          and "in epoch 1, window" in last(events, "error")["message"], out)
    os.makedirs("full", exist_ok=True)
    open("full/diary.txt", "w").close()
    rc, events, out = run("adapt", "--exp-pool-path", "pool.safetensors", "--model-dir", "full")
    check("a directory of something else is left alone", rc == 2
          and os.listdir("full") == ["diary.txt"], out)
    rc, events, out = run("test", "--exp-pool-path", "pool.safetensors", "--model-dir", "none")
    check("a checkpoint that is not there", rc == 7, out)


def signals():
    for number in (signal.SIGTERM, signal.SIGINT):
        args = ("--exp-pool-path", "pool.safetensors", "--model-dir", "stopped", *TINY)
        p = subprocess.Popen([NETLLM, "adapt", *args, "--num-epochs", "60000"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        seen = 0
        for line in p.stdout:
            seen += '"src":"valid"' in line
            if seen == 2:
                break
        program = os.readlink(f"/proc/{p.pid}/exe")
        check("adapt: the same process, another program", os.path.basename(program)
              == "netllm-torch", program)
        p.send_signal(number)
        rest = p.stdout.read().splitlines()
        rc = p.wait(timeout=240)
        error = json.loads(rest[-1])
        check(f"{number.name} stops the training with 130", rc == 130
              and error["type"] == "error" and error["status"] == "interrupted"
              and "checkpoint of epoch" in error["hint"], (rc, error))
        rc, _, out = run("test", "--exp-pool-path", "pool.safetensors", "--model-dir", "stopped")
        check("and the checkpoint it kept is whole", rc == 0, out)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        has_torch = has_libtorch()
        pool()
        if has_torch:
            two_programs()
            blas()
            adapt()
            ways()
            dry_run()
            slow_blas()
            lab()
            config()
            devices()
            refusals()
            signals()
        else:
            usage()
            pool_refusals()
            without_torch(NETLLM)
        os.chdir("/")
    print(f"{len(failures)} failed" if failures else "all good")
    sys.exit(1 if failures else 0)


main()
