#!/bin/sh
# What only a real terminal shows: the mouse's modes, the clipboard's bytes, themes, one's own keys and
# settings, the record of a run after a crash.
. ./tmux.sh

esc=$(printf '\033')
raw_has() { LC_ALL=C grep -aqF "$1" "$raw"; }
coloured() { LC_ALL=C grep -aq "$esc\[[0-9;]*[34][0-9][0-9;]*m" "$raw"; }

# Keys and settings of one's own; what is wrong in them is in the log, by file and line.
mkdir -p "$dir/.config/ccalab"
printf 'F2 zoom\nz none\nF3 zoooom\n' >"$dir/.config/ccalab/keys"
printf 'theme light\nmuose on\n' >"$dir/.config/ccalab/config"

shell 110 30
record
console
wait_for "| no lab | idle"
wait_until "colours" coloured
keys 6
wait_for "keys:3: no action is called zoooom"
wait_for "config:2: no setting is called muose; did you mean mouse?"
keys 1
wait_for "\[1 Lab\]"
keys F2
wait_gone "Checks"
keys F2
wait_for "Checks"

# The mouse is the terminal's until it is asked for, and again afterwards.
raw_has "$esc[?1000h" && fail "the mouse was taken unasked"
keys M
wait_until "the mouse" raw_has "$esc[?1000h"
keys M
wait_until "the mouse's end" raw_has "$esc[?1000l"

# The clipboard: OSC 52, with what is selected.
enter ":'clip ' .. 'this'"
wait_for '^= "clip this"'
keys BTab
wait_for "\[Log\]"
keys k
wait_for "End follows"
keys j
keys y
wait_for 'copied: = "clip this"'
wait_until "the clipboard" raw_has "$esc]52;c;$(printf '= "clip this"' | base64)"

# Sizes are remembered.
keys ']' ']'
keys q
wait_code 0
check_terminal
grep -q "^Lab 0 600$" "$dir/state/ccalab/layout" || fail "the layout: $(cat "$dir/state/ccalab/layout")"
enter clear
wait_gone is_back

# Themes; NO_COLOR has no say against --theme.
t pipe-pane -t lab
enter "export NO_COLOR=1"
record
console
wait_for "idle"
coloured && fail "colours in spite of NO_COLOR"
enter ":theme"
wait_for "theme high-contrast"
wait_until "colours that were asked for" coloured
keys q
wait_code 0
record
console --theme dark
wait_for "idle"
wait_until "colours that were asked for" coloured
keys q
wait_code 0
console --theme drak
wait_code 2
wait_for "did you mean dark"
enter clear
wait_gone "did you mean"

# A crash in the middle of a run, with the mouse on.
cat >"$dir/run.lua" <<END
local run = assert(lab.record{name = "broken", base = "$dir/runs"})
lab.sleep(100)
END
record
console "$dir/run.lua"
wait_for "running run.lua"
wait_until "the record" test -d "$dir/runs"
keys M
wait_until "the mouse" raw_has "$esc[?1000h"
kill -s SEGV "$(cat "$dir/pid")"
wait_until "the exit of ccalab" test -e "$dir/code"
wait_for "what the run has recorded is in $dir/runs/.*-broken"
wait_until "the mouse's end" raw_has "$esc[?1000l"
check_terminal
