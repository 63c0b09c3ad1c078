#!/bin/sh
# The whole suite: everything in the release preset, then the C tests, and what is labelled
# `sanitize`, once more under ASan and UBSan. Ends with one plain line that counts. Called by
# `make test`, and so by .ci/run.
#
# What failed is run once more, alone, when all others are done: much of it is real traffic against
# real time, and a machine that others share can be late. Which tests needed that is said at the end,
# by name. Not for crashes, nor for what a sanitizer found; and more than a few are no chance.
set -u
cd "$(dirname "$0")/.." || exit 1
log=build/tests.log
mkdir -p build
: >"$log"
status=0
again_max=5
again=
bad='\*\*\*(Failed|Timeout|Exception|Not Run)'

run() { # PRESET FILE, ctest arguments...: its output into FILE, the tests' lines into build/lines
    preset=$1 file=$2
    shift 2
    ctest --test-dir build/"$preset" --output-on-failure "$@" 2>&1 | tee "$file"
    grep -E '^ *[0-9]+/[0-9]+ Test ' "$file" >build/lines
    # A skipped test says why in its output.
    for name in $(grep -F '***Skipped' build/lines | names); do
        echo "skipped: $name: $(awk -v n="$name" 'index($0, ": " n " ") {f = 0}
            $0 ~ "Testing: " n "$" {f = 1} f && /Output:/ {getline; getline; print; exit}' \
            build/"$preset"/Testing/Temporary/LastTest.log)"
    done
}
names() { sed 's/.*Test *#[0-9]*: \([^ ]*\) .*/\1/'; }

is_chance() { # FILE: may what failed in it be the machine's?
    failed=$(grep -c -E "$bad" build/lines)
    [ "$failed" -gt 0 ] && [ "$failed" -le $again_max ] &&
        ! grep -qE '\*\*\*Exception|Sanitizer: |runtime error: ' "$1"
}

suite() { # PRESET, ctest arguments...
    preset=$1
    shift
    echo "== $preset: build"
    cmake --preset "$preset" -DCMAKE_MESSAGE_LOG_LEVEL=NOTICE &&
        cmake --build --preset "$preset" >build/build-"$preset".log 2>&1 || {
        tail -n 30 build/build-"$preset".log
        echo "build of $preset ***Failed" >>"$log"
        status=1
        return
    }
    echo "== $preset: tests"
    run "$preset" build/ctest-"$preset".log "$@"
    if is_chance build/ctest-"$preset".log; then
        grep -vE "$bad" build/lines >>"$log"
        tests=$(grep -E "$bad" build/lines | names | paste -sd '|')
        echo "== $preset: once more: $tests"
        run "$preset" build/ctest-"$preset"-again.log -R "^($tests)\$"
        again="$again $(grep -vE "$bad" build/lines | names | paste -sd ' ')"
    fi
    cat build/lines >>"$log"
}

taken() { # the processors' time since the machine was started: what its host took, and all
    awk '/^cpu / {for (i = 2; i <= 9; i++) all += $i; print $9, all}' /proc/stat
}
taken_before=$(taken)

suite release -j 2
ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 \
    suite asan -L 'unit|sanitize' -j 2

passed=$(grep -c ' Passed ' "$log")
skipped=$(grep -c '\*\*\*Skipped' "$log")
failed=$(grep -c -E "$bad" "$log")
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || status=1
grep -E "$bad" "$log"
for name in $again; do
    echo "failed at first, then run once more: $name"
done
echo "$taken_before $(taken)" | awk '$4 > $2 {
    printf "of the processors'\'' time the host of this machine took %.1f %%\n", 100 * ($3 - $1) / ($4 - $2)}'
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
