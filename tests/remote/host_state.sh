# What a test that changes hosts compares before and after: sourced.
#
# host_state NETNS: the host's queues (tc -j qdisc), its TCP settings and forwarding, and its processes.
# Left out: which congestion controls there are, as that is the machine's and other labs come and go;
# and what the test itself is.
host_state() {
    ip netns exec "$1" tc -j qdisc
    ip netns exec "$1" sysctl -a 2>/dev/null | grep -E 'tcp_|ip_forward' |
        grep -vE 'tcp_(available|allowed)_congestion_control'
    for pid in $(ip netns pids "$1"); do
        tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" && echo
    done | grep -v "^sh .*$0" | sort
}
# same_state NETNS FILE WHEN: FILE holds what host_state said before. Calls `fail` of the test.
same_state() {
    for _ in $(seq 150); do # an sshd takes a moment to see that its client is gone
        host_state "$1" >"$2.now"
        diff "$2" "$2.now" >"$2.diff" && return
        sleep 0.2
    done
    cat "$2.diff"
    fail "$3: $1 is not as it was"
}
