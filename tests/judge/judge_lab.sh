#!/bin/sh
# A real judge of two cells in the virtual lab, killed after the first and resumed: each cell counts
# once, what it measured is plausible, table, CSV and page are there, nothing is left.
set -u
ccalab="$CCALAB_BUILD/ccalab"
tmp=$(mktemp -d)
name=judge-test
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; tail -n 30 "$tmp/err"; exit 1; }
[ "$(id -u)" = 0 ] || skip "needs root"
command -v iperf3 >/dev/null || skip "needs iperf3"
available=/proc/sys/net/ipv4/tcp_available_congestion_control
grep -qw netllm $available && skip "another netllm drive runs on this machine"
trap '"$ccalab" testbed down --name $name >/dev/null 2>&1; rm -rf "$tmp"' EXIT

cat >"$tmp/judge.lua" <<'LUA'
print("pid", lab.pid)
local tiny = {name = "tiny", title = "tiny", quick = {{name = "one", title = "One", seconds = 3, warmup_s = 0,
    score = "power", link = {rate = "20mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 2,
                             steps = {{0, "20mbit"}, {2, "10mbit"}}},
    flows = {{label = "x", host = "client_x", cc = "*"}}}}}
local out = assert(lab.judge{candidates = {"cubic", "netllm:constant:20"}, sets = {tiny}, seeds = 1,
    dir = arg[1], testbed = "judge-test", idle_min = 0}) -- the machine may be busy with other tests
lab._judge.print(out)
if #out.missing > 0 then
    local is_busy = out.missing[1].why:find("^invalid: the emulator was late")
    error({status = is_busy and "unavailable" or "failed", subsystem = "test", message = out.missing[1].why}, 0)
end
LUA
"$ccalab" --run "$tmp/judge.lua" "$tmp/judge" >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
i=0
until grep -qs '"status":.*"ok"' "$tmp"/judge/cells/*/run.json; do
    i=$((i + 1))
    [ $i -lt 1800 ] || fail "no cell was done"
    kill -0 $pid 2>/dev/null || { wait $pid; status=$?; break; }
    sleep 0.1
done
if [ "${status:-0}" = 6 ]; then
    skip "$(cat "$tmp/err")"
fi
[ -z "${status:-}" ] || fail "it ended before a cell was done: exit status $status"
sleep 1.5 # into the second cell
kill -9 $pid 2>/dev/null || fail "it had ended already"
wait $pid 2>/dev/null
"$ccalab" --run "$tmp/judge.lua" "$tmp/judge" >"$tmp/out" 2>"$tmp/err" </dev/null
status=$?
[ $status = 6 ] && skip "$(grep -m 1 "^ccalab: script: .*: \|^missing" "$tmp/err" "$tmp/out")"
[ $status = 0 ] || fail "resumed: exit status $status"
sed -n '/score is/,$p' "$tmp/out"
grep -q 'only one set was judged' "$tmp/out" || fail "winners of one set alone"
python3 - "$tmp/judge" <<'PY' || fail "what it measured"
import csv, glob, json, sys
cells = [json.load(open(p)) for p in glob.glob(sys.argv[1] + "/cells/*/run.json")]
done = sorted(c["key"] for c in cells if c["status"] == "ok")
assert done == ["scenario=tiny one,candidate=constant:20,repeat=1", "scenario=tiny one,candidate=cubic,repeat=1"], done
assert len(cells) >= 3, "the killed attempt left no record"
rows = {r["candidate"]: r for r in csv.DictReader(open(sys.argv[1] + "/judge.csv"))}
assert set(rows) == {"cubic", "constant:20"}
for r in rows.values():
    v = {k: float(x) for k, x in r.items() if k[0].islower() and x and k not in ("set", "scenario", "candidate", "score", "is_winner", "aqm", "delay_from")}
    assert v["n"] == 1 and 0.2 < v["utilisation"] < 1.1, r
    assert 0 <= v["delay_p50_ms"] <= v["delay_p95_ms"] <= v["delay_p99_ms"] < 200, r
    assert abs(v["power"] - v["rate_mbit"] ** 2 / (20 + v["delay_mean_ms"])) < 1e-6, r
# 20 packets in 20 ms and more are at most 12 Mbit/s; CUBIC fills what there is.
assert float(rows["constant:20"]["rate_mbit"]) < 12.1 and float(rows["constant:20"]["decide_p50_us"]) > 0
assert rows["cubic"]["decide_p50_us"] == "" and float(rows["cubic"]["delay_p99_ms"]) > float(rows["constant:20"]["delay_p50_ms"])
steps = [x for x in open(glob.glob(sys.argv[1] + "/cells/*cubic*/samples/link_down.csv")[-1])]
column = steps[0].strip().split(",").index("link_rate_bps")
rates = {x.strip().split(",")[column] for x in steps[1:]}
assert {"20000000", "10000000"} <= {r.split(".")[0] for r in rates}, rates
page = open(sys.argv[1] + "/report.html").read()
assert "<svg" in page and "Delay in the candidate" in page
PY
ip netns list | grep -q "^$name-" && fail "namespaces are left"
grep -qw netllm $available && fail "netllm is left registered"
exit 0
