#!/bin/sh
# Whatever ends the console, the terminal is usable afterwards.
. ./tmux.sh

shell 100 30
for signal in SEGV ABRT TERM HUP QUIT; do
    console
    wait_for "| idle"
    kill -s $signal "$(cat "$dir/pid")"
    wait_until "the exit of ccalab" test -e "$dir/code"
    echo "$signal: exit code $(cat "$dir/code")"
    case $signal in
    TERM | HUP) [ "$(cat "$dir/code")" = 130 ] || fail "not 130" ;;
    *) [ "$(cat "$dir/code")" -ne 0 ] || fail "a crash must not look like success" ;;
    esac
    check_terminal
    enter clear
    wait_gone is_back
done

# Ctrl-Z and fg; the shell has its own modes meanwhile.
enter "set -m"
rm -f "$dir/pid"
enter "sh -c 'echo \$\$ >\"$dir/pid\"; exec \"$ccalab\"'"
wait_for "| idle"
keys C-z
wait_gone "| idle"
check_terminal
enter "fg"
wait_for "| idle"
enter ":20+3"
wait_for "^= 23"
# Stopped and woken by somebody else.
kill -s STOP "$(cat "$dir/pid")"
wait_for "Stopped (signal)"
keys f g C-j # the shell reads it in our modes: a return would not end its line
wait_for "| idle"
enter ":20+4"
wait_for "^= 24"
keys q
wait_gone "| idle"
check_terminal
