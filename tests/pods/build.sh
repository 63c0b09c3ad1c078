#!/bin/sh
# What lab.train uploads of the sources is enough to build netllm (here without libtorch: in seconds), and
# so are the packages that build_netllm.sh installs.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sources=$(sed -n 's/^local SOURCES = {\(.*\)}$/\1/p' "$CCALAB_SOURCE/lua/prelude/away.lua" | tr -d '",')
[ -n "$sources" ] || { echo "FAILED: what is uploaded?"; exit 1; }
mkdir "$dir/source"
for name in $sources; do cp -r "$CCALAB_SOURCE/$name" "$dir/source/"; done
packages=$(sed -n 's/^for need in \(lib.*\); do$/\1/p' "$CCALAB_SOURCE/remote/build_netllm.sh")
[ -n "$packages" ] || { echo "FAILED: what is installed?"; exit 1; }
mkdir "$dir/pkg-config" # as on a host that has nothing else
for need in $packages; do
    from=$(pkg-config --variable=pcfiledir "${need%:*}") || { echo "needs ${need#*:}"; exit 77; }
    cp "$from/${need%:*}.pc" "$dir/pkg-config/"
done
launcher=
command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
export PKG_CONFIG_LIBDIR="$dir/pkg-config"
cmake -S "$dir/source" -B "$dir/build" -DCMAKE_BUILD_TYPE=Debug -DCCALAB_ONLY_NETLLM=ON -DCCALAB_WITH_TORCH=OFF \
    $launcher >"$dir/log" 2>&1 && cmake --build "$dir/build" --target netllm -j 2 >>"$dir/log" 2>&1 ||
    { tail -n 30 "$dir/log"; exit 1; }
"$dir/build/netllm" --version
echo ok
