#!/bin/sh
# Changes to a host, here a network namespace with the console in it: made, and put back on success, error,
# Ctrl-C, and by `ccalab restore` after kill -9; refused where they could not be put back, where root is not to
# be had, and where another console is at it.
set -u
PATH="$PATH:/usr/sbin:/sbin"
ccalab="$CCALAB_BUILD/ccalab"
ns=ccalab-rst$$
tmp=$(mktemp -d)
export XDG_STATE_HOME="$tmp/state" CCALAB_RUNS="$tmp/runs"
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
. "$CCALAB_SOURCE/tests/remote/host_state.sh"
[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
for command in ip tc sysctl; do
    command -v $command >/dev/null || skip "needs $command"
done
trap 'ip netns del $ns 2>/dev/null; rm -rf "$tmp"' EXIT
ip netns add $ns || skip "no network namespaces here"
ip -n $ns link add d0 type veth peer name d1 && ip -n $ns link set d0 up && ip -n $ns link set d1 up

run() { ip netns exec $ns "$ccalab" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; }
script() { # NAME TEXT
    cat >"$tmp/$1.lua"
}
said() { grep -qF -- "$1" "$tmp/err" || { cat "$tmp/err"; fail "not said: $1"; }; }
printed() { grep -qF -- "$1" "$tmp/out" || { cat "$tmp/out" "$tmp/err"; fail "not printed: $1"; }; }
no_journal() { [ -z "$(ls "$tmp/state/ccalab/journal")" ] || fail "$1: a journal is left"; }
show() { ip netns exec $ns tc qdisc show dev d0 | head -1; }
ecn() { ip netns exec $ns cat /proc/sys/net/ipv4/tcp_ecn; }
sleep 0.2
ip netns exec $ns tc qdisc add dev d0 root handle 7: pfifo limit 33
ip netns exec $ns sysctl -qw net.ipv4.tcp_ecn=2 net.ipv4.tcp_rmem="4096 131072 6291456"
host_state $ns >"$tmp/before"
same() { same_state $ns "$tmp/before" "$1"; }

script change <<'LUA'
local host = lab.localhost
assert(lab.set_sysctl(host, "net.ipv4.tcp_ecn", 1))
assert(lab.set_sysctl(host, "net.ipv4.tcp_rmem", "4096 16384 8388608"))
assert(lab.set_sysctl(host, "net.ipv4.tcp_ecn", 0))
assert(lab.set_qdisc(host, "d0", "fifo limit 64kb"))
assert(lab.set_qdisc(host, "d0", "fifo limit 20", {rate = "20mbit"}))
local list = assert(lab.qdiscs(host, "d0"))
assert(list[1].kind == "htb" and list[2].kind == "pfifo" and list[2].options.limit == 20, lab.pretty(list))
local watch = assert(lab.watch_qdisc(host, "d0", {interval = 0.02, label = "q"}))
repeat
    lab.sleep(0.02)
    local s = lab.series_stats("q/backlog_pkts")
until s and s.count >= 5
print("changed")
if arg[1] == "fail" then
    error("the reason")
elseif arg[1] == "restore" then
    assert(lab.restore() == 5)
elseif arg[1] then
    lab.sleep(60)
end
LUA
for how in "" fail restore; do
    run --run "$tmp/change.lua" $how
    status=$?
    [ $status = "$([ "$how" = fail ] && echo 1 || echo 0)" ] || { cat "$tmp/err"; fail "'$how': $status"; }
    printed changed
    same "'$how'"
    no_journal "'$how'"
done

start() { # in the background; $pid, once it has changed the host
    : >"$tmp/out"
    ip netns exec $ns "$ccalab" --run "$tmp/change.lua" wait >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    for _ in $(seq 1200); do grep -q changed "$tmp/out" && return; sleep 0.05; done
    fail "did not start: $(cat "$tmp/err")"
}
for signal in INT TERM; do
    start
    kill -$signal $pid
    wait $pid
    status=$?
    [ $status = 130 ] || fail "SIG$signal: $status"
    same "SIG$signal"
    no_journal "SIG$signal"
done

# A second console: it is told, while the first lives and after it was killed.
start
first=$pid
run --run "$tmp/change.lua" && fail "two consoles on one host"
said "local is being changed by another console (process $first)"
run restore || fail "restore beside a living console: $?"
printed "its console still runs"
[ "$(ecn)" = 0 ] || fail "restore took the living console's changes"
kill -9 $first
wait $first 2>/dev/null
[ "$(ecn)" = 0 ] || fail "the test changes nothing"
run --run "$tmp/change.lua" && fail "over a dead console's changes"
said "local still has 5 changes of a console that is gone (process $first)"
run restore --list || fail "restore --list"
printed "sysctl net.ipv4.tcp_ecn: 2 (now 1)"
[ "$(ecn)" = 0 ] || fail "--list changed something"
run restore nobody || fail "restore nobody"
printed "nobody: nothing to put back"
run restore local || fail "restore: $(cat "$tmp/out" "$tmp/err")"
printed "local: put back (5)"
same "restore after kill -9"
no_journal "restore"
run restore && printed "nothing to put back"

# What stays on purpose: a script on top of it comes back to it, even to a shaper that tc cannot describe.
run qdisc set local d0 fifo limit 50 --rate 10mbit || fail "qdisc set: $(cat "$tmp/err")"
show | grep -q "^qdisc htb 1: root" || fail "qdisc set: $(show)"
run qdisc show local d0 && printed "pfifo 10: dev d0 parent 1:1"
run qdisc watch local d0 --duration 0.3 --interval 0.05 && printed "drops"
run --run "$tmp/change.lua" || fail "on top of what stays: $(cat "$tmp/err")"
ip netns exec $ns tc qdisc show dev d0 | grep -q "^qdisc pfifo 10: parent 1:1 limit 50p" || fail "not come back to: $(show)"
run restore || fail "restore what stayed"
same "restore of what stayed"

# Refused before anything is changed: what could not be put back.
ip netns exec $ns tc qdisc replace dev d0 root handle 9: tbf rate 1gbit burst 10kb latency 50ms
now=$(show)
run --run "$tmp/change.lua" && fail "a queue that cannot be put back"
said "d0: its queue (tbf) could not be put back: tc does not tell all of such a queue"
[ "$(show)" = "$now" ] || fail "changed all the same: $(show)"
run qdisc set local d0 fifo --force || fail "--force: $(cat "$tmp/err")"
run restore || fail "restore after --force"
show | grep -q "^qdisc noqueue 0: root" || fail "after --force: $(show)"
ip netns exec $ns tc qdisc add dev d0 root handle 7: pfifo limit 33
same "after --force"

# A change that fails is undone at once, and the error is the host's.
script bad <<'LUA'
local ok, err = lab.set_sysctl(lab.localhost, "net.ipv4.tcp_ecn", "no number")
print(ok, err)
ok, err = lab.set_qdisc(lab.localhost, "d0", "telepathy")
print(ok, err)
ok, err = lab.set_qdisc(lab.localhost, "d9", "fifo")
print(ok, err)
for _, spec in ipairs{"fifo limit x", "fifo 3", ""} do
    print(lab.set_qdisc(lab.localhost, "d0", spec))
end
print(lab.set_qdisc(lab.localhost, "d0", "fifo", {rate = "fast"}))
print(lab.set_qdisc(lab.localhost, "d0", "fifo", {rate = "1mbit", shaper = "cake"}))
print(pcall(lab.set_qdisc, lab.localhost, "-x", "fifo"))
print(pcall(lab.set_sysctl, lab.localhost, "../../etc/passwd", 1))
print(#lab.journals())
LUA
run --run "$tmp/bad.lua" || fail "bad.lua: $(cat "$tmp/err")"
printed "Invalid argument"
printed "modprobe sch_telepathy"
printed "Cannot find device"
printed "'x' is no limit"
printed "is no shaper"
printed "'-x' is no network interface"
printed "is no name of a kernel parameter"
[ "$(tail -n 1 "$tmp/out")" = 0 ] || fail "bad.lua left a journal"
same "after failed changes"

# Without root: `id` says so here. sudo asks for a password, is not there, or does its work.
mkdir "$tmp/bin"
shim() { cat >"$tmp/bin/$1"; chmod +x "$tmp/bin/$1"; }
as_user() { PATH="$tmp/bin:$PATH" run "$@"; }
echo 'echo 1000' | shim id
printf '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n' | shim sudo
as_user --run "$tmp/change.lua" && fail "without root"
said "local: a change needs root, and sudo asks for a password"
said "NOPASSWD"
same "sudo asks for a password"
no_journal "sudo asks for a password"
printf '#!/bin/sh\necho "$*" >>"%s"\n[ "$1" = -n ] || exit 1\nshift\n[ "$1" != -- ] || shift\nexec "$@"\n' "$tmp/sudo.log" | shim sudo
as_user --run "$tmp/change.lua" || fail "by sudo: $(cat "$tmp/err")"
grep -q "^-n -- tc qdisc add dev d0 root bfifo limit 64kb" "$tmp/sudo.log" || fail "sudo: $(cat "$tmp/sudo.log")"
same "by sudo"
script long <<'LUA'
local job = assert(lab.localhost:start{"sh", "-c", "echo begun; exec sleep 60", ready = "begun", sudo = true})
assert(job:wait_up(5))
job:finish()
job = assert(lab.localhost:start{"sh", "-c", "exit 3", sudo = true})
local _, err, left = job:wait()
print(left.exit_code)
LUA
as_user --run "$tmp/long.lua" || fail "a long command by sudo: $(cat "$tmp/err")"
printed 3
same "a long command by sudo"
rm "$tmp/bin/id" "$tmp/bin/sudo"

# A tc that knows no JSON, and one that prints text in the middle of it.
real=$(command -v tc)
cat <<SHIM | shim tc
#!/bin/sh
case "\$1" in -j) echo 'Option "-j" is unknown, try "tc -help".' >&2; exit 255 ;; esac
exec $real "\$@"
SHIM
as_user --run "$tmp/change.lua" || fail "tc without JSON: $(cat "$tmp/err")"
same "tc without JSON"
cat <<SHIM | shim tc
#!/bin/sh
case "\$1" in -j) echo '[{"kind":"pfifo","handle":"7:","root":true,"options":{limit 33p }}]'; exit ;; esac
exec $real "\$@"
SHIM
as_user --run "$tmp/change.lua" || fail "tc with text in its JSON: $(cat "$tmp/err")"
same "tc with text in its JSON"
rm "$tmp/bin/tc"

# Offloads, by an ethtool that keeps them in a file.
echo "tcp-segmentation-offload: on" >"$tmp/offloads"
cat <<SHIM | shim ethtool
#!/bin/sh
case "\$1" in
-k) printf 'Features for %s:\n' "\$2"; sed 's/^/\t/' "$tmp/offloads"; echo 'large-receive-offload: off [fixed]' ;;
-K) echo "tcp-segmentation-offload: \$4" >"$tmp/offloads" ;;
esac
SHIM
script offload <<'LUA'
assert(lab.set_offload(lab.localhost, "d0", "tso", false))
print(lab.offload(lab.localhost, "d0", "tso"))
print(lab.set_offload(lab.localhost, "d0", "lro", true))
print(lab.set_offload(lab.localhost, "d0", "lro", false))
print(lab.set_offload(lab.localhost, "d0", "warp", false))
LUA
as_user --run "$tmp/offload.lua" || fail "offload: $(cat "$tmp/err")"
printed "off	false"
printed "the driver of d0 does not let lro be switched on"
printed "d0 has no warp"
grep -q "offload: on" "$tmp/offloads" || fail "the offload was not put back"
no_journal "offload"
same "the end"
echo "all put back"
