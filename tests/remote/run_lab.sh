#!/bin/sh
# lab.run in a virtual lab of its own, and `ccalab run`.
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for command in ip ss iperf3; do
    PATH="$PATH:/usr/sbin:/sbin" command -v $command >/dev/null || { echo "skipped: needs $command"; exit 77; }
done
tmp=$(mktemp -d)
name=runs1-$$
trap '"$CCALAB_BUILD/ccalab" testbed down --name $name >/dev/null 2>&1; rm -rf "$tmp"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
"$CCALAB_BUILD/ccalab" --run test_run.lua $name "$tmp" || exit 1

out=$(CCALAB_RUNS=$tmp "$CCALAB_BUILD/ccalab" run --testbed $name --rate 20mbit --rtt 10ms \
    --flow client_x:server:cubic:1s --flow client_y:server:cubic:1s:start=0.5:label=second 2>"$tmp/err") ||
    fail "ccalab run: $out $(cat "$tmp/err")"
echo "$out"
for text in "client_x .*cubic .*Mbit/s" "second .*cubic" "probe/l .*ECT(1)" "$tmp/.*-run"; do
    echo "$out" | grep -q "$text" || fail "no \"$text\""
done
ip netns list | grep -q $name && fail "the lab is still there"
for flow in client_x client_x:server:cubic:20m client_x:server:cubic:1s:strat=2; do
    "$CCALAB_BUILD/ccalab" run --flow "$flow" 2>"$tmp/err" >/dev/null
    [ $? = 2 ] || fail "$flow: not a usage error: $(cat "$tmp/err")"
done
grep -q "did you mean start=" "$tmp/err" || fail "no hint: $(cat "$tmp/err")"

# The same on the machines of a lab file: real sshds, our sampler sent to them.
command -v /usr/sbin/sshd >/dev/null && [ -x "$CCALAB_BUILD/ccalab-sampler" ] || { echo "ok, without sshd"; exit 0; }
"$CCALAB_BUILD/ccalab" testbed up --name $name --rate 20mbit --rtt 10ms --sshd >/dev/null 2>"$tmp/err" ||
    fail "up: $(cat "$tmp/err")"
cat >"$tmp/lab.lua" <<LUA
local config = "/run/ccalab/$name/ssh/config"
client_x = ssh{config = config, address = "10.98.1.2"}
client_y = ssh{config = config, address = "10.98.2.2"}
router   = ssh{config = config, address = "10.98.3.1"}
server   = ssh{config = config, address = "10.98.3.2"}
link = {rate = "20mbit", rtt = "10ms", egress = "bn1"}
LUA
out=$(CCALAB_RUNS=$tmp "$CCALAB_BUILD/ccalab" run --lab "$tmp/lab.lua" --seconds 2 --sample 0.05 \
    --flow client_x:server:cubic --flow client_y:server:cubic:1s:start=0.5 2>"$tmp/err")
status=$?
rm -f "${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/sampler-$(sha256sum <"$CCALAB_BUILD/ccalab-sampler" | cut -c1-16)"
[ $status = 0 ] || fail "ccalab run --lab: $out $(cat "$tmp/err")"
echo "$out"
for text in "client_x .*(ccalab-sampler)" "client_y .*(ccalab-sampler)" "probe/c .*Not-ECT"; do
    echo "$out" | grep -q "$text" || fail "no \"$text\""
done
echo ok
