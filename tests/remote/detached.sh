#!/bin/sh
# Run by with_sshd: detached jobs through lost connections, and through a console that is killed.
set -eu
here=$(dirname "$0")
export XDG_CACHE_HOME="$SSHD_DIR/cache"
ccalab="$CCALAB_BUILD/ccalab"
"$ccalab" --run "$here/test_detached.lua" rest
"$ccalab" --run "$here/test_detached.lua" start >"$SSHD_DIR/said" &
pid=$!
i=0
until grep -q counted "$SSHD_DIR/said"; do
    i=$((i + 1))
    [ $i -lt 600 ] || { echo "FAILED: it did not start"; kill -9 $pid; exit 1; }
    sleep 0.1
done
kill -9 $pid
wait $pid || true
"$ccalab" --run "$here/test_detached.lua" attach
