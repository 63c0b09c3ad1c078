#!/bin/sh
# Braille where the locale has it, else ASCII; no colour where none is wanted; no dumb terminals.
. ./tmux.sh

cat >"$dir/plot.lua" <<'END'
for i = 1, 100000 do
    lab.sample("client_x", {throughput_bps = 2e7 + 1e7 * math.sin(i / 5), cwnd_bytes = 1e4 + i % 7 * 1e3})
    lab.sleep(0.05)
end
END
export LC_ALL=C.UTF-8
braille() { screen | LC_ALL=C grep -aq "$(printf '\342[\240-\243]')"; }
coloured() { grep -q "$(printf '\033')\[[0-9;]*[34][0-9][0-9;]*m" "$raw"; }

shell 100 30
record
console "$dir/plot.lua"
wait_for "client_x [0-9]"
wait_until "braille" braille
wait_until "colour" coloured
t pipe-pane -t lab
quit_running 130
t kill-session -t lab

shell 100 30 LC_ALL=C
console "$dir/plot.lua"
wait_for "client_x [0-9]"
wait_until "ASCII points" has '|.*\*\*'
braille && fail "braille in the C locale"
quit_running 130
t kill-session -t lab

shell 100 30 NO_COLOR=1
console --plot ascii "$dir/plot.lua"
wait_for "client_x [0-9]"
record
keys C-l
wait_until "a drawn screen" grep -q Throughput "$raw"
wait_until "ASCII points" has '|.*\*\*'
coloured && fail "colours in spite of NO_COLOR"
braille && fail "braille in spite of --plot ascii"
t pipe-pane -t lab
quit_running 130
t kill-session -t lab

shell 100 30 TERM=dumb
console
wait_code 2
wait_for "ccalab --run FILE.lua"
check_terminal
