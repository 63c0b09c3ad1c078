#!/bin/sh
# What the doctor finds, live: a tally under each host, and the details where there is room.
. ./tmux.sh

cat >"$dir/checks.lua" <<'END'
local ok = {name = "disk", verdict = "pass", seen = "9 GiB free"}
local bad = {name = "tcp_ecn", verdict = "fail", seen = "tcp_ecn = 2\27[2J", want = "3 (AccECN)",
             fix = "sysctl -w net.ipv4.tcp_ecn=3"}
local dunno = {name = "clock", verdict = "unknown", seen = "not measured"}
lab._publish_checks("local", "client", {ok, bad, dunno, dunno})
while not lab.read_file(arg[1]) do lab.sleep(0.02) end
lab._publish_checks("local", "client", {ok, ok})
lab.sleep(30)
END

shell 100 30
console "$dir/checks.lua" "$dir/go"
wait_for "  1 ok, 1 FAIL, 2 ?"
has "to fix" && fail "details in the narrow panel"
keys Tab # from the log to the hosts
keys z
wait_for "FAIL tcp_ecn: tcp_ecn = 2"
wait_for "wanted 3 (AccECN)"
wait_for "to fix sysctl -w net.ipv4.tcp_ecn=3"
has "clock: not measured" || fail "what cannot be told is not shown"
keys z
: >"$dir/go"
wait_for "^  2 ok"
wait_gone "FAIL"
quit_running 130
check_terminal
