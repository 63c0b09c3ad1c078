#!/bin/bash
# DCTCP is ECT(0), is marked, and fills the bottleneck; ECT(1) only with the socket mark.
name=tb-dctcp
. ./lab_lib.sh
command -v iperf3 >/dev/null || skip "needs iperf3"
command -v python3 >/dev/null || skip "needs python3"

$testbed up --name $name >/dev/null 2>&1 || fail "up"
cc=$(grep -ow 'bpf_dctcp\|dctcp' /proc/sys/net/ipv4/tcp_available_congestion_control | head -1)
[ -n "$cc" ] || skip "no DCTCP here"
counter() { in_host server nstat -asz "$1" | awk -v n="$1" '$1 == n {print $2}'; }

in_host server iperf3 -s -1 --forceflush >"$tmp/server" 2>&1 &
for _ in $(seq 1200); do
    grep -qs listening "$tmp/server" && break
    sleep 0.05
done
in_host client_x iperf3 -c 10.98.3.2 -C "$cc" -t 4 -f m >"$tmp/client" ||
    fail "$(cat "$tmp/client")"
mbps=$(awk '/receiver/ {print $(NF-2)}' "$tmp/client")
ce=$(counter IpExtInCEPkts)
ect1=$(counter IpExtInECT1Pkts)
ect0=$(counter IpExtInECT0Pkts)
echo "$cc: $mbps Mbit/s; at the server CE $ce, ECT(1) $ect1, ECT(0) $ect0"
awk -v m="$mbps" 'BEGIN {exit !(m > 10 && m < 48.7)}' || fail "$mbps Mbit/s"
[ "$ce" -gt 5 ] || fail "hardly any CE mark"
[ "$ect0" -gt 3000 ] || fail "the flow is not ECT(0)"
[ "$ect1" -lt 10 ] || fail "part of the flow is ECT(1)"

# One second of the same with the socket mark that the lab's rule looks for. The server's sockets
# take their algorithm from the one that listens.
in_host server python3 -c '
import socket, sys
s = socket.create_server(("", 5300))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[1].encode())
print("listening", flush=True)
c = s.accept()[0]
while c.recv(65536):
    pass' "$cc" >"$tmp/sink" &
for _ in $(seq 1200); do
    grep -qs listening "$tmp/sink" && break
    sleep 0.05
done
in_host client_x python3 -c '
import socket, sys, time
c = socket.socket()
c.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x4c34)
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[1].encode())
c.connect(("10.98.3.2", 5300))
end = time.monotonic() + 1
while time.monotonic() < end:
    c.send(bytes(65536))' "$cc" || fail "the marked sender"
ect1=$(counter IpExtInECT1Pkts)
echo "with the socket mark: ECT(1) $ect1"
[ "$ect1" -gt 100 ] || fail "the socket mark does not make it ECT(1)"
$testbed down --name $name || fail "down"
check_nothing_left "down"
