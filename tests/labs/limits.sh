#!/bin/sh
# Scripts that run away with a lab up: each ends with its error and a traceback, and what it has changed on
# the lab's hosts is put back, although those live on.
name=repl-limits
. ../testbed/lab_lib.sh
. ../remote/host_state.sh
ccalab="$CCALAB_BUILD/ccalab"
export XDG_STATE_HOME="$tmp/state" CCALAB_RUNS="$tmp/runs"
command -v sysctl >/dev/null || skip "needs sysctl"

$testbed up --name $name >"$tmp/up" 2>&1 || fail "up: $(cat "$tmp/up")"
cat >"$tmp/lab.lua" <<END
client_x = netns{netns = "$name-client_x", address = "10.98.1.2"}
client_y = netns{netns = "$name-client_y", address = "10.98.2.2"}
router   = netns{netns = "$name-router", address = "10.98.3.1"}
server   = netns{netns = "$name-server", address = "10.98.3.2"}
END
host_state $name-client_x >"$tmp/before"
interrupt=
ecn() { in_host client_x cat /proc/sys/net/ipv4/tcp_ecn; }
before=$(ecn)
other=$([ "$before" = 1 ] && echo 0 || echo 1)

# runs_away NAME EXIT-CODE MESSAGE <the end of the script; $interrupt: SIGINT comes once it runs
runs_away() {
    {
        echo "local bed = assert(lab.open_lab('$tmp/lab.lua'))"
        echo "assert(lab.set_sysctl(bed.client_x, 'net.ipv4.tcp_ecn', $other))"
        echo "assert(lab.set_qdisc(bed.client_x, 'lo', 'fifo limit 77'))"
        echo "print('changed', lab.sysctl(bed.client_x, 'net.ipv4.tcp_ecn'))"
        cat
    } >"$tmp/script.lua"
    : >"$tmp/out"
    "$ccalab" --memory 64 --run "$tmp/script.lua" >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    while [ -n "$interrupt" ] && kill -0 $pid; do
        grep -q "^changed" "$tmp/out" && sleep 0.5 && kill -INT $pid && break
        sleep 0.05
    done
    wait $pid
    status=$?
    grep -q "^changed.$other" "$tmp/out" || fail "$1: nothing was changed: $(cat "$tmp/err")"
    [ $status = "$2" ] || fail "$1: exit status $status, not $2: $(cat "$tmp/err")"
    [ -z "$3" ] || grep -q -e "$3" "$tmp/err" || fail "$1: nothing of '$3': $(cat "$tmp/err")"
    [ "$2" = 130 ] || grep -q "stack traceback" "$tmp/err" || fail "$1: no traceback: $(cat "$tmp/err")"
    same_state $name-client_x "$tmp/before" "$1"
    [ -z "$(ls "$tmp/state/ccalab/journal")" ] || fail "$1: a journal is left"
    echo "$1: ended with $status, all put back"
}
runs_away "a memory bomb" 9 "more than 64 MiB" <<'LUA'
local t = {}
for i = 1, math.huge do t[i] = ("x"):rep(1000) .. i end
LUA
runs_away "a deep recursion" 1 "stack overflow" <<'LUA'
local function f(n) return 1 + f(n) end
f(1)
LUA
runs_away "an error in a coroutine" 1 "attempt to index a nil value" <<'LUA'
coroutine.wrap(function() local x; x.y = 1 end)()
LUA
runs_away "an error in a finaliser" 1 "in the finaliser" <<'LUA'
do local x <close> = setmetatable({}, {__close = function() error("in the finaliser") end}) end
LUA
runs_away "a runaway loop with a time limit" 5 "did not happen in time" <<'LUA'
assert(lab.timeout(0.3, function() while true do end end))
LUA
interrupt=yes
runs_away "a runaway loop and Ctrl-C" 130 "" <<'LUA'
while true do pcall(function() while true do end end) end
LUA
[ "$(ecn)" = "$before" ] || fail "tcp_ecn is $(ecn)"
