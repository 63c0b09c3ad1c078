#!/bin/bash
# ccalab-link with ports of packet sockets: delay, rate, right checksums, IPv6, a device that
# vanishes, and nothing left behind.
set -u

skip() { echo "skipped: $1"; exit 77; }
fail() { echo "FAILED: $1"; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
for tool in ip ping iperf3 tshark tcpdump; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
link=$CCALAB_BUILD/ccalab-link
a=ccpkt-$$-a b=ccpkt-$$-b
tmp=$(mktemp -d)
link_pid='' server_pid='' dump_pid=''
# shellcheck disable=SC2317
cleanup() {
    for pid in $server_pid $dump_pid; do kill "$pid" 2>/dev/null; done
    [ -n "$link_pid" ] && kill -KILL "$link_pid" 2>/dev/null
    ip netns del $a 2>/dev/null
    ip netns del $b 2>/dev/null
    rm -rf "$tmp"
}
trap cleanup EXIT
await() { # COMMAND...
    for _ in $(seq 3000); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.02
    done
    return 1
}
is_gone() { ! ip -n $a link show bn0 && ! ip -n $b link show eth0; }
ip netns add $a 2>"$tmp/err" || skip "cannot make network namespaces: $(cat "$tmp/err")"
ip netns add $b || fail "ip netns add"
before=$(ip -o link | wc -l)

"$link" --ports packet --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 --rate 50mbit --delay 10ms \
    >"$tmp/events" 2>"$tmp/err" &
link_pid=$!
await grep -q '"state":"up".*"ports":"packet"' "$tmp/events" || fail "not up: $(cat "$tmp/err")"
[ "$(ip -o link | wc -l)" = "$before" ] || fail "the other ends of the devices are to be seen"
"$link" --ports packet --a /run/netns/$a:bn0 --b /run/netns/$b:other >"$tmp/out" 2>"$tmp/err"
[ $? = 4 ] || fail "a taken device name must be refused: $(cat "$tmp/err")"
grep -q "hint: the name is taken" "$tmp/err" || fail "no hint: $(cat "$tmp/err")"
ip -n $a addr add 10.231.0.1/30 dev bn0
ip -n $b addr add 10.231.0.2/30 dev eth0
ip -n $a addr add fd31::1/64 dev bn0 nodad
ip -n $b addr add fd31::2/64 dev eth0 nodad
for to in 10.231.0.2 fd31::2; do
    ip netns exec $a ping -n -i 0.02 -c 50 $to >"$tmp/ping" || fail "ping: $(cat "$tmp/ping")"
    median=$(sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$tmp/ping" | sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}')
    echo "ping $to median RTT $median ms"
    awk -v m="$median" 'BEGIN {exit !(m >= 20.0 && m <= 24.0)}' || fail "median RTT $median ms, not 20.0 to 24.0"
done

ip netns exec $b tcpdump -i eth0 -w "$tmp/pcap" 2>"$tmp/dump" &
dump_pid=$!
ip netns exec $b timeout 60 iperf3 -s -1 >"$tmp/server" 2>&1 &
server_pid=$!
await sh -c "ip netns exec $b ss -ltn | grep -q :5201 && grep -q listening $tmp/dump" || fail "iperf3 server"
ip netns exec $a timeout 60 iperf3 -c 10.231.0.2 -C cubic -t 3 -f m >"$tmp/client" 2>&1 || fail "iperf3: $(cat "$tmp/client")"
wait $server_pid
server_pid=''
kill $dump_pid
wait $dump_pid
dump_pid=''
mbit=$(awk '/receiver/ {print $7}' "$tmp/client")
# One reading for all: columns 1 to 5. A status is 1 where the sum is right, 0 where it is wrong.
tshark -r "$tmp/pcap" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o tcp.desegment_tcp_streams:FALSE -T fields \
    -E occurrence=f -e ip.checksum.status -e tcp.checksum.status -e tcp.checksum -e ip.len -e arp.opcode \
    >"$tmp/fields" 2>/dev/null || fail "tshark"
count() { awk -F'\t' "$1 {n++} END {print n + 0}" "$tmp/fields"; }
good=$(count '$1 == "1" && $2 == "1"')
bad=$(count '$1 == "0" || ($2 == "0" && $3 != "0xffff") || $4 > 1500')
arp=$(count '$5 != ""')
echo "iperf3 cubic $mbit Mbit/s; checksums: $good good, $bad bad; ARP $arp"
awk -v m="$mbit" 'BEGIN {exit !(m >= 30 && m <= 49.5)}' || fail "$mbit Mbit/s, not 30 to 49.5"
[ "$good" -gt 10000 ] && [ "$bad" = 0 ] || fail "checksums"
[ "$arp" = 0 ] || fail "somebody asked for an address"

kill -TERM $link_pid
wait $link_pid || fail "exit code $?"
link_pid=''
last=$(tail -n 1 "$tmp/events")
echo "$last" | grep -q '"malformed":0' || fail "malformed packets: $last"
echo "$last" | grep -q '"drop_no_buffer":0' || fail "packets that nobody read: $last"
echo "$last" | grep -o '"late_us":{[^}]*}'
await is_gone || fail "a device is still there"

: >"$tmp/events" # or the "up" of the run before would be taken for that of this one
"$link" --ports packet --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 >"$tmp/events" 2>"$tmp/err" &
link_pid=$!
await grep -q '"state":"up"' "$tmp/events" || fail "not up again"
ip -n $a link del bn0
wait $link_pid
code=$?
link_pid=''
[ $code = 4 ] || fail "exit code $code after the device was deleted"
await is_gone || fail "the other device is still there"
"$link" --ports packet --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 >/dev/null 2>&1 &
link_pid=$!
await ip -n $a link show bn0
kill -KILL $link_pid
wait $link_pid 2>/dev/null
link_pid=''
await is_gone || fail "a device outlived kill -9"
echo ok
