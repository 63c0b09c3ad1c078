#!/bin/sh
# An upload of MIB (2048) MiB over a loopback sshd whose console is killed in the middle: what the next one
# sends, and the one after it. with_sshd ssh_resume.sh [MIB]
set -u
mib=${1:-2048}
head -c "${mib}M" /dev/urandom >"$SSHD_DIR/big"
cat >"$SSHD_DIR/up.lua" <<END
local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = $SSHD_PORT, config = "/dev/null",
    identity = "$SSHD_DIR/id", known_hosts = "$SSHD_DIR/known_hosts"})
local began = lab.now()
local d = assert(h:upload("$SSHD_DIR/big", "$SSHD_DIR/there")).data
print(("%.1f s, %d bytes sent, %d were there, verified: %s"):format(lab.now() - began, d.bytes, d.resumed,
    d.is_verified))
END
"$CCALAB_BUILD/ccalab" --run "$SSHD_DIR/up.lua" 2>/dev/null &
pid=$!
until [ "$(stat -c %s "$SSHD_DIR/.there.ccalab-part" 2>/dev/null || echo 0)" -gt $((mib * 524288)) ]; do sleep 0.01; done
kill -9 $pid
wait $pid 2>/dev/null
echo "killed with $(stat -c %s "$SSHD_DIR/.there.ccalab-part") bytes there"
"$CCALAB_BUILD/ccalab" --run "$SSHD_DIR/up.lua" 2>/dev/null
"$CCALAB_BUILD/ccalab" --run "$SSHD_DIR/up.lua" 2>/dev/null
cmp "$SSHD_DIR/big" "$SSHD_DIR/there" && echo "the same bytes"
