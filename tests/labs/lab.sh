# Shared by the tests of this folder: sourced. Runs under the default lab name, as users do.
set -u
PATH="$PATH:/usr/sbin:/sbin"
ccalab="$CCALAB_BUILD/ccalab"
tmp=$(mktemp -d)
export CCALAB_RUNS="$tmp/runs"

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; [ -f "$tmp/err" ] && tail -n 20 "$tmp/err"; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
for command in ip nft iperf3 ping; do
    command -v $command >/dev/null || skip "needs $command"
done
[ -e /dev/net/tun ] || skip "needs /dev/net/tun"
trap '"$ccalab" testbed down >/dev/null 2>&1; rm -rf "$tmp"' EXIT

# Everything of ours that could be left: namespaces, devices, processes, state, the BPF program.
leftovers() {
    ip netns list | grep -E '^ccalab-(client_x|client_y|router|server)'
    ip -o link | grep -E ' (bn[01]|eth[xys])[@:]'
    ls -d /run/ccalab/ccalab 2>/dev/null
    for p in /proc/[0-9]*; do
        exe=$(readlink "$p/exe" 2>/dev/null) || continue
        case "$exe" in
        "$CCALAB_BUILD"/* | */iperf3) # ours by what they inherited: there may be others on this machine
            tr '\0' '\n' 2>/dev/null <"$p/environ" | grep -qx "CCALAB_RUNS=$CCALAB_RUNS" &&
                echo "process ${p#/proc/} $(tr '\0' ' ' <"$p/cmdline")"
            ;;
        esac
    done
    if [ -z "$(ls /run/ccalab 2>/dev/null)" ]; then
        grep -ow bpf_prague /proc/sys/net/ipv4/tcp_available_congestion_control
    fi
}
nothing_left() { # WHEN
    for _ in $(seq 200); do
        left=$(leftovers)
        [ "$left" = bpf_prague ] || break # the kernel takes that back in the background
        sleep 0.05
    done
    [ -z "$left" ] || fail "$1: left behind: $left"
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
wait_for() { # SECONDS COMMAND...
    deadline=$(($(now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt $deadline ] || return 1
        sleep 0.02
    done
}
# Until the console with process id $pid has said it. Fails if that ends without.
wait_said() { # TEXT
    said_or_gone() { grep -q "$1" "$tmp/out" || ! kill -0 "$pid"; }
    wait_for 120 said_or_gone "$1"
    grep -q "$1" "$tmp/out"
}
