#!/bin/bash
# The doctor on four hosts behind sshd: what is broken is found, a dead host holds up nobody, --fix
# repairs after a yes and `ccalab restore` puts it back.
name=doctor-t
. ../testbed/lab_lib.sh
[ -x /usr/sbin/sshd ] || skip "needs sshd (package openssh-server)"
command -v iperf3 >/dev/null || skip "needs iperf3"
export XDG_STATE_HOME=$tmp/state
ccalab=$CCALAB_BUILD/ccalab

$testbed up --name $name --sshd >"$tmp/up" 2>"$tmp/err" || fail "up: $(cat "$tmp/err")"
config=/run/ccalab/$name/ssh/config
cat >"$tmp/lab.lua" <<END
client_x = ssh{host = "client-x", config = "$config", address = "10.98.1.2"}
client_y = ssh{host = "client-y", config = "$config", address = "10.98.2.2"}
router   = ssh{host = "router", config = "$config", address = "10.98.3.1"}
server   = ssh{host = "server", config = "$config", address = "10.98.3.2"}
link     = {rate = "50mbit", rtt = "20ms"}
END
# The same hosts by their namespaces, which is quicker.
sed "s/ssh{host = \"[a-z-]*\", config = [^,]*/netns{netns = \"$name-HOST\"/; s/^\([a-z_]*\)\(.*\)HOST/\1\2\1/" \
    "$tmp/lab.lua" >"$tmp/near.lua"
sed 's/^client_y.*/client_y = ssh{host = "127.0.0.1", port = 1, address = "10.98.2.2"}/' "$tmp/lab.lua" >"$tmp/dead.lua"

doctor() { # EXIT-STATUS WORDS...
    want=$1
    shift
    $ccalab doctor "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    [ $status = "$want" ] || fail "doctor $*: exit status $status instead of $want: $(cat "$tmp/out" "$tmp/err")"
}
has() { grep -q -- "$1" "$tmp/out" "$tmp/err" || fail "no '$1' in: $(cat "$tmp/out" "$tmp/err")"; }
value() { in_host "$1" cat "/proc/sys/net/ipv4/$2"; }

cc="--cc bpf_prague"
if has_cc bpf_prague; then
    $ccalab --events "$tmp/events" doctor --lab "$tmp/lab.lua" $cc >"$tmp/out" 2>"$tmp/err" </dev/null ||
        fail "a fresh lab: $(cat "$tmp/out" "$tmp/err")"
    has "checks: .* ok, 0 failed"
    has "dualpi2 of ccalab-link on bn0"
    grep -c '"type":"checks"' "$tmp/events" | grep -qx 4 || fail "events: $(cat "$tmp/events")"
fi

# Three things wrong, one host dead.
in_host client_x sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_ecn'
in_host router sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
ip netns exec $name-server iperf3 -s -p 5202 >/dev/null 2>&1 &
iperf3=$!
for _ in $(seq 1200); do
    in_host server grep -q ":1452 " /proc/net/tcp /proc/net/tcp6 && break
    sleep 0.05
done
doctor 1 --lab "$tmp/dead.lua" $cc
has "FAIL host "
has "FAIL tcp_ecn  *tcp_ecn = 0"
has "FAIL ip_forward  *ip_forward = 0"
has "FAIL port  *TCP port 5202 is taken"
has "to fix  *sysctl -w net.ipv4.ip_forward=1"
grep -c "^client_[xy]\|^router\|^server" "$tmp/out" | grep -qx 4 || fail "not all hosts: $(cat "$tmp/out")"

kill $iperf3
wait $iperf3 2>/dev/null

# Roles alone, JSON.
doctor 1 --lab "$tmp/near.lua" $cc --json router client_x
python3 - "$tmp/out" <<'END' || fail "--json"
import json, sys
d = json.load(open(sys.argv[1]))
assert sorted(h["name"] for h in d["hosts"]) == ["client_x", "router"], d["hosts"]
router = next(h for h in d["hosts"] if h["name"] == "router")
c = next(c for c in router["checks"] if c["name"] == "ip_forward")
assert c["verdict"] == "fail" and c["is_fix_safe"] and c["action"]["sysctl"] == "net.ipv4.ip_forward", c
assert router["facts"]["tcp_ecn"] and router["facts"]["kernel"] and d["failed"] >= 2, d
END
# Nobody to ask: nothing is done.
doctor 6 --lab "$tmp/near.lua" $cc --fix router client_x
has "nobody can be asked"
[ "$(value router ip_forward)$(value client_x tcp_ecn)" = 00 ] || fail "changed without a yes"

# A person at a terminal says no, then yes.
if command -v script >/dev/null; then
    echo n | script -qec "$ccalab doctor --lab $tmp/near.lua $cc --fix router" /dev/null >"$tmp/out" 2>&1
    has "do that? (y/n)"
    has "nothing was changed"
    [ "$(value router ip_forward)" = 0 ] || fail "changed after a no"
fi
if has_cc bpf_prague; then status=0; else status=1; fi
doctor $status --lab "$tmp/lab.lua" $cc --fix --yes router client_x
has "done  .*sysctl -w net.ipv4.ip_forward=1"
[ "$(value router ip_forward)$(value client_x tcp_ecn)" = 11 ] || fail "--fix did not repair"

$ccalab restore --lab "$tmp/lab.lua" >"$tmp/out" 2>"$tmp/err" || fail "restore: $(cat "$tmp/out" "$tmp/err")"
[ "$(value router ip_forward)$(value client_x tcp_ecn)" = 00 ] || fail "restore: $(cat "$tmp/out")"

# Mistakes.
doctor 2 --lab "$tmp/near.lua" ruoter
has "did you mean router?"
doctor 2 --as gateway
doctor 2 --fix
has "needs to know what this machine is to be"
doctor 7 --lab "$tmp/none.lua"
echo ok
