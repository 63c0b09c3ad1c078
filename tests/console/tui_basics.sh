#!/bin/sh
# First frame, the command line, history, help, zoom, too small a terminal, a clean end.
. ./tmux.sh

shell 100 34
console
wait_for "\[1 Lab\].* | no lab | idle"
for name in "\[Lab\]" Checks Log; do
    wait_for "$name"
done
keys 2
wait_for "\[2 Runs\]"
for name in "Throughput \[Mbit/s\]" "CWND \[kB\]" "RTT \[ms\]" "Marks \[share\]" Log; do
    wait_for "$name"
done

wait_for "^? help  : command  / search  Tab focus  ^C cancel  q quit "

enter ":1+1"
wait_for "^= 2"
enter ':print("four", 2+2)'
wait_for "^four 4"
enter ":nonsense)"
wait_for "error: .*syntax error"
enter ':error("boom")'
wait_for "error: .*boom"

# History: the line before the last one but two.
keys : Up Up Up
wait_for '^:print("four", 2+2)'
keys Escape
wait_gone '^:print("four", 2+2)'
[ "$(head -n 1 "$dir/state/ccalab/history")" = "1+1" ] || fail "no history in its file"

keys '?'
wait_for "Esc closes"
wait_for "leave the console"
keys Escape
wait_gone "Esc closes"

keys z
wait_gone "CWND"
keys z
wait_for "CWND"

t resize-window -t lab -x 60 -y 16
wait_for "q quit$" # what does not fit is left out, not cut

t resize-window -t lab -x 20 -y 5
whole_message() { screen | tr -d '\n' | grep -q "too small.*60x16 needed, have 20x5"; }
wait_until "the whole message" whole_message
t resize-window -t lab -x 1 -y 1
t resize-window -t lab -x 120 -y 40
wait_for "Throughput"
wait_gone "too small"
wait_for "^four 4"

# What must never reach the terminal: escape sequences in text, writes past curses.
enter ':print("\27[2Jcleared\155ok")'
wait_for "?\[2Jcleared"
enter ':io.stderr:write("stray words\n")'
wait_for "stderr: stray words"
wait_for "Throughput"

keys q
wait_code 0
check_terminal

# The same line is offered by the next console.
console
wait_for "idle"
keys : Up
wait_for "stray words"
keys C-c
wait_gone "stray words"
keys q
wait_code 0
