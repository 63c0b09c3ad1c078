#!/bin/sh
# kill -9 of the console in mid-run, then `ccalab testbed down`: nothing of ours is left.
. ./lab.sh
"$ccalab" --run "$CCALAB_SOURCE/labs/quickstart.lua" 30 >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
wait_said 'of traffic' || fail "the run did not start"
sleep 2
[ -n "$(leftovers)" ] || fail "the test sees nothing of a lab that runs"
kill -9 "$pid"
wait "$pid" 2>/dev/null
"$ccalab" testbed down || fail "down: exit status $?"
nothing_left "after kill -9 and down"
grep -q '"status":.*"running"' "$CCALAB_RUNS"/*-quickstart/run.json || fail "run.json is lost"

# And without `down`: the lab notices that its owner is gone.
: >"$tmp/out" # what the first said
"$ccalab" --run "$CCALAB_SOURCE/labs/quickstart.lua" 30 >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
wait_said 'of traffic' || fail "the second run did not start"
sleep 1
kill -9 "$pid"
wait "$pid" 2>/dev/null
none() { [ -z "$(leftovers)" ]; }
wait_for 60 none || nothing_left "a minute after kill -9"
echo "nothing left"
