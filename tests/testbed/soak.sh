#!/bin/bash
# 100 times up and down, and 20 times kill -9 of the keeper at a random moment: nothing is left.
# Not part of the suite; run it as CCALAB_BUILD=... tests/testbed/soak.sh [CYCLES [KILLS]].
name=tb-soak
cd "$(dirname "$0")" || exit 1
. ./lab_lib.sh
cycles=${1:-100} kills=${2:-20}

begin=$(date +%s%N)
for i in $(seq "$cycles"); do
    $testbed up --name $name >/dev/null 2>"$tmp/err" || fail "cycle $i: up: $(cat "$tmp/err")"
    $testbed down --name $name >/dev/null || fail "cycle $i: down"
    check_nothing_left "cycle $i"
done
awk -v n="$cycles" -v t="$(($(date +%s%N) - begin))" \
    'BEGIN {printf "%d cycles, %.0f ms each\n", n, t / 1e6 / n}'
for i in $(seq "$kills"); do
    ms=$((RANDOM % 250))
    : >"$tmp/events"
    $testbed keep --name $name --interval 50ms >"$tmp/events" 2>/dev/null &
    keeper=$!
    sleep "$(printf '0.%03d' $ms)"
    # With something at work inside, where there is an inside by then.
    ip netns exec $name-server sleep 1000 2>/dev/null &
    kill -9 $keeper
    wait $keeper 2>/dev/null
    $testbed down --name $name >/dev/null || fail "kill $i at $ms ms: down"
    check_nothing_left "kill $i at $ms ms"
done
wait 2>/dev/null
echo "$kills kills at random moments"
