#!/bin/sh
# docs/doctor.md has the checks of remote/checks.c, all of them and in their order ("host" is made in Lua).
cd "$CCALAB_SOURCE" || exit 1
names() { sed -n 's/^    {"\([a-z0-9_ ]*\)", .*judge_.*},$/\1/p' remote/checks.c; }
documented() { sed -n '/^## The checks/,/^## /s/^| `\([a-z0-9_ ]*\)`.*/\1/p' docs/doctor.md | grep -vx host; }
[ "$(names | wc -l)" -ge 20 ] || { echo "FAILED: only $(names | wc -l) checks found"; exit 1; }
[ "$(names)" = "$(documented)" ] || { echo "FAILED:"; names; echo "--- documented:"; documented; exit 1; }
