#!/bin/sh
# The corpus and random connections: every field of every frame must be what tshark says of it. And
# the corpus is what corpus_make makes.
set -eu
command -v tshark >/dev/null 2>&1 || { echo "skipped: tshark is not installed"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fields=$("$CCALAB_BUILD/packet_rows" --fields)
failed=0
frames=0

compare() {
    args=$(for f in $fields; do printf ' -e %s' "$f"; done)
    # shellcheck disable=SC2086
    tshark -n -r "$1" -T fields $args >"$tmp/theirs" 2>/dev/null || true
    # shellcheck disable=SC2086
    "$CCALAB_BUILD/packet_rows" "$1" $fields >"$tmp/ours"
    frames=$((frames + $(wc -l <"$tmp/theirs")))
    cmp -s "$tmp/theirs" "$tmp/ours" && return 0
    failed=1
    echo "$(basename "$1"): NOT EQUAL"
    awk -F '\t' -v names="$fields" 'BEGIN { split(names, name, " ") }
        NR == FNR { row[FNR] = $0; n = FNR; next }
        { m = split(row[FNR], theirs, FS)
          for (i = 1; i <= m; i++)
              if ($i != theirs[i])
                  printf "frame %d %s: ccalab \"%s\", tshark \"%s\"\n", FNR, name[i], $i, theirs[i] }
        END { if (n != FNR) printf "ccalab %d frames, tshark %d\n", FNR, n }' \
        "$tmp/theirs" "$tmp/ours" | head -n 30
}

mkdir "$tmp/made"
"$CCALAB_BUILD/corpus_make" "$tmp/made"
for file in "$tmp"/made/*; do
    cmp "$file" "$CCALAB_SOURCE/tests/capture/corpus/$(basename "$file")" || failed=1
    compare "$file"
done
for seed in 1 2 3 4 5 6; do
    "$CCALAB_BUILD/corpus_make" "$seed" 3000 "$tmp/random-$seed.pcap"
    compare "$tmp/random-$seed.pcap"
done
for file in "$CCALAB_SOURCE"/tests/capture/corpus/lab-*; do
    [ -f "$file" ] && compare "$file"
done
echo "$frames frames compared"
exit $failed
