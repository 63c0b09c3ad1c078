#!/bin/bash
# docs/aqm.md has every AQM and every option that ccalab-link knows, and no other.
set -u

fail() { echo "FAILED: $1"; exit 1; }

link=$CCALAB_BUILD/ccalab-link doc=$CCALAB_SOURCE/docs/aqm.md
[ -x "$link" ] || fail "$link is not built"

# "kind option" lines: of the help below the general part, and of the tables under "## `kind`".
known=$("$link" --help | awk '/^[a-z]/ && NF == 1 { kind = $1; next } kind != "" && /^  [a-z]/ { print kind, $1 }' | sort)
told=$(awk '/^## / { kind = ""; if ($0 ~ /^## `/) { kind = $2; gsub("`", "", kind) } next }
            kind != "" && /^\| `/ { line = $0; sub(/^\| */, "", line); sub(/\|.*/, "", line)
                n = split(line, part, "`"); for (i = 2; i <= n; i += 2) print kind, part[i] }' "$doc" |
       awk '{ print $1, $2 }' | sort)
[ "$(echo "$known" | wc -l)" -gt 50 ] || fail "the help has too few options: $known"
diff <(echo "$known") <(echo "$told") || fail "docs/aqm.md (>) and ccalab-link --help (<) differ"
echo "ok: $(echo "$known" | wc -l) options"
