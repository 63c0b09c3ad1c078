#!/bin/bash
# Prague alone fills the bottleneck, is ECT(1) on the wire, and is marked; beside CUBIC both get a
# share. How much is for tests/bench/prague.sh to measure: a machine that stops for milliseconds at a
# time makes queues, marks and slow flows of its own (17 of 48 Mbit/s were seen).
name=tb-prague
. ./lab_lib.sh
command -v iperf3 >/dev/null || skip "needs iperf3"

$testbed up --name $name >"$tmp/up" 2>/dev/null || fail "up"
cc=$(sed -n 's/.*"-C \([a-z_]*\)".*/\1/p' "$tmp/up")
[ -n "$cc" ] || skip "no TCP Prague here: $(grep Prague "$tmp/up")"

serve() { # PORT
    rm -f "$tmp/server$1" # of the flow before
    in_host server iperf3 -s -1 --forceflush -p "$1" >"$tmp/server$1" 2>&1 &
    for _ in $(seq 1200); do
        grep -qs listening "$tmp/server$1" && break
        sleep 0.05
    done
}
flow() { # HOST CC PORT SECONDS: into $tmp/HOST
    in_host "$1" iperf3 -c 10.98.3.2 -C "$2" -p "$3" -t "$4" -f m >"$tmp/$1" ||
        fail "$(cat "$tmp/$1")"
}
received() { awk '/receiver/ {print $(NF-2)}' "$tmp/$1"; }
counter() { in_host server nstat -asz "$1" | awk -v n="$1" '$1 == n {print $2}'; }

serve 5201
flow client_x "$cc" 5201 6
mbps=$(received client_x)
ce=$(counter IpExtInCEPkts)
ect1=$(counter IpExtInECT1Pkts)
ect0=$(counter IpExtInECT0Pkts)
echo "$cc: $mbps Mbit/s; at the server CE $ce, ECT(1) $ect1, ECT(0) $ect0"
# 50 Mbit/s are 48.3 of payload.
awk -v m="$mbps" 'BEGIN {exit !(m > 10 && m < 48.5)}' || fail "$mbps Mbit/s"
[ "$ce" -gt 50 ] || fail "hardly any CE mark"
[ "$ect1" -gt 3000 ] || fail "the flow is not ECT(1)"
[ "$ect0" -lt 50 ] || fail "part of the flow is ECT(0)"

serve 5201
serve 5202
flow client_x "$cc" 5201 8 &
x=$!
flow client_y cubic 5202 8
wait $x || fail "$cc beside CUBIC"
echo "$cc $(received client_x), cubic $(received client_y) Mbit/s"
awk -v x="$(received client_x)" -v y="$(received client_y)" \
    'BEGIN {exit !(x > y / 5 && x < y * 5 && x + y > 20)}' || fail "no fair share"
$testbed down --name $name || fail "down"
check_nothing_left "down"
