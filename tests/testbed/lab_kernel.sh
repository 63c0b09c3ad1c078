#!/bin/bash
# --aqm kernel:KIND: the kernel shapes and queues, behind the interface of our own. With what every
# kernel has, pfifo and bfifo under HTB; and what one has not is an error with a way out.
name=tb-kernel
. ./lab_lib.sh
command -v iperf3 >/dev/null || skip "needs iperf3"
command -v tc >/dev/null || skip "needs tc"
ip netns add $name-probe
ip netns exec $name-probe tc qdisc add dev lo root htb 2>/dev/null
htb=$?
ip netns del $name-probe
[ $htb = 0 ] || skip "this kernel has no htb"

for ports in tun packet; do
    : >"$tmp/events"
    $testbed keep --name $name --ports $ports --rate 40mbit --aqm 'kernel:bfifo limit 60000' \
        >"$tmp/events" 2>"$tmp/err" &
    keeper=$!
    for _ in $(seq 1200); do
        grep -q '"state":"up","name"' "$tmp/events" && break
        sleep 0.05
    done
    grep -q '"state":"up","name".*"ports":"'$ports'"' "$tmp/events" || fail "keep: $(cat "$tmp/events")"
    # More than there is room for: what comes out is the rate, the rest is dropped and counted.
    : >"$tmp/server" # of the flow before
    in_host server iperf3 -s -1 --forceflush >"$tmp/server" 2>&1 &
    server=$!
    for _ in $(seq 1200); do
        grep -q listening "$tmp/server" && break
        sleep 0.05
    done
    in_host client_x iperf3 -c 10.98.3.2 -u -b 60M -l 1472 -t 3 -J >"$tmp/client" 2>"$tmp/err" ||
        fail "iperf3: $(cat "$tmp/client")"
    wait $server
    $testbed get --name $name --json >"$tmp/get" || fail "get"
    # What iperf3's server was too late to read is lost, too.
    in_host server nstat -asz UdpRcvbufErrors | awk '/^Udp/ {print $2}' >"$tmp/unread"
    $testbed set --name $name --down rate=20mbit 'aqm=kernel:pfifo limit 30' >"$tmp/set" || fail "set"
    grep -q '^down  20 Mbit/s, 10 ms, kernel:pfifo limit 30' "$tmp/set" || fail "set: $(cat "$tmp/set")"
    in_host router tc class show dev bn1 | grep -q 'rate 20Mbit' || fail "the kernel has another rate"
    $testbed set --name $name aqm=codel 2>"$tmp/err" && fail "one of our own was taken"
    grep -q "the queue here is the kernel's" "$tmp/err" || fail "$(cat "$tmp/err")"
    if [ $ports = tun ]; then # what one types in the router reaches the same queue
        $testbed shell --name $name router -- tc qdisc replace dev bn1 root bfifo limit 50000 || fail "tc"
        $testbed shell --name $name router -- tc -j qdisc show dev bn1 >"$tmp/tc" || fail "tc show"
        grep -q '"kind":"bfifo","handle":"10:","parent":"1:1","options":{"limit":50000}' "$tmp/tc" ||
            fail "tc show: $(cat "$tmp/tc")"
        $testbed shell --name $name router -- tc qdisc replace dev bn1 root nonsense 2>"$tmp/err"
        [ $? = 2 ] || fail "tc took nonsense"
    fi
    kill $keeper
    wait $keeper || fail "exit code $?"
    python3 - "$tmp" <<'END' || fail "$ports"
import json, sys
tmp = sys.argv[1]
events = [json.loads(line) for line in open(tmp + "/events")]
client = json.load(open(tmp + "/client"))["end"]["sum"]
samples = [e for e in events if e["type"] == "sample" and e["src"] == "link/down"]
busy = [e for e in samples if e["values"]["backlog_bytes"] and e["values"]["backlog_bytes"] > 30000][2:-2]
rate = sum(e["values"]["rate_bps"] for e in busy) / len(busy)
use = sum(e["values"]["utilisation"] for e in busy) / len(busy)
state = json.load(open(tmp + "/get"))["down"]
unread = int(open(tmp + "/unread").read())
down = next(e for e in events if e["type"] == "result" and e["data"]["state"] == "down")["data"]["link"]["down"]
print(f"{len(busy)} samples of {rate / 1e6:.2f} Mbit/s of 40, utilisation {use:.3f}; "
      f"lost {client['lost_packets']} by iperf3, {state['drop']} by the kernel, {unread} not read")
assert len(busy) > 8, "no standing queue"
# Never more than the rate; less, where the machine stood still.
assert 0.7 < rate / 40e6 < 1.1 and abs(use * 40e6 / rate - 1) < 0.1, "the rate"
# iperf3 does not miss what was lost behind the last packet that came.
assert 0 <= state["drop"] + unread - client["lost_packets"] <= 50 and state["drop"] > 1000, "the drops"
assert max(e["values"]["backlog_bytes"] for e in samples) <= 60000, "the limit"
assert state["rate_bps"] == 40e6 and state["aqm"] == "kernel:bfifo limit 60000"
assert samples[-1]["values"]["prob"] is None and samples[-1]["values"]["delay_c_us"] is None, "told what nobody knows"
assert down["drop"] >= state["drop"] and down["ce_set"] is None and down["sojourn_c_us"]["p50"] is None
assert abs(down["in_pkts"] - down["out_pkts"] - down["drop"]) <= 3, "packets unaccounted for"
END
    wait_for_nothing 60 "$ports"
done

refused() { # CODE TEXT HINT ARGUMENTS...
    code=$1 text=$2 hint=$3
    shift 3
    $testbed up --name $name "$@" >/dev/null 2>"$tmp/err"
    [ $? = "$code" ] || fail "$*: exit code is not $code: $(cat "$tmp/err")"
    tail -n 2 "$tmp/err" | grep -q "$text" || fail "$*: no '$text': $(cat "$tmp/err")"
    tail -n 2 "$tmp/err" | grep -q "hint: .*$hint" || fail "$*: no hint '$hint': $(cat "$tmp/err")"
    check_nothing_left "$*"
    echo "ok: $*"
}
for kind in 'codel ecn' fq_codel dualpi2; do
    unshare -n tc qdisc add dev lo root ${kind%% *} 2>/dev/null ||
        refused 6 "this kernel has no qdisc '${kind%% *}' (CONFIG_NET_SCH_" "aqm \"$kind\"" --aqm "kernel:$kind"
done
refused 2 'unknown parameter "bogus"' 'tc-pfifo(8)' --aqm 'kernel:pfifo bogus 3'
refused 2 "names no qdisc of the kernel" "kernel:fq_codel" --aqm 'kernel:../x'
refused 2 "needs a rate" "--rate" --aqm kernel:pfifo --rate unlimited
