#!/bin/sh
# What the doctor finds, live: beside the lab that is drawn, with what is wanted and how to get it.
. ./tmux.sh

cat >"$dir/checks.lua" <<'END'
local ok = {name = "disk", verdict = "pass", seen = "9 GiB free"}
local bad = {name = "tcp_ecn", verdict = "fail", seen = "tcp_ecn = 2\27[2J", want = "3 (AccECN)",
             fix = "sysctl -w net.ipv4.tcp_ecn=3"}
local dunno = {name = "clock", verdict = "unknown", seen = "not measured"}
lab._publish_checks("local", "client", {ok, bad, dunno, dunno})
while not lab.read_file(arg[1]) do lab.sleep(0.02) end
lab._publish_checks("local", "client", {ok, ok})
lab.sleep(1000)
END

shell 100 30
console "$dir/checks.lua" "$dir/go"
wait_for "running checks.lua"
keys 1
wait_for "local: 1 ok, 1 FAIL, 2 ?"
wait_for "FAIL tcp_ecn: tcp_ecn = 2?"
keys Tab # from the lab to the checks
keys z
wait_for "wanted 3 (AccECN)"
wait_for "to fix sysctl -w net.ipv4.tcp_ecn=3"
wait_for "clock: not measured"
keys z
: >"$dir/go"
wait_for "local: 2 ok, 0 FAIL"
wait_gone "FAIL tcp_ecn"
quit_running 130
check_terminal
