#!/bin/sh
# Ctrl-C stops what runs at once, and the console lives on.
. ./tmux.sh

shell 100 30
console
wait_for "idle"
for endless in "while true do end" "while true do pcall(function() while true do end end) end" \
    "lab.sleep(1000)" "table.sort({1,2,3}, function() while true do end end)"; do
    enter ":$endless"
    wait_for "| running"
    start=$(now_ms)
    keys C-c
    wait_for "| idle"
    took=$(($(now_ms) - start))
    echo "$endless: stopped in $took ms"
    # Promised are 500 ms (headless.sh prints what it takes); this is for a machine that does much else.
    [ $took -lt 10000 ] || fail "it took $took ms"
done
wait_for "interrupted"
enter ":6*7"
wait_for "^= 42"

# The screen lives while a script never waits.
enter ":while true do end"
wait_for "| running"
enter ":'still ' .. 'here'"
wait_for '= "still here"'

# Leaving while it runs asks first.
keys q
wait_for "(y/n)"
keys n
wait_gone "(y/n)"
wait_for "| running"
quit_running 0
check_terminal
