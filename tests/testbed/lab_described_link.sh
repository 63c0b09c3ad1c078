#!/bin/bash
# What a topology says of a bottleneck beyond rate, RTT and AQM reaches it: rate steps, a trace for
# direction up, the log of packets.
name=tb-link
. ./lab_lib.sh
command -v ping >/dev/null || skip "needs ping"

printf '1\n500\n' >"$tmp/slow.trace"
cat >"$tmp/t.json" <<JSON
{"routers": [{"name": "router", "rtt": "4ms", "rate": "50mbit", "rate_steps": "0s:40mbit,1s:8mbit",
              "up_rate_trace": "$tmp/slow.trace", "packet_log": "$tmp/packets.csv"}]}
JSON
$testbed up --name $name --topology "$tmp/t.json" >"$tmp/up" 2>"$tmp/err" || fail "up: $(cat "$tmp/err")"
for _ in $(seq 1200); do
    $testbed get --name $name --json | grep -Eq '"rate_bps":[[:space:]]*8000000\b' && break
    sleep 0.05
done
$testbed get --name $name --json | python3 -c '
import json, sys
o = json.load(sys.stdin)
assert o["down"]["rate_bps"] == 8e6, o
assert o["up"]["rate_bps"] is None, o' || fail "steps and trace did not reach the bottleneck"
in_host client_x ping -n -c 3 -i 0.1 -s 1000 -W 20 10.98.3.2 >"$tmp/ping"
$testbed down --name $name >/dev/null || fail "down"
head -n 1 "$tmp/packets.csv" | grep -qx 't_s,dir,queue,len,sojourn_us,event' || fail "no heading"
[ "$(grep -c ',down,C,1028,.*,sent$' "$tmp/packets.csv")" = 3 ] ||
    fail "not three pings in the log: $(cat "$tmp/packets.csv")"
check_nothing_left "a described bottleneck, then down"
echo "ok"
