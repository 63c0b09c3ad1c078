#!/bin/sh
# lab.run in a virtual lab of its own, and `ccalab run`.
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for command in ip ss iperf3; do
    PATH="$PATH:/usr/sbin:/sbin" command -v $command >/dev/null || { echo "skipped: needs $command"; exit 77; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
"$CCALAB_BUILD/ccalab" --run test_run.lua "runs1-$$" "$tmp" || exit 1

out=$(CCALAB_RUNS=$tmp "$CCALAB_BUILD/ccalab" run --testbed "runs1-$$" --rate 20mbit --rtt 10ms \
    --flow client_x:server:cubic:1s --flow client_y:server:cubic:1s:start=0.5:label=second 2>"$tmp/err") ||
    fail "ccalab run: $out $(cat "$tmp/err")"
echo "$out"
for text in "client_x .*cubic .*Mbit/s" "second .*cubic" "probe/l .*ECT(1)" "$tmp/.*-run"; do
    echo "$out" | grep -q "$text" || fail "no \"$text\""
done
ip netns list | grep -q "runs1-$$" && fail "the lab is still there"
for flow in client_x client_x:server:cubic:20m client_x:server:cubic:1s:strat=2; do
    "$CCALAB_BUILD/ccalab" run --flow "$flow" 2>"$tmp/err" >/dev/null
    [ $? = 2 ] || fail "$flow: not a usage error: $(cat "$tmp/err")"
done
grep -q "did you mean start=" "$tmp/err" || fail "no hint: $(cat "$tmp/err")"
echo ok
