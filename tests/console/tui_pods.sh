#!/bin/sh
# What runs and costs money is in the title bar, whoever has started it.
. ./tmux.sh

notes=$dir/state/ccalab/pods
mkdir -p "$notes"
note() { # FILE COST IS_RUNNING
    printf '{"id":"%s","name":"n","cost_per_h":%s,"began":%d,"spent_usd":1.5,"is_running":%s}' "$1" "$2" \
        $(($(date +%s) - 3600)) "$3" >"$notes/$1.json"
}
note one 0.44 true
note stopped 9.99 false
echo 'no note' >"$notes/odd.json"
shell 80 24
console
wait_for "1 pod 0.44 USD/h, 1.9[0-9] USD"
note two 2.39 true
wait_for "2 pods 2.83 USD/h, 5.8[0-9] USD"
t resize-window -t lab -x 60 -y 24 # the tabs give way
wait_for "2 pods 2.83 USD/h, 5.8[0-9] USD"
t resize-window -t lab -x 80 -y 24
note one 0.44 false
note two 2.39 false
wait_gone "USD"
