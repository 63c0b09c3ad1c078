#!/bin/sh
# Ctrl-C in a script that loops for ever with the lab up, and in one that waits with flows running:
# stopped at once, the lab's tidy-up included, and nothing is left. It takes less than 200 ms, with a lab less
# than a second; the limits are for a machine that does much else, and far from the 60 s of the flow.
. ./lab.sh
cat >"$tmp/loop.lua" <<'LUA'
local bed = assert(lab.testbed{})
print("looping")
while true do end
LUA
cat >"$tmp/traffic.lua" <<'LUA'
local run <close> = assert(lab.record{name = "traffic"})
local bed = assert(lab.testbed{})
local cap = assert(lab.capture{host = bed.router, interface = bed.egress, file = run:path("c.pcapng")})
lab.spawn(function() lab.sleep(1) print("running") end)
assert(lab.iperf3{client = bed.client_x, server = bed.server, cc = "cubic", seconds = 60})
LUA
cat >"$tmp/plain.lua" <<'LUA'
print("looping")
while true do pcall(function() while true do end end) end
LUA
stop() { # SCRIPT WORD LIMIT_MS
    : >"$tmp/out" # what the one before said
    "$ccalab" --run "$tmp/$1.lua" >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    wait_said "$2" || fail "$1 did not start"
    t0=$(now_ms)
    kill -INT "$pid"
    wait "$pid"
    status=$?
    ms=$(($(now_ms) - t0))
    echo "$1: exit status $status after $ms ms"
    [ "$status" = 130 ] || fail "$1: exit status $status, not 130"
    [ "$ms" -lt "$3" ] || fail "$1: took $ms ms"
    nothing_left "$1"
}
stop plain looping 5000
stop loop looping 20000
stop traffic running 20000
grep -q '"status":.*"interrupted"' "$CCALAB_RUNS"/*-traffic/run.json ||
    fail "the record does not say interrupted"
"$ccalab" ecn "$CCALAB_RUNS"/*-traffic/c.pcapng >/dev/null || fail "the capture is damaged"
# A script that fails with the lab up leaves nothing either, and says where it failed.
printf 'local bed = assert(lab.testbed{})\nlocal function deep() error("the reason") end\ndeep()\n' \
    >"$tmp/fails.lua"
"$ccalab" --run "$tmp/fails.lua" >"$tmp/out" 2>"$tmp/err" </dev/null
status=$?
[ "$status" = 1 ] || fail "a failing script: exit status $status, not 1"
grep -q 'fails.lua:2: the reason' "$tmp/err" && grep -q 'fails.lua:3: in main chunk' "$tmp/err" ||
    fail "no traceback"
nothing_left "after a failing script"
