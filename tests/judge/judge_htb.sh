#!/bin/sh
# The judge and a teacher behind a queue of the kernel: three namespaces as the machines of a lab file, the
# bottleneck is htb with a FIFO below it, its rate steps. The scenario with a queue that this kernel lacks is left
# out, the port's own queue is put back.
set -u
PATH="$PATH:/usr/sbin:/sbin"
ccalab="$CCALAB_BUILD/ccalab"
tmp=$(mktemp -d)
export XDG_STATE_HOME="$tmp/state"
c=jh-c$$ r=jh-r$$ s=jh-s$$
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; tail -n 20 "$tmp/err"; cat "$tmp/out"; exit 1; }
[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
for command in ip tc iperf3 ping; do
    command -v $command >/dev/null || skip "needs $command"
done
trap 'for n in $c $r $s; do ip netns del $n 2>/dev/null; done; rm -rf "$tmp"' EXIT
for n in $c $r $s; do ip netns add $n || fail "ip netns"; done
ip -n $c link add c0 type veth peer name r0 netns $r && ip -n $s link add s0 type veth peer name r1 netns $r ||
    skip "this kernel has no veth"
ip -n $c addr add 10.77.1.2/24 dev c0 && ip -n $r addr add 10.77.1.1/24 dev r0
ip -n $s addr add 10.77.2.2/24 dev s0 && ip -n $r addr add 10.77.2.1/24 dev r1
for port in $c:c0 $r:r0 $r:r1 $s:s0; do ip -n "${port%:*}" link set "${port#*:}" up; done
ip -n $c route add default via 10.77.1.1 && ip -n $s route add default via 10.77.2.1
ip netns exec $r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip netns exec $r sh -c 'tc qdisc add dev r0 root handle 1: htb && tc qdisc del dev r0 root' 2>/dev/null ||
    skip "this kernel has no sch_htb"
queue=$(ip netns exec $r tc qdisc show)

cat >"$tmp/lab.lua" <<LUA
client_x = netns{netns = "$c", address = "10.77.1.2"}
router = netns{netns = "$r", address = "10.77.1.1"}
server = netns{netns = "$s", address = "10.77.2.2"}
link = {rate = "100mbit", rtt = "1ms", shaper = "htb", aqm = "fifo limit 100"}
LUA
cat >"$tmp/judge.lua" <<'LUA'
local function one(name, aqm, steps)
    return {name = name, title = "One", seconds = 2, warmup_s = 0, score = "power", flows = {{label = "x", host = "client_x",
        cc = "*"}}, link = {rate = "20mbit", rtt = "1ms", aqm = aqm, buffer_bdp = 20, steps = steps}}
end
local step = one("step", "fifo", {{0, "20mbit"}, {1, "10mbit"}})
local out = assert(lab.judge{lab = arg[1], candidates = {"cubic"}, seeds = 1, idle_min = 0, base = arg[2],
    sets = {{name = "t", quick = {step, one("odd", "hhf")}}}})
assert(#out.missing == 0, lab.pretty(out.missing))
assert(#out.left_out == 1 and out.left_out[1].scenario == "t odd" and out.left_out[1].why:find("kind is unknown"),
    lab.pretty(out.left_out))
local v = out.sets[1].scenarios[1].by.cubic
print(lab.pretty(v))
assert(v.aqm == "bfifo limit 50000 under htb 20mbit" and v.delay_from == "backlog", v.aqm)
-- 15 Mbit/s on average. CUBIC fills the queue of 50 kB: 20 ms at first, 40 then.
assert(v.utilisation.mean > 0.5 and v.utilisation.mean < 1.15 and v.rate_mbit.mean < 16.5)
assert(v.delay_p50_ms.mean > 3 and v.delay_p99_ms.mean > 20 and v.delay_p99_ms.mean < 41)
assert(math.abs(v.delay_mean_ms.mean - v.rtt_extra_mean_ms.mean) < 25, "the sender saw another queue")
local got = assert(lab.collect{lab = arg[1], teachers = {"cubic"}, idle_min = 0, base = arg[2], out = arg[2] .. "/pools",
    scenarios = {name = "t", scenarios = {one("alone", "fifo"), one("odd", "hhf")}}})
assert(#got.missing == 0 and #got.left_out == 1 and got.train.rows > 20, lab.pretty(got))
LUA
"$ccalab" --run "$tmp/judge.lua" "$tmp/lab.lua" "$tmp/runs" >"$tmp/out" 2>"$tmp/err" </dev/null || fail "exit status $?"
grep -E 'rate_mbit|delay_p50' -A 3 "$tmp/out" | grep mean
[ "$(ip netns exec $r tc qdisc show)" = "$queue" ] || fail "the router's queue: $(ip netns exec $r tc qdisc show)"
[ -z "$(ls "$tmp/state/ccalab/journal")" ] || fail "a journal is left"
