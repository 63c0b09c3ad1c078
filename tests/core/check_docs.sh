#!/bin/sh
# The README's table of exit codes is core/error.h's list, in the same order.
cd "$CCALAB_SOURCE" || exit 1
sed -n 's/^ *X([A-Z]*, "\([a-z]*\)", \([0-9]*\), "\(.*\)").*/| \2 | \1 | \3 |/p' core/error.h >/tmp/ccalab-codes.$$
sed -n '/^| code | name/,/^$/p' README.md | grep -E '^\| [0-9]' | diff - /tmp/ccalab-codes.$$
status=$?
lines=$(wc -l </tmp/ccalab-codes.$$)
rm -f /tmp/ccalab-codes.$$
[ "$lines" -ge 10 ] || { echo "FAILED: only $lines statuses found"; exit 1; }
exit $status
