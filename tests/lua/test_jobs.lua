-- Hosts and jobs: output, exit status, services, events, bad commands.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local me = lab.localhost
local r = assert(me:run{"sh", "-c", "echo out; echo err >&2", label = "both"})
check(r.out == "out\n" and r.err:find("err") and r.exit_code == 0, lab.pretty(r))

local nothing, err, left = me:run{"sh", "-c", "echo partly; echo the reason >&2; exit 3"}
check(nothing == nil and err.status == "host" and left.out == "partly\n" and left.exit_code == 3,
    tostring(err))
check(tostring(err):find("exit status 3 on local: the reason", 1, true), tostring(err))

nothing, err = me:run{"no-such-command-here"}
check(err.status == "unavailable" and err.hint, tostring(err))

nothing, err = me:run{"sleep", 30, timeout_s = 0.1}
check(err.status == "timeout", tostring(err))

-- A command that ignores SIGTERM is killed after its grace period.
local stubborn = assert(me:start{"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done",
                                 ready = "ready", grace_s = 0.2})
assert(stubborn:wait_up(60))
stubborn:cancel()
nothing, err = stubborn:wait(60)
check(err.status == "interrupted", tostring(err))

-- finish() is judged by the command's own end.
local polite = assert(me:start{"sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done",
                               ready = "ready"})
assert(polite:wait_up(60))
check(assert(polite:finish()).out:find("bye"), "finish gives the output")

-- Events: samples land in the series, the result is the job's data, noise does no harm.
local job = assert(me:start{"sh", "-c", [[
    echo '{"t":10,"type":"sample","src":"me","values":{"v":1}}'
    echo '{"t":11,"type":"sample","src":"me","values":{"v":5,"w":null}}'
    echo 'not an event'
    echo '{"t":12,"type":"result","data":{"state":"up","n":7}}'
    echo '{"t":13,"type":"result","data":{"state":"down","list":[1,null,3]}}']], events = true,
    label = "events"})
check(assert(job:wait_up()).n == 7, "up")
local done = assert(job:wait())
check(done.data.state == "down" and done.data.list[2] == lab.null and done.data.list[3] == 3,
    lab.pretty(done))
local stats = lab.series_stats("me/v")
check(stats.count == 2 and stats.min == 1 and stats.max == 5 and stats.mean == 3, lab.pretty(stats))
check(lab.series_stats("me/w") == nil, "null is no number")

-- An error event is the job's error, with its hint.
nothing, err = me:run{"sh", "-c",
    [[echo '{"t":1,"type":"error","status":"unavailable","message":"no lab","hint":"build one"}'; exit 6]],
    events = true}
check(err.status == "unavailable" and err.message == "no lab" and err.hint == "build one",
    tostring(err))

-- A job that ends before it is up tells why.
local dead = assert(me:start{"sh", "-c", "echo broken >&2; exit 1", ready = "never"})
nothing, err = dead:wait_up(60)
check(nothing == nil and tostring(err):find("broken"), tostring(err))

-- What is written to a job, it reads; whoever reads nothing is told of, and nobody waits.
local reader = assert(me:start{"head", "-n", "2", input = true})
assert(reader:write("one\n"))
assert(reader:write("two\n"))
check(assert(reader:wait(60)).out == "one\ntwo\n", "lines arrive")
nothing, err = reader:write("three\n")
check(nothing == nil and err.status == "host" and err.message:find("ended"), tostring(err))
local deaf = assert(me:start{"sleep", "30", input = true})
repeat
    nothing, err = deaf:write(("x"):rep(65536))
until not nothing
check(err.status == "host" and err.message:find("does not read"), tostring(err))
check(not pcall(deaf.write, deaf, ("x"):rep(65537)), "too much at once")
deaf:cancel()
deaf = assert(me:start{"sleep", "30"})
nothing, err = deaf:write("x")
check(err.status == "unavailable" and err.message:find("no standard input"), tostring(err))
deaf:cancel()

-- Misuse raises.
check(not pcall(me.run, me, {}), "an empty command")
check(not pcall(me.run, me, {"echo", {}}), "a table as argument")
check(not pcall(me.run, me, {"echo", "a\0b"}), "a zero byte")
check(not pcall(me.run, me, {"echo", label = 5}), "a label of the wrong type")
check(not pcall(me.run, nil, {"echo"}), "no host")
print("ok")
