#!/bin/sh
# Build netllm on this machine against its own PyTorch, once: sh build_netllm.sh SOURCE CACHE HASH
# HASH is that of the sources; with the version of torch and the machine's architecture it names what
# is kept in CACHE, so that the same is never built twice on a volume. It is netllm-torch, which needs no
# other program beside it. Speaks events.
set -u
source=$1 cache=$2 hash=$3
event() { # TYPE FIELDS
    printf '{"t":%s,"type":"%s",%s}\n' "$(date +%s)" "$1" "$2"
}
fail() { # STATUS MESSAGE HINT
    event error "\"status\":\"$1\",\"subsystem\":\"train\",\"message\":\"$2\",\"hint\":\"$3\""
    exit 1
}
torch=
for python in python3 /usr/bin/python3; do # where cmake looks for it, too
    [ -n "$torch" ] || torch=$("$python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null)
done
[ -n "$torch" ] || torch=$(dpkg-query -W -f '${Version}' libtorch-dev 2>/dev/null)
[ -n "$torch" ] ||
    fail unavailable "there is no PyTorch on the host" "take an image with PyTorch, or install libtorch-dev"
torch=$(printf %s "$torch" | tr -c 'A-Za-z0-9._+-' _)
out=$cache/netllm-$(printf %.16s "$hash")-torch-$torch-$(uname -m)
if [ -x "$out" ] && "$out" --version >/dev/null 2>&1; then
    event result "\"data\":{\"netllm\":\"$out\",\"torch\":\"$torch\",\"is_built\":false}"
    exit 0
fi

event progress '"done":0,"total":100,"text":"netllm: tools"'
packages=
for need in cmake:cmake c++:g++ make:make pkg-config:pkg-config; do
    command -v "${need%:*}" >/dev/null 2>&1 || packages="$packages ${need#*:}"
done
for need in libuv:libuv1-dev libcjson:libcjson-dev; do
    pkg-config --exists "${need%:*}" 2>/dev/null || packages="$packages ${need#*:}"
done
if [ -n "$packages" ]; then
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 ||
        fail unavailable "building netllm there needs:$packages" "have them installed by its administrator"
    event log "\"level\":\"info\",\"text\":\"installing$packages\""
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >&2 ||
        fail host "the package manager failed" "see the log; the host needs:$packages"
fi
mkdir -p "$cache" || fail host "cannot make $cache" "look at its rights"
build=$(mktemp -d "${TMPDIR:-/tmp}/ccalab-netllm.XXXXXX") || fail host "no room for building" ""
trap 'rm -rf "$build"' EXIT
trap 'exit 130' INT TERM HUP
cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCCALAB_ONLY_NETLLM=ON \
    -DCCALAB_WITH_TORCH=ON >&2 || fail host "cmake failed on the host" "its last lines are in the log"
{ cmake --build "$build" --target netllm-torch -j "$(nproc)" 2>"$build/errors" || echo FAILED; } |
    while IFS= read -r line; do
        case $line in
        FAILED) : >"$build/failed" ;;
        *%*) # "[ 42%] Building CXX object ..."
            percent=${line#*[}
            percent=$(printf %s "${percent%%\%*}" | tr -dc 0-9)
            [ -z "$percent" ] || event progress "\"done\":$percent,\"total\":100,\"text\":\"netllm: building\"" ;;
        esac
    done
if [ -e "$build/failed" ]; then
    tail -n 5 "$build/errors" >&2
    fail host "building netllm failed on the host" "its last lines are in the log"
fi
"$build/netllm-torch" --version >&2 || fail host "the netllm that was built does not start" "see the log"
# Two pods may share the volume, and build at the same time.
new=$(mktemp "$out.XXXXXX") || fail host "cannot write beside $out" "look at its rights"
if ! { cp "$build/netllm-torch" "$new" && chmod 755 "$new" && mv "$new" "$out"; }; then
    rm -f "$new"
    fail host "cannot write $out" "is there room?"
fi
event result "\"data\":{\"netllm\":\"$out\",\"torch\":\"$torch\",\"is_built\":true}"
