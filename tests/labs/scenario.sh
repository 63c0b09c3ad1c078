#!/bin/sh
# A short scenario from end to end: what it measured is plausible and its JSON complete; one that this
# build cannot do says so; and the doctor's JSON is valid.
. ./lab.sh
"$ccalab" testbed doctor --json >"$tmp/doctor.json" || fail "doctor: exit status $?"
"$ccalab" testbed doctor --quick | grep -q '^pass  ' || fail "the doctor finds nothing in order"
python3 - "$tmp/doctor.json" <<'PY' || fail "the doctor's JSON"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["cores"] >= 1 and d["hz"] in (100, 250, 300, 1000), (d["cores"], d["hz"])
assert 0 <= d["steal_ratio"] <= 1 and 0 <= d["busy_ratio"] <= 1
late = d["sleep_late_us"]["normal"]
assert 0 <= late["p50"] <= late["p99"] <= late["max"], late
assert all(c["verdict"] in ("pass", "warn", "cannot tell") and c["text"] for c in d["checks"])
assert len(d["checks"]) >= 10
PY
"$ccalab" --run "$CCALAB_SOURCE/labs/scenario.lua" smoke 1 6 >"$tmp/out" 2>"$tmp/err" </dev/null ||
    fail "exit status $?"
nothing_left "after the run"
sed -n '/base RTT/,$p' "$tmp/out"
run=$(sed -n 's/^run directory  *//p' "$tmp/out")
for file in run.json scenario.json scenario.csv scenario.md samples.csv report.html \
    iperf3/1-1-x.json iperf3/1-1-y.json; do
    [ -s "$run/$file" ] || fail "$file is missing or empty"
done
# The bounds are wide: six seconds are mostly start, and this machine may be busy.
python3 - "$run" <<'PY' || fail "implausible"
import csv, json, sys
s = json.load(open(sys.argv[1] + "/scenario.json"))
assert s["name"] == "smoke" and s["seconds"] == 6 and s["repeats"] == 1
assert s["machine"]["cores"] >= 1
cell, = s["cells"]
run, = cell["runs"]
assert [f["label"] for f in run["flows"]] == ["x", "y"]
v = run["values"]
total = v["rate_mbit x"] + v["rate_mbit y"]
assert 25 < total < 49.5, total
assert 20 < v["srtt_ms x"] < 120 and 20 < v["srtt_ms y"] < 200, v
assert 0.5 < v["utilisation"] < 1.02, v["utilisation"]
assert 0.5 <= v["jain"] <= 1 and v["marks"] > 0, v
verdicts = {e["what"] + " " + e.get("flow", ""): e["verdict"] for e in cell["expect"]}
late = not run["is_valid"]
assert (verdicts["rate_mbit x"] == "invalid: late") == late, verdicts
assert late or verdicts["rate_mbit x"] in ("ok", "outside")
assert all(e.get("source") for e in cell["expect"] if "min" in e or "max" in e)
rows = list(csv.DictReader(open(sys.argv[1] + "/scenario.csv")))
row, = [r for r in rows if r["what"] == "rate_mbit" and r["flow"] == "x"]
assert abs(float(row["value"]) - v["rate_mbit x"]) < 1e-3
facts = json.load(open(sys.argv[1] + "/run.json"))
assert facts["status"] == "ok"
assert facts["machine"]["doctor"]["cores"] >= 1
PY
# A scenario that asks for what nobody builds is refused, and not run as something else.
mkdir -p "$tmp/labs/scenarios"
cp "$CCALAB_SOURCE/labs/scenario.lua" "$tmp/labs/"
sed 's/aqm = "dualpi2"/aqm = "telepathy"/' "$CCALAB_SOURCE/labs/scenarios/smoke.lua" \
    >"$tmp/labs/scenarios/smoke.lua"
"$ccalab" --run "$tmp/labs/scenario.lua" smoke 1 2 >"$tmp/out" 2>"$tmp/err" </dev/null
status=$?
[ "$status" = 6 ] || fail "an unknown AQM: exit status $status, not 6"
grep -q 'not supported by this build' "$tmp/err" || fail "an unknown AQM: no clear reason"
nothing_left "after the refused run"
