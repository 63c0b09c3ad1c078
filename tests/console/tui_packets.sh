#!/bin/sh
# The packet screen on a real terminal: a file, a filter, a pipe that is still written to, a list
# where there is no terminal.
. ./tmux.sh

capture=$CCALAB_SOURCE/tests/capture/corpus/accecn-172.pcap

shell 80 24
console packets "$capture"
wait_for "accecn-172.pcap | 903 packets"
wait_for "Explicit Congestion Notification: Not ECN-Capable Transport (0)"
wait_for "^? help  / filter  Tab focus  q quit"
keys c
wait_for "Congestion Experienced (3)"
enter "/ip.dsfeld.ecn == 3"
wait_for "\^ did you mean ip.dsfield.ecn?"
keys C-u
enter "ip.dsfield.ecn == 3"
wait_for "| 60 of 903 pass"
keys '?'
wait_for "Esc closes"
keys Escape
t resize-window -t lab -x 40 -y 10
wait_for "too small"
t resize-window -t lab -x 200 -y 50
wait_for "60 of 903 pass"
wait_for " Bytes "
keys p
wait_for "Packets per second by ECN"
keys q
wait_code 0
check_terminal

# The filter is remembered by the next screen.
console packets "$capture"
wait_for "903 packets"
keys / Up
wait_for "^Filter: ip.dsfield.ecn == 3"
keys C-c
wait_gone "^Filter: ip.dsfield.ecn == 3"
keys C-c
wait_code 0

# What a list is for stays a list.
console packets "$capture" --count -Y udp
wait_code 0
wait_for "^0$"
console packets "$capture" "|" tail -n 1
wait_for "^  903 .*5201"

# A pipe: what came so far is shown while the rest is waited for.
mkfifo "$dir/pipe"
console packets - "<'$dir/pipe'"
{ head -c 40000 "$capture"; while [ -d "$dir" ] && [ ! -e "$dir/go_on" ]; do sleep 0.05; done
  tail -c +40001 "$capture"; } >"$dir/pipe" &
wait_for "waiting for more"
has "903 packets" && fail "all packets before they were written"
keys f
: >"$dir/go_on"
wait_for "903 packets"
wait_for "^> *903 "
keys q
wait_code 0
check_terminal
