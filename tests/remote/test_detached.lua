-- Jobs that outlive their connection: every byte once, whatever happens in between. Run by detached.sh.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local dir, port = os.getenv("SSHD_DIR"), tonumber(os.getenv("SSHD_PORT"))
local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = port, identity = dir .. "/id",
                         known_hosts = dir .. "/known_hosts", config = "/dev/null"})
local COUNT, go_on = 2000, dir .. "/go_on" -- without that file it stops in the middle
local count = ([[i=0; while [ $i -lt %d ]; do echo "line $i"; echo "e $i" >&2; i=$((i + 1))
    [ $((i %% 50)) = 0 ] && sleep 0.05; [ $i != 1500 ] || until [ -e '%s' ]; do sleep 0.05; done
    done; exit 7]]):format(COUNT, go_on)
local wanted, wanted_err = {}, {}
for i = 0, COUNT - 1 do
    wanted[#wanted + 1] = ("line %d\n"):format(i)
    wanted_err[#wanted_err + 1] = ("e %d\n"):format(i)
end
wanted, wanted_err = table.concat(wanted), table.concat(wanted_err)

local function check_counted(err, left)
    check(err and left.exit_code == 7, tostring(err) .. " " .. tostring(left.exit_code))
    check(left.out == wanted, ("%d bytes of %d"):format(#left.out, #wanted))
    check(#left.err > 1000 and wanted_err:sub(1, -2):sub(-#left.err) == left.err, left.err:sub(1, 200))
end

-- Until a condition holds; patience only ends what hangs.
local function wait_until(what, condition)
    local t0 = lab.now()
    while not condition() do
        check(lab.now() - t0 < 60, what)
        lab.sleep(0.05)
    end
end
local function wait_gone(command)
    wait_until(command .. " runs on", function()
        return not lab.localhost:run{"pgrep", "-f", "^" .. command .. "$"}
    end)
end

local step = arg[1]
if step == "start" then -- and be killed while it counts
    os.remove(go_on)
    local job = assert(h:start{"sh", "-c", count, detached = "counted", label = "counting"})
    lab.sleep(0.5)
    print(job:id())
    job:wait()
elseif step == "attach" then
    local jobs
    wait_until("it counts", function()
        jobs = assert(h:jobs())
        return #jobs ~= 1 or jobs[1].out_bytes > 0
    end)
    check(#jobs == 1 and jobs[1].id == "counted" and jobs[1].label == "counting" and
          jobs[1].state == "runs" and jobs[1].out_bytes > 0, lab.pretty(jobs))
    assert(lab.write_file(go_on, ""))
    local _, err, left = assert(h:attach("counted")):wait()
    check_counted(err, left)
    check(#assert(h:jobs()) == 0, "it is cleaned up when it is collected")
    _, err = assert(h:attach("counted")):wait()
    print(err)
    check(tostring(err):find("has no job counted", 1, true) and err.hint, tostring(err))
else
    -- The connection is killed again and again.
    assert(lab.write_file(go_on, ""))
    local job = assert(h:start{"sh", "-c", count, detached = true})
    check(job:id():find("^sh%-%d+$"), job:id())
    local killer = lab.spawn(function()
        for _ = 1, 4 do
            lab.sleep(0.4)
            while not h.is_up do
                lab.sleep(0.05)
            end
            local r = h:run{"sh", "-c", "echo $PPID"}
            if r then
                assert(lab.localhost:run{"kill", "-9", (r.out:gsub("%s", ""))})
            end
        end
    end)
    local _, err, left = job:wait()
    check_counted(err, left)
    killer:join()
    while not h.is_up do
        lab.sleep(0.05)
    end

    -- Events; arguments, environment and directory; from an offset.
    local up = assert(h:start{"sh", "-c", [[pwd >&2; echo '{"t":1,"type":"result","data":{"state":"up"}}'
        echo '{"t":2,"type":"sample","src":"away","values":{"v":3}}'; exec sleep 7304]], events = true,
        detached = "up", cwd = "/usr"})
    check(assert(up:wait_up()).state == "up", "up")
    up:leave()
    _, err = up:wait()
    print(err)
    check(err.status == "interrupted" and tostring(err):find("goes on", 1, true), tostring(err))
    up = assert(h:attach("up", {out_from = 10}))
    lab.sleep(0.4)

    -- Cancelled as a group, by the pid that was recorded.
    up:cancel()
    _, err, left = up:wait()
    check(err.status == "interrupted" and left.out:sub(1, 15) == 'pe":"result","d', left.out)
    wait_gone("sleep 7304")
    local stubborn = assert(h:start{"sh", "-c", "trap '' TERM; sleep 7305 & sleep 7305 & wait; wait",
                                    detached = true, grace_s = 0.5})
    lab.sleep(0.5)
    stubborn:cancel()
    stubborn:wait()
    wait_gone("sleep 7305")

    -- How it ends, and what cannot begin.
    _, err, left = assert(h:start{"sh", "-c", "kill -SEGV $$", detached = true}):wait()
    check(tostring(err):find("signal 11", 1, true), tostring(err))
    _, err = assert(h:start{"no-such-command-here", detached = true}):wait()
    check(err.status == "unavailable", tostring(err))
    assert(h:start{"sleep", 60, detached = "twice"})
    while #assert(h:jobs()) == 0 do
        lab.sleep(0.05)
    end
    _, err = assert(h:start{"true", detached = "twice"}):wait()
    print(err)
    check(tostring(err):find("cannot start job twice", 1, true), tostring(err))
    check(not h:start{"true", detached = "../x"}, "a name is no path")
    local twice = assert(h:attach("twice"))
    twice:cancel()
    twice:wait()
    check(#assert(h:jobs()) == 0, lab.pretty(h:jobs()))
    -- This machine can do it too.
    local r = assert(assert(lab.localhost:start{"echo", "here", detached = true}):wait())
    check(r.out == "here\n", lab.pretty(r))
end
print("ok")
