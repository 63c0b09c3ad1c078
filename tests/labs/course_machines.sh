#!/bin/sh
# The course on machines over SSH: they are taken as they are, the solution passes, and leaving the lab puts
# them back.
. ./lab.sh
export XDG_STATE_HOME="$tmp/state" CCALAB_LABS="$CCALAB_SOURCE/labs"
command -v /usr/sbin/sshd >/dev/null || skip "needs sshd"
name="cm-$$"
trap '"$ccalab" testbed down --name "$name" >/dev/null 2>&1; rm -rf "$tmp"' EXIT
"$ccalab" testbed up --name "$name" --rate 20mbit --rtt 20ms --sshd >"$tmp/out" 2>"$tmp/err" || fail "no lab"
cat >"$tmp/lab.lua" <<LAB
local config = "/run/ccalab/$name/ssh/config"
client_x = ssh{config = config, address = "10.98.1.2"}
client_y = ssh{config = config, address = "10.98.2.2"}
router   = ssh{config = config, address = "10.98.3.1"}
server   = ssh{config = config, address = "10.98.3.2"}
link = {rate = "20mbit", rtt = "20ms", egress = "bn1"}
LAB
on_x() { "$ccalab" testbed shell --name "$name" client_x -- "$@"; }
on_server() { "$ccalab" testbed shell --name "$name" server -- "$@"; }
labs() { "$ccalab" labs "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; }
cc=$(on_x cat /proc/sys/net/ipv4/tcp_congestion_control)
on_server sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_ecn'
labs start 01 --lab "$tmp/lab.lua" || fail "start"
labs check
[ $? = 1 ] || { cat "$tmp/out"; fail "a server without ECN passes"; }
grep -q 'seen (server): none of .* (tcp_ecn = 0)' "$tmp/out" || { cat "$tmp/out"; fail "what was seen is not what is there"; }
labs solve --yes || { cat "$tmp/out"; fail "solve"; }
[ "$(on_server cat /proc/sys/net/ipv4/tcp_ecn)" = 1 ] || fail "solve changed nothing"
labs next || fail "next"
labs check
[ $? = 6 ] && skip "$(grep -m 1 'cannot be measured' "$tmp/out")"
labs solve --yes || { cat "$tmp/out"; fail "solve prague"; }
on_x cat /proc/sys/net/ipv4/tcp_congestion_control | grep -q prague || fail "solve changed no default"
labs stop || { cat "$tmp/out"; fail "stop"; }
[ "$(on_x cat /proc/sys/net/ipv4/tcp_congestion_control)" = "$cc" ] || fail "client X was not put back"
[ "$(on_server cat /proc/sys/net/ipv4/tcp_ecn)" = 0 ] || fail "the server was not put back"
"$ccalab" testbed status --name "$name" | grep -q ' up,' || fail "stop took the machines down"
echo ok
