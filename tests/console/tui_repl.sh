#!/bin/sh
# The command line: several lines, completion, signatures, search in the history, pasted text.
. ./tmux.sh

paste() { # TEXT, as a terminal pastes it
    t set-buffer -b pasted "$1"
    t paste-buffer -p -d -b pasted -t lab
}
shell 110 30
console
wait_for "| idle"

# What is not complete goes on in the next line, indented as the one before.
enter ":for i = 1, 3 do"
wait_for "^2/2:"
enter "    if i == 2 then"
wait_for "^3/3:"
enter "    print('two is', i) end"
wait_for "^4/4:"
enter "end"
wait_for "^two is 2"
wait_gone "^4/4:"
keys : Up
wait_for "^4/4:"
keys Up Up Up
wait_for "^1/4:for i = 1, 3 do"
keys Escape
wait_gone "^1/4:"

# The last value, and a local that is lost.
enter ":6*7"
wait_for "^= 42"
enter ":_ + 1"
wait_for "^= 43"
enter ":local lost = 1"
wait_for "warn: local lost: gone at the end of the line"

# Completion: one, several, the signature.
enter ":mine = {alpha = 1, alpine = 2, beta = 3}; return 'made'"
wait_for '^= "made"' # what has not run yet cannot be completed
keys : m i n e . b Tab
wait_for "^:mine.beta$"
keys Enter
wait_for "^= 3$"
keys : m i n e . a Tab
wait_for "^:mine.alp   alpha  alpine$"
keys h
wait_gone "alpha  alpine"
keys Tab Enter
wait_for "^= 1$"
t send-keys -t lab -l ":lab.sleep("
wait_for "^:lab.sleep(   lab.sleep(seconds)$"
keys C-u BSpace
wait_gone "^:lab.sleep("

# Search in the history; leaving it gives the line back, Enter runs what was found.
t send-keys -t lab -l ":draft"
keys C-r
t send-keys -t lab -l "6*"
wait_for "^(search '6\*')6\*7"
t send-keys -t lab -l "z"
wait_for "^(not found '6\*z')6\*7"
keys Escape
wait_for "^:draft$"
keys C-r
t send-keys -t lab -l "_ +"
wait_for "^(search '_ +')_ + 1"
keys Enter
wait_for "^= 2$"

# Pasted text is edited, not run, and is no keys: q would leave.
paste "q = 1
for k = 1, 2 do
	q = q + #'k is' * k
end
return 'q is', q"
wait_for "^5/5:return 'q is', q"
has "^= \"q is" && fail "a paste was run"
keys Enter
wait_for '^= "q is".*13'
keys q
wait_code 0
check_terminal

# The block is one entry of the next console's history.
console
wait_for "| idle"
keys : Up Up Up
wait_for "^3/5: *q = q + #'k is' \* k$"
keys C-c
wait_gone "^3/5:"
keys q
wait_code 0
