#!/bin/sh
# A new student's way through labs 00 to 08, by keys on a terminal of 100x30: opens the screen Labs,
# reads, checks (not yet), does the work, checks, goes on.
#
#   walk.sh replay              from recordings, without rights: the test
#   walk.sh virtual FILE.md     on virtual hosts, as root, with what was seen written to FILE.md
place=${1:?replay or virtual} out=$2
if [ -n "$out" ] && [ -z "$WALK_INSIDE" ]; then
    # A home and a /run of its own: no picture shows a path of this machine, no other lab is met.
    : "${CCALAB_BUILD:?the folder of the programs}" "${CCALAB_SOURCE:?the tree}"
    out=$(realpath "$out")
    WALK_INSIDE=1 exec unshare -m sh "$0" "$place" "$out"
fi
cd "$(dirname "$0")" || exit 1
. ../console/tmux.sh
export CCALAB_LABS="$CCALAB_SOURCE/labs" PATH="$CCALAB_BUILD:$PATH:/usr/sbin:/sbin"
patience_ms=120000 # a solution sends flows, or trains
if [ -n "$out" ]; then
    case $CCALAB_BUILD$CCALAB_SOURCE in
        /home/* | /run/*) echo "skipped: the programs must not lie below /home or /run"; exit 77 ;;
    esac
    mount -t tmpfs tmpfs /home && mount -t tmpfs tmpfs /run || exit 1
    export HOME=/home/student XDG_STATE_HOME=/home/student/.local/state
    mkdir -p "$HOME/ccalab/labs" && cd "$HOME" || exit 1
    mount --bind "$CCALAB_LABS" ccalab/labs && export CCALAB_LABS="$HOME/ccalab/labs" || exit 1
    trap '"$ccalab" labs stop >/dev/null 2>&1; tidy' EXIT # wherever it ends, its virtual lab too
    cat >"$out" <<'END'
# A walk through the labs

What a student sees who plays the course by keys, on a terminal of 100 columns and 30 rows and on virtual hosts: pictures of a real
run, taken by `tests/labs/walk.sh virtual docs/walkthrough.md`. What the keys and words do is in [labs.md](labs.md).

END
fi
work=$XDG_STATE_HOME/ccalab/labs/work

picture() { # TITLE TEXT: what follows on stdin
    [ -z "$out" ] || { printf '## %s\n\n%s\n\n```\n' "$1" "$2"; cat; printf '```\n\n'; } >>"$out"
}
keep() { screen | picture "$1" "$2"; }

# A second terminal, for what students type in a shell.
type_there() {
    rm -f "$dir/typed"
    t send-keys -t shell -l "clear; $1; touch $dir/typed"
    t send-keys -t shell Enter
}
wait_typed() { wait_until "the end of what was typed" test -e "$dir/typed"; }
keep_there() { # TITLE TEXT COMMAND
    { printf 'student$ %s\n' "$3"; t capture-pane -p -t shell | grep -v '^$'; } | picture "$1" "$2"
}

begin() { # LAB STEPS: Enter on what is selected in the list
    keys Enter
    wait_for "Start it on"
    keys C-u
    enter "$place"
    wait_for "^\[.\] $1"
    wait_for "(step 1 of $2, $place)"
    step=1 steps=$2
}
judged() { has "pass  " && has_not "not yet  " && has_not "measuring"; }
judged_again() { # c until it passes
    judged && return
    has "measuring" || keys c
    return 1
}
check_fails() {
    keys c
    wait_for "not yet  \|cannot  "
}
check_passes() {
    keys c
    wait_until "a pass" judged
    wait_for "> \[[xs]\]"
}
solve() {
    keys S
    wait_for "Show the solution"
    keys y
    wait_until "a pass" judged
    wait_for "> \[[xs]\]"
}
answer() {
    keys a
    wait_for "Your answer"
    enter "$1"
}
next() {
    keys '>'
    if [ $step = "$steps" ]; then
        wait_for "is done; Enter"
    else
        step=$((step + 1))
        wait_for "(step $step of $steps, $place)"
    fi
}
virtual() { [ "$place" = virtual ]; }

t new-session -d -s shell -x 100 -y 30 "env PS1='' sh" || fail "tmux does not start"
shell 100 30
console
wait_for "1 Lab"
keys 5
wait_for "08-your-own"
keep "The course" "\`ccalab\`, then \`5\`: nine labs. Enter begins the one that is chosen, here or on machines of one's own."

begin 00-orientation 3
keep "What to read" "A lab begins with why; \`PgDn\` or \`Space\` reads on, \`z\` gives the text the whole screen."
keys '>'
wait_for "is not passed yet"
check_fails
keep "Not yet" "\`c\` looks at the hosts and says what it saw, what it wanted and how it measured. Nothing goes on by itself."
keys i
wait_for "Hint: A queue stands"
keep "A hint" "\`i\`, and again for a plainer one."
if virtual; then
    type_there "ccalab testbed shell --name course router -- tc qdisc show dev bn1"
    wait_typed
    keep_there "Looking at a host" "The shell of the router, in a second terminal: the queue stands at \`bn1\`." \
        "ccalab testbed shell --name course router -- tc qdisc show dev bn1"
fi
answer lo
wait_for "your answer: lo"
answer bn1
wait_until "a pass" judged
keep "Passed" "\`a\` answers. What is right is measured on the router, not stored."
next
check_fails
if virtual; then
    type_there "ccalab testbed shell --name course client_x -- ping -c 8 10.98.3.2 >$dir/ping"
    wait_typed
    answer "$(sed -n 's/.*= \([0-9.]*\).*/\1/p' "$dir/ping")"
else
    answer 20.2
fi
wait_until "a pass" judged
next
check_fails
solve
keep "Shown, not passed" "\`S\` does the step for the student. It counts as shown (\`s\`), and the report will say so."
next

keep "The next lab" "After the last step the next lab is chosen: Enter begins it."
begin 01-l4s-install 3
check_fails
if virtual; then
    for host in client_x server; do
        type_there "ccalab testbed shell --name course $host -- sysctl -w net.ipv4.tcp_ecn=1"
        wait_typed
    done
    check_passes
else
    solve
fi
next
check_fails
solve
next
check_fails
keep "The queue" "Lab 01, step 3: a plain FIFO stands where DualPI2 should."
if virtual; then
    line="ccalab qdisc --lab $XDG_STATE_HOME/ccalab/labs/lab.lua set router bn1 dualpi2"
    type_there "$line"
    wait_typed
    keep_there "Mended by hand" "The line that the text gives, typed in the second terminal." "$line"
    check_passes
else
    solve
fi
next

begin 02-l4s-works 3
check_fails
if virtual; then
    type_there "ccalab run --lab $XDG_STATE_HOME/ccalab/labs/lab.lua --flow client_x:server:prague:20s \
--flow client_y:server:cubic:20s"
    wait_until "both flows in a capture" judged_again
    keep "X against Y" "Both flows run in the second terminal; the check has captured 700 packets at the router."
    wait_typed
else
    letter=$(screen >/dev/null; keys z; wait_for "lets X and Y both"
        wait_for "[A-C]  lets X send with Prague and Y"; screen |
        sed -n 's/^ *>* *\([A-C]\)  lets X send with Prague and Y.*/\1/p')
    keys z
    answer "$letter"
    wait_until "a pass" judged
fi
next
check_fails
solve
keep "Marks" "Lab 02, step 2: CE beside ECT(1) on data packets of client X, from DualPI2 at the router's port."
next
check_fails
line="ccalab packets $work/02-l4s-works/router.pcapng.gz -Y"
x=$($line 'tcp.len > 0 && ip.dsfield.ecn == 1' | sed -n '1s/^ *[0-9]* *[^ ]* *\([0-9.]*\) .*/\1/p')
answer "$($line "ip.dsfield.ecn == 3 && ip.src == $x && tcp.len > 0" | wc -l)"
wait_until "a pass" judged
keep "Counted" "Lab 02, step 3: the number of marked data packets, by a display filter."
next

begin 03-collect 2
check_fails
solve
next
check_fails
answer prague
wait_until "a pass" judged
next

begin 04-backbone 2
check_fails
echo '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
 "num_attention_heads": 4, "vocab_size": 256}' >"$dir/config.json"
mkdir -p "$work/04-backbone/backbone"
cp "$dir/config.json" "$work/04-backbone/backbone/"
check_passes
next
answer 13
wait_for "your answer: 13"
wait_for "not yet  "
answer 25.1
wait_until "a pass" judged
keep "The backbone" "Lab 04: a model in its folder, and what it takes in memory."
next

begin 05-train-on-gpu 1
check_fails
solve
keep "Trained" "Lab 05: a training that ran to its end, and learned."
next

begin 06-pool-and-policy 3
for _ in 1 2 3; do
    check_fails
    solve
    next
done

begin 07-judge 3
for _ in 1 2; do
    check_fails
    solve
    [ $step = 2 ] && keep "The verdict" "Lab 07, step 2: the policy beside the best of the baselines."
    next
done
check_fails
line="ccalab labs report --name 'A Student' --output $work/07-judge/report.html"
type_there "$line"
wait_typed
keep_there "The report" "One page to hand in, with everything that was measured on the way." "$line"
check_passes
next

place=replay # its flows and its training take a quarter of an hour: course_own_cc.sh drives some of them
begin 08-your-own 8
for _ in 1 2 3 4 5 6 7 8; do
    check_fails
    solve
    [ $step = 4 ] && keep "Own" "Lab 08, step 4: twenty lines of Lua beside CUBIC and Prague."
    [ $step = 8 ] && keep "Who won" "Lab 08, the last step: the policy beside the congestion control that taught it."
    next
done
all_done() { [ "$(screen | grep -c '^\[[xs]\] 0')" = 9 ]; }
wait_until "all nine labs, done," all_done
keep "Done" "Nine labs: passed (\`x\`)."
keys q
wait_code 0
check_terminal
[ -z "$out" ] || sed -i '$d' "$out" # the blank line
echo ok
