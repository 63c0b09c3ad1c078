# What a host says of itself, for survey.c. Read only; POSIX sh, and what a bare Linux has.
# Arguments: "forward" or "" (also ask where packets between two of the peers go), then the peers'
# addresses.
# Output: "@SECTION STATUS" and that command's output, each line after one space; "@end 0" last.
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
forward=$1
shift

put() { # NAME STATUS TEXT
    printf '@%s %d\n' "$1" "$2"
    [ -z "$3" ] || printf '%s\n' "$3" | head -n 4000 | sed 's/^/ /'
}
section() { # NAME COMMAND...; its status is returned too
    name=$1
    shift
    text=$("$@" 2>/dev/null)
    status=$?
    put "$name" $status "$text"
    return $status
}
sysctls() {
    for f in "$@"; do
        if [ -r "/proc/sys/$f" ]; then echo "$f=$(cat "/proc/sys/$f")"; fi
    done
}
# L4S code: whether modules.dep or modules.builtin of the running kernel lists it.
module_files() {
    dir=/lib/modules/$(uname -r)
    [ -r "$dir/modules.dep" ] || return 1
    cat "$dir/modules.dep" "$dir/modules.builtin" 2>/dev/null |
        sed -n -e 's/:.*//' -e 's|.*/\(sch_dualpi2\)\.ko.*|\1|p' -e 's|.*/\(tcp_[a-z0-9_]*\)\.ko.*|\1|p'
    return 0
}
kernels() {
    for f in /boot/vmlinuz-*; do
        [ ! -e "$f" ] || echo "${f#/boot/vmlinuz-}"
    done
}
listening() { # local ports in state LISTEN (0A), in hex
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        sed -n 's/^ *[0-9]*: [0-9A-F]*:\([0-9A-F]*\) [0-9A-F]*:[0-9A-F]* 0A .*/\1/p' | sort -u
}
dev_of() { # the device of a route, from its text
    ip route get "$@" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1
}
route() { # NAME WORDS...
    name=$1
    shift
    section "route $name" ip -j route get "$@" || section "route-text $name" ip route get "$@"
}

# First, and at once: the console compares it with its own clock.
put clock 0 "$(date +%s.%N)"
put kernel 0 "$(uname -r)"
put kernel-version 0 "$(uname -v)"
put arch 0 "$(uname -m)"
put virtual 0 "${CCALAB_LAB:-}" # a host of a virtual lab, reached by its sshd or shell
section boot cat /proc/sys/kernel/random/boot_id
section distro cat /etc/os-release
section sysctl sysctls net/ipv4/tcp_congestion_control net/ipv4/tcp_available_congestion_control \
    net/ipv4/tcp_allowed_congestion_control net/ipv4/tcp_ecn net/ipv4/tcp_ecn_option \
    net/ipv4/tcp_ecn_fallback net/ipv4/ip_forward net/ipv6/conf/all/forwarding \
    net/core/default_qdisc net/ipv4/tcp_no_metrics_save net/ipv4/tcp_rmem net/ipv4/tcp_wmem \
    net/mptcp/enabled
section modules sed -n -e 's/^\(sch_[^ ]*\) .*/\1/p' -e 's/^\(tcp_[^ ]*\) .*/\1/p' /proc/modules
section module-files module_files
section kernels kernels
section link ip -j link || section link-text ip -o link
section wireless sed -n 's/^ *\([^ :]*\):.*/\1/p' /proc/net/wireless
section qdisc tc -j -s qdisc show
section qdisc-text tc -s qdisc show
section tc tc -V
put tc-dualpi2 0 "$(tc qdisc add dev lo root dualpi2 help 2>&1)"

devices=
for to in "$@"; do
    route "$to" "$to"
    devices="$devices
$(dev_of "$to")"
done
if [ -n "$forward" ]; then
    for from in "$@"; do
        in=$(dev_of "$from")
        [ -n "$in" ] && [ "$in" != lo ] || continue
        for to in "$@"; do
            [ "$from" != "$to" ] && [ "$(dev_of "$to")" != "$in" ] || continue
            route "$to $from" "$to" from "$from" iif "$in"
            devices="$devices
$(dev_of "$to" from "$from" iif "$in")"
        done
    done
fi
if [ $# -eq 0 ]; then
    devices=$(ip -o link 2>/dev/null | sed -n 's/^[0-9]*: \([^:@ ]*\)[:@].*/\1/p')
fi
offload() {
    text=$(ethtool -k "$1") || return
    printf '%s\n' "$text" | grep -E '^(tcp-seg|generic-seg|generic-rec|large-rec)[a-z-]*: '
}
speed() { # Mbit/s
    ethtool "$1" | sed -n 's/^[[:space:]]*Speed: \([0-9]*\)Mb.*/\1/p'
}
for dev in $(printf '%s\n' "$devices" | grep -v '^lo$' | sort -u | head -n 16); do
    section "offload $dev" offload "$dev"
    section "class $dev" tc class show dev "$dev"
    section "speed $dev" speed "$dev"
done

section metrics ip tcp_metrics show
section iperf3 iperf3 --version
section listen listening
section disk df -Pk . /tmp
put uid 0 "$(id -u)"
if [ "$(id -u)" -ne 0 ]; then section sudo sudo -n true; fi
put end 0 ""
