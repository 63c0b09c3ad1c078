#!/bin/bash
# Prague alone fills the bottleneck, is ECT(1) on the wire, and is marked.
name=tb-prague
. ./lab_lib.sh
command -v iperf3 >/dev/null || skip "needs iperf3"

$testbed up --name $name >"$tmp/up" 2>/dev/null || fail "up"
cc=$(sed -n 's/.*"-C \([a-z_]*\)".*/\1/p' "$tmp/up")
[ -n "$cc" ] || skip "no TCP Prague here: $(grep Prague "$tmp/up")"

in_host server iperf3 -s -1 >"$tmp/server" 2>&1 &
for _ in $(seq 40); do
    grep -q listening "$tmp/server" && break
    sleep 0.05
done
in_host client_x iperf3 -c 10.98.3.2 -C "$cc" -t 6 -f m >"$tmp/client" ||
    fail "$(cat "$tmp/client")"
mbps=$(awk '/receiver/ {print $(NF-2)}' "$tmp/client")
counter() { in_host server nstat -asz "$1" | awk -v n="$1" '$1 == n {print $2}'; }
ce=$(counter IpExtInCEPkts)
ect1=$(counter IpExtInECT1Pkts)
ect0=$(counter IpExtInECT0Pkts)
echo "$cc: $mbps Mbit/s; at the server CE $ce, ECT(1) $ect1, ECT(0) $ect0"
awk -v m="$mbps" 'BEGIN {exit !(m > 40 && m < 48.5)}' || fail "$mbps Mbit/s"
[ "$ce" -gt 50 ] || fail "hardly any CE mark"
[ "$ect1" -gt 10000 ] || fail "the flow is not ECT(1)"
[ "$ect0" -lt 50 ] || fail "part of the flow is ECT(0)"
$testbed down --name $name || fail "down"
check_nothing_left "down"
