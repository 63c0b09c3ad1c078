#!/bin/sh
# The judge on the machines of a lab file: four hosts behind real sshds, a policy that drives flows of one of
# them over SSH. Its files have the shape of the virtual lab's, what these hosts cannot be is left out by name,
# every host is as it was before, also after kill -9 and `ccalab restore`. And the JSON of `ccalab judge`.
set -u
PATH="$PATH:/usr/sbin:/sbin"
ccalab="$CCALAB_BUILD/ccalab"
name=judgehosts$$
tmp=$(mktemp -d)
export XDG_STATE_HOME="$tmp/state" CCALAB_RUNS="$tmp/runs" CCALAB_LABS="$tmp/labs"
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; [ -f "$tmp/err" ] && tail -n 20 "$tmp/err"; exit 1; }
. "$CCALAB_SOURCE/tests/remote/host_state.sh"
. "$CCALAB_SOURCE/tests/labs/own_sshds.sh"
[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
for command in ip nft iperf3 ping sshd ssh-keygen sysctl useradd python3; do
    command -v $command >/dev/null || skip "needs $command"
done
[ -e /dev/net/tun ] || skip "needs /dev/net/tun"
available=/proc/sys/net/ipv4/tcp_available_congestion_control
grep -qw netllm $available && skip "another netllm drive runs on this machine"
trap 'own_sshds_down; for n in $name ${name}v; do "$ccalab" testbed down --name $n >/dev/null 2>&1; done; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
"$ccalab" testbed up --name $name >/dev/null 2>"$tmp/err" || fail "up"
own_client_x=uid0
own_sshds_up
lab=$tmp/ssh_lab.lua
mkdir -p "$tmp/labs/judge" "$tmp/labs/00-none"
cat >"$tmp/labs/judge/tiny.lua" <<'LUA'
local function one(name, rtt, aqm)
    return {name = name, title = "One", seconds = 3, warmup_s = 0, score = "power",
            link = {rate = "50mbit", rtt = rtt, aqm = aqm}, flows = {{label = "x", host = "client_x", cc = "*"}}}
end
return {name = "tiny", title = "tiny", quick = {one("one", "20ms", "dualpi2")},
        full = {one("one", "20ms", "dualpi2"), one("far", "40ms", "dualpi2"), one("odd", "20ms", "hhf")}}
LUA
queue() { "$ccalab" testbed shell --name $name router -- tc -j qdisc show dev bn1; }
rules() { ip netns exec $name-client_x nft list tables; }
hosts="client_x client_y router server"
for host in $hosts; do host_state $name-$host >"$tmp/before_$host"; done
queue=$(queue)
rules=$(rules)
all_same() {
    for host in $hosts; do same_state $name-$host "$tmp/before_$host" "$1"; done
    [ "$(queue)" = "$queue" ] || fail "$1: the router's queue: $(queue)"
    [ "$(rules)" = "$rules" ] || fail "$1: rules of client X: $(rules)"
    [ -z "$(ls "$tmp/state/ccalab/journal")" ] || fail "$1: a journal is left"
    grep -qw netllm $available && fail "$1: netllm is left registered"
    left=$(for host in $hosts; do ip netns pids $name-$host; done | xargs -r ps -o comm= -p |
        grep -E 'netllm|iperf3|sampler|^tc$')
    [ -z "$left" ] || fail "$1: left running: $left"
    [ -z "$(ls "$tmp"/client_x/home/.cache/ccalab/drive/in-* 2>/dev/null)" ] || fail "$1: a FIFO is left"
}
judge() { # NAME OPTIONS...
    "$ccalab" judge --name "$@" --sets tiny --candidates cubic,netllm:constant:40 --seeds 1 --idle-min 0 --json \
        >"$tmp/$1.json" 2>"$tmp/err" </dev/null
}
busy() { # what this machine is to blame for
    why=$(grep -m 1 "invalid: the\|is registered already" "$tmp/err") && skip "$why"
}

judge hosts --lab "$lab" --size full || { status=$?; busy; fail "over SSH: exit status $status"; }
all_same "after the judge"
judge virtual --testbed ${name}v || { status=$?; busy; fail "virtual: exit status $status"; }
python3 - "$tmp/hosts.json" "$tmp/virtual.json" <<'PY' || fail "what it says"
import csv, json, re, sys
results = [json.load(open(p)) for p in sys.argv[1:]]
def shape(folder):
    out = []
    for name in ("cells.csv", "judge.csv"):
        with open(f"{folder}/{name}") as f:
            rows = list(csv.reader(f))
        out.append((name, rows[0], sorted(r[:2] for r in rows[1:]) if name == "cells.csv" else [r[:6] for r in rows[1:]]))
    page = open(folder + "/report.html").read()
    out.append(["page"] + [re.sub(r"<[^>]*>", "", t).strip() for t in re.findall(r"<(?:h1|h2|th)[^>]*>(.*?)</(?:h1|h2|th)>", page, re.S)])
    out.append(["plots", page.count("<svg")])
    return out
a, b = shape(results[0]["dir"]), shape(results[1]["dir"])
for x, y in zip(a, b):
    if x[0] == "judge.csv": # who wins is no shape
        x, y = (x[0], x[1], [r[:5] for r in x[2]]), (y[0], y[1], [r[:5] for r in y[2]])
    assert x == y, f"{x}\n{y}"
def stats(v):
    assert set(v) >= {"n", "mean", "min", "max"} and v["min"] <= v["mean"] <= v["max"], v
for r, how in zip(results, ("qdisc", "emulator")):
    assert [c["label"] for c in r["candidates"]] == ["cubic", "constant:40"], r["candidates"]
    assert r["seeds"] == 1 and r["cells"] == r["done"] == 2 and len(r["missing"]) == 0, r
    (s,) = r["sets"]
    assert s["name"] == "tiny" and s["counted"] == 1 and isinstance(s["wins"], dict), s
    (one,) = s["scenarios"]
    assert one["name"] == "tiny one" and one["score"] == "power" and set(one["by"]) == {"cubic", "constant:40"}, one
    for who, v in one["by"].items():
        assert v["aqm"].startswith("dualpi2") and v["delay_from"] == how, v
        for key in ("rate_mbit", "utilisation", "power", "delay_p50_ms", "delay_p99_ms", "rtt_extra_p50_ms"):
            stats(v[key])
        # 40 packets in 20 ms are at most 24 Mbit/s; CUBIC has the link to itself.
        rate = v["rate_mbit"]["mean"]
        assert (5 < rate < 25 if who == "constant:40" else 10 < rate < 50), (how, who, rate)
        print(how, who, "%.1f Mbit/s, queue p50 %.2f ms, rtt+ %.2f ms" % (rate, v["delay_p50_ms"]["mean"], v["rtt_extra_p50_ms"]["mean"]))
    driven = one["by"]["constant:40"]
    stats(driven["decide_p50_us"])
    assert driven["stale_share"]["mean"] < 0.5, driven
left = {x["scenario"]: x["why"] for x in results[0]["left_out"]}
assert left.keys() == {"tiny far", "tiny odd"} and "40ms" in left["tiny far"] and "hhf" in left["tiny odd"], left
page = open(results[0]["dir"] + "/report.html").read()
assert "left out: tiny far" in page, "the report does not say what was left out"
queue = re.search("Queue: (dualpi2[^<]*)", page)[1]
print(queue) # the lab file asks for another target than the default of 15 ms
assert "target 16000" in queue and "AQM told it" in queue, queue
PY

# A policy in a file goes up, and a line reaches it while it drives.
echo 'function on_sample(flow, s) return s.cwnd end' >"$tmp/own.lua"
echo 'print("the advisor is there") function on_sample(flow, s) return 2 * s.cwnd end' >"$tmp/advisor.lua"
cat >"$tmp/drive.lua" <<'LUA'
local bed = assert(lab.open_lab(arg[1], {roles = {"client_x"}}))
local drive = assert(lab.drive{policy = "lua:" .. arg[2], advisor = "lua:" .. arg[3], host = bed.client_x})
assert(drive:aim(0.5))
lab.sleep(0.3)
assert(drive:finish().data.open_flows == 0)
local ok, err = drive:aim(0.6)
assert(not ok and err.message == "it has ended")
local none, why = lab.drive{policy = "lua:/none.lua", host = bed.client_x}
assert(not none and why.message == "there is no /none.lua", why and why.message)
none, why = lab.drive{policy = "model:" .. arg[4], host = bed.client_x} -- no checkpoint; netllm-torch goes up to say so
assert(not none and why.message:find(lab.program("netllm-torch") and "netllm.json" or "libtorch", 1, true), why and why.message)
none, why = lab.drive{policy = "copy-last", advisor = "lua:/none.lua", host = bed.client_x}
assert(not none and why.message == "there is no /none.lua", why and why.message)
-- Who finds the registration taken leaves the first one's rule where it is.
local function rules() return assert(bed.client_x:run{"nft", "list", "tables", sudo = true}).out end
local first = assert(lab.drive{policy = "copy-last", host = bed.client_x})
local with = rules()
assert(with:find("ccalab_ect1", 1, true), with)
none, why = lab.drive{policy = "copy-last", host = bed.client_x}
assert(not none and why.message:find("registered already", 1, true), why and why.message)
assert(rules() == with, rules())
assert(first:finish())
LUA
"$ccalab" --run "$tmp/drive.lua" "$lab" "$tmp/own.lua" "$tmp/advisor.lua" "$tmp/labs" >"$tmp/out" 2>"$tmp/err" </dev/null || { busy; fail "drive: $?"; }
grep -q 'the advisor is there' "$tmp/err" || fail "the advisor's file did not get there"
grep -q 'target return: 0.5 of the largest' "$tmp/err" || fail "the line did not reach the policy"
all_same "after a driven host"

stop() { # SIGNAL: while a policy drives
    "$ccalab" judge --name "$1" --sets tiny --candidates netllm:constant:40 --seeds 1 --lab "$lab" \
        >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    i=0
    until grep -qw netllm $available && ip netns pids $name-client_x | xargs -r ps -o comm= -p | grep -q iperf3; do
        i=$((i + 1))
        [ $i -lt 1200 ] && kill -0 $pid 2>/dev/null || { busy; fail "no driven flow"; }
        sleep 0.1
    done
    [ "$(queue)" != "$queue" ] || fail "the judge did not set the queue"
    kill -"$1" $pid
    wait $pid 2>/dev/null
    status=$?
    i=0
    while grep -qw netllm $available; do
        i=$((i + 1))
        [ $i -lt 600 ] || fail "netllm drive outlives the console"
        sleep 0.1
    done
}
stop INT
[ $status = 130 ] || fail "Ctrl-C: exit status $status"
all_same "after Ctrl-C"
stop KILL # what is left is gone by itself, or by restore
"$ccalab" restore --lab "$lab" >"$tmp/out" 2>"$tmp/err" || fail "restore: $(cat "$tmp/out")"
sleep 0.5
all_same "after kill -9 and restore"
