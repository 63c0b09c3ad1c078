#!/bin/sh
# Run by with_sshd: an unknown host's key and a key's passphrase are asked for on the command line;
# what is typed there is neither shown nor written anywhere.
. ./tmux.sh

line=":lab.ssh{name = 'h', host = '127.0.0.1', port = $SSHD_PORT, config = '/dev/null', identity = '$SSHD_DIR/locked', known_hosts = '$dir/known_hosts'}"
shell 120 30
console --log-level debug --events "$dir/events"
wait_for "idle"

enter "$line"
wait_for "^Accept the key of h (yes/no)?"
wait_for "not known: ssh-ed25519 SHA256:"
keys Escape
wait_for "^= nil ssh: .*is not known"
[ ! -s "$dir/known_hosts" ] || fail "a key that nobody accepted is written down"

enter "$line"
wait_for "^Accept the key of h (yes/no)?"
enter yes
wait_for "^Passphrase of .*locked:"
t send-keys -t lab -l sesame
wait_for "^Passphrase of .*locked: *$"
keys Enter
wait_for "^= Host h (ssh 127.0.0.1)"
grep -q ssh-ed25519 "$dir/known_hosts" || fail "the key is not written down"

# Questions have no history, and leave none.
keys : Up
wait_for "^:.*known_hosts.}"
keys Escape
wait_gone "^:.*known_hosts.}"
keys q
wait_code 0
check_terminal
has sesame && fail "the passphrase is on the screen"
grep -rq sesame "$dir" && fail "the passphrase is in a file: $(grep -rl sesame "$dir")"
grep -q "^yes" "$dir/state/ccalab/history" && fail "an answer is in the history"

# Without a person, the flag.
cat >"$dir/flag.lua" <<END
local h, err = lab.ssh{name = "h", host = "127.0.0.1", port = $SSHD_PORT, config = "/dev/null",
    identity = "$SSHD_DIR/id", known_hosts = "$dir/other_hosts"}
print(h or err)
END
"$ccalab" --run "$dir/flag.lua" 2>&1 | grep -q -e "--accept-new-hosts" || fail "no hint at the flag"
"$ccalab" --accept-new-hosts --run "$dir/flag.lua" 2>&1 | grep -q "^Host h" || fail "the flag"
echo ok
