"""netllm distill: the student errs less than one that always says the same, and its file drives; files
that are none of its are refused by words, before anything is registered. Usage: distill.py NETLLM"""
import json
import os
import struct
import subprocess
import sys
import tempfile

NETLLM = os.path.abspath(sys.argv[1])
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


def netllm(*words):
    return subprocess.run([NETLLM, *words], capture_output=True, text=True, timeout=280)


def result(*words):
    p = netllm(*words)
    if p.returncode:
        print(p.stdout[-2000:], p.stderr)
        sys.exit(1)
    return [e["data"] for e in map(json.loads, p.stdout.splitlines()) if e["type"] == "result"][-1]


def make_pool():
    """A window that grows by a packet and is cut where the queue is long: it can be learned."""
    cwnd, intervals = 20 * 1448, []
    for i in range(800):
        rtt = int(20000 + cwnd / 5)
        cwnd = int(cwnd * 0.7) if rtt > 40000 else cwnd + 1448
        stream = {"socket": 5, "snd_cwnd": cwnd, "rtt": rtt, "omitted": False, "bits_per_second": cwnd * 8e6 / rtt}
        intervals.append({"streams": [stream], "sum": {"start": i / 10}})
    with open("run.json", "w") as f:
        json.dump({"start": {}, "intervals": intervals, "end": {"sender_tcp_congestion": "cubic"}}, f)
    result("pool", "build", "-o", "pool.safetensors", "run.json")


def change(source, out, fn):
    """Copy a safetensors file, its header and values through fn."""
    with open(source, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header, values = fn(json.loads(data[8:8 + n]), bytearray(data[8 + n:]))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(out, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + values)


def foreign_files():
    def recipe(name):
        def fn(header, values):
            header["__metadata__"]["recipe"] = name
            return header, values
        return fn

    def not_finite(header, values):
        at = header["1.weight"]["data_offsets"][0]
        values[at:at + 4] = struct.pack("<f", float("nan"))
        return header, values

    def without_a_layer(header, values):
        header["3.bias"] = header.pop("2.bias")
        return header, values

    def short(header, values):
        return header, values[:len(values) // 2]

    with open("words", "w") as f:
        f.write("cwnd = cwnd + 1\n" * 100)
    open("empty", "w").close()
    change("student", "nan", not_finite)
    change("student", "layer", without_a_layer)
    change("student", "short", short)
    change("student", "tutorial", recipe("tutorial"))
    for name, status, words in (("nowhere", 7, "nowhere"), ("words", 8, "words"), ("empty", 8, "empty"),
                                ("nan", 8, "not finite"), ("layer", 8, "2.bias"), ("short", 8, "short"),
                                ("tutorial", 8, "recipe tutorial"), ("pool.safetensors", 8, "no distilled policy"),
                                ("model/modules_except_plm.safetensors", 8, "no distilled policy"),
                                ("model", None, "model")):
        p = netllm("drive", f"distilled:{name}")
        check(f"distilled:{name} is refused", p.returncode > 0 and status in (None, p.returncode)
              and words in p.stderr and "registered" not in p.stdout, (p.returncode, p.stdout, p.stderr))


def main():
    make_pool()
    result("adapt", "--exp-pool-path", "pool.safetensors", "--model-dir", "model", "--w", "8",
           "--state-feature-dim", "16", "--rank", "4", "--lr", "3e-3", "--grad-accum-steps", "4",
           "--num-epochs", "10", "--sample-step", "4", "--threads", "1")
    r = result("distill", "--exp-pool-path", "pool.safetensors", "--model-dir", "model", "-o", "student",
               "--hidden", "32", "--rows", "4", "--lr", "3e-3", "--threads", "1")
    print(f"     student {r['valid_loss']:.3g}, constant {r['valid_constant']:.3g}, {r['decision_p50_us']:.1f} us")
    check("the student errs less than a constant does, by a quarter at least",
          0 < r["valid_loss"] < 0.75 * r["valid_constant"], r)
    check("and says what it is", r["hidden"] == 32 and r["rows"] == 4 and r["best_epoch"] <= r["epochs"] <= 60, r)
    p = netllm("drive", "copy-last", "--help")
    if p.returncode == 6:
        print("     without netllm drive:", p.stderr.strip())
    else:
        foreign_files()


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
    os.chdir("/")
print(f"{len(failures)} failed" if failures else "all good")
sys.exit(1 if failures else 0)
