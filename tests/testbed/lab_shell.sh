#!/bin/bash
# On a host of the lab: names, prompt, exit status; in the router a tc that knows the bottleneck.
# And the same by ssh, where there is an sshd.
name=tb-shell
. ./lab_lib.sh
[ -e /etc/hosts ] || skip "the hosts are named by way of /etc/hosts, which is missing"

sshd=
PATH=$PATH:/usr/sbin command -v sshd >/dev/null && command -v ssh >/dev/null && sshd=--sshd
$testbed up --name $name $sshd >"$tmp/up" 2>"$tmp/err" || fail "up: $(cat "$tmp/err")"
in_shell() { host=$1; shift; $testbed shell --name $name "$host" -- "$@"; }
is() { [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"; }

is hostname "$(in_shell client_x hostname)" client_x
is "the machine's own name" "$(in_shell client_x hostname)/$(hostname)" "client_x/$(hostname)"
is "the name of the server" "$(in_shell client_x getent hosts server | awk '{print $1}')" 10.98.3.2
getent hosts client_x >/dev/null && fail "the lab's names are the machine's too"
is lab "$(in_shell server sh -c 'echo $CCALAB_LAB/$CCALAB_HOST')" $name/server
in_shell client_x sh -c 'exit 42'
is "exit status" $? 42
in_shell client_x no-such-command 2>/dev/null
is "exit status of a missing command" $? 6
is sysctl "$(in_shell client_x cat /proc/sys/net/ipv4/tcp_ecn)" 1
in_shell client_x ip route get 10.98.3.2 | grep -q "via 10.98.1.1 dev eth0" || fail "ip route get"
$testbed shell --name $name nobody 2>"$tmp/err" && fail "a host that there is not"
grep -q "its hosts: client_x, client_y, router, server" "$tmp/err" || fail "$(cat "$tmp/err")"
is "a shell's commands" "$(echo 'echo $CCALAB_HOST; exit 3' | SHELL=/bin/sh $testbed shell \
    --name $name router; echo $?)" "router
3"
if command -v script >/dev/null; then
    printf 'echo "[$0]"; exit 5\n' | SHELL=/bin/bash script -qec \
        "$testbed shell --name $name client_y" /dev/null >"$tmp/typescript"
    is "exit status of a terminal's shell" $? 5
    grep -q "$name:client_y:" "$tmp/typescript" || fail "prompt: $(cat "$tmp/typescript")"
fi

# --- tc in the router ---
tc_() { in_shell router tc "$@"; }
in_shell router sysctl -n net.ipv4.ip_forward 2>/dev/null | grep -qx 1 || fail "sysctl"
dualpi2="qdisc dualpi2 8001: root refcnt 2 limit 10000p .*target 15ms tupdate 16ms alpha 0.1[56][0-9]* \
beta 3.[12][0-9]* step_thresh 1ms min_qlen_step 0p coupling_factor 2 drop_on_overload drop_dequeue \
classic_protection 10% l4s_ect split_gso $"
tc_ qdisc show dev bn1 | grep -q "^$dualpi2" || fail "show: $(tc_ qdisc show dev bn1)"
tc_ -s qdisc show dev bn1 >"$tmp/stats"
grep -q "^ Sent [0-9]* bytes [0-9]* pkt (dropped 0, overlimits 0 requeues 0) $" "$tmp/stats" &&
    grep -q "^prob [0-9.]* delay_c [0-9]*us delay_l [0-9]*us$" "$tmp/stats" &&
    grep -qE "^credit -?[0-9]+ \([CL]-queue\)$" "$tmp/stats" || fail "show -s: $(cat "$tmp/stats")"
tc_ -j -s qdisc show | python3 -c '
import json, sys
q = {x["dev"]: x for x in json.load(sys.stdin)}
assert set(q) == {"lo", "ethx", "ethy", "eths", "bn0", "bn1"}, q
d = q["bn1"]
assert d["kind"] == "dualpi2" and d["options"]["target"] == 15000 and d["root"] is True, d
assert "pkts-in-l" in d and "prob" in d and d["qlen"] == 0, d' || fail "show -j -s"
tc_ qdisc show | grep -c "dev bn[01] " | grep -qx 2 || fail "show of all: $(tc_ qdisc show)"
tc_ qdisc replace dev bn1 root dualpi2 target 20ms || fail "replace"
tc_ qdisc change dev bn1 root dualpi2 step_thresh 2ms || fail "change"
tc_ qdisc show dev bn1 | grep -q "target 20ms .*step_thresh 2ms" || fail "change forgot the target"
tc_ qdisc show dev bn0 | grep -q "target 15ms" || fail "bn0 changed too"
refused() { # STATUS TEXT WORDS...
    status=$1 text=$2
    shift 2
    tc_ "$@" 2>"$tmp/err" >"$tmp/out"
    is "exit status of tc $*" $? "$status"
    grep -q "$text" "$tmp/err" || fail "tc $*: $(cat "$tmp/err")"
}
refused 2 "Exclusivity flag on, cannot modify" qdisc add dev bn1 root codel
refused 2 "Specified qdisc kind is unknown" qdisc replace dev bn1 root xyz
refused 1 'Unknown qdisc "xyz", hence option "limit" is unparsable' qdisc replace dev bn1 root xyz limit 3
refused 1 targe qdisc replace dev bn1 root codel targe 3ms
refused 2 "must match existing qdisc" qdisc change dev bn1 root pie
refused 2 "Failed to find specified qdisc" qdisc replace dev bn1 parent 1:1 codel
refused 1 "Cannot find device" qdisc show dev nope
tc_ qdisc replace dev bn1 root handle 10: codel ecn || fail "replace by codel"
tc_ -s qdisc show dev bn1 | grep -q "^qdisc codel 8001: root refcnt 2 limit 1000p target 5ms interval 100ms ecn $" ||
    fail "codel: $(tc_ qdisc show dev bn1)"
tc_ qdisc del dev bn1 root || fail "del"
tc_ qdisc show dev bn1 | grep -q "^qdisc pfifo 8001: root refcnt 2 limit 1000p$" ||
    fail "after del: $(tc_ qdisc show dev bn1)"
refused 2 "Cannot delete qdisc with handle of zero" qdisc del dev bn1 root
tc_ qdisc add dev bn1 root bfifo limit 250kb || fail "add bfifo"
tc_ qdisc show dev bn1 | grep -q "^qdisc bfifo 8001: root refcnt 2 limit 250Kb$" ||
    fail "bfifo: $(tc_ qdisc show dev bn1)"
# Everything else is the real tc's.
tc_ qdisc replace dev eths root pfifo limit 77 || fail "the real tc: replace"
tc_ qdisc show dev eths | grep -q "limit 77p" || fail "the real tc: show"
is "tc -V" "$(tc_ -V)" "$(tc -V)"
in_shell client_x tc qdisc show dev eth0 | grep -q noqueue || fail "tc on a client"

if [ -n "$sshd" ]; then
    by_ssh() { ssh -F /run/ccalab/$name/ssh/config -o BatchMode=yes "$@"; }
    by_ssh router 'hostname; getent hosts server; tc qdisc show dev bn1; exit 7' >"$tmp/ssh"
    is "exit status by ssh" $? 7
    is "by ssh" "$(awk '{print $1 (NF > 1 ? " " $2 : "")}' "$tmp/ssh")" "router
10.98.3.2 server
qdisc bfifo"
    $testbed status --name $name | grep -q "ssh -F /run/ccalab/$name/ssh/config" || fail "status"
    by_ssh server sleep 1000 2>/dev/null & # its end is the lab's
fi
$testbed down --name $name >/dev/null || fail "down"
wait 2>/dev/null
check_nothing_left "down"

# Without the package: a clear refusal, before anything is built.
if unshare -m true 2>/dev/null; then
    unshare -m sh -c '
        for f in $(PATH=$PATH:/usr/sbin command -v sshd); do mount --bind /dev/null $f; done
        exec "$@"' sh $testbed up --name $name --sshd 2>"$tmp/err" && fail "up --sshd without sshd"
    grep -q "install the package openssh-server" "$tmp/err" || fail "no sshd: $(cat "$tmp/err")"
    check_nothing_left "up --sshd without sshd"
fi
