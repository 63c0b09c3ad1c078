# Shared by the lab tests: sourced, after `name` is set. Everything has that name in it, so that
# nothing of anybody else's is looked at or touched.
set -u
testbed="$CCALAB_BUILD/ccalab testbed"

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root"
for command in ip nft; do
    PATH="$PATH:/usr/sbin:/sbin" command -v $command >/dev/null || skip "needs $command"
done
[ -e /dev/net/tun ] || skip "needs /dev/net/tun"
[ -x "$CCALAB_BUILD/ccalab-link" ] || skip "ccalab-link is not built"
PATH="$PATH:/usr/sbin:/sbin"

tmp=$(mktemp -d)
cleanup() { $testbed down --name "$name" >/dev/null 2>&1; rm -rf "$tmp"; }
trap cleanup EXIT

in_host() { host=$1; shift; ip netns exec "$name-$host" "$@"; }
keeper_pid() { $testbed status --name "$name" | sed -n 's/^lab .*keeper \([0-9]*\).*/\1/p'; }
has_cc() { grep -qw "$1" /proc/sys/net/ipv4/tcp_available_congestion_control; }
# Processes that have the lab's name in their command line, without this script.
processes() {
    for p in /proc/[0-9]*; do
        [ "${p#/proc/}" = $$ ] && continue
        tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -qE "(--name |/run/netns/)$name[ -]" &&
            echo "${p#/proc/}"
    done
}
leftovers() {
    ip netns list | grep "^$name-"
    ip -o link | grep -E ' (bn[01]|eth[xys])[@:]'
    [ -e "/run/ccalab/$name" ] && echo "/run/ccalab/$name"
    processes
    # Registered by nobody but a lab: if no other is up, it must be gone.
    if [ -z "$(ls /run/ccalab 2>/dev/null)" ] && has_cc bpf_prague; then echo bpf_prague; fi
}
check_nothing_left() {
    for _ in $(seq 200); do
        left=$(leftovers)
        [ "$left" = bpf_prague ] || break # the kernel takes that back in the background
        sleep 0.05
    done
    [ -z "$left" ] || fail "$1: left behind: $left"
}
wait_for_dead() { # after kill -9 of the keeper
    for _ in $(seq 1200); do
        $testbed status --name "$name" | grep -q dead && return
        sleep 0.05
    done
    fail "status does not say that the keeper is dead"
}
wait_for_nothing() { # SECONDS WHAT
    for _ in $(seq $(($1 * 20))); do
        [ -z "$(leftovers)" ] && return
        sleep 0.05
    done
    check_nothing_left "$2, after $1 s"
}
