#!/bin/sh
# A flow that a policy drives, on the screen Runs: what was seen, chosen and done; the return to aim
# at, changed by a key and by a script, changes the kernel's window.
. ./tmux.sh
needs_lab
grep -qw netllm /proc/sys/net/ipv4/tcp_available_congestion_control &&
    skip "another netllm drive runs on this machine"

cat >"$dir/cc.lua" <<'END'
function on_sample(flow, s)
    return 20 + 50 * s.target
end
END
cat >"$dir/drive.lua" <<'END'
local dir = arg[1]
local function wait_for(name)
    while not lab.read_file(dir .. "/" .. name) do lab.sleep(0.02) end
end
local drive, err = lab.drive{policy = "lua:" .. dir .. "/cc.lua"}
if not drive then
    assert(err.status == "unavailable", err)
    assert(lab.write_file(dir .. "/why", err.message))
    return
end
local bed = assert(lab.testbed{name = "driven-tui", rate = "50mbit", rtt = "20ms"})
local flow = lab.spawn(lab.run, {{client = bed.client_x, cc = "netllm", label = "driven"},
                                 server = bed.server, seconds = 60, probes = false})
wait_for("seen_key")
assert(drive.target == 0.9)
assert(drive:aim(0.4))
wait_for("seen_aim")
assert(drive:finish())
local ok
ok, err = drive:aim(1)
assert(not ok and err.status == "host", err)
wait_for("seen_end")
flow:cancel()
flow:join()
assert(bed:down())
END

shell 110 40
console "'$dir/drive.lua' '$dir'"
is_driven_or_ended() { [ -e "$dir/code" ] || has "the policy has the window"; }
wait_until "the driven flow" is_driven_or_ended
[ -e "$dir/why" ] && skip "$(cat "$dir/why")"
wait_for "Driven (lua:cc.lua, return 1.00, < > change it)"
wait_for "^ chose  70.0 packets ([-+0-9.]* %); aims at 1.00 of the largest return"
wait_for "^ kernel 70 packets, [0-9]* in flight, paced at [1-9]"
wait_for "^ saw    RTT 2[0-9.]* ms, least 2[0-9.]*, queue .*; [1-9][0-9.]* Mbit/s; [1-9][0-9]* pkts"
wait_for "^[1-9][0-9]* decisions/s, event to window [1-9]"
wait_for "Window \[packets\]"
wait_for "kernel 70 .* wanted 70"
keys '<'
wait_for "aiming at 0.9 of the largest return"
wait_for "^ kernel 65 packets"
: >"$dir/seen_key"
wait_for "return 0.40"
wait_for "^ kernel 40 packets"
: >"$dir/seen_aim"
wait_gone "Driven"
keys '>'
wait_for "nothing is driven from here"
: >"$dir/seen_end"
wait_code 0
