#!/bin/sh
# ccalab --run: what goes where, the exit codes, and being stopped.
ccalab=$CCALAB_BUILD/ccalab
[ -x "$ccalab" ] || { echo "skipped: $ccalab is not built"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: no python3 here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
export HOME="$dir"
cd "$dir" || exit 1

now_ms() { echo $(($(date +%s%N) / 1000000)); }
fail() {
    echo "FAILED: $*"
    echo "--- out:" && cat out
    echo "--- err:" && cat err
    exit 1
}
# run CODE ARGS...: with the outputs in out and err.
run() {
    want=$1
    shift
    "$ccalab" "$@" >out 2>err
    code=$?
    [ $code = "$want" ] || fail "$*: exit code $code, not $want"
}
out_is() { [ "$(cat out)" = "$1" ] || fail "standard output is not \"$1\""; }
err_has() { grep -q -e "$1" err || fail "no \"$1\" on standard error"; }

cat >ok.lua <<'END'
print("hello", 1 + 1, ...)
io.write("and ")
print("more")
lab.log("a line for people", "warn")
END
run 0 --run ok.lua first "second one"
out_is "$(printf 'hello\t2\tfirst\tsecond one\nand more')"
err_has "a line for people"
run 0 --log-level error --run ok.lua
[ -s err ] && fail "a warning in spite of --log-level error"

cat >bad.lua <<'END'
local function inner()
    error("it broke")
end
print("before")
inner()
END
run 1 --run bad.lua
out_is before
err_has "bad.lua:2: it broke"
err_has "stack traceback"
err_has "bad.lua:5"

cat >table.lua <<'END'
assert(lab.localhost:run{"false"})
END
run 4 --run table.lua
err_has "exit status 1"

# Why a job failed is said once, with its hint: by who waited for it, or else by the log.
cat >painter.lua <<'END'
local painter = {"sh", "-c", [[echo '{"t":1,"type":"error","status":"unavailable","message":"no brush",
"hint":"buy one"}' | tr -d '\n'; exit 6]], events = true, label = "painter"}
if arg[1] == "waited" then
    assert(lab.localhost:run(painter))
elseif arg[1] == "cell" then
    lab.matrix{base = ".", axes = {{"x", {1}}}, run = function() assert(lab.localhost:run(painter)) end}
else
    local job = assert(lab.localhost:start(painter))
    while job:is_running() do
        lab.sleep(0.01)
    end
end
END
for case in 6:waited 0:cell 0:nobody; do
    run "${case%:*}" --run painter.lua "${case#*:}"
    [ "$(grep -c "no brush" err)" = 1 ] && [ "$(grep -c "hint: buy one" err)" = 1 ] ||
        fail "$case: not said once"
done

printf 'print("never")\nlocal x = = 1\n' >syntax.lua
run 3 --run syntax.lua
out_is ""
err_has "syntax.lua:2:"

run 7 --run none.lua
err_has "none.lua"
run 7 --events /nowhere/events --run ok.lua
run 2 --run
run 2
err_has "ccalab --run FILE.lua"

# Standard descriptors that are closed.
"$ccalab" --run ok.lua <&- >out 2>err || fail "with standard input closed"
"$ccalab" --run ok.lua >&- 2>err
[ $? = 7 ] || fail "a script that prints, with standard output closed"
err_has "standard output"
echo 'local x = 1' >quiet.lua
"$ccalab" --run quiet.lua >&- 2>err || fail "a script that prints nothing, standard output closed"
"$ccalab" --run ok.lua >out 2>&- || fail "with standard error closed"
"$ccalab" --version >&- 2>err
[ $? = 7 ] || fail "--version with standard output closed"

# A reader that goes away ends the script, although it would print for ever.
echo 'while true do print(("x"):rep(1000)) end' >spam.lua
{
    timeout 60 "$ccalab" --run spam.lua 2>err
    echo $? >code
} | head -n 1 >out
[ "$(cat code)" = 7 ] || fail "broken pipe: exit code $(cat code), not 7"
[ -s err ] && fail "a reader that went away is told about it"

# All of them at once, and a pipe that nobody reads on standard error.
echo 'print(io.read("l")) lab.log("for people", "warn") io.stderr:write("more")' >reads.lua
"$ccalab" --run reads.lua <&- >&- 2>&-
[ $? = 7 ] || fail "with all three closed"
"$ccalab" --run reads.lua <&- >out 2>err || fail "reading from a closed standard input"
out_is nil
{
    "$ccalab" --run reads.lua </dev/null 2>&1 >out
    echo $? >code
} | true
[ "$(cat code)" = 0 ] || fail "standard error is a pipe without a reader: $(cat code)"
out_is nil

# What is guarded, and what --unsafe lets through.
echo 'os.exit(0)' >exit.lua
run 1 --run exit.lua
err_has "would leave the lab as it is"
run 1 --unsafe --run exit.lua
echo 'print(os.execute("exit 3")) print(io.popen("echo out"):read())' >shell.lua
run 1 --run shell.lua
err_has "need --unsafe"
run 0 --unsafe --run shell.lua
out_is "$(printf 'nil\texit\t3\nout')"

# Stopped by a signal. It takes some milliseconds; the limit is for a machine that does much else.
cat >forever.lua <<'END'
lab.write_file("started", "")
while true do end
END
cat >stubborn.lua <<'END'
lab.write_file("started", "")
while true do pcall(function() while true do end end) end
END
cat >waits.lua <<'END'
lab.write_file("started", "")
lab.sleep(1000)
END
for script in forever stubborn waits; do
    for signal in INT TERM INT; do
        rm -f started
        # A shell starts background commands with SIGINT ignored; not this one.
        python3 - "$ccalab" $script.lua $signal <<'END' >took 2>err || fail "$script, SIG$signal"
import os, signal, subprocess, sys, time
ccalab, script, name = sys.argv[1:]
p = subprocess.Popen([ccalab, "--run", script], stdin=subprocess.DEVNULL)
limit = time.monotonic() + 60
while not os.path.exists("started"):
    if time.monotonic() > limit or p.poll() is not None:
        p.kill()
        sys.exit("it did not start")
    time.sleep(0.005)
start = time.monotonic()
p.send_signal(getattr(signal, "SIG" + name))
signal.signal(signal.SIGALRM, lambda *_: (p.kill(), sys.exit("it did not end")))
signal.alarm(60)
code = p.wait()  # with a time limit it would look only now and then
took_ms = (time.monotonic() - start) * 1000
print("%.0f" % took_ms)
if code != 130:
    sys.exit("exit code %d, not 130" % code)
END
        echo "$script stopped by SIG$signal in $(cat took) ms"
        [ "$(cat took)" -lt 5000 ] || fail "$script: $(cat took) ms"
    done
done

# A job that will not listen is killed by the second Ctrl-C, and goes with us.
cat >deaf.lua <<'END'
lab.localhost:run{"sh", "-c", "trap ': >deaf.told' TERM; trap '' INT; echo $$ >deaf.pid.new; mv deaf.pid.new deaf.pid; while :; do sleep 1; done", grace_s=300}
END
python3 - "$ccalab" <<'END' >out 2>err || fail "the second Ctrl-C"
import os, signal, subprocess, sys, time
p = subprocess.Popen([sys.argv[1], "--run", "deaf.lua"], stdin=subprocess.DEVNULL)
def wait_for(what, condition):
    limit = time.monotonic() + 60
    while not condition():
        if time.monotonic() > limit:
            p.kill()
            sys.exit(what + " did not come")
        time.sleep(0.005)
wait_for("the job", lambda: os.path.exists("deaf.pid"))
pid = int(open("deaf.pid").read())
p.send_signal(signal.SIGINT)
wait_for("the job's SIGTERM", lambda: os.path.exists("deaf.told"))  # else the two signals become one
p.send_signal(signal.SIGINT)
signal.signal(signal.SIGALRM, lambda *_: (p.kill(), sys.exit("it did not end")))
signal.alarm(60)
code = p.wait()
if code != 130:
    sys.exit("exit code %d, not 130" % code)
def is_gone():
    try:
        os.kill(pid, 0)
        return open("/proc/%d/stat" % pid).read().split()[2] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
wait_for("the end of the job", is_gone)
END

# Events and progress.
cat >events.lua <<'END'
for i = 1, 40 do
    lab.progress(i, 40, "step\27[2J " .. i)
    lab.sample("x", {v = i})
end
END
run 0 --events events.jsonl --run events.lua
[ "$(grep -c '^script: step' err)" -lt 20 ] || fail "progress lines are to come once a second"
err_has 'script: step?\[2J 1 [0-9.]* %'
python3 - <<'END' >out 2>err || fail "the events"
import json
events = [json.loads(line) for line in open("events.jsonl")]
assert len(events) == 80, len(events)
assert all(e["job"] == "script" and e["t"] > 1e9 for e in events)
assert [e["values"]["v"] for e in events if e["type"] == "sample"] == list(range(1, 41))
END
echo "all as it should be"
