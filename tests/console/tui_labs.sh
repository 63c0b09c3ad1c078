#!/bin/sh
# The course on its screen, from recordings: begin a lab, check, an answer, the next step.
. ./tmux.sh
export CCALAB_LABS="$CCALAB_SOURCE/labs"

shell 120 40
console
wait_for "1 Lab"
keys 5
wait_for "02-l4s-works"
keys Enter
wait_for "Start it on"
keys C-u
enter "replay"
wait_for "step 1 of 3, replay"
keys c
wait_for "no answer yet"
keys '>'
wait_for "is not passed yet: c checks"
keys i
wait_for "Hint: A queue stands at a port"
keys a
wait_for "Your answer"
enter "bn1"
wait_for "your answer: bn1"
wait_for "\[x\] Four roles"
keys '>'
wait_for "step 2 of 3"
wait_for "The round-trip time has two parts" # its beginning, wherever the text before was
keys q
wait_code 0
check_terminal
