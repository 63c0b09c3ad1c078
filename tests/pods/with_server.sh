#!/bin/sh
# with_server.sh COMMAND...: run it, under with_sshd, with server.py at $POD_URL, a key and a token, and
# directories of its own for what the console keeps.
set -u
here=$(dirname "$0")
command -v curl >/dev/null && command -v /usr/bin/python3 >/dev/null || { echo "needs curl and python3"; exit 77; }
"$CCALAB_BUILD/ccalab" pods --help >/dev/null 2>&1 || { echo "needs ccalab pods"; exit 77; }
[ -n "${SSHD_DIR:-}" ] || { echo "run it under with_sshd"; exit 2; }
export XDG_CACHE_HOME="$SSHD_DIR/local" XDG_STATE_HOME="$SSHD_DIR/state" XDG_CONFIG_HOME="$SSHD_DIR/config.d"
export POD_DIR="$SSHD_DIR/pods" RUNPOD_API_KEY=rp_test_key_0123456789 HF_TOKEN=hf_test_token_0123456789
mkdir -p "$POD_DIR/hub"
/usr/bin/python3 "$here/server.py" "$POD_DIR" &
server=$!
# Watchdogs and guards outlive their consoles: that is what they are for.
finish() {
    for f in "$SSHD_DIR"/cache/ccalab/jobs/*/pid "$SSHD_DIR"/local/ccalab/jobs/*/pid; do
        if [ -f "$f" ] && read -r p s <"$f" && read -r l <"/proc/$p/stat"; then
            l=${l##*) }
            # shellcheck disable=SC2086
            set -- $l
            [ "${20}" != "$s" ] || kill -s KILL -- "-$p"
        fi
    done 2>/dev/null
    kill $server
}
trap finish EXIT
i=0
until [ -s "$POD_DIR/port" ]; do
    i=$((i + 1))
    [ $i -lt 1200 ] || { echo "FAILED: the server does not start"; exit 1; }
    sleep 0.05
done
POD_URL=http://127.0.0.1:$(cat "$POD_DIR/port")
export POD_URL CCALAB_RUNPOD_URL="$POD_URL" HF_ENDPOINT="$POD_URL"
"$@"
status=$?
# A key must never be seen by others: not in what was recorded, not in what was logged.
if grep -rslE 'rp_test_key|hf_test_token' "$XDG_STATE_HOME" "$SSHD_DIR/seen" 2>/dev/null; then
    echo "FAILED: a key was written down"
    status=1
fi
exit $status
