# Four real sshds on the hosts of a virtual lab that is up, each with a host key, a user key, a port and
# a user of its own: sourced. Needs $name (the lab), $tmp, $ccalab, fail(). Users are named ccalab-[xyrs]
# with the test's pid. Client X's is nobody; the router's too, and may become root by `sudo -n` (it is root
# where there is no sudo); client Y's and the server's are as the machine's rules want it (below).
#
# own_sshds_up: makes $tmp/ssh_lab.lua and what it needs. own_sshds_down: to be called by the EXIT trap. Where
# no trap runs (kill -9, as CTest's own time limit does), own_guard clears up, lab and all.
own_pids=
own_letter() { case "$1" in client_*) echo "${1#client_}" ;; *) echo "$1" | cut -c1 ;; esac; }
own_user() { echo "ccalab-$(own_letter "$1")$$"; }
own_sshd() { # HOST PORT UID0|-
    dir=$tmp/$1
    user=$(own_user "$1")
    mkdir "$dir" "$dir/home"
    if [ "$3" = uid0 ]; then
        useradd --system --no-create-home --home-dir "$dir/home" --shell /bin/sh --password '*' \
            --non-unique --uid 0 --gid 0 "$user" 2>/dev/null || fail "useradd $user"
    else
        useradd --system --no-create-home --home-dir "$dir/home" --shell /bin/sh --password '*' \
            --user-group "$user" 2>/dev/null || fail "useradd $user"
    fi
    chown "$user" "$dir/home"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key" && ssh-keygen -q -t ed25519 -N '' -f "$dir/id" ||
        fail "ssh-keygen"
    echo "[$(echo "$1" | tr _ -)]:$2 $(cut -d' ' -f1,2 "$dir/host_key.pub")" >"$dir/known_hosts"
    path=/usr/local/bin:/usr/bin:/bin
    [ "$1" != router ] || path=$tmp/router/bin:$path
    cat >"$dir/sshd_config" <<END
Port $2
HostKey $dir/host_key
AuthorizedKeysFile $dir/id.pub
AllowUsers $user
PermitRootLogin prohibit-password
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
SetEnv PATH=$path
Subsystem sftp internal-sftp
END
    ip netns exec "$name-$1" /usr/sbin/sshd -D -e -f "$dir/sshd_config" 2>"$dir/log" &
    own_pids="$own_pids $!"
    for _ in $(seq 1200); do
        grep -q 'Server listening' "$dir/log" && return
        sleep 0.05
    done
    fail "sshd of $1 does not start: $(cat "$dir/log")"
}
own_guard() { # a process of nobody's, which outlives whatever ends the test
    setsid sh -c 'tail --pid=$0 -f /dev/null
        for user; do userdel -f "$user"; done
        rm -f "/etc/sudoers.d/ccalab-$0"
        "$ccalab" testbed down --name "$name"
        rm -rf --one-file-system "$tmp"' $$ $(for host in client_x client_y router server; do
        own_user $host
    done) </dev/null >/dev/null 2>&1 &
}
own_sshds_up() {
    export ccalab name tmp
    (own_guard)
    chmod 755 "$tmp"
    mkdir -p /run/sshd # where the package openssh-server would have made it
    for host in client_x client_y router server; do
        printf 'Host %s\n  ProxyCommand "%s" testbed dial --name %s %s %%p\n' "$(echo $host | tr _ -)" \
            "$ccalab" "$name" "$host"
    done >"$tmp/config"
    sed "s/\"\(ccalab-[xyrs]\)\"/\"\1$$\"/" "$CCALAB_SOURCE/tests/labs/ssh_lab.lua" >"$tmp/ssh_lab.lua"
    # Only root may ask for a congestion control that the machine does not allow: CUBIC mostly is.
    cubic=uid0
    grep -qw cubic /proc/sys/net/ipv4/tcp_allowed_congestion_control && cubic=-
    router=uid0
    if command -v sudo >/dev/null; then
        router=-
        user=$(own_user router)
        echo "Defaults:$user secure_path=/run/ccalab/$name/bin:/usr/sbin:/usr/bin:/sbin:/bin
$user ALL=(root) NOPASSWD: ALL" >"/etc/sudoers.d/ccalab-$$"
        chmod 440 "/etc/sudoers.d/ccalab-$$"
        visudo -cq || fail "sudoers"
    fi
    own_sshd client_x 2201 "${own_client_x:--}" # uid0: for what only root may do
    own_sshd client_y 2202 $cubic
    own_sshd router 2203 $router
    own_sshd server 2204 $cubic
    # The virtual router's tc is root's, also for looking: a real one is everybody's.
    mkdir "$tmp/router/bin"
    cat >"$tmp/router/bin/tc" <<END
#!/bin/sh
PATH=/run/ccalab/$name/bin:/usr/sbin:/usr/bin:/sbin:/bin # it looks for the real one, which this is not
[ "\$(id -u)" = 0 ] && exec tc "\$@"
exec sudo -n /run/ccalab/$name/bin/tc "\$@"
END
    chmod 755 "$tmp/router/bin/tc"
}
own_sshds_down() {
    for pid in $own_pids; do kill "$pid" 2>/dev/null; done
    for host in client_x client_y router server; do userdel -f "$(own_user $host)" >/dev/null 2>&1; done
    rm -f "/etc/sudoers.d/ccalab-$$"
}
