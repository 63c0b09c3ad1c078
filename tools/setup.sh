#!/bin/sh
# Install what a bare Debian machine lacks: tools/setup.sh run | test
#   run   to build, and to run the virtual lab
#   test  that, and the judges of the tests (tshark, tmux, python3)
# Only the package manager is asked, only for what is missing, with sudo only when not root.
set -eu

build="build-essential cmake ninja-build pkg-config libncurses-dev liblua5.4-dev libuv1-dev
    libcairo2-dev libcjson-dev libpcap-dev libssl-dev zlib1g-dev libzstd-dev libcmocka-dev"
# Optional parts of the build: BPF Prague, and the policy. The OpenMP build of OpenBLAS, because
# libtorch's own threads and OpenBLAS's pthreads slow each other down many times over.
bpf="clang libbpf-dev libelf-dev zlib1g-dev"
policy="libtorch-dev libopenblas0-openmp"
ssh="libssh-dev openssh-client" # hosts over SSH; the client for ProxyJump
web="libcurl4-openssl-dev curl ca-certificates" # rented GPUs and the model hub
lab="ethtool iperf3 iproute2 nftables procps iputils-ping"
judges="file mmdebstrap openssh-server sudo tmux tshark tcpdump chromium python3 python3-numpy
    python3-torch python3-venv ncurses-bin"

case "${1:-run}" in
run) wanted="$build $bpf $policy $ssh $web $lab" ;;
test) wanted="$build $bpf $policy $ssh $web $lab $judges" ;;
*)
    echo "usage: tools/setup.sh run|test" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: not a Debian system; please see that these are there:" $wanted >&2
    exit 0
fi

missing=""
for package in $wanted; do
    # shellcheck disable=SC2016
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: missing packages, and neither root nor sudo to install them:$missing" >&2
        exit 6
    fi
    sudo="sudo"
fi
echo "setup: installing$missing"
wait="-o DPkg::Lock::Timeout=300" # another package manager may be at work
$sudo apt-get $wait update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq --no-install-recommends \
    $missing >/tmp/ccalab-setup.$$ 2>&1 || {
    tail -n 20 /tmp/ccalab-setup.$$ >&2
    rm -f /tmp/ccalab-setup.$$
    echo "setup: the package manager failed" >&2
    exit 1
}
rm -f /tmp/ccalab-setup.$$
