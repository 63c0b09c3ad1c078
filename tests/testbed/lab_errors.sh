#!/bin/bash
# What can be missing on a machine: every time a sentence that names it, a hint, an exit code, and
# nothing left behind.
name=tb-errors
. ./lab_lib.sh

expect() { # CODE TEXT HINT, after the command
    code=$? want=$1
    [ $code = "$want" ] || fail "exit code $code instead of $want: $(cat "$tmp/err")"
    grep -q "$2" "$tmp/err" || fail "no '$2': $(cat "$tmp/err")"
    grep -q "hint: .*$3" "$tmp/err" || fail "no hint '$3': $(cat "$tmp/err")"
    check_nothing_left "$2"
    echo "ok: $2"
}
(ulimit -n 20; $testbed up --name $name) >/dev/null 2>"$tmp/err"
expect 6 "may open only 20 files" "ulimit -n"

if unshare -m true 2>/dev/null; then
    unshare -m sh -c 'mount --bind /dev/null /dev/net/tun && exec "$@"' sh \
        $testbed up --name $name --ports tun >/dev/null 2>"$tmp/err"
    expect 6 "/dev/net/tun is not the TUN device" "modprobe tun"
    unshare -m sh -c 'mount -t tmpfs none /dev/net && exec "$@"' sh \
        $testbed up --name $name --ports tun >/dev/null 2>"$tmp/err"
    expect 6 "cannot use /dev/net/tun" "modprobe tun"
    # Where it is not insisted on there is another way, and a word about it.
    unshare -m sh -c "mount -t tmpfs none /dev/net
        $testbed up --name $name && ip netns exec $name-client_x ping -n -c 2 -i 0.1 -W 1 10.98.3.2 &&
        $testbed down --name $name" >"$tmp/out" 2>&1 || fail "without TUN: $(cat "$tmp/out")"
    grep -q "cannot use /dev/net/tun: No such file.*the bottleneck uses packet sockets instead" "$tmp/out" ||
        fail "without TUN: $(cat "$tmp/out")"
    check_nothing_left "without TUN"
    echo "ok: without TUN"
    if [ ! -e /sys/kernel/btf/vmlinux ] || has_cc prague || has_cc bpf_prague; then
        echo "not tried: a kernel without BTF"
    else
        # Such a lab comes up all the same, and says what it lacks.
        unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf
            $testbed up --name $name && $testbed down --name $name" >"$tmp/out" 2>&1 ||
            fail "without BTF: $(cat "$tmp/out")"
        grep -q "Prague *none: this kernel has no BTF .*CONFIG_DEBUG_INFO_BTF" "$tmp/out" ||
            fail "without BTF: $(cat "$tmp/out")"
        check_nothing_left "without BTF"
        echo "ok: without BTF"
    fi
fi
if unshare -Urmn true 2>/dev/null; then
    unshare -Urmn sh -c 'mount -t tmpfs none /run; echo 2 >/proc/sys/user/max_net_namespaces
        exec "$@"' sh $testbed up --name $name >/dev/null 2>"$tmp/err"
    expect 4 "No space left on device" "max_net_namespaces"
fi
echo '{"hosts": [{"name": "a", "role": "clinet"}]}' >"$tmp/bad.json"
$testbed up --name $name --topology "$tmp/bad.json" 2>"$tmp/err"
expect 8 'bad.json: hosts\[0\].role: must be "client" or "server"' "docs/testbed.md"
$testbed up --name $name --topology '{"routers": [{"name": "r", "rate": "50"},]}' 2>"$tmp/err"
[ $? = 8 ] || fail "JSON with a comma too many"
grep -q "line 1, column" "$tmp/err" || fail "no place: $(cat "$tmp/err")"
