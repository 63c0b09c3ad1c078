#!/bin/sh
# Run by with_server.sh: consoles are killed in the middle of a training, and while a pod costs money.
set -u
here=$(dirname "$0")
ccalab="$CCALAB_BUILD/ccalab"
mkdir -p "$SSHD_DIR/seen"
head -c 3000000 /dev/urandom >"$SSHD_DIR/pool"

await() { # FILE TEXT PID
    i=0
    until grep -q "$2" "$1" 2>/dev/null; do
        i=$((i + 1))
        [ $i -lt 900 ] || { echo "FAILED: no $2"; tail -n 5 "$1" "$SSHD_DIR/seen/train"; tail -n 3 "$SSHD_DIR"/cache/ccalab/jobs/*/*; kill -9 "$3"; exit 1; }
        sleep 0.1
    done
}
kill_job() { # FILE of its pid
    read -r p _ <"$1" && kill -s KILL -- "-$p"
}
# The pod is stopped at its cap although the console is dead: by its own watchdog, with the guard here
# dead too; then by the guard, with the watchdog dead.
for who in ${WHO-curl ccalab}; do
    : >"$POD_DIR/requests"
    : >"$SSHD_DIR/seen/up" # of the round before
    "$ccalab" --run "$here/test_train.lua" up >"$SSHD_DIR/seen/up" 2>&1 &
    pid=$!
    await "$SSHD_DIR/seen/up" '^up.pod' $pid
    kill -9 $pid
    wait $pid
    if [ $who = curl ]; then
        for f in "$SSHD_DIR"/local/ccalab/jobs/pod-guard-*/pid; do kill_job "$f"; done
    else
        kill_job "$SSHD_DIR/cache/ccalab/jobs/watchdog/pid"
    fi
    "$ccalab" --run "$here/test_train.lua" stopped $who || exit 1
done

"$ccalab" --events "$SSHD_DIR/seen/first" --run "$here/test_train.lua" train >"$SSHD_DIR/seen/train" 2>&1 &
pid=$!
await "$SSHD_DIR/seen/first" '"step":30,' $pid
kill -9 $pid
wait $pid
"$ccalab" --events "$SSHD_DIR/seen/second" --run "$here/test_train.lua" follow 2>"$SSHD_DIR/seen/follow" ||
    { cat "$SSHD_DIR/seen/follow"; exit 1; }
# Every event once, in order, in the new console's log.
grep '"job":"train course"' "$SSHD_DIR/seen/second" | grep -o '"step":[0-9]*' | cut -d: -f2 >"$SSHD_DIR/steps"
seq 120 | cmp - "$SSHD_DIR/steps" || { echo "FAILED: the events have a gap"; exit 1; }
echo ok
