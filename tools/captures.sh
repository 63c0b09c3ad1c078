#!/bin/sh
# The screens of docs/screens.md anew, from a run of the quickstart on this machine, as root:
#
#   CCALAB_BUILD=$PWD/build/release CCALAB_SOURCE=$PWD tools/captures.sh docs/screens.md
out=${1:?the file to write}
: "${CCALAB_BUILD:?the folder of the programs}" "${CCALAB_SOURCE:?the tree}"
if [ -z "$CAPTURES_INSIDE" ]; then
    # A home and a /run of its own: no picture shows a path of this machine, no other lab is met.
    out=$(realpath "$out")
    CAPTURES_INSIDE=1 exec unshare -m sh "$0" "$out"
fi
cd "$CCALAB_SOURCE/tests/console" || exit 1
. ./tmux.sh
patience_ms=120000
case $CCALAB_BUILD$CCALAB_SOURCE in
    /home/* | /run/*) echo "the programs must not lie below /home or /run"; exit 77 ;;
esac
mount -t tmpfs tmpfs /home && mount -t tmpfs tmpfs /run || exit 1
export HOME=/home/student XDG_STATE_HOME=/home/student/.local/state CCALAB_LABS="$CCALAB_SOURCE/labs"
export PATH="$PATH:/usr/sbin:/sbin"
mkdir -p "$HOME" && cd "$HOME" || exit 1

cat >"$out" <<'END'
# The screens

Pictures of a terminal of 100 columns and 30 rows (there in colour), taken by `tools/captures.sh` while `labs/quickstart.lua` ran.
What is on each screen, and its keys: [console.md](console.md). The course in pictures: [walkthrough.md](walkthrough.md).

END
keep() { { printf '## %s\n\n%s\n\n```\n' "$1" "$2"; screen; printf '```\n\n'; } >>"$out"; }

shell 100 30
console "$CCALAB_SOURCE/labs/quickstart.lua"
wait_for "running quickstart.lua 0:1[0-9]"
keys 2
wait_for "^client_x  *[0-9.]* "
wait_for "^client_y  *[0-9.]* "
keep "Runs" "\`2\`: the flows while they run, with throughput, window and RTT now and over time."
keys 1
wait_for "\[1 Lab\]"
keep "Lab" "\`1\`: the laboratory as it is, with what queues at the bottleneck and what each host does."
keys 3
wait_for "\[3 Packets\]"
wait_for "TCP"
keys Home # at the end, where packets arrive, rows are not read yet
keys c
wait_for "^> .* CE  "
keep "Packets" "\`3\`: the capture at the router's port, live; \`c\` goes to the next packet that carries CE."
keys 4
wait_for "valid loss  [0-9]"
keep "Train" "\`4\`: the training of the policy, with the baselines that it has to beat."
keys 6
wait_for "\[6 Log\]"
keep "Log" "\`6\`: what the script printed and the jobs said, with the times."
wait_code 0

console "$CCALAB_SOURCE/labs/drive/beside_cubic.lua" "lua:$CCALAB_SOURCE/labs/drive/own_cc.lua"
wait_for "running beside_cubic.lua 0:0[89]"
wait_for "the policy has the window"
keep "Runs, with a driven flow" "\`2\`, while \`labs/drive/beside_cubic.lua\` runs: what a policy saw, what it chose, what the kernel did."
wait_code 0

console
wait_for "| idle"
keys 7
wait_for "\[7 REPL\]"
enter "lab.stats{20.2, 20.4, 21.1}.ci95"
enter "help(lab.sleep)"
enter "for i = 1, 3 do"
enter "print(i * 10)"
enter "end"
wait_for "^.*30"
keep "REPL" "\`7\`: Lua, with results as one would write them, several lines, and help on every function."
keys Escape
wait_for "\[Results\]"
keys 5
wait_for "02-l4s-works"
keys Down Down Enter
wait_for "Start it on"
keys C-u
enter replay
wait_for "step 1 of 3"
keys c
wait_for "not yet  "
keep "Labs" "\`5\`: the course: the text of a step beside what its checks have seen."
keys q
wait_code 0
sed -i '$d' "$out" # the blank line
