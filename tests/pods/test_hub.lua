-- Models from the hub's file API onto a host over SSH: with_server.sh.
local t = dofile((arg[0]:match("^(.*)/") or ".") .. "/helper.lua")
local check, fails, set = t.check, t.fails, t.set
local hub = t.dir .. "/hub"
local host = assert(lab.ssh{name = "gpu", host = "127.0.0.1", port = tonumber(os.getenv("SSHD_PORT")),
    identity = t.identity, known_hosts = t.sshd .. "/known_hosts", config = "/dev/null"})

local function make(repo, files)
    assert(lab.make_dir(hub .. "/" .. repo))
    for name, text in pairs(files) do
        assert(lab.write_file(("%s/%s/%s"):format(hub, repo, name), text))
    end
end
local weights = ("0123456789abcdef"):rep(200000) .. "end" -- 3.2 MB
local files = {["config.json"] = '{"model_type": "llama"}', ["tokenizer.model"] = "t" .. ("\0x"):rep(500),
    ["model.safetensors"] = weights, ["pytorch_model.bin"] = "the same once more", ["empty.txt"] = "",
    [".gitattributes"] = "*.bin lfs", ["README.md"] = "# not wanted"}
make("org/tiny", files)
make("gated/llama", {["config.json"] = "{}", ["model.safetensors"] = "secret weights"})
make("org/odd", {["config.json"] = "{}", ["model $(reboot).safetensors"] = "x"})
make("org/empty", {["README.md"] = "nothing"})

-- The whole of it, cut off twice on the way and resumed; then nothing is sent any more.
set{cut = 2}
local dir = t.sshd .. "/tiny"
local r = assert(lab.backbone{repo = "org/tiny", host = host, dir = dir})
print(lab.pretty(r))
check(r.files == 4 and r.sent >= #weights and r.sent <= r.bytes + 10 and r.commit:find("^c0ffee"), lab.pretty(r))
for _, name in ipairs{"config.json", "tokenizer.model", "model.safetensors", "empty.txt"} do
    check(lab.read_file(dir .. "/" .. name) == files[name], name)
end
check(#lab.list_dir(dir) == 4, "only what is wanted")
local ranges = 0
for _, request in ipairs(t.requests("^GET /cdn/")) do
    ranges = ranges + (request.range and request.range ~= "bytes=0-" and 1 or 0)
    check(not request.auth, "the token stays with the hub")
end
check(ranges >= 1, "it was resumed: " .. lab.pretty(t.requests("^GET /cdn/")))
t.forget()
r = assert(lab.backbone{repo = "org/tiny", host = host, dir = dir})
check(r.sent == 0 and #t.requests("resolve") == 0, "the second time sends nothing: " .. lab.pretty(r))

-- A part of something else: its hash tells, and it is downloaded anew. A wrong byte is refused.
assert(lab.localhost:run{"rm", dir .. "/model.safetensors"})
assert(lab.write_file(dir .. "/model.safetensors.ccalab-part", ("?"):rep(1000)))
assert(lab.backbone{repo = "org/tiny", host = host, dir = dir})
check(lab.read_file(dir .. "/model.safetensors") == weights, "anew")
assert(lab.localhost:run{"rm", dir .. "/model.safetensors"})
set{flip = true}
fails("input", {"the hash of model.safetensors is not"}, lab.backbone{repo = "org/tiny", host = host, dir = dir})
set{flip = false}
check(not lab.read_file(dir .. "/model.safetensors"), "nothing of it is in place")

-- Left in the middle, it goes on; whoever asks again sees its end.
set{throttle = 2000000}
local task = lab.spawn(function() return lab.backbone{repo = "org/tiny", host = host, dir = dir} end)
task:join(0.8)
task:cancel()
task:join()
r = assert(lab.backbone{repo = "org/tiny", host = host, dir = dir})
check(lab.read_file(dir .. "/model.safetensors") == weights, "followed")
set{throttle = 0}

-- Gated, unknown, odd; no room.
r = assert(lab.backbone{repo = "gated/llama", host = host, dir = t.sshd .. "/llama"})
check(r.files == 2, "with the token")
local function without_token(token, repo)
    local _, _, left = lab.localhost:run{"env", "HF_TOKEN=" .. token, "HF_HOME=/nonexistent",
        lab.program("ccalab"), "backbone", "get", repo, "--to", t.sshd .. "/none"}
    print(left.err)
    return left.err
end
check(without_token("", "gated/llama"):find("gated", 1, true), "without a token")
check(without_token("hf_somebody", "gated/llama"):find("accept its terms", 1, true), "with one that may not")
fails("host", {"does not know this model"}, lab.backbone{repo = "org/absent", host = host, dir = dir})
fails("input", {"is called model $(reboot)"}, lab.backbone{repo = "org/odd", host = host, dir = dir})
fails("input", {"no weights"}, lab.backbone{repo = "org/empty", host = host, dir = dir})
fails("usage", {"is no model"}, lab.backbone{repo = "../etc", host = host, dir = dir})
local small = t.sshd .. "/small"
if lab.localhost:run{"sh", "-c", 'mkdir "$1" && mount -t tmpfs -o size=1m none "$1"', "mount", small} then
    fails("host", {"no space", "MiB more"}, lab.backbone{repo = "org/tiny", host = host, dir = small .. "/tiny"})
    lab.localhost:run{"umount", small}
else
    print("no tmpfs can be mounted here: a full disk was not tried")
end

-- The command.
local said = assert(lab.localhost:run{lab.program("ccalab"), "backbone", "get", "org/tiny", "--to", dir}).out
check(said:find("all hashes are right", 1, true) and said:find("0.0 MB were downloaded", 1, true), said)
print("ok")
