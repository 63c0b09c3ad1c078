#!/bin/bash
# Two labs side by side, with traffic in both: neither sees the other, and when the first goes, with
# what it had registered, the second goes on.
name=tb-two-a
. ./lab_lib.sh
[ -e /etc/hosts ] || skip "the hosts are named by way of /etc/hosts, which is missing"
command -v iperf3 >/dev/null || skip "needs iperf3"
other=tb-two-b
trap '$testbed down --name $other >/dev/null 2>&1; cleanup' EXIT

$testbed up --name $name --rate 30mbit >"$tmp/a" 2>&1 || fail "up: $(cat "$tmp/a")"
$testbed up --name $other --rate 10mbit --rtt 10ms >"$tmp/b" 2>&1 || fail "up: $(cat "$tmp/b")"
cc=$(sed -n 's/.*"-C \([a-z_]*\)".*/\1/p' "$tmp/b")
flow() { # LAB CC SECONDS
    rm -f "$tmp/server-$1" # of the flow before
    $testbed shell --name "$1" server -- iperf3 -s -1 --forceflush >"$tmp/server-$1" 2>&1 &
    for _ in $(seq 1200); do
        grep -qs listening "$tmp/server-$1" && break
        sleep 0.05
    done
    $testbed shell --name "$1" client_x -- iperf3 -c server -C "$2" -t "$3" -f m >"$tmp/flow-$1" 2>&1
}
mbps() { awk '/receiver/ {print $(NF-2)}' "$tmp/flow-$1"; }
between() { awk -v m="$1" -v a="$2" -v b="$3" 'BEGIN {exit !(m >= a && m <= b)}'; }
flow $name cubic 2 &
first=$!
flow $other "${cc:-cubic}" 2 || fail "$(cat "$tmp/flow-$other")"
wait $first || fail "$(cat "$tmp/flow-$name")"
echo "$name: $(mbps $name) Mbit/s of 30; $other: $(mbps $other) Mbit/s of 10"
between "$(mbps $name)" 15 29.5 || fail "$(cat "$tmp/flow-$name")"
between "$(mbps $other)" 4 9.9 || fail "$(cat "$tmp/flow-$other")"

$testbed down --name $name >/dev/null || fail "down"
check_nothing_left "down of the first"
$testbed status --name $other | grep -q "^lab $other: up" || fail "the second lab is gone too"
if [ "$cc" = bpf_prague ]; then
    for _ in $(seq 1200); do
        has_cc $cc && break
        sleep 0.05
    done
    has_cc $cc || fail "the second lab did not register $cc anew"
    flow $other $cc 1 || fail "$(cat "$tmp/flow-$other")"
fi
$testbed down --name $other >/dev/null || fail "down of the second"
name=$other
check_nothing_left "down of the second"
