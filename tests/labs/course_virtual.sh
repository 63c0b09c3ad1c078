#!/bin/sh
# The course on the virtual lab: the three proofs of each step against real flows, queues and captures; a
# recording made anew; and nothing is left behind.
. ./lab.sh
export XDG_STATE_HOME="$tmp/state" CCALAB_LABS="$tmp/labs"
cp -r "$CCALAB_SOURCE/labs" "$tmp/labs"
name="course-$$"
trap '"$ccalab" testbed down --name "$name" >/dev/null 2>&1; rm -rf "$tmp"' EXIT
for number in 01 02 03; do
    "$ccalab" labs prove $number --testbed "$name" >"$tmp/out" 2>"$tmp/err" </dev/null ||
        { cat "$tmp/out"; fail "lab $number does not keep its word"; }
    echo "lab $number: $(grep -c '^ok ' "$tmp/out") proofs"
done

# The place of a student: up with `start`, gone with `stop`.
"$ccalab" labs start 01 --testbed "$name" >"$tmp/out" 2>"$tmp/err" </dev/null || fail "start"
ip netns list | grep -q "^$name-router" || fail "no virtual lab was made"
"$ccalab" labs check >"$tmp/out" 2>"$tmp/err" </dev/null
[ $? = 1 ] || fail "lab 01 starts solved"
"$ccalab" labs solve --yes >"$tmp/out" 2>"$tmp/err" </dev/null || fail "the solution does not pass"
"$ccalab" labs check >"$tmp/out" 2>"$tmp/err" </dev/null || fail "what was done did not stay"
"$ccalab" labs stop >"$tmp/out" 2>"$tmp/err" </dev/null || fail "stop"
ip netns list | grep -q "^$name-" && fail "stop left the virtual lab"

# ccalab labs record NAME --testbed NAME: what is made anew on the virtual lab keeps lab 00's word.
rm -r "$tmp/labs/00-orientation/replay"
"$ccalab" labs record 00 --testbed "$name" >"$tmp/out" 2>"$tmp/err" </dev/null || fail "record"
"$ccalab" labs prove 00 --replay >"$tmp/out" 2>"$tmp/err" </dev/null ||
    { cat "$tmp/out"; fail "a new recording does not replay"; }
echo "lab 00: $(grep -c '^ok ' "$tmp/out") proofs by a new recording"
ip netns list | grep -q "^$name-" && fail "the recording left its virtual lab"
echo ok
