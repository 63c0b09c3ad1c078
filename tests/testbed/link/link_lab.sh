#!/bin/bash
# ccalab-link for real: two throw-away namespaces, ping, iperf3, and nothing left behind.
set -u

skip() { echo "skipped: $1"; exit 77; }
fail() { echo "FAILED: $1"; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
for tool in ip ping iperf3 python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
link=$CCALAB_BUILD/ccalab-link
[ -x "$link" ] || fail "$link is not built"

a=cclink-$$-a b=cclink-$$-b
tmp=$(mktemp -d)
link_pid='' server_pid=''
cleanup() {
    [ -n "$server_pid" ] && kill "$server_pid" 2>/dev/null
    [ -n "$link_pid" ] && kill -KILL "$link_pid" 2>/dev/null
    ip netns del $a 2>/dev/null
    ip netns del $b 2>/dev/null
    rm -rf "$tmp"
}
trap cleanup EXIT

# Wait up to a minute for a command to succeed.
await() {
    for _ in $(seq 3000); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.02
    done
    return 1
}

if [ ! -e /dev/net/tun ]; then
    "$link" --ports tun --a :x --b :y >"$tmp/out" 2>"$tmp/err"
    [ $? = 6 ] || fail "without /dev/net/tun the exit code must be 6 (unavailable)"
    grep -q '/dev/net/tun' "$tmp/err" && grep -q 'hint:' "$tmp/err" || fail "no hint: $(cat "$tmp/err")"
    skip "no /dev/net/tun here (ccalab-link says so)"
fi
ip netns add $a 2>"$tmp/err" || skip "cannot make network namespaces: $(cat "$tmp/err")"
ip netns add $b || fail "ip netns add"

# --- refusals have the right exit codes and leave no device
"$link" --a /run/netns/$a:bn0 >"$tmp/out" 2>"$tmp/err"
[ $? = 2 ] || fail "a missing --b must be a usage error"
"$link" --a /run/netns/$a:bn0 --b /run/netns/cclink-none:x >"$tmp/out" 2>"$tmp/err"
[ $? = 4 ] || fail "a missing namespace must be a host error"
grep -q '"type":"error","status":"host"' "$tmp/out" || fail "no error event: $(cat "$tmp/out")"
ip -n $a link show bn0 >/dev/null 2>&1 && fail "a failed start left its device"
# No /dev/net/tun: hidden from this one command by an empty directory over /dev/net.
unshare -m sh -c 'mount -t tmpfs none /dev/net && exec "$0" --ports tun --a :x --b :y' "$link" \
    >"$tmp/out" 2>"$tmp/err"
[ $? = 6 ] || fail "without /dev/net/tun the exit code must be 6: $(cat "$tmp/err")"
grep -q 'hint:' "$tmp/err" || fail "no hint without /dev/net/tun"

# --- up
"$link" --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 --rate 50mbit --delay 10ms --seed 1 \
    >"$tmp/events" 2>"$tmp/err" </dev/null &
link_pid=$!
await grep -q '"state":"up"' "$tmp/events" || fail "not up: $(cat "$tmp/events" "$tmp/err")"
if grep -q 'CapEff:.*1ff........$' /proc/self/status; then # all rights: BPF too
    grep -q '"is_stamped":true' "$tmp/events" || fail "no stamps of arrivals: $(cat "$tmp/events")"
fi
ip -n $a -o link show bn0 | grep -q 'UP.*qlen 10000' || fail "bn0 is not up with txqueuelen 10000"
ip -n $a addr add 10.231.0.1/30 dev bn0
ip -n $b addr add 10.231.0.2/30 dev eth0
"$link" --a /run/netns/$a:bn0 --b /run/netns/$b:other >"$tmp/out" 2>&1
[ $? = 4 ] || fail "a taken device name must be refused: $(cat "$tmp/out")"
ip -n $a link show bn0 >/dev/null || fail "the refused second link took the device with it"

# --- delay: 10 ms each way
ip netns exec $a ping -n -i 0.02 -c 150 10.231.0.2 >"$tmp/ping" || fail "ping: $(cat "$tmp/ping")"
median=$(sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$tmp/ping" | sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}')
echo "ping median RTT $median ms"
awk -v m="$median" 'BEGIN {exit !(m >= 20.0 && m <= 24.0)}' || fail "median RTT $median ms, not 20.0 to 24.0"

# --- rate: 50 Mbit/s of IP, less headers
ip netns exec $b iperf3 -s -1 >"$tmp/server" 2>&1 &
server_pid=$!
await sh -c "ip netns exec $b ss -ltn | grep -q :5201" || fail "iperf3 server: $(cat "$tmp/server")"
ip netns exec $a iperf3 -c 10.231.0.2 -C cubic -t 4 -f m >"$tmp/client" 2>&1 || fail "iperf3: $(cat "$tmp/client")"
wait $server_pid
server_pid=''
mbit=$(awk '/receiver/ {print $7}' "$tmp/client")
echo "iperf3 cubic $mbit Mbit/s"
awk -v m="$mbit" 'BEGIN {exit !(m >= 35 && m <= 49.5)}' || fail "$mbit Mbit/s, not 35 to 49.5"

# --- the end
kill -TERM $link_pid
wait $link_pid
code=$?
link_pid=''
[ $code = 0 ] || fail "exit code $code after SIGTERM: $(cat "$tmp/err")"
last=$(tail -n 1 "$tmp/events")
echo "$last" | grep -q '"type":"result".*"state":"down"' || fail "no final result: $last"
echo "$last" | grep -Eq '"late_us":\{"p50":[0-9.]+,"p99":[0-9.]+,"max":[0-9.]+\},"is_late":(true|false)' ||
    fail "no late_us in the final result: $last"
echo "$last" | grep -o '"late_us":{[^}]*},"is_late":[a-z]*'
samples=$(grep -c '"type":"sample","src":"link/down"' "$tmp/events")
[ "$samples" -ge 30 ] || fail "only $samples samples of link/down at 10 Hz over more than 7 s"
[ "$samples" = "$(grep -c '"type":"sample","src":"link/up"' "$tmp/events")" ] || fail "up and down differ in samples"
echo "$last" | grep -q '"malformed":0' || fail "malformed packets: $last"

# --- nothing left
ip -n $a link show bn0 >/dev/null 2>&1 && fail "bn0 is still there"
ip -n $b link show eth0 >/dev/null 2>&1 && fail "eth0 is still there"

# --- --duration ends by itself; a reader that goes away ends it too
"$link" --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 --duration 1 --interval 0 >"$tmp/events" || fail "--duration"
[ "$(wc -l <"$tmp/events")" = 2 ] || fail "--interval 0 must give two lines: $(cat "$tmp/events")"
timeout 60 "$link" --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 2>"$tmp/err" | head -n 1 >/dev/null
[ "${PIPESTATUS[0]}" = 7 ] || fail "a vanished reader must end the link with code 7"

# --- a reader that stops reading (its pipe is full in 0.1 s) does not stop the link
mkfifo "$tmp/pipe"
sleep 600 <"$tmp/pipe" &
server_pid=$!
"$link" --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 --interval 1ms 2>"$tmp/err" >"$tmp/pipe" &
link_pid=$!
await ip -n $a addr add 10.231.0.1/30 dev bn0 && await ip -n $b addr add 10.231.0.2/30 dev eth0
sleep 0.5
ip netns exec $a ping -n -c 3 -i 0.1 -W 20 10.231.0.2 >"$tmp/ping" || fail "a full pipe stops the link"
kill -TERM $link_pid
wait $link_pid
code=$?
link_pid=''
[ $code = 0 ] || fail "exit code $code with a full pipe"
kill $server_pid
wait $server_pid 2>/dev/null
server_pid=''

# --- control socket, delay of a path, packet log: 50 Mbit/s and 2 ms become 10 Mbit/s
ask() {
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n"); print(s.makefile().readline(), end="")' "$tmp/sock" "$1"
}
median_rtt() { sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$1" | sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
rm "$tmp/events" # or the "up" of the run before would be taken for that of this one
"$link" --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 --delay 1ms --aqm fifo --limit 40 --control "$tmp/sock" \
    --path 10.231.0.5=7ms --packet-log "$tmp/log.csv" >"$tmp/events" 2>"$tmp/err" &
link_pid=$!
await grep -q '"state":"up"' "$tmp/events" || fail "not up with a control socket: $(cat "$tmp/err")"
[ "$(stat -c %a "$tmp/sock")" = 600 ] || fail "the control socket is not 0600"
ip -n $a addr add 10.231.0.1/24 dev bn0
ip -n $a addr add 10.231.0.5/24 dev bn0
ip -n $b addr add 10.231.0.2/24 dev eth0
ip netns exec $a ping -n -i 0.01 -c 30 10.231.0.2 >"$tmp/ping" &
ip netns exec $a ping -n -i 0.01 -c 30 -I 10.231.0.5 10.231.0.2 >"$tmp/ping5" || fail "ping over the path"
wait $!
near=$(median_rtt "$tmp/ping") far=$(median_rtt "$tmp/ping5")
echo "RTT $near ms, over the path with 7 ms $far ms"
awk -v n="$near" -v f="$far" 'BEGIN {exit !(n >= 2 && n <= 6 && f >= 16 && f <= 20)}' ||
    fail "RTT $near and $far ms, not 2 to 6 and 16 to 20"
ip netns exec $b iperf3 -s -1 -i 0.5 -f m --forceflush >"$tmp/server" 2>&1 &
server_pid=$!
await sh -c "ip netns exec $b ss -ltn | grep -q :5201" || fail "iperf3 server: $(cat "$tmp/server")"
ip netns exec $a iperf3 -c 10.231.0.2 -C cubic -t 5 >"$tmp/client" 2>&1 &
# iperf3's intervals of half a second are named by the clock: 1.00-1.50, or 1.00-1.51.
await grep -q '  1\.[0-4][0-9]*-1\.' "$tmp/server" || fail "no traffic: $(cat "$tmp/server")"
ask '{"cmd":"set","down":{"rate":"10mbit"}}' | grep -q '"ok":true' || fail "set was refused"
ask '{"cmd":"set","down":{"rate":"fast"}}' | grep -q '"ok":false.*"hint"' || fail "a bad set was not refused"
ask '{"cmd":"get"}' | grep -q '"down":{"rate_bps":10000000' || fail "get: $(ask '{"cmd":"get"}')"
wait $server_pid
server_pid=''
before=$(awk '$3 ~ /^1\.[0-4]/ {print $7}' "$tmp/server") after=$(awk '$3 ~ /^4\.[0-4]/ {print $7}' "$tmp/server")
echo "iperf3 $before Mbit/s, after set 10mbit $after Mbit/s"
awk -v b="$before" -v a="$after" 'BEGIN {exit !(b >= 30 && b <= 50 && a >= 7 && a <= 10.5)}' ||
    fail "$before and $after Mbit/s, not 30 to 50 and 7 to 10.5: $(cat "$tmp/server")"
kill -TERM $link_pid
wait $link_pid || fail "exit code $? with a control socket"
link_pid=''
[ -e "$tmp/sock" ] && fail "the control socket is still there"
python3 - "$tmp/events" "$tmp/log.csv" <<'END' || fail "the packet log differs from the totals"
import csv, json, sys
down = json.loads(open(sys.argv[1]).readlines()[-1])["data"]
rows = list(csv.DictReader(open(sys.argv[2])))
assert down["packet_log"]["lost_rows"] == 0 and down["packet_log"]["rows"] == len(rows)
for name in ("down", "up"):
    t, mine = down[name], [r for r in rows if r["dir"] == name]
    assert sum(r["event"] == "dropped" for r in mine) == t["drop"], (name, t["drop"])
    assert sum(r["event"] != "dropped" for r in mine) >= t["out_pkts"] > 0, name
waits = sorted(float(r["sojourn_us"]) for r in rows if r["dir"] == "down" and r["event"] != "dropped")
p50, told = waits[len(waits) // 2], down["down"]["sojourn_c_us"]["p50"]
print("sojourn time p50", p50, "us in the log,", told, "us in the totals;", len(rows), "rows")
assert abs(p50 - told) <= 0.04 * p50 + 1
END

# --- a device deleted under the link is an error, not a hang
: >"$tmp/events"
"$link" --a /run/netns/$a:bn0 --b /run/netns/$b:eth0 >"$tmp/events" 2>"$tmp/err" &
link_pid=$!
await grep -q '"state":"up"' "$tmp/events" || fail "not up again"
ip -n $a link del bn0
wait $link_pid
code=$?
link_pid=''
[ $code = 4 ] || fail "exit code $code after the device was deleted"
echo "ok"
