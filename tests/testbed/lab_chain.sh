#!/bin/bash
# A described lab: three clients, two routers with a bottleneck each, two servers. Delays add up,
# the narrower bottleneck holds, both can be changed while they run, from the shell and from Lua.
name=tb-chain
. ./lab_lib.sh
[ -e /etc/hosts ] || skip "the hosts are named by way of /etc/hosts, which is missing"
command -v iperf3 >/dev/null && command -v ping >/dev/null || skip "needs iperf3 and ping"

cat >"$tmp/chain.json" <<'JSON'
{"hosts": [{"name": "a", "role": "client"}, {"name": "b", "role": "client", "delay": "5ms"},
           {"name": "s", "role": "server"}, {"name": "c", "role": "client"},
           {"name": "s2", "role": "server"}],
 "routers": [{"name": "r1", "rate": "50mbit", "rtt": "10ms"},
             {"name": "r2", "rate": "20mbit", "up_rate": "10mbit", "rtt": "20ms",
              "aqm": "fifo limit 100p"}]}
JSON
rtt_is() { # FROM TO MIN MAX: the shortest of some, as the machine may be late, but never early
    rtt=$($testbed shell --name $name "$1" -- ping -n -c 12 -i 0.02 "$2" |
        sed -n 's/.*time=\([0-9.]*\) ms/\1/p' | sort -n | head -1)
    echo "$1 -> $2: $rtt ms"
    awk -v r="$rtt" -v a="$3" -v b="$4" 'BEGIN {exit !(r >= a && r <= b)}' || fail "$1 -> $2: $rtt"
}

$testbed up --name $name --topology "$tmp/chain.json" >"$tmp/up" 2>"$tmp/err" ||
    fail "up: $(cat "$tmp/err")"
[ "$(ip netns list | grep -c "^$name-")" = 7 ] || fail "not seven namespaces"
grep -q "20 Mbit/s (up 10 Mbit/s), base RTT 20 ms, fifo limit 100p  (r2)" "$tmp/up" ||
    fail "status: $(cat "$tmp/up")"
rtt_is a s 30 38
rtt_is b s2 40 48
rtt_is c s 30 38
rtt_is a b 0 8
rtt_is s s2 0 8
rtt_is a r1 0 8
rtt_is a r2 10 18
rtt_is s r1 20 28

serve() {
    $testbed shell --name $name "$1" -- iperf3 -s -1 --forceflush -p "$2" >"$tmp/server$2" 2>&1 &
    for _ in $(seq 1200); do
        grep -qs listening "$tmp/server$2" && return
        sleep 0.05
    done
}
mbps_is() { # FROM TO MIN MAX PORT
    serve "$2" "$5"
    $testbed shell --name $name "$1" -- iperf3 -c "$2" -p "$5" -C cubic -t 2 -f m >"$tmp/flow" ||
        fail "$(cat "$tmp/flow")"
    mbps=$(awk '/receiver/ {print $(NF-2)}' "$tmp/flow")
    echo "$1 -> $2: $mbps Mbit/s"
    awk -v m="$mbps" -v a="$3" -v b="$4" 'BEGIN {exit !(m >= a && m <= b)}' || fail "$mbps Mbit/s"
}
mbps_is b s 10 19.6 5201
set_out=$($testbed set --name $name --router r2 rate=5mbit delay=5ms loss=0 --down) || fail "set"
echo "$set_out" | grep -q "^down  5 Mbit/s, 5 ms, fifo limit 100p" || fail "set: $set_out"
echo "$set_out" | grep -q "^up    10 Mbit/s, 10 ms" || fail "set --down changed up: $set_out"
rtt_is a s 25 29.9
$testbed set --name $name path.a=10ms >/dev/null || fail "set path"
rtt_is a s 45 53
$testbed get --name $name --router r2 --json | python3 -c '
import json, sys
o = json.load(sys.stdin)
assert o["down"]["rate_bps"] == 5e6 and o["up"]["rate_bps"] == 1e7, o
assert o["down"]["out_pkts"] > 1000, o' || fail "get --json"
$testbed set --name $name rate=fast 2>"$tmp/err" && fail "rate=fast was accepted"
grep -q "hint: " "$tmp/err" || fail "rate=fast: $(cat "$tmp/err")"
$testbed set --name $name speed=1 2>"$tmp/err" && fail "speed=1 was accepted"
$testbed set --name $name --router a rate=1mbit 2>"$tmp/err" && fail "a client's bottleneck"
grep -q "no router 'a'" "$tmp/err" || fail "--router a: $(cat "$tmp/err")"

kill -9 "$(keeper_pid)"
wait_for_dead
$testbed down --name $name | grep -q "removed 7 namespaces" || fail "down after kill -9"
check_nothing_left "kill -9 of a described lab, then down"

cat >"$tmp/chain.lua" <<'LUA'
local bed = assert(lab.testbed{name = arg[1], interval = "50ms", topology = {
    hosts = {{name = "a", role = "client"}, {name = "set", role = "client"},
             {name = "s", role = "server"}},
    routers = {{name = "r1"}, {name = "r2", rate = "20mbit", rtt = "10ms"}}}})
assert(#bed.hosts == 5 and bed.hosts.set.name == "set" and type(bed.set) == "function")
assert(bed.routers[2].name == "r2" and bed.egress == "bn1" and bed.r2 == bed.hosts[4])
assert(bed:set{rate = "5mbit", aqm = "codel ecn", direction = "down", paths = {a = "2ms"}})
local now = assert(bed:get())
assert(now.down.rate_bps == 5e6 and now.up.rate_bps == 50e6 and now.paths["10.98.1.2"] == 2000)
assert(now.down.aqm:match("^codel .*ecn") and now.up.aqm:match("^dualpi2"))
assert(bed:get{router = "r2"}.down.rate_bps == 20e6)
local ok, err = bed:set{rate = "fast"}
assert(ok == nil and err.message:match("fast") and err.hint, err and err.message)
lab.sleep(0.2)
local totals = assert(bed:down())
assert(totals.down and bed.totals.r2.down)
LUA
"$CCALAB_BUILD/ccalab" --events "$tmp/events" --run "$tmp/chain.lua" $name 2>"$tmp/err" ||
    fail "the script: $(cat "$tmp/err")"
grep -q '"src":"link/down"' "$tmp/events" || fail "no samples of the first bottleneck"
grep -q '"src":"link.r2/up"' "$tmp/events" || fail "no samples of the second bottleneck"
check_nothing_left "the script"
