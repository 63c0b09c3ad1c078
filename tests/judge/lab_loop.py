"""The whole loop in small, labs/drive.lua --tiny: it is killed with SIGKILL while the policy makes
experience of its own, goes on, and ends with the files of one that was not; the windows of the driven
flow are its decisions, and the judge has a number for everybody. Then the checkpoint itself drives."""
import csv
import glob
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "drive"))
from lab import *

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DIR = "loop"
ROUND = ["round.json", "collect", "own", "model"]


def start(log):
    return subprocess.Popen([CCALAB, "--run", f"{SOURCE}/labs/drive.lua", "--tiny", "--rounds", "1",
                             "--dir", DIR, "--testbed", "loop-test"], stdout=open(log, "w"),
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def tail(log):
    with open(log) as f:
        return "".join(f.readlines()[-12:])


def stages(k):
    try:
        with open(f"{DIR}/teach/round-{k}/round.json") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def cells(k):
    """The run directories of the round's cells, by their states."""
    out = {}
    for path in glob.glob(f"{DIR}/teach/round-{k}/collect/cells/*/run.json"):
        with open(path) as f:
            out.setdefault(json.load(f)["status"], []).append(path)
    return out


def end(p, log, seconds):
    """Wait; skip what the machine cannot, or is too busy for."""
    code = p.wait(seconds)
    if code == 6 or code and "the emulator was late" in tail(log):
        skip(tail(log))
    check(code == 0, f"labs/drive.lua ends with {code}" + (": " + tail(log) if code else ""))


def killed_and_resumed():
    p = start("first")
    ready = until(lambda: p.poll() is not None or len(cells(1).get("ok", [])) == 1, 240)
    if p.poll() is not None:
        end(p, "first", 60)
    check(ready and p.poll() is None, "the second round has a cell")
    p.kill()
    p.wait()
    check("distill" in stages(0) and "collect" not in stages(1), "it was killed in mid-round")
    check(until(lambda: not has_cc(), 60), "nothing is left registered after the kill")
    before = {path: os.stat(path).st_mtime_ns for path in glob.glob(f"{DIR}/teach/round-0/**", recursive=True)
              + cells(1)["ok"] if os.path.isfile(path)}
    p = start("second")
    end(p, "second", 240)
    touched = [path for path, t in before.items() if os.stat(path).st_mtime_ns != t]
    check(not touched, f"what was done stays as it was, {len(before)} files: {touched}")
    check(len(cells(0)["ok"]) == 2 and len(cells(1)["ok"]) == 2, "every cell was run once")


def what_it_leaves():
    for k in (0, 1):
        names = set(os.listdir(f"{DIR}/teach/round-{k}"))
        want = {*ROUND, f"student-{k}.safetensors", *(["pool.safetensors"] if k else [])}
        check(names == want, f"round {k} has its files: {sorted(names ^ want)}")
        s = stages(k)["distill"]["result"]
        # After one epoch the teacher says nearly the same to everything: what is learned of it is adapt_distill's.
        check(0 < s["valid_loss"] < 1 and 0 < s["valid_constant"] < 1,
              f"the student was measured beside a constant: {s['valid_loss']:.3g}, {s['valid_constant']:.3g}")
    with open(f"{DIR}/teach/rounds.csv") as f:
        rows = list(csv.DictReader(f))
    check([r["round"] for r in rows] == ["0", "1"], "rounds.csv has a row for each round")
    both = int(rows[0]["rows"]) + int(rows[1]["own_rows"])
    # Recipe lab needs a next row for an action: an episode that is built again has one less.
    check(both - int(rows[1]["episodes"]) <= int(rows[1]["rows"]) <= both
          and int(rows[1]["episodes"]) > int(rows[0]["episodes"]),
          f"the pool of the second round holds that of the first: {rows[1]['rows']} of {both} rows")
    for key in ("valid_loss", "no_op", "constant", "persistence", "test_loss", "distill_loss", "decision_p50_us"):
        check(all(float(r[key]) >= 0 for r in rows), f"rounds.csv has {key}")
    with open(f"{DIR}/teach/round-1/model/netllm.json") as f, open(f"{DIR}/teach/round-0/model/netllm.json") as g:
        check(json.load(f)["norm"] == json.load(g)["norm"], "the second round goes on from the first")
    with open(glob.glob(f"{DIR}/*-driven/run.json")[0]) as f:
        run = json.load(f)
    followed, d = run["follow"], run["drive"]
    check(followed["sampled"] > 100 and followed["agree"] >= 0.8 * followed["sampled"],
          f"{followed['agree']} of {followed['sampled']} sampled windows are decisions")
    check(d["decisions"] > 20 and d["refused"] == 0, f"distilled: {d['decisions']} decisions, none refused")
    with open(f"{DIR}/judge/judge.csv") as f:
        judged = {r["candidate"]: r for r in csv.DictReader(f)}
    check(set(judged) == {"cubic", "distilled:student-1.safetensors"}
          and all(float(r["power"]) > 0 and r["n"] == "1" for r in judged.values()), "all are judged")
    with open("second") as f:
        text = f.read()
    check("score is power" in text and "distilled:student-1" in text, "and printed")


def the_checkpoint_drives(lab):
    agent = lab.drive(f"model:{DIR}/teach/round-1/model", "--report", "0", "--threads", "1")
    sampler, path = lab.watch()
    client = lab.iperf3(2)
    mbps(client)
    sampler.send_signal(signal.SIGINT)
    sampler.wait()
    total = agent.stop()
    decided = [(t, v["wanted_pkts"]) for t, v in agent.samples() if v.get("wanted_pkts")]
    check(decided and total["decisions"] > 20 and total["refused"] == 0,
          f"model: {total['decisions']} decisions, {total['refused']} refused")
    seen = [(t, v["cwnd_pkts"]) for t, v in series(path) if decided[0][0] + 0.1 < t < decided[-1][0]]
    agree = sum(1 for t, cwnd in seen
                if any(abs(w - cwnd) <= 1 and t - 0.2 < d < t + 0.05 for d, w in decided))
    check(len(seen) > 50 and agree >= 0.8 * len(seen), f"{agree} of {len(seen)} sampled windows are its decisions")


if os.geteuid() != 0:
    skip("needs root")
if has_cc():
    skip("another netllm drive runs on this machine")
p = subprocess.run([NETLLM, "distill"], capture_output=True, text=True)
if p.returncode == 6:
    skip(p.stderr.strip())
began = time.monotonic()
with tempfile.TemporaryDirectory() as tmp:
    os.chdir(tmp)
    os.environ["CCALAB_RUNS"] = f"{tmp}/runs"
    try:
        killed_and_resumed()
        what_it_leaves()
        with Lab("loop-model") as lab:
            the_checkpoint_drives(lab)
    finally:
        subprocess.run([CCALAB, "testbed", "down", "--name", "loop-test"], capture_output=True)
        os.chdir("/")
print(f"{time.monotonic() - began:.0f} s")
