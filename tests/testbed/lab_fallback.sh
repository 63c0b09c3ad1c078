#!/bin/bash
# bpf_prague_fb behind a classic queue: CoDel with ECN marks it and CUBIC alike, and it falls back,
# where bpf_prague starves CUBIC. Behind DualPI2 it stays what it is.
name=tb-fallback
. ./lab_lib.sh
command -v iperf3 >/dev/null || skip "needs iperf3"
cc=bpf_prague_fb

share() { # CC SECONDS: of CUBIC beside CC, per cent, after two more seconds for the start
    rm -f "$tmp"/server*
    for port in 5201 5202; do
        in_host server iperf3 -s -1 --forceflush -p $port >"$tmp/server$port" 2>&1 &
        for _ in $(seq 1200); do
            grep -qs listening "$tmp/server$port" && break
            sleep 0.05
        done
    done
    in_host client_x iperf3 -c 10.98.3.2 -C "$1" -p 5201 -O 2 -t "$2" -f m >"$tmp/x" &
    in_host client_y iperf3 -c 10.98.3.2 -C cubic -p 5202 -O 2 -t "$2" -f m >"$tmp/y" ||
        fail "$(cat "$tmp/y")"
    wait $! || fail "$(cat "$tmp/x")"
    cat "$tmp/x" "$tmp/y" |
        awk '/receiver/ {m[n++] = $(NF-2)} END {print int(100 * m[1] / (m[0] + m[1]))}'
}

$testbed up --name $name --aqm "codel ecn" >/dev/null 2>&1 || fail "up"
has_cc $cc || skip "no $cc here"
without=$(share bpf_prague 5) || fail "$without"
with=$(share $cc 6) || fail "$with"
$testbed set --name $name aqm=dualpi2 >/dev/null || fail "set"
dualpi2=$(share $cc 4) || fail "$dualpi2"
echo "CUBIC's share: CoDel beside bpf_prague $without %, beside $cc $with %; DualPI2 $dualpi2 %"
[ "$without" -lt 30 ] || fail "bpf_prague does not starve CUBIC: the test says nothing"
[ "$with" -ge 30 ] && [ "$with" -ge $((without + 10)) ] || fail "no fallback"
[ "$dualpi2" -le 75 ] || fail "fallback behind DualPI2"
$testbed down --name $name >/dev/null || fail "down"
check_nothing_left "down"
