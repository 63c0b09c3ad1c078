#!/bin/sh
# Run by with_sshd: a console that is killed, or interrupted, leaves nothing running on its hosts.
set -u
script=$SSHD_DIR/sleeper.lua
cat >"$script" <<END
local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = $SSHD_PORT, config = "/dev/null",
    identity = "$SSHD_DIR/id", known_hosts = "$SSHD_DIR/known_hosts"})
h:run{"sh", "-c", "sleep 7401.$$ & sleep 7401.$$"}
END
count() {
    pgrep -cf "^sleep 7401.$$"
}
for signal in INT KILL; do
    "$CCALAB_BUILD/ccalab" --run "$script" 2>/dev/null &
    pid=$!
    i=0
    while [ "$(count)" -ne 2 ]; do
        i=$((i + 1))
        [ $i -lt 600 ] || { echo "FAILED: the commands did not start"; kill -9 $pid; exit 1; }
        sleep 0.1
    done
    kill -$signal $pid
    wait $pid
    echo "SIG$signal: exit status $?"
    i=0
    while [ "$(count)" -ne 0 ]; do
        i=$((i + 1))
        [ $i -lt 600 ] || { echo "FAILED: SIG$signal leaves $(count) commands running"; exit 1; }
        sleep 0.1
    done
done

# Killed in the middle of an upload: the next one goes on with what is there.
truncate -s 300M "$SSHD_DIR/big"
printf begin | dd of="$SSHD_DIR/big" conv=notrunc status=none
cat >"$script" <<END
local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = $SSHD_PORT, config = "/dev/null",
    identity = "$SSHD_DIR/id", known_hosts = "$SSHD_DIR/known_hosts"})
print(lab.json_encode(assert(h:upload("$SSHD_DIR/big", "$SSHD_DIR/there")).data))
END
"$CCALAB_BUILD/ccalab" --run "$script" 2>/dev/null &
pid=$!
i=0
while [ "$(stat -c %s "$SSHD_DIR/.there.ccalab-part" 2>/dev/null || echo 0)" -lt 1000000 ]; do
    i=$((i + 1))
    [ $i -lt 6000 ] || { echo "FAILED: nothing arrives"; kill -9 $pid; exit 1; }
    sleep 0.01
done
kill -9 $pid
wait $pid
[ ! -e "$SSHD_DIR/there" ] || { echo "FAILED: it was not killed in the middle"; exit 1; }
"$CCALAB_BUILD/ccalab" --run "$script" 2>/dev/null >"$SSHD_DIR/said"
cat "$SSHD_DIR/said"
grep -q '"resumed":[1-9]' "$SSHD_DIR/said" || { echo "FAILED: it began anew"; exit 1; }
cmp "$SSHD_DIR/big" "$SSHD_DIR/there" || exit 1
echo ok
