-- Hosts over SSH as a script sees them: the same methods, the same jobs.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local dir, port = os.getenv("SSHD_DIR"), tonumber(os.getenv("SSHD_PORT"))

local function ssh(name, o)
    local all = {name = name, host = "127.0.0.1", port = port, identity = dir .. "/id",
                 known_hosts = dir .. "/known_hosts", config = "/dev/null"}
    for k, v in pairs(o or {}) do
        all[k] = v
    end
    return lab.ssh(all)
end

local nothing, err = ssh("stranger", {identity = dir .. "/stranger"})
check(nothing == nil and err.status == "host" and tostring(err):find("refused the login"), tostring(err))
nothing, err = ssh("unknown", {known_hosts = dir .. "/none"})
check(nothing == nil and err.hint:find("accept_new"), tostring(err))
check(not pcall(lab.ssh, {name = "x", prot = 22}), "a misspelt option")

-- A passphrase comes from a function of the script.
local prompts = {}
local locked = assert(ssh("locked", {identity = dir .. "/locked", ask = function(prompt)
    prompts[#prompts + 1] = prompt
    return "sesame"
end}))
check(#prompts == 1 and prompts[1]:find("locked"), lab.pretty(prompts))

local a, b = assert(ssh("server")), assert(ssh("client"))
check(a.kind == "ssh" and a.address == "127.0.0.1" and a.is_up, tostring(a))
check(assert(ssh("server")).name == "server", "the same name is the same host")
check(ssh("alias", {address = "10.9.8.7"}).address == "10.9.8.7", "an address of one's own")

local r = assert(a:run{"sh", "-c", "echo out; echo err >&2"})
check(r.out == "out\n" and r.err:find("err"), lab.pretty(r))
local _, e, left = a:run{"sh", "-c", "echo partly; echo why >&2; exit 3"}
check(e.status == "host" and left.out == "partly\n" and left.exit_code == 3, tostring(e))
_, e = a:run{"no-such-command-here"}
check(e.status == "unavailable" and e.hint, tostring(e))
_, e = a:run{"sleep", 30, timeout_s = 0.3}
check(e.status == "timeout", tostring(e))

-- An event stream from there is like one from here; a service ends with its task.
local up = assert(a:start{"sh", "-c", [[echo '{"t":1,"type":"result","data":{"state":"up","n":7}}'
    echo '{"t":2,"type":"sample","src":"far","values":{"v":3}}'; exec sleep 60]], events = true})
check(assert(up:wait_up()).n == 7, "up")
up:cancel()
up:wait()
check(lab.series_stats("far/v").count == 1, "samples")

-- Files.
local src = dir .. "/files"
assert(lab.localhost:run{"mkdir", "-p", src .. "/sub"})
assert(lab.write_file(src .. "/sub/f", "text"))
local done = assert(a:upload(src, dir .. "/up"))
check(done.data.files == 1 and done.data.is_verified, lab.pretty(done))
assert(a:download(dir .. "/up/sub/f", dir .. "/f"))
check(lab.read_file(dir .. "/f") == "text", "there and back")
assert(lab.localhost:upload(src, dir .. "/local"))
check(lab.read_file(dir .. "/local/sub/f") == "text", "this machine copies")
_, e = a:upload(dir .. "/absent", dir .. "/x")
check(e.status == "io", tostring(e))

-- A flow of the lab between two such hosts.
if lab.localhost:run{"iperf3", "--version"} then
    local flow = assert(lab.iperf3{client = b, server = a, seconds = 2,
        port = 5901 + port % 997})
    check(flow.received_bps > 1e6 and flow.cc == "cubic", lab.pretty(flow))
    check(lab.series_stats("client/cwnd_bytes").count >= 3, "sampled")
end
print("ok")
