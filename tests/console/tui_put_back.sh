#!/bin/sh
# What a typed line changes on a host stays while the console is open, and is put back when it ends.
. ./tmux.sh
unshare -n true 2>/dev/null || { echo "skipped: no network namespaces here"; exit 77; }

shell 110 30
enter "unshare -n sh"
enter "cat /proc/sys/net/ipv4/tcp_ecn >'$dir/ecn'"
wait_until "the namespace" test -s "$dir/ecn"
before=$(cat "$dir/ecn")
[ "$before" != 1 ] || before_other=0
console
wait_for "idle"
enter ":lab.set_sysctl(lab.localhost, 'net.ipv4.tcp_ecn', ${before_other:-1})"
wait_for "^= true"
enter ":'ecn is ' .. lab.sysctl(lab.localhost, 'net.ipv4.tcp_ecn')"
wait_for "\"ecn is ${before_other:-1}\""
ls "$dir/state/ccalab/journal" | grep -q jsonl || fail "no journal"
keys q
wait_code 0
enter "cat /proc/sys/net/ipv4/tcp_ecn >'$dir/ecn.new'; mv '$dir/ecn.new' '$dir/now'"
wait_until "the value" test -s "$dir/now"
[ "$(cat "$dir/now")" = "$before" ] || fail "tcp_ecn is $(cat "$dir/now"), not $before"
[ -z "$(ls "$dir/state/ccalab/journal")" ] || fail "a journal is left"
