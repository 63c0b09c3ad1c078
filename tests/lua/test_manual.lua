-- The manual (lua/api/*.lua) has every public function and nothing else, docs/api.md is what is made
-- of it, and its examples run: each in a console of its own; with the argument "lab", those that need
-- a virtual lab in one.

local SOURCE = assert(os.getenv("CCALAB_SOURCE"), "run it by ctest")
local CCALAB = assert(lab.program("ccalab"))
local manual, tools = lab._manual()
local failures = 0

local function check(ok, what)
    if not ok then
        failures = failures + 1
        print("FAIL " .. what)
    end
end

local dir = os.tmpname()
os.remove(dir)
assert(lab.make_dir(dir))
local tidy <close> = setmetatable({}, {__close = function() lab.localhost:run{"rm", "-r", dir} end})

-- A training needs more intervals than the recorded outputs of iperf3 in the tree have.
local function iperf3_output()
    local intervals = {}
    for i = 1, 120 do
        local window = 30000 + 1448 * ((i * 7) % 23)
        intervals[i] = {streams = {{socket = 5, start = i - 1, ["end"] = i, seconds = 1,
            bytes = window * 40, bits_per_second = window * 320, retransmits = 0, snd_cwnd = window,
            rtt = 20000 + 10 * i, omitted = false, sender = true}}}
    end
    return lab.json_encode{
        start = {connected = {{socket = 5}}, timestamp = {timesecs = 1700000000},
                 test_start = {protocol = "TCP", num_streams = 1, duration = 120, reverse = 0}},
        intervals = intervals, ["end"] = {sender_tcp_congestion = "cubic"}}
end

local HANDSHAKES = assert(lab.read_file(SOURCE .. "/tests/capture/corpus/handshakes.pcap"))
local IPERF3 = iperf3_output()

-- Run a text as a script of its own, in a directory of its own with the files that examples speak
-- of; what it keeps at home goes there too.
local function run(name, text, limit_s)
    local cwd = ("%s/%s"):format(dir, (name:gsub("%W", "_")))
    assert(lab.make_dir(cwd))
    assert(lab.write_file(cwd .. "/example.lua", text))
    assert(lab.write_file(cwd .. "/handshakes.pcap", HANDSHAKES))
    assert(lab.write_file(cwd .. "/iperf3.json", IPERF3))
    local r, err, left = lab.localhost:run{"env", "HOME=" .. cwd,
        "XDG_CACHE_HOME=" .. cwd .. "/cache", "XDG_STATE_HOME=" .. cwd .. "/state",
        "XDG_CONFIG_HOME=" .. cwd .. "/config", CCALAB, "--run", "example.lua",
        cwd = cwd, timeout_s = limit_s, label = name}
    return r, ("%s: %s\n%s%s"):format(name, err and err.message or "", left and left.out or "",
        left and left.err or ""), left
end

-- The lab's examples, in one script ---------------------------------------------------------------

if arg[1] == "lab" then
    local first, last, between = nil, nil, {}
    for _, name in ipairs(manual.names) do
        local e = manual.by_name[name]
        if e and e.needs == "lab" then
            local text = ("print(%q)\n%s\n"):format("--- " .. name, e.example)
            if name == "lab.testbed" then
                first = text:gsub('"manual"', ('"manual%d"'):format(lab.pid))
            elseif name == "Testbed:down" then
                last = text
            else
                between[#between + 1] = "do\n" .. text .. "end\n"
            end
        end
    end
    local r, said, left = run("lab", first .. table.concat(between) .. last, 200)
    local is_built = left and left.out:find("\n--- Host:capture", 1, true)
    if not r and not is_built and left and left.exit_code == 6 then
        error({status = "unavailable", subsystem = "test", message = "no lab here: " .. said}, 0)
    end
    check(r, said)
    assert(failures == 0, failures .. " failures")
    print(("ok: %d examples in a virtual lab"):format(#between + 2))
    return
end

-- Complete, and nothing that is not there ---------------------------------------------------------

local documented = {}
for _, name in ipairs(manual.names) do
    local e = manual.by_name[name]
    check(not documented[name], "the manual has two of " .. name)
    documented[name] = true
    if e then
        local value = tools.value_of(name)
        check(value ~= nil, name .. " is in the manual, but is not there")
        check(e.type or type(value) == "function", name .. " is no function and has no type")
        check(e.text and e.text:find("%.$"), name .. " has no sentence on it")
        if not e.type then
            local short = name:match("[^.:]+$")
            check(e.example and e.example:find(short, 1, true), name .. " has no example")
            check(load(e.example or "error", name), name .. ": its example is not Lua")
        end
        if e.needs == "ssh" then
            local text = e.tested and lab.read_file(SOURCE .. "/" .. e.tested) or ""
            local word = e.tested_as and e.tested_as:match("%-%-.*") or name
            check(text:find(word, 1, true), name .. " is not tested by " .. tostring(e.tested))
        else
            check(not e.tested, name .. " is tested by its example")
            check(({lab = true, netllm = true})[e.needs or "lab"], name .. " needs what?")
        end
    end
end
for name in pairs(lab) do
    check(name:sub(1, 1) == "_" or documented["lab." .. name],
        ("lab.%s is not in the manual"):format(name))
end
local nmethods = 0
for class in pairs(manual.classes) do
    for name, value in pairs(tools.methods_of(class) or {}) do
        if name:sub(1, 1) ~= "_" and type(value) == "function" then
            nmethods = nmethods + 1
            local full = class .. ":" .. name
            check(documented[full], full .. " is not in the manual")
        end
    end
end
check(nmethods > 30, "the method tables were not found")
for class in pairs(lab._classes) do
    check(manual.classes[class], class .. " is not in the manual")
end
local INNER = {["lab.CapturePass"] = true, ["lab.Drawing"] = true, ["lab.Journal"] = true}
for name, value in pairs(debug.getregistry()) do -- what C makes
    local is_class = type(value) == "table" and rawget(value, "__name") == name
    if is_class and name:find("^lab%.%u") then
        check(INNER[name] or documented[name] or documented[name:sub(5)],
              name .. " is not in the manual")
    end
end

-- What is made of it ------------------------------------------------------------------------------

local made = assert(lab.localhost:run{CCALAB, "api", "--markdown"}).out
check(made == lab.read_file(SOURCE .. "/docs/api.md"),
      "docs/api.md is not of these sources: ccalab api --markdown >docs/api.md")
for file in made:gmatch("%]%(([%w-]+%.md)%)") do
    check(lab.read_file(SOURCE .. "/docs/" .. file), "docs/api.md points to " .. file)
end
local stubs = assert(lab.localhost:run{CCALAB, "api", "--stubs"}).out
local env = {lab = {}}
local chunk, why = load(stubs, "=stubs", "t", env)
check(chunk and pcall(chunk), tostring(why))
for _, name in ipairs(manual.names) do
    local short = name:match("[^.:]+$")
    local class = name:match("^(%w+):")
    local e = manual.by_name[name]
    if e and not e.type and not class then
        local where = name:find("^lab%.") and env.lab or env
        check(type(where[short]) == "function", "the stubs have no " .. name)
    end
end
check(assert(lab.localhost:run{CCALAB, "api", "--man"}).out:find("^%.TH"), "a man page")

-- help() and dir() --------------------------------------------------------------------------------

local function said_by(text)
    local r, said = run("help", text, 120)
    check(r, said)
    return r and r.out or ""
end
check(said_by("help(lab.sleep)"):find("^lab%.sleep%(seconds%)\n  Wait%."), "help(function)")
check(said_by('help("sleep")'):find("^lab%.sleep"), "help of a short name")
check(said_by('help("lab.slep")'):find("did you mean lab.sleep?", 1, true), "a mistyped name")
check(said_by("help(lab.localhost)"):find("host:run", 1, true), "help(object)")
check(said_by("help(print)"):find("nothing on this function", 1, true), "help of what it has not")
check(said_by("help(nil)"):find("nothing on this nil", 1, true), "help(nil)")
check(said_by("help()"):find("\nPackets\n", 1, true), "help()")
check(said_by("dir(lab)"):find("\n  sleep +Wait\n"), "dir(lab)")
check(said_by("dir(lab.localhost)"):find(":upload", 1, true), "dir(object)")
check(said_by("dir{b = 1, a = 2}"):find("^  a +2\n  b +1\n"), "dir(table)")

-- The examples ------------------------------------------------------------------------------------

local nrun, nskipped = 0, 0
for _, name in ipairs(manual.names) do
    local e = manual.by_name[name]
    if e and e.example and (e.needs == nil or e.needs == "netllm" and lab.program("netllm")) then
        local r, said = run(name, e.example, 200)
        if not r and e.needs == "netllm" and said:find("needs libtorch", 1, true) then
            nskipped = nskipped + 1
        else
            nrun = nrun + 1
            check(r, said)
        end
    elseif e and e.needs == "netllm" then
        nskipped = nskipped + 1
    end
end
if nskipped > 0 then
    print(("%d examples were not run: no netllm, or one without libtorch"):format(nskipped))
end
assert(failures == 0, failures .. " failures")
print(("ok: %d names, %d examples"):format(#manual.names, nrun))
