#!/bin/sh
# The Debian package in a bare root tree: it brings along what it needs, and a script runs there
# without a network. cmake --install puts the same files in place.
for tool in mmdebstrap dpkg-shlibdeps file unshare cpack; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: a root tree takes root"; exit 77; }
[ -x "$CCALAB_BUILD/ccalab" ] || { echo "skipped: ccalab is not built"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf --one-file-system "$dir"' EXIT
trap 'exit 1' INT TERM HUP
fail() {
    echo "FAILED: $*"
    exit 1
}

DESTDIR=$dir/staged cmake --install "$CCALAB_BUILD" --component console --prefix /usr >"$dir/log" 2>&1 ||
    fail "cmake --install: $(tail -n 5 "$dir/log")"
(cd "$dir" && cpack --config "$CCALAB_BUILD/CPackConfig.cmake" -B "$dir/packages" >"$dir/log" 2>&1) ||
    fail "cpack: $(tail -n 5 "$dir/log")"
deb=$(ls "$dir"/packages/ccalab_*.deb)
dpkg-deb -c "$deb" | awk '$6 !~ /\/$/ {print substr($6, 2)}' | sort >"$dir/in.deb"
(cd "$dir/staged" && find . -type f | cut -c2- | sort) >"$dir/in.install"
cmp -s "$dir/in.deb" "$dir/in.install" || fail "package and installation differ:
$(diff "$dir/in.deb" "$dir/in.install")"
dpkg-deb -f "$deb" Depends | grep -q torch && fail "the console wants libtorch"
for program in netllm netllm-torch; do # the first becomes the second, beside it
    [ ! -x "$CCALAB_BUILD/$program" ] ||
        dpkg-deb -c "$dir"/packages/ccalab-netllm_*.deb | grep -q "/usr/bin/$program\$" || fail "no $program"
done

# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
tree=$dir/tree
mmdebstrap --quiet --mode=root --variant=apt \
    --customize-hook="copy-in $deb /" \
    --customize-hook="chroot \"\$1\" apt-get install -y -qq --no-install-recommends /${deb##*/}" \
    "$suite" "$tree" >"$dir/log" 2>&1 || {
    grep -q -i -E 'could not (resolve|connect)|failed to fetch|unreachable' "$dir/log" &&
        echo "skipped: no package archive within reach" && exit 77
    fail "no root tree with the package: $(tail -n 15 "$dir/log")"
}

cat >"$tree/root/script.lua" <<'EOL'
local job = assert(lab.localhost:run{"echo", "a command of the tree"})
print(job.out)
print(lab.json_encode({sum = 1 + 1}))
EOL
out=$(unshare -n chroot "$tree" ccalab --run /root/script.lua 2>"$dir/err") ||
    fail "the script failed: $(cat "$dir/err")"
[ "$out" = 'a command of the tree

{"sum":2}' ] || fail "the script printed: $out"
unshare -n chroot "$tree" ccalab --version | grep -q "^ccalab " || fail "no version"
unshare -n chroot "$tree" ccalab ecn /nowhere.pcap 2>"$dir/err" && fail "a file that is not there"
grep -q /nowhere.pcap "$dir/err" || fail "ecn said: $(cat "$dir/err")"
[ -f "$tree/usr/share/ccalab/labs/quickstart.lua" ] || fail "no labs in the tree"
[ -s "$tree/usr/share/ccalab/ccalab.lua" ] || fail "no stubs in the tree"
[ -s "$tree/usr/share/man/man7/ccalab-lua.7" ] || fail "no man page in the tree"
echo "$(basename "$deb"): $(wc -l <"$dir/in.deb") files, in a tree of $(du -sm "$tree" | cut -f1) MB"
