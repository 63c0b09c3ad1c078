#!/bin/sh
# A real run and a real training on the screens Runs and Train, live and as they were recorded.
. ./tmux.sh
needs_lab
has_torch=$("$CCALAB_BUILD/netllm" --version 2>/dev/null | grep -c "^libtorch [0-9]")

cat >"$dir/run.lua" <<'END'
local dir, has_torch = arg[1], arg[2] == "1"
local function wait_for(name)
    while not lab.read_file(dir .. "/" .. name) do lab.sleep(0.02) end
end
local run <close> = assert(lab.record{name = "small", base = dir .. "/runs"})
local raw = assert(run:path("iperf3.json"))
do
    local bed = assert(lab.testbed{name = "repl-tui", rate = "20mbit", rtt = "10ms"})
    assert(lab.iperf3{client = bed.client_x, server = bed.server, cc = "cubic", seconds = 5, save = raw})
end
wait_for("seen_run")
if has_torch then
    assert(lab.pool{files = {raw}, out = dir .. "/pool.safetensors"})
    assert(lab.adapt{pool = dir .. "/pool.safetensors", dir = dir .. "/model", num_epochs = 4, w = 4, batch_size = 4,
                     grad_accum_steps = 4})
    wait_for("seen_training")
end
run:finish("ok")
END

shell 110 40 "CCALAB_RUNS=$dir/runs"
console "'$dir/run.lua' '$dir' $has_torch"
wait_for "running run.lua"
wait_for "^flow  *Mbit/s  *mean  *CWND kB"
wait_for "^client_x  *[0-9.]* "
# A rate near that of the link, a window, a round-trip time of 10 ms and more.
rate_is_real() { screen | awk '/^client_x / {exit !($2 > 5 && $2 < 25 && $4 > 0 && $5 >= 10)} END {if (!NR) exit 1}'; }
wait_until "the flow's figures" rate_is_real
wait_for "Throughput \[Mbit/s\]"
: >"$dir/seen_run"
if [ "$has_torch" = 1 ]; then
    keys 4
    wait_for "\[4 Train\]"
    wait_for "^.* running  .*epoch"
    wait_for "valid loss  [0-9]"
    wait_for "persistence "
    wait_for "done  *in "
    : >"$dir/seen_training"
else
    echo "no libtorch in this build: no training"
fi
wait_code 0

# What it has left: the run in the list, its plots, its training.
console
wait_for "| idle"
keys 2 r
wait_for "^>  ok .*-small"
keys Enter
wait_for "Flows of .*-small"
wait_until "the recorded figures" rate_is_real
keys c
wait_for "Side by side"
wait_for "^A  .*-small (ok)"
keys h h
wait_for "no flows yet"
enter "x$dir/runs.csv"
wait_until "the export" test -s "$dir/runs.csv"
grep -q "small,ok" "$dir/runs.csv" || fail "export: $(cat "$dir/runs.csv")"
if [ "$has_torch" = 1 ]; then
    keys 4
    enter "o$(echo "$dir"/runs/*-small)"
    wait_for "done  *in "
    wait_for "persistence "
fi
keys q
wait_code 0
