#!/bin/sh
# Run by with_sshd: a console that is killed, or interrupted, leaves nothing running on its hosts.
set -u
script=$SSHD_DIR/sleeper.lua
cat >"$script" <<END
local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = $SSHD_PORT, config = "/dev/null",
    identity = "$SSHD_DIR/id", known_hosts = "$SSHD_DIR/known_hosts"})
h:run{"sh", "-c", "sleep 7401 & sleep 7401"}
END
count() {
    pgrep -cf '^sleep 7401'
}
for signal in INT KILL; do
    "$CCALAB_BUILD/ccalab" --run "$script" 2>/dev/null &
    pid=$!
    i=0
    while [ "$(count)" -ne 2 ]; do
        i=$((i + 1))
        [ $i -lt 100 ] || { echo "FAILED: the commands did not start"; kill -9 $pid; exit 1; }
        sleep 0.1
    done
    kill -$signal $pid
    wait $pid
    echo "SIG$signal: exit status $?"
    i=0
    while [ "$(count)" -ne 0 ]; do
        i=$((i + 1))
        [ $i -lt 50 ] || { echo "FAILED: SIG$signal leaves $(count) commands running"; exit 1; }
        sleep 0.1
    done
done
echo ok
