#!/bin/sh
# The whole suite: everything in the release preset, then the C tests, and what is labelled
# `sanitize`, once more under ASan and UBSan. Ends with one plain line that counts. Called by
# `make test`, and so by .ci/run.
set -u
cd "$(dirname "$0")/.." || exit 1
log=build/tests.log
mkdir -p build
: >"$log"
status=0

suite() { # preset, ctest arguments...
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
    ctest --test-dir build/"$preset" --output-on-failure "$@" 2>&1 | tee build/ctest-"$preset".log
    grep -E '^ *[0-9]+/[0-9]+ Test ' build/ctest-"$preset".log >>"$log"
    # A skipped test says why in its output.
    for name in $(sed -n 's/.*: \([^ ]*\) \.*\*\*\*Skipped.*/\1/p' build/ctest-"$preset".log); do
        echo "skipped: $name: $(awk -v n="$name" 'index($0, ": " n " ") {f = 0}
            $0 ~ "Testing: " n "$" {f = 1} f && /Output:/ {getline; getline; print; exit}' \
            build/"$preset"/Testing/Temporary/LastTest.log)"
    done
}

suite release -j 2
ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 \
    suite asan -L 'unit|sanitize' -j 2

passed=$(grep -c ' Passed ' "$log")
skipped=$(grep -c '\*\*\*Skipped' "$log")
failed=$(grep -c -E '\*\*\*(Failed|Timeout|Exception|Not Run)' "$log")
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || status=1
if [ "$failed" -ne 0 ]; then
    grep -E '\*\*\*(Failed|Timeout|Exception|Not Run)' "$log"
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
