#!/bin/bash
# Run by with_sshd: installing a kernel on a host. Real: sshd, packages, the loss of the connection, what
# uname says. Played: dpkg, grub-*, update-grub and reboot, by programs before them in the host's PATH; the
# host before its reboot is one to which the kernel gives another release (personality(2), UNAME26).
set -u
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
[ "$(id -u)" = 0 ] || skip "needs root, for a mount namespace"
unshare -m true 2>/dev/null || skip "no mount namespace can be made here"
command -v dpkg-deb >/dev/null || skip "needs dpkg-deb"
release=$(uname -r)
[ "$(setarch --uname-2.6 uname -r 2>/dev/null)" != "$release" ] || skip "setarch --uname-2.6 changes nothing"

ccalab=$CCALAB_BUILD/ccalab
k=$SSHD_DIR/k
mkdir -p $k/bin $k/tmp $k/boot/grub $k/default $k/pkg $k/deb/DEBIAN
port=$((SSHD_PORT > 50000 ? SSHD_PORT - 7919 : SSHD_PORT + 7919))
sed -e "s/^Port .*/Port $port/" -e "s|^PidFile .*|PidFile $k/pid|" \
    -e "s|^SetEnv .*|SetEnv SHLVL=9 TMPDIR=$k/tmp PATH=$k/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|" \
    "$SSHD_DIR/config" >$k/config
sed "s/:$SSHD_PORT /:$port /; s/\]:$SSHD_PORT/]:$port/" "$SSHD_DIR/known_hosts" >$k/known_hosts
cat >$k/lab.lua <<END
router = ssh{host = "127.0.0.1", port = $port, identity = "$SSHD_DIR/id",
             known_hosts = "$k/known_hosts", config = "/dev/null", address = "127.0.0.1"}
END
uuid=1b3f2a6c-8d1e-4a52-9a57-0c1d2e3f4a5b
entry="gnulinux-advanced-$uuid>gnulinux-$release-advanced-$uuid"
cat >$k/boot/grub/grub.cfg <<END
submenu 'Advanced options' \$menuentry_id_option 'gnulinux-advanced-$uuid' {
	menuentry 'Linux $release' --class gnu-linux \$menuentry_id_option 'gnulinux-$release-advanced-$uuid' {
	}
}
END
printf 'Package: linux-image-%s\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' \
    "$release" >$k/deb/DEBIAN/control
dpkg-deb --build $k/deb $k/pkg/linux-image.deb >/dev/null || fail "dpkg-deb"

for program in update-grub grub-reboot grub-set-default; do
    printf '#!/bin/sh\necho "%s $*" >>%s/log\n' $program $k >$k/bin/$program
done
cat >$k/bin/dpkg <<END
#!/bin/sh
echo "dpkg \$* \$(dpkg-deb -f ./*.deb Package)" >>$k/log
[ ! -e $k/dpkg-fails ] || { echo "dpkg: error: dpkg frontend lock is held by another process" >&2; exit 2; }
END
# The sshd of this host with all its sessions ends; what comes back depends on the file "mode".
cat >$k/bin/reboot <<END
#!/bin/bash
echo "reboot" >>$k/log
end() {
    local child
    for child in \$(cat /proc/\$1/task/\$1/children 2>/dev/null); do end \$child; done
    case \$(cat /proc/\$1/comm 2>/dev/null) in sshd*) kill -9 \$1 ;; esac
}
end \$(cat $k/pid)
echo "\$(cat $k/mode)-\$\$" >$k/boot_id
sleep 1
case \$(cat $k/mode) in
new) exec setarch \$(uname -m) /usr/sbin/sshd -f $k/config ;;
old) exec setarch --uname-2.6 /usr/sbin/sshd -f $k/config ;;
esac
END
chmod +x $k/bin/*

stop_host() {
    [ ! -e $k/pid ] || kill "$(cat $k/pid)" 2>/dev/null
    for _ in $(seq 1200); do
        (echo >/dev/tcp/127.0.0.1/$port) 2>/dev/null || return
        sleep 0.05
    done
}
server=
trap 'stop_host; [ -z "$server" ] || kill $server' EXIT
start_host() { # an old kernel runs
    stop_host
    echo before-$RANDOM >$k/boot_id
    rm -f $k/log $k/default/grub.d/ccalab.cfg
    : >$k/log
    unshare -m sh -c "mount --make-rprivate / && mount --bind $k/boot_id /proc/sys/kernel/random/boot_id &&
        mount --bind $k/boot /boot && mount --bind $k/default /etc/default &&
        exec setarch --uname-2.6 /usr/sbin/sshd -f $k/config" || fail "the host does not start"
    for _ in $(seq 1200); do
        (echo >/dev/tcp/127.0.0.1/$port) 2>/dev/null && return
        sleep 0.05
    done
    fail "the host does not listen"
}
install() { # EXIT-STATUS MODE SOURCE WORDS...
    want=$1 source=$3
    echo "$2" >$k/mode
    shift 3
    start_host
    $ccalab doctor --lab $k/lab.lua --install-kernel "$source" router "$@" >$k/out 2>$k/err </dev/null
    status=$?
    [ $status = "$want" ] || fail "$source $*: exit status $status instead of $want: $(cat $k/out $k/err $k/log)"
}
has() { grep -qF -- "$1" $k/out $k/err || fail "no '$1' in: $(cat $k/out $k/err)"; }
did() { [ "$(cat $k/log)" = "$1" ] || fail "done: $(cat $k/log) instead of: $1"; }

# Nobody can be asked: shown, not done.
install 6 new $k/pkg
has "dpkg -i ./*.deb"
has "nobody can be asked"
did ""

# Everything as it should be.
install 0 new $k/pkg --yes --wait 120
has "runs $release"
did "dpkg -i ./linux-image.deb linux-image-$release
grub-reboot $entry
reboot
update-grub 
grub-set-default $entry"
grep -qx GRUB_DEFAULT=saved $k/default/grub.d/ccalab.cfg || fail "no GRUB_DEFAULT=saved"

# The kernel of before comes back: the default stays.
install 4 old $k/pkg --yes --wait 120
has "router came back with 2.6."
tail -n 1 $k/log | grep -qx reboot || fail "after the wrong kernel: $(cat $k/log)"
[ ! -e $k/default/grub.d/ccalab.cfg ] || fail "the wrong kernel became the default"

# It does not come back.
install 5 gone $k/pkg --yes --wait 4
has "router did not come back within 4 s"
has "switch it off and on"

# The packages do not install: no reboot.
: >$k/dpkg-fails
install 4 new $k/pkg --yes
has "dpkg frontend lock is held"
did "dpkg -i ./linux-image.deb linux-image-$release"
rm $k/dpkg-fails

# A kernel that is there already, and one that is not.
: >$k/boot/vmlinuz-$release
install 0 new "$release" --yes --wait 120
did "grub-reboot $entry
reboot
update-grub 
grub-set-default $entry"
install 4 new 9.9.9-none --yes
has "router has no kernel 9.9.9-none"
did ""

# Fetched by the host itself.
if command -v curl >/dev/null || command -v wget >/dev/null; then
    python3 -u -m http.server 0 --bind 127.0.0.1 --directory $k/pkg >$k/http 2>&1 &
    server=$!
    for _ in $(seq 1200); do grep -q "port [0-9]" $k/http && break; sleep 0.05; done
    http=$(sed -n 's/.*port \([0-9]*\).*/\1/p' $k/http | head -n 1)
    install 0 new http://127.0.0.1:$http/linux-image.deb --yes --wait 120
    has "runs $release"
    install 4 new http://127.0.0.1:$http/none.deb --yes
    did ""
fi

# Mistakes.
install 2 new http://127.0.0.1/page.html --yes
has "is no .deb, .zip or .tar"
mkdir $k/empty
install 2 new $k/empty --yes
has "has no .deb packages"
echo ok
