#!/bin/sh
# Lab 08 on the virtual lab: what a student writes is driven for real. The skeleton does not pass, the worked
# congestion control does, a loop gives the flow to the watchdog, and nothing is left behind.
. ./lab.sh
export XDG_STATE_HOME="$tmp/state" CCALAB_LABS="$CCALAB_SOURCE/labs"
name="own-$$"
work="$XDG_STATE_HOME/ccalab/labs/work/08-your-own-congestion-control"
trap '"$ccalab" labs stop >/dev/null 2>&1; "$ccalab" testbed down --name "$name" >/dev/null 2>&1; rm -rf "$tmp"' EXIT
check() { # the exit status; what cannot be measured here is no failure of ours
    "$ccalab" labs check >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    [ $status != 6 ] || skip "$(grep -m 1 'cannot be measured' "$tmp/out")"
    return $status
}
step() { # NUMBER: go on to it, as who knows the way
    "$ccalab" labs next --skip >"$tmp/out" 2>"$tmp/err" </dev/null || fail "next, to step $1"
}
says() { grep -q -- "$1" "$tmp/out" || { cat "$tmp/out"; fail "no line: $1"; }; }

"$ccalab" labs start 08 --testbed "$name" >"$tmp/out" 2>"$tmp/err" </dev/null || fail "start"
step 2
step 3
[ -f "$work/own_cc.lua" ] || fail "no skeleton was laid out"
check && { cat "$tmp/out"; fail "the skeleton passes"; }
says '0 decisions in'
cp "$CCALAB_SOURCE/labs/drive/own_cc.lua" "$work/"
check || { cat "$tmp/out"; fail "the worked congestion control does not pass"; }
sed -n 's/^.*seen[^:]*: */  /p' "$tmp/out"
step 4
step 5
step 6
printf 'function on_sample(flow, s)\n flow.n = (flow.n or 0) + 1\n while flow.n > 100 do end\n return 70\nend\n' \
    >"$work/broken.lua"
check || { cat "$tmp/out"; fail "a loop is no failure that the flow survives"; }
"$ccalab" labs stop >"$tmp/out" 2>"$tmp/err" </dev/null || fail "stop"
ip netns list | grep -q "^$name" && fail "a virtual lab is left"
grep -qw netllm /proc/sys/net/ipv4/tcp_available_congestion_control && fail "netllm is left registered"
echo ok
