#!/bin/sh
# The quickstart on the machines of a lab file (ssh_lab.lua): four hosts behind real sshds with their own
# keys, ports and users, most of them not root, the traffic through a real bottleneck. The report has the
# shape of the virtual lab's, and every host is as it was before: after a run, after Ctrl-C, and after
# kill -9 and `ccalab restore`.
set -u
PATH="$PATH:/usr/sbin:/sbin"
ccalab="$CCALAB_BUILD/ccalab"
name=labfile$$
tmp=$(mktemp -d)
export XDG_STATE_HOME="$tmp/state" CCALAB_RUNS="$tmp/runs"
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; [ -f "$tmp/err" ] && tail -n 20 "$tmp/err"; exit 1; }
. "$CCALAB_SOURCE/tests/remote/host_state.sh"
. "$CCALAB_SOURCE/tests/labs/own_sshds.sh"
[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
for command in ip nft iperf3 ping sshd ssh-keygen tcpdump sysctl useradd python3; do
    command -v $command >/dev/null || skip "needs $command"
done
[ -e /dev/net/tun ] || skip "needs /dev/net/tun"
trap 'own_sshds_down; "$ccalab" testbed down --name $name >/dev/null 2>&1; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
"$ccalab" testbed up --name $name >/dev/null 2>"$tmp/err" || fail "up"
grep -q prague /proc/sys/net/ipv4/tcp_available_congestion_control || skip "needs a TCP Prague"
own_sshds_up
lab=$tmp/ssh_lab.lua
queue() { "$ccalab" testbed shell --name $name router -- tc -j qdisc show dev bn1; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
hosts="client_x client_y router server"
for host in $hosts; do host_state $name-$host >"$tmp/before_$host"; done
queue=$(queue)
all_same() {
    for host in $hosts; do same_state $name-$host "$tmp/before_$host" "$1"; done
    [ "$(queue)" = "$queue" ] || fail "$1: the router's queue: $(queue)"
    [ -z "$(ls "$tmp/state/ccalab/journal")" ] || fail "$1: a journal is left"
    [ -z "$(ip netns pids $name-router | xargs -r ps -o comm= -p | grep tcpdump)" ] ||
        fail "$1: a capture is left on the router"
}

"$ccalab" --run "$CCALAB_SOURCE/labs/quickstart.lua" --lab "$lab" 14 >"$tmp/out" 2>"$tmp/err" \
    </dev/null || fail "exit status $?: $(cat "$tmp/out")"
cp "$tmp/out" "$tmp/out_ssh"
sed -n '/^checks/,$p' "$tmp/out"
all_same "after the run"
run=$(sed -n 's/^run directory  *//p' "$tmp/out")
for file in run.json events.jsonl samples.csv ecn.json report.html capture/router.pcapng \
    iperf3/client_x.json iperf3/client_y.json pool/pool.safetensors \
    plots/cwnd.svg plots/rtt.svg plots/throughput.svg plots/queue.svg; do
    [ -s "$run/$file" ] || fail "$file is missing or empty"
done
python3 - "$run" <<'PY' || fail "the report"
import csv, json, sys
r = json.load(open(sys.argv[1] + "/run.json"))
assert r["status"] == "ok"
assert {"lab", "checks", "hosts", "link", "seeds", "result", "machine"} <= set(r), r.keys()
for when in ("before", "after"):
    assert set(r["hosts"][when]) == {"client_x", "client_y", "router", "server"}
    assert all(f["kernel"] and f["qdiscs"] for f in r["hosts"][when].values())
x, y = (r["result"]["throughput_bps"][c] / 1e6 for c in ("client_x", "client_y"))
print(f"X {x:.1f} Mbit/s, Y {y:.1f} Mbit/s")
# Wide: much of it is start, and this machine may be busy.
assert 20 < x + y < 65 and x > 3 and y > 3, (x, y)
assert r["result"]["ecn"]["client_x"]["ce"] is not None and r["result"]["captured_live"]["ect0"] > 0
port, = [q for q in r["link"]["qdiscs"] if q["kind"] == "dualpi2"]
assert port["bytes"] > 5e6 and port["options"]["target"] == 16000, port
assert not r["link"]["is_late"]
values = {}
for row in csv.DictReader(open(sys.argv[1] + "/samples.csv")):
    values.setdefault(row["series"], []).append(row["value"])
# Ten a second, of the queue and of both flows; a busy machine may lose a few.
for name in ("link/down/prob", "link/down/delay_c_us", "link/down/pkts_l", "link/down/ecn_mark",
             "client_x/cwnd_bytes", "client_y/srtt_us"):
    assert len(values[name]) >= 30, (name, len(values.get(name, [])))
assert max(float(v) for v in values["link/down/rate_bps"] if v) > 20e6
html = open(sys.argv[1] + "/report.html").read()
for title in ("Throughput", "Marks at the router", "What was measured", "Checks", "Queue delay"):
    assert title in html, title
PY

# The virtual lab's report, from the same script, has the same shape: labs_quickstart kept it.
shape=$CCALAB_BUILD/quickstart.shape
[ -s "$shape" ] || fail "no $shape: labs_quickstart has to run before"
"$CCALAB_SOURCE/tests/labs/shape.py" "$run" "$tmp/out_ssh" >"$tmp/shape_ssh" || fail "shape.py"
grep -c . "$shape"
diff "$shape" "$tmp/shape_ssh" || fail "the report over SSH (>) has another shape than the virtual lab's (<)"

stop() { # SIGNAL: in mid-traffic
    : >"$tmp/out"
    "$ccalab" --run "$CCALAB_SOURCE/labs/quickstart.lua" --lab "$lab" 30 >"$tmp/out" \
        2>"$tmp/err" </dev/null &
    pid=$!
    for _ in $(seq 1200); do grep -q 'of traffic' "$tmp/out" && break; sleep 0.05; done
    grep -q 'of traffic' "$tmp/out" || fail "the run did not start: $(cat "$tmp/out")"
    sleep 1
    [ "$(queue)" != "$queue" ] || fail "the run did not set the queue"
    t0=$(now_ms)
    kill -$1 $pid
    wait $pid 2>/dev/null
    status=$?
    echo "SIG$1: exit status $status after $(($(now_ms) - t0)) ms"
}
stop INT
[ $status = 130 ] || fail "Ctrl-C: exit status $status"
all_same "after Ctrl-C"
stop KILL
"$ccalab" restore --list >"$tmp/out" 2>"$tmp/err"
grep -q '^router (ssh router' "$tmp/out" || fail "restore --list: $(cat "$tmp/out")"
"$ccalab" restore --lab "$lab" >"$tmp/out" 2>"$tmp/err"
grep -q '^router: put back (1)' "$tmp/out" || fail "restore: $(cat "$tmp/out")"
all_same "after kill -9 and restore"

# A connection that breaks under a change comes back for putting it back.
cat >"$tmp/broken.lua" <<'LUA'
local bed = assert(lab.open_lab(arg[1], {roles = {"router"}}))
assert(lab.set_sysctl(bed.router, "net.ipv4.tcp_ecn", 0))
print(bed.router:run{"sh", "-c", "kill -9 $PPID"})
LUA
"$ccalab" --run "$tmp/broken.lua" "$lab" >"$tmp/out" 2>"$tmp/err" </dev/null || fail "broken.lua: $?"
grep -q 'lost the connection to router' "$tmp/err" || fail "the connection did not break: $(cat "$tmp/out")"
all_same "after a broken connection"

# Who may not become root changes nothing, and is told what would help.
cat >"$tmp/no_root.lua" <<'LUA'
local bed = assert(lab.open_lab(arg[1], {roles = {"client_x"}}))
assert(lab.set_sysctl(bed.client_x, "net.ipv4.tcp_ecn", 0))
LUA
"$ccalab" --run "$tmp/no_root.lua" "$lab" >"$tmp/out" 2>"$tmp/err" </dev/null
status=$?
why="there is no sudo"
command -v sudo >/dev/null && why="sudo asks for a password"
[ $status != 0 ] && grep -q "client_x: a change needs root, and $why" "$tmp/err" && grep -q NOPASSWD "$tmp/err" ||
    fail "a user who may not become root: $status"
all_same "after a refused change"

# A host that is down is named, at once.
sed -i 's|config = "config", host = "client-y", port = 2202|host = "127.0.0.1", port = 1|' "$lab"
"$ccalab" --run "$CCALAB_SOURCE/labs/quickstart.lua" --lab "$lab" 1 >"$tmp/out" 2>"$tmp/err" </dev/null
status=$?
[ $status = 4 ] && grep -q 'labfile: client_y: cannot connect' "$tmp/err" || fail "a dead host: $status"
all_same "after a dead host"
