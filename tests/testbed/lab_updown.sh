#!/bin/bash
# up, status, ping, refusals, down: and nothing is left.
name=tb-updown
. ./lab_lib.sh

$testbed up --name $name >"$tmp/up" 2>"$tmp/progress" || fail "up: $(cat "$tmp/progress")"
grep -q "^lab $name: up" "$tmp/up" || fail "up did not print the status: $(cat "$tmp/up")"
$testbed status --name $name --json | grep -q '"state":.*"up"' || fail "status --json"
[ "$(ip netns list | grep -c "^$name-")" = 4 ] || fail "not four namespaces"
ip -o link | grep -qE ' (bn[01]|eth[xys])[@:]' && fail "a device of the lab in the root namespace"

# Through the bottleneck: 20 ms and what the machine adds. The router's own address: not through it.
if command -v ping >/dev/null; then
    median() {
        sed -n 's/.*time=\([0-9.]*\) ms/\1/p' | sort -n |
            awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
    }
    rtt=$(in_host client_x ping -n -c 41 -i 0.02 10.98.3.2 | median)
    echo "median RTT client_x -> server: $rtt ms"
    awk -v r="$rtt" 'BEGIN {exit !(r >= 20.0 && r <= 26)}' || fail "RTT of $rtt ms"
    for address in 10.98.1.1 10.98.3.1 10.98.2.2; do
        rtt=$(in_host client_x ping -n -c 5 -i 0.02 $address | median)
        awk -v r="$rtt" 'BEGIN {exit !(r > 0 && r < 10)}' || fail "RTT to $address: '$rtt' ms"
    done
    in_host server ping -n -c 3 -i 0.02 10.98.2.2 >/dev/null || fail "server -> client_y"
fi

$testbed up --name $name 2>"$tmp/err" && fail "a second up was not refused"
grep -q "up already" "$tmp/err" && grep -q "hint: " "$tmp/err" || fail "refusal: $(cat "$tmp/err")"
in_host client_x $testbed down --name $name 2>"$tmp/err" && fail "down from inside was not refused"
$testbed down --name $name || fail "down"
check_nothing_left "down"
$testbed status --name $name 2>/dev/null && fail "status of a lab that is down"

# Somebody else's namespace of that name: refused, named, and left alone until `down` is asked for.
ip netns add $name-router
$testbed up --name $name 2>"$tmp/err" && fail "up over an existing namespace"
grep -q "namespace $name-router exists" "$tmp/err" || fail "refusal: $(cat "$tmp/err")"
ip netns list | grep -q "^$name-router" || fail "up removed what it did not make"
$testbed down --name $name || fail "down of a lone namespace"
check_nothing_left "down of a lone namespace"
$testbed down --name $name | grep -q "nothing to remove" || fail "down is not idempotent"

for i in $(seq 10); do
    $testbed up --name $name >/dev/null 2>"$tmp/err" || fail "cycle $i: $(cat "$tmp/err")"
    $testbed down --name $name >/dev/null || fail "cycle $i: down"
    check_nothing_left "cycle $i"
done
echo "10 cycles"
