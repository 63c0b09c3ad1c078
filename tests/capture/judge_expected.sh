#!/bin/sh
# Every frame of the captures in ../shared/data/captures: what packet_rows says must be what
# tshark 4.0.17 said, value for value (expected/*.csv.gz).
set -eu
captures="$CCALAB_SOURCE/../shared/data/captures"
[ -d "$captures/expected" ] || { echo "skipped: no captures in ../shared/data/captures"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
frames=0
for expected in "$captures"/expected/*.csv.gz; do
    name=$(basename "$expected" | sed 's/\.tshark.*//')
    file="$captures/$name"
    [ -f "$file" ] || file="$captures/$name.gz"
    gzip -dc "$expected" >"$tmp/expected"
    fields=$(head -n 1 "$tmp/expected" | tr ',' ' ')
    # The frames' times come out with nanoseconds in both.
    # shellcheck disable=SC2086
    "$CCALAB_BUILD/packet_rows" "$file" $fields | tr '\t' ',' >"$tmp/ours"
    tail -n +2 "$tmp/expected" | tr -d '"' >"$tmp/theirs"
    n=$(wc -l <"$tmp/theirs")
    frames=$((frames + n))
    if ! cmp -s "$tmp/theirs" "$tmp/ours"; then
        failed=1
        echo "$name: NOT EQUAL (fields: $fields; < tshark, > ccalab)"
        diff "$tmp/theirs" "$tmp/ours" | head -n 20
        continue
    fi
    echo "$name: $n frames equal"
done
echo "$frames frames compared"
exit $failed
