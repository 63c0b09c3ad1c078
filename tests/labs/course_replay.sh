#!/bin/sh
# The course without hosts and without rights: a student's way through it from recordings, the three proofs
# of every step, and labs that break their word are caught.
set -u
ccalab="$CCALAB_BUILD/ccalab"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_STATE_HOME="$tmp/state" CCALAB_LABS="$CCALAB_SOURCE/labs" CCALAB_RUNS="$tmp/runs"

fail() { echo "FAILED: $*"; [ -f "$tmp/out" ] && tail -n 30 "$tmp/out"; exit 1; }
labs() { "$ccalab" labs "$@" >"$tmp/out" 2>&1 </dev/null; }
ends() { # STATUS ARGUMENT...
    want=$1; shift
    labs "$@"; got=$?
    [ "$got" = "$want" ] || fail "labs $*: exit status $got, wanted $want"
}
says() { grep -q -- "$1" "$tmp/out" || fail "no line: $1"; }

# Every step of every lab: starts unsolved, the solution passes, wrong solutions fail.
ends 0 prove --replay
proofs=$(grep -c '^ok ' "$tmp/out")
steps=$(grep -c 'the solution passes' "$tmp/out")
wrong=$(grep -c ": wrong '" "$tmp/out")
echo "$proofs proofs of $steps steps, $wrong wrong solutions"
[ "$proofs" -eq $((2 * steps + wrong)) ] && [ "$wrong" -ge "$steps" ] && [ "$steps" -ge 14 ] ||
    fail "too few proofs"
for dir in "$CCALAB_LABS"/[0-9]*; do
    grep -q "^ok   ${dir##*/} " "$tmp/out" || fail "no proof of ${dir##*/}"
done

# A student's way: nothing advances by itself, hints get plainer, an answer is judged by what was measured.
ends 2 check
says 'no lab is being worked on'
ends 2 start 09
ends 0 start 02 --replay
says 'X against Y'
ends 1 check
says 'not yet'
ends 1 next
says 'is not passed yet'
ends 0 hint; says 'hint 1 of 3'
ends 0 hint; says 'hint 2 of 3'
ends 0 show
good=$(sed -n 's/^  \([A-C]\)  lets X send with Prague and Y.*/\1/p' "$tmp/out")
bad=$(sed -n 's/^  \([A-C]\)  lets X and Y both.*/\1/p' "$tmp/out")
ends 0 take "$bad"
ends 1 check; says 'ECT(0)'
ends 2 take Z
ends 0 take "$good"
ends 0 check; says 'passed; go on'
ends 0 list; says '1 of 3 steps'
ends 0 next; says 'The queue marks'
ends 6 solve
says '--yes'
ends 0 solve --yes
ends 0 next; says 'Question'
ends 1 check
marked=$("$ccalab" labs check --json 2>/dev/null | sed -n 's/.*"marked":[^0-9]*\([0-9]*\).*/\1/p')
ends 0 answer "$marked"
ends 0 check
ends 0 next; says 'the last step'
ends 0 start 07 --replay
ends 0 next --skip
ends 0 report --name 'A <Student>' --output "$tmp/report.html"
grep -q 'A &lt;Student&gt;' "$tmp/report.html" || fail "the report names nobody"
for words in 'solution shown' 'skipped' 'ECT(1)' 'In 1 steps the solution was shown' 'answer: [0-9]'; do
    grep -q "$words" "$tmp/report.html" || fail "the report lacks: $words"
done
grep -Eq 'src=|href=|https?://' "$tmp/report.html" && fail "the report asks for something"
ends 6 reset 02
ends 0 reset 02 --yes
ends 0 list; says '0 of 3 steps'
ls "$XDG_STATE_HOME"/ccalab/labs/evidence/02-l4s-works/*.json >/dev/null || fail "evidence is gone"

# The evidence says what was measured, and the count is tshark's.
if command -v tshark >/dev/null; then
    pcap="$CCALAB_LABS/02-l4s-works/replay/marks/solution/router.pcapng.gz"
    x=$(sed -n 's/.*"client_x":[^"]*"\([0-9.]*\)".*/\1/p' "${pcap%/*}/facts.json" | head -n 1)
    judge=$(tshark -r "$pcap" -Y "ip.dsfield.ecn == 3 && ip.src == $x && tcp.len > 0" 2>/dev/null | wc -l)
    echo "marked data packets: ours $marked, tshark $judge"
    [ "$marked" = "$judge" ] || fail "the answer is wrong"
fi

# Lab 08 reads files that the student could have written: what they do not say is not there.
ends 0 start 08 --replay
for _ in 1 2 3 4 5 6; do ends 0 next --skip; done
says 'Meeting the judge'
work="$XDG_STATE_HOME/ccalab/labs/work/08-your-own-congestion-control"
for text in '' 'scenario\n\n,,,\n' 'set,scenario,candidate,n,score,power\nl4s,l4s alone,lua:own_cc.lua,1e99,power,nan\n'; do
    printf "$text" >"$work/judge.csv"
    ends 1 check
    says 'no judge.csv\|no valid cell'
done
ends 0 next --skip
mkdir -p "$work/policy/round-0/collect" "$work/policy/round-0/model" "$work/policy/judge"
printf 'x,lua:own_cc.lua\n' >"$work/policy/round-0/collect/cells.csv"
echo '{"training": [7]}' >"$work/policy/round-0/model/netllm.json"
printf 'scenario,candidate,n,score,power\na,lua:own_cc.lua,1,power,2\na,distilled:s,1,power,\n' \
    >"$work/policy/judge/judge.csv"
ends 1 check
says 'no scenario in which both'
printf 'a,distilled:s,1,power,1\n' >>"$work/policy/judge/judge.csv"
ends 1 check
says 'yours is ahead, 0 : 1'
ends 0 reset 08 --yes

# What was kept and is not ours is refused, not overwritten.
echo '{"version": 7}' >"$XDG_STATE_HOME/ccalab/labs/progress.json"
ends 8 list
says 'move it away'
rm "$XDG_STATE_HOME/ccalab/labs/progress.json"

# Labs that break their word.
CCALAB_LABS="$tmp/labs"
mkdir -p "$tmp/labs/00-fixture"
cp "$CCALAB_SOURCE/tests/labs/course/fixture.lua" "$tmp/labs/00-fixture/lab.lua"
ends 0 prove --replay
for fault in solved:'starts unsolved' solution:'the solution passes' wrong:"wrong 'five'" host:'cannot be measured'; do
    FAULT=${fault%%:*} "$ccalab" labs prove --replay >"$tmp/out" 2>&1 </dev/null && fail "not seen: $fault"
    grep '^FAIL' "$tmp/out" | grep -q "${fault#*:}" || fail "not seen: $fault"
done
FAULT=no-wrong "$ccalab" labs list >"$tmp/out" 2>&1
[ $? = 8 ] || fail "a lab without wrong solutions was taken"
ends 0 start fixture --replay
FAULT=host "$ccalab" labs check >"$tmp/out" 2>&1 </dev/null
[ $? = 6 ] || fail "what cannot be measured was judged"
says 'the host is away'
echo ok
