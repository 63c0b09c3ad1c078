#!/bin/bash
# The lab of somebody who is not root: all of it, in a user namespace, by packet sockets where
# /dev/net/tun is root's. As nobody, if we are root ourselves.
name=tb-user
set -u
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
PATH="$PATH:/usr/sbin:/sbin"
for command in ip nft tc iperf3 ping setpriv unshare tshark; do
    command -v $command >/dev/null || skip "needs $command"
done
tmp=$(mktemp -d)
chmod 755 "$tmp"
mkdir "$tmp/a" "$tmp/b" "$tmp/bin"
# Where nobody can read them.
cp "$CCALAB_BUILD/ccalab" "$CCALAB_BUILD/ccalab-link" "$CCALAB_BUILD/netllm" "$tmp/bin"
cp "$CCALAB_SOURCE/labs/quickstart.lua" "$tmp"
chmod -R a+rX "$tmp/bin" "$tmp/quickstart.lua"
if [ "$(id -u)" = 0 ]; then
    chown 65534 "$tmp/a" && chown 65533 "$tmp/b"
    user() { # UID COMMAND...
        local uid=$1
        shift
        (cd / && exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@")
    }
else
    user() { shift; "$@"; }
fi
as() { # a|b COMMAND...
    local who=$1 uid=65534
    shift
    [ $who = b ] && uid=65533
    HOME="$tmp/$who" XDG_RUNTIME_DIR="$tmp/$who" CCALAB_RUNS="$tmp/$who/runs" user $uid "$@"
}
testbed="$tmp/bin/ccalab testbed"
reason=$(as a unshare -Urn true 2>&1) || skip "user namespaces are closed here: $reason"

strays='' keeper=''
# shellcheck disable=SC2086,SC2317 # a list of pids
cleanup() {
    [ -n "$strays" ] && kill -9 $strays 2>/dev/null
    as a $testbed down --all >/dev/null 2>&1
    as b $testbed down --all >/dev/null 2>&1
    rm -rf "$tmp"
}
trap cleanup EXIT
in_host() { # HOST COMMAND...
    local host=$1
    shift
    as a $testbed shell --name $name "$host" -- "$@"
}
leftovers() {
    ls "$tmp/a/ccalab" "$tmp/b/ccalab" 2>/dev/null | grep .
    for p in /proc/[0-9]*; do
        tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q "^$tmp/bin/" && echo "${p#/proc/}"
    done
}
nothing_left() {
    for _ in $(seq 1200); do
        left=$(leftovers | grep -vE '^(/.*:|)$')
        [ -z "$left" ] && return
        sleep 0.05
    done
    fail "$1: left behind: $left"
}
median() { sed -n 's/.*time=\([0-9.]*\) ms/\1/p' | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

as a $testbed up --name $name >"$tmp/up" 2>"$tmp/err" || fail "up: $(cat "$tmp/err")"
grep -q "rung  *3 (user namespace), without .*SCHED_FIFO" "$tmp/up" || fail "the rung: $(cat "$tmp/up")"
ip netns list | grep "^$name-" && fail "a namespace in /run/netns"
ip -o link | grep -E ' (bn[01]|eth[xys])[@:]' && fail "a device of the lab in the machine's network"
if as a test -w /dev/net/tun; then ports=tun; else ports=packet; fi
grep -q "\"ports\":\"$ports\"" "$tmp/a/ccalab/$name/events.jsonl" || fail "the ports are not of the kind $ports"
[ "$(in_host client_x hostname)" = client_x ] || fail "no host name"

# Another user, the same name.
as b $testbed up --name $name --rate 10mbit >/dev/null 2>"$tmp/err" || fail "the second user: $(cat "$tmp/err")"
as b $testbed status | grep -q "^lab $name: up" || fail "the second user's lab"
as b $testbed status | grep -q "10 Mbit/s" || fail "the second user sees the first one's"
as b $testbed down --name $name >/dev/null || fail "down of the second user"
rtt=$(in_host client_x ping -n -c 31 -i 0.02 server | median)
echo "ports $ports, median RTT client_x -> server: $rtt ms"
awk -v r="$rtt" 'BEGIN {exit !(r >= 20 && r <= 28)}' || fail "RTT of $rtt ms"

# Traffic, a capture by our own, marks with right checksums.
in_host router "$tmp/bin/ccalab" capture -i bn1 -w "$tmp/a/marks.pcapng" --snaplen 2000 >"$tmp/capture" 2>&1 &
in_host server iperf3 -s -1 --forceflush >"$tmp/server" 2>&1 &
for _ in $(seq 1200); do
    grep -q listening "$tmp/server" && grep -q '"state":"up"' "$tmp/capture" && break
    sleep 0.05
done
in_host client_x iperf3 -c server -C cubic -t 3 -f m >"$tmp/client" 2>&1 || fail "iperf3: $(cat "$tmp/client")"
mbit=$(awk '/receiver/ {print $7}' "$tmp/client")
echo "iperf3 cubic $mbit Mbit/s"
awk -v m="$mbit" 'BEGIN {exit !(m >= 15 && m <= 49.5)}' || fail "$mbit Mbit/s of 50"
for p in $(pgrep -f "^$tmp/bin/ccalab capture"); do kill -INT "$p"; done
for _ in $(seq 1200); do
    pgrep -f "^$tmp/bin/ccalab capture" >/dev/null || break
    sleep 0.05
done
# One reading for all: columns 1 to 6. A status is 1 where the sum is right, 0 where it is wrong.
tshark -r "$tmp/a/marks.pcapng" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o tcp.desegment_tcp_streams:FALSE \
    -T fields -E occurrence=f -e ip.checksum.status -e tcp.checksum.status -e tcp.checksum -e _ws.malformed \
    -e ip.dsfield.ecn -e ip.len >"$tmp/fields" 2>/dev/null || fail "tshark"
count() { awk -F'\t' "$1 {n++} END {print n + 0}" "$tmp/fields"; }
good=$(count '$1 == "1" && $2 == "1"')
# One in 65536 has a sum of 0, which the kernel writes as 0xffff: as good, but not to tshark.
bad=$(count '$1 == "0" || ($2 == "0" && $3 != "0xffff") || $4 != ""')
ce=$(count '$5 == "3"') long=$(count '$6 > 1500')
echo "$good packets with right checksums, $bad with wrong ones, $ce with CE"
[ "$good" -gt 5000 ] && [ "$bad" = 0 ] && [ "$ce" -gt 0 ] && [ "$long" = 0 ] || fail "the capture"

# Steering, and the router's tc.
as a $testbed set --name $name rate=25mbit | grep -q "^down  25 Mbit/s" || fail "set"
in_host router tc qdisc replace dev bn1 root codel ecn || fail "tc in the router"
as a $testbed get --name $name | grep -q '^down .*codel' || fail "get after tc"
in_host router tc -s qdisc show dev bn1 | grep -q '^qdisc codel' || fail "tc show"

# kill -9, with processes left in the lab: they end by the next down, and nobody else does.
in_host server sleep 1000 &
in_host client_y sh -c 'trap "" TERM HUP; sleep 1000; sleep 1000' &
strays() { pgrep -f '(^| )sleep 1000(;|$)' -u "$(stat -c %u "$tmp/a")" | tr '\n' ' '; }
for _ in $(seq 1200); do
    [ "$(strays | wc -w)" = 3 ] && break
    sleep 0.05
done
keeper=$(sed -n 's/^lab .*keeper \([0-9]*\).*/\1/p' "$tmp/up")
kill -9 "$keeper"
for _ in $(seq 1200); do
    as a $testbed status | grep -q "dead" && break
    sleep 0.05
done
as a $testbed status | grep -q "dead" || fail "status of a killed lab"
cp "$tmp/a/ccalab/$name/lab.json" "$tmp/lab.json"
strays=$(strays)
living() { # of the strays, zombies apart
    for p in $strays; do
        grep -qs '^State:.[^Z]' "/proc/$p/status" && echo "$p"
    done | wc -l
}
[ "$(living)" = 3 ] || fail "not three processes in the lab: $strays"
# Namespaces of these numbers that are not the ones that were written down.
sed -i 's/"cookie":[^,}]*/"cookie":"1"/g' "$tmp/a/ccalab/$name/lab.json"
as a $testbed down --name $name >/dev/null || fail "down"
[ "$(living)" = 3 ] || fail "down ended processes of namespaces that it could not know"
mkdir -p "$tmp/a/ccalab/$name" && cp "$tmp/lab.json" "$tmp/a/ccalab/$name/lab.json" &&
    chown -R --reference="$tmp/a" "$tmp/a/ccalab"
as a $testbed up --name $name >/dev/null 2>"$tmp/err" || fail "up after kill -9: $(cat "$tmp/err")"
grep -q "was killed: removed 0 namespaces, [3-9] processes" "$tmp/err" || fail "the sweep: $(cat "$tmp/err")"
[ "$(living)" = 0 ] || fail "processes of the killed lab live on"
strays=''
as a $testbed down --name $name >/dev/null || fail "down"
wait 2>/dev/null
nothing_left "down"
for i in 1 2 3 4 5; do
    as a $testbed up --name $name >/dev/null 2>"$tmp/err" || fail "cycle $i: $(cat "$tmp/err")"
    as a $testbed down --name $name >/dev/null || fail "cycle $i: down"
done
nothing_left "5 cycles"

# The kernel's queue needs no root either.
if as a unshare -Urn tc qdisc add dev lo root htb 2>/dev/null; then
    as a $testbed up --name $name --aqm 'kernel:bfifo limit 100kb' >/dev/null 2>"$tmp/err" || fail "kernel: $(cat "$tmp/err")"
    in_host router tc qdisc show dev bn1 | grep -q '^qdisc bfifo 10: parent 1:1' || fail "kernel:bfifo"
    in_host client_x ping -n -c 3 -i 0.02 -W 1 server >/dev/null || fail "ping through kernel:bfifo"
    as a $testbed down --name $name >/dev/null || fail "down"
fi

refused() { # CODE TEXT HINT COMMAND...
    local code=$1 text=$2 hint=$3
    shift 3
    as a "$@" >"$tmp/out" 2>"$tmp/err"
    [ $? = "$code" ] || fail "'$text': exit code is not $code: $(cat "$tmp/err")"
    tail -n 2 "$tmp/err" | grep -q "$text" || fail "no '$text': $(cat "$tmp/err")"
    tail -n 2 "$tmp/err" | grep -q "hint: .*$hint" || fail "no hint '$hint': $(cat "$tmp/err")"
    nothing_left "$text"
    tail -n 2 "$tmp/err"
}
refused 6 "sshd needs root" "testbed shell" $testbed up --name $name --sshd
refused 6 "user namespaces are closed to ordinary users here (user.max_user_namespaces = 0)" \
    "sysctl user.max_user_namespaces" \
    unshare -Ur sh -c "echo 0 >/proc/sys/user/max_user_namespaces; exec $testbed up --name $name"
refused 4 "cannot make a network namespace: No space left" "max_net_namespaces" \
    unshare -Ur sh -c "echo 3 >/proc/sys/user/max_net_namespaces; exec $testbed up --name $name"
refused 6 "may open only 20 files" "ulimit -n" sh -c "ulimit -n 20; exec $testbed up --name $name"
[ $ports = packet ] &&
    refused 6 "cannot use /dev/net/tun" "--ports packet" $testbed up --name $name --ports tun
refused 7 "belongs to somebody else" CCALAB_RUNTIME_DIR \
    env CCALAB_RUNTIME_DIR=/usr $testbed up --name $name

as a "$tmp/bin/ccalab" --run "$tmp/quickstart.lua" 14 >"$tmp/out" 2>"$tmp/err" </dev/null ||
    fail "quickstart: $(tail -n 20 "$tmp/out" "$tmp/err")"
grep -q "^throughput  *X [a-z_]* .* Mbit/s, Y cubic" "$tmp/out" || fail "quickstart: $(cat "$tmp/out")"
grep -q "^note: The lab ran without root, in a user namespace" "$tmp/out" || fail "quickstart does not say its rung"
grep -q '"name":.*"user namespace"' "$tmp"/a/runs/*/run.json || fail "the run record does not say its rung"
grep -E '^(note: The lab|throughput|CE of)' "$tmp/out"
nothing_left "quickstart"
