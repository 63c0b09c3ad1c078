#!/bin/sh
# ccalab keys: its own output is a file without faults, faults are told by line, the manual's table is
# up to date.
ccalab=$CCALAB_BUILD/ccalab
[ -x "$ccalab" ] || { echo "skipped: $ccalab is not built"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

"$ccalab" keys >"$dir/keys" || fail "no keys"
"$ccalab" keys --check "$dir/keys" >"$dir/said" || fail "its own file: $(cat "$dir/said")"
mkdir -p "$dir/config/ccalab"
export XDG_CONFIG_HOME="$dir/config"
printf 'F2 zoom\nF3 zoo\n' >"$dir/config/ccalab/keys"
"$ccalab" keys --check >"$dir/said"
[ $? = 8 ] || fail "the exit code of a file with a fault"
grep -q "ccalab/keys:2: no action is called zoo; did you mean zoom?" "$dir/said" || fail "$(cat "$dir/said")"
"$ccalab" keys --check "$dir/none" 2>/dev/null
[ $? = 7 ] || fail "the exit code of no file"
"$ccalab" keys --chek 2>/dev/null
[ $? = 2 ] || fail "the exit code of an unknown word"
"$ccalab" keys >&- 2>/dev/null
[ $? = 7 ] || fail "the exit code without standard output"
"$ccalab" keys --markdown | cmp - "$CCALAB_SOURCE/docs/keys.md" ||
    fail "docs/keys.md is old: ccalab keys --markdown >docs/keys.md"
"$ccalab" keys --man >"$dir/ccalab-keys.7"
if command -v groff >/dev/null; then
    [ -z "$(groff -man -ww -z "$dir/ccalab-keys.7" 2>&1)" ] || fail "the page of the manual"
fi
echo ok
