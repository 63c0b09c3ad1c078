#!/bin/bash
# `ccalab tcp-info` beside real iperf3 flows on the loopback device of a namespace of our own:
# its rates against iperf3's, its names, its end.
set -u
name=ccalab-test-tcpinfo-$$
port=5201
ccalab=$CCALAB_BUILD/ccalab
PATH="$PATH:/usr/sbin:/sbin"

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
[ "$(id -u)" = 0 ] || skip "needs root"
for command in ip iperf3; do
    command -v $command >/dev/null || skip "needs $command"
done
tmp=$(mktemp -d)
server=
sampler=
cleanup() {
    for pid in $server $sampler; do kill -KILL "$pid"; wait "$pid"; done 2>/dev/null
    ip netns del "$name" 2>/dev/null
    rm -rf "$tmp"
}
trap cleanup EXIT
ip netns add "$name" || skip "cannot make a network namespace"
ip -n "$name" link set lo up

numbers() { # FIELD FILE [SRC]: the values of a field in the samples, without null
    grep "\"type\":\"sample\",\"src\":\"${3:-x}\"" "$2" | sed -n "s/.*\"$1\":\(-\{0,1\}[0-9][0-9.e+]*\).*/\1/p"
}
in_section() { # SECTION FILE: bits_per_second of a sum at the end of iperf3's document
    awk -v s="\"$1\":" 'index($0, s) {on = 1} on && /bits_per_second/ {gsub(/[^0-9.e+]/, "", $2); print $2; exit}' "$2"
}
start_sampler() { # FILE OPTIONS...
    file=$1
    shift
    "$ccalab" tcp-info --label x --netns "/run/netns/$name" "$@" >"$file" 2>"$file.err" &
    sampler=$!
    for _ in $(seq 3000); do
        grep -q '"state":"up"' "$file" && return
        sleep 0.02
    done
    fail "the sampler did not come up: $(cat "$file" "$file.err")"
}
stop_sampler() {
    kill -TERM $sampler
    wait $sampler || fail "exit code $? on SIGTERM"
    sampler=
    tail -n 1 "$file" | grep -q '"state":"down"' || fail "no final result: $(tail -n 1 "$file")"
}
iperf() { ip netns exec "$name" iperf3 -c 127.0.0.1 -p $port -C cubic --json "$@"; }

ip netns exec "$name" iperf3 -s -p $port >/dev/null 2>&1 &
server=$!
for _ in $(seq 3000); do
    ip netns exec "$name" ss -Hltn "sport = :$port" | grep -q . && break
    sleep 0.02
done

# One flow of 100 Mbit/s for 3 s, 100 ms apart.
start_sampler "$tmp/one" --dport $port --interval 100ms
iperf -b 100M -t 3 >"$tmp/iperf.json" || fail "iperf3: $(grep error "$tmp/iperf.json")"
for _ in $(seq 100); do
    after=$(grep -c '"type":"sample"' "$tmp/one")
    sleep 0.5
    [ "$(grep -c '"type":"sample"' "$tmp/one")" = "$after" ] && break
done
[ "$(grep -c '"type":"sample"' "$tmp/one")" = "$after" ] || fail "samples after the end of the flow"
stop_sampler
[ "$after" -ge 15 ] && [ "$after" -le 60 ] || fail "$after samples in 3 s"
numbers cwnd_bytes "$tmp/one" | awk '$1 <= 0 {bad = 1} END {exit bad || NR < 15}' || fail "cwnd_bytes"
numbers srtt_us "$tmp/one" | awk '$1 <= 0 {bad = 1} END {exit bad || NR < 15}' || fail "srtt_us"
grep -m 1 '"src":"x"' "$tmp/one" | grep -q '"throughput_bps":null' ||
    fail "the first throughput is not null"
mean=$(numbers throughput_bps "$tmp/one" | awk '{s += $1} END {if (NR) print s / NR}')
received=$(in_section sum_received "$tmp/iperf.json")
echo "throughput: sampled $mean, iperf3 received $received bit/s; $after samples"
awk -v a="$mean" -v b="$received" 'BEGIN {exit !(b > 0 && a > 0.8 * b && a < 1.2 * b)}' ||
    fail "throughput is more than 20 % off"
# The control connection to the same port is no flow of the lab's.
grep -q '"src":"x#2"' "$tmp/one" && fail "a second flow where there was one"
tail -n 1 "$tmp/one" | grep -q '"cc":"cubic"' || fail "cc: $(tail -n 1 "$tmp/one")"

# Two flows have two names; from the server's side a reversed test is sampled by its own port.
start_sampler "$tmp/two" --sport $port --interval 50ms
iperf -b 20M -t 2 -P 2 -R >"$tmp/iperf.json" || fail "iperf3 -R: $(grep error "$tmp/iperf.json")"
stop_sampler
[ "$(numbers cwnd_pkts "$tmp/two" x | wc -l)" -ge 10 ] || fail "no samples of the first flow"
[ "$(numbers cwnd_pkts "$tmp/two" 'x#2' | wc -l)" -ge 10 ] || fail "no samples of the second flow"
grep -q '"src":"x#3"' "$tmp/two" && fail "three flows where there were two"

# The grid of the timer does not drift: of 2 s of 20 ms most samples have the same phase, however late
# some of them are.
iperf -b 20M -t 8 >/dev/null &
flow=$!
sleep 0.7
start_sampler "$tmp/grid" --dport $port --interval 20ms --duration 2s
wait $sampler || fail "exit code $? at the end of the duration"
sampler=
kill $server # so that nobody waits for the rest of the flow
wait $server $flow 2>/dev/null
server=
times=$(sed -n 's/^{"t":\([0-9.]*\),"type":"sample","src":"x",.*/\1/p' "$tmp/grid")
echo "$times" | awk 'NR == 1 {first = $1} {last = $1 - first; a = last / 0.02 * 6.2831853; c += cos(a); s += sin(a)} END {
    same = NR ? sqrt(c * c + s * s) / NR : 0
    printf "%d samples over %.3f s of 20 ms, in phase %.2f\n", NR, last, same
    exit !(NR >= 40 && NR <= 102 && last > 1.5 && last < 2.5 && same > 0.4)}' ||
    fail "not on the grid"
echo ok
