#!/bin/bash
# However the keeper ends, nothing stays: kill -9 of it (then down, then up), of its owner, of the
# bottleneck; SIGTERM.
name=tb-killed
. ./lab_lib.sh

# A keeper in the foreground as the console starts it; $keeper is its pid when it is up.
keep() {
    : >"$tmp/events"
    $testbed keep --name $name --interval 0 "$@" >"$tmp/events" 2>/dev/null &
    keeper=$!
    for _ in $(seq 1200); do
        grep -q '"state":"up","name"' "$tmp/events" && return
        sleep 0.05
    done
    fail "keep: $(cat "$tmp/events")"
}

$testbed up --name $name >/dev/null 2>&1 || fail "up"
in_host server sleep 1000 &
in_host client_y sh -c 'trap "" TERM HUP; sleep 1000; sleep 1000' &
for _ in $(seq 1200); do
    [ "$(ip netns pids $name-client_y | wc -l)" -ge 2 ] && [ -n "$(ip netns pids $name-server)" ] && break
    sleep 0.05
done
bpf=$($testbed status --name $name | grep -c -- "-C bpf_prague")
kill -9 "$(keeper_pid)"
wait_for_dead
if [ "$bpf" = 1 ] && [ "$(ls /run/ccalab)" = $name ]; then
    for _ in $(seq 1200); do # the kernel takes it back in the background
        has_cc bpf_prague || break
        sleep 0.05
    done
    has_cc bpf_prague && fail "bpf_prague outlived its keeper"
fi
$testbed down --name $name | tee "$tmp/down"
grep -q "removed 4 namespaces, killed [2-9] processes" "$tmp/down" || fail "the report of down"
check_nothing_left "kill -9, then down"
wait 2>/dev/null

$testbed up --name $name >/dev/null 2>&1 || fail "up"
kill -9 "$(keeper_pid)"
$testbed up --name $name >/dev/null 2>"$tmp/err" || fail "up after kill -9: $(cat "$tmp/err")"
grep -q "was killed" "$tmp/err" || fail "up did not say that it swept"
has_cc bpf_prague || [ "$bpf" = 0 ] || fail "no bpf_prague in the second lab"
$testbed down --name $name >/dev/null || fail "down"
check_nothing_left "kill -9, then up, then down"

sleep 1000 &
owner=$!
keep --owner $owner
kill -9 $owner
wait_for_nothing 60 "kill -9 of the owner"
wait $keeper || fail "the keeper failed: $(tail -1 "$tmp/events")"
tail -1 "$tmp/events" | grep -q '"state":"down"' || fail "no last result: $(tail -1 "$tmp/events")"
keep_dead=$($testbed keep --name $name --owner $owner 2>/dev/null) &&
    fail "a dead owner was accepted"
echo "$keep_dead" | grep -q "has ended" || fail "a dead owner: $keep_dead"
check_nothing_left "a dead owner"

# As a job of the console: the parent is the owner, and PR_SET_PDEATHSIG would kill the keeper with
# it.
if setpriv --pdeathsig KILL true 2>/dev/null; then
    : >"$tmp/events"
    bash -c "setpriv --pdeathsig KILL $testbed keep --name $name --owner \$\$ >$tmp/events & wait" &
    owner=$!
    for _ in $(seq 1200); do
        grep -q '"state":"up","name"' "$tmp/events" && break
        sleep 0.05
    done
    ip netns list | grep -q "^$name-" || fail "keep below its owner: $(cat "$tmp/events")"
    kill -9 $owner
    wait_for_nothing 60 "kill -9 of the parent"
fi

# At any moment of the building.
for ms in 000 005 010 015 020 030 040 050 060 070 080 100; do
    $testbed keep --name $name >/dev/null 2>&1 &
    sleep 0.$ms
    kill -9 $!
    wait $! 2>/dev/null
    $testbed down --name $name >/dev/null || fail "down after kill -9 at $ms ms"
    check_nothing_left "kill -9 at $ms ms, then down"
done

for signal in TERM INT HUP; do
    keep
    # A background job of a script ignores SIGINT; the keeper must not inherit that.
    kill -$signal $keeper
    wait $keeper || fail "SIG$signal: exit code $?"
    check_nothing_left "SIG$signal"
done

keep
for p in $(processes); do
    grep -q ccalab-link /proc/$p/comm && kill -9 "$p"
done
wait $keeper && fail "the end of ccalab-link was no error"
tail -1 "$tmp/events" | grep -q '"type":"error".*ccalab-link' ||
    fail "no error event: $(tail -1 "$tmp/events")"
check_nothing_left "kill -9 of ccalab-link"
