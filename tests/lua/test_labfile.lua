-- Lab files: what they mean, every mistake with its line, and machines opened from them.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local dir = assert(lab.localhost:run{"mktemp", "-d"}).out:gsub("%s+$", "")
local function write(text)
    local path = dir .. "/lab.lua"
    assert(lab.write_file(path, text))
    return path
end

local function mistakes(text)
    local file, err = lab.read_labfile(write(text))
    check(file == nil and err.status == "input", "no mistake found in " .. text)
    return table.concat(err.mistakes, "\n"), err
end

-- What is said is what is read.
local file = assert(lab.read_labfile(write([=[
-- client_x = ssh{usr = "this is a comment"}
--[[ router = 7 ]]
local user = "student"
client_x = ssh{host = "10.0.0.1", user = user, port = 2222, identity = "keys/id", connect_s = 2.5}
client_y = ssh{}
router   = netns{netns = "a-router", address = "10.98.3.1", bin = "bin"}
server   = localhost{address = "2001:db8::1"}
link = {
    rate = "50mbit", rtt = "20ms",
    aqm = "dualpi2 target 15ms", shaper = "htb",
    egress = "eth1",
}
]=])))
local x, y, r, s = table.unpack(file.hosts)
check(#file.hosts == 4 and x.name == "client_x" and x.kind == "ssh" and x.host == "10.0.0.1"
      and x.user == "student" and x.port == 2222 and x.connect_s == 2.5, lab.pretty(x))
check(x.identity == dir .. "/keys/id", "paths are relative to the file: " .. x.identity)
check(y.host == "client-y", "the role is the alias: " .. lab.pretty(y))
check(r.kind == "netns" and r.netns == "/run/netns/a-router" and r.bin == dir .. "/bin", lab.pretty(r))
check(s.kind == "local" and s.address == "2001:db8::1", lab.pretty(s))
check(file.link.rate_bps == 50e6 and file.link.rtt_us == 20000 and file.link.shaper == "htb"
      and file.link.egress == "eth1", lab.pretty(file.link))

-- All mistakes in one go, each with its line.
local said = mistakes([=[
local text = "client_x = ssh{usr = 1}" --[[
client_x = ]]
client_x = ssh{host = "10.0.0.1"}
client_y = ssh{
    host = "10.0.0.2",
    port = 0,
    usr = "student", address = "10.0.0.300",
}
ruoter = ssh{host = "r"}
server = shh{host = "s"}
link = {rate = "50", rtt = 20, shapper = "x", egress = "a/b",
    shaper = "cake"}
]=])
local want = [[
lab.lua:6: client_y: 'port' is a number from 1 to 65535
lab.lua:7: client_y: unknown field 'usr', did you mean 'user'?
lab.lua:7: client_y: 'address' is an IP address: "10.0.0.2"
lab.lua:9: 'ruoter' is no role, did you mean 'router'?
lab.lua:10: there is no 'shh' here, did you mean 'ssh'?
lab.lua:11: link: 'egress' is the name of a network interface: "eth1"
lab.lua:11: link: 'rate' is a rate as tc writes it: "50mbit"
lab.lua:11: link: 'rtt' is a text in quotes
lab.lua:11: link: unknown field 'shapper', did you mean 'shaper'?
lab.lua:12: link: 'shaper' is "htb" or "tbf"]]
local got = {}
for line in said:gmatch("[^\n]+") do
    got[#got + 1] = line
end
table.sort(got, function(a, b) -- the order of fields on one line is Lua's
    local m, n = tonumber(a:match(":(%d+):")), tonumber(b:match(":(%d+):"))
    return m == n and a:gsub("link: ", "") < b:gsub("link: ", "") or m < n
end)
check(#got == 10, said)
for line in want:gmatch("[^\n]+") do
    check((said .. "\n"):find(line .. "\n", 1, true), "missing: " .. line .. "\n" .. said)
end

for text, word in pairs{
    ["client_x = "] = "lab.lua:1: unexpected symbol",
    ["\nwhile true do end"] = "lab.lua:2: .*computes for ever",
    ["local t = {} while true do t[#t + 1] = {} end"] = "lab.lua:?1?: ",
    ["local s = 'x' while true do s = s .. s end"] = "memory",
    ["client_x = os.getenv('x')"] = "lab.lua:1: there is no 'os' here",
    ["io.write('x')"] = "there is no 'io'",
    ["client_x = ssh'h'"] = "with braces",
    ["client_x = 5"] = "client_x is a host",
    ["link = 5 router = localhost{}"] = "link is a table",
    ["client_x = ssh{'h'}"] = "every field has a name",
    ["client_x = ssh{host = '-oProxyCommand=x'}"] = "cannot begin",
    ["client_x = ssh{host = ''}"] = "empty",
    ["client_x = ssh{host = 'a\\0b'}"] = "plain",
    ["client_x = netns{}"] = "'netns' is missing",
    ["client_x = localhost{}\nlink = {rtt = '1s'}"] = "lab.lua:2: link: 'rate' is missing",
    ["client_x = localhost{} link = {rate='1mbit', rtt='1s', shaper='htb'}"] = "needs an 'aqm'",
    [""] = "no role has a host",
    ["\27Lua"] = "lab.lua",
} do
    local all = mistakes(text)
    check(all:find(word), ("%s: %s"):format(text, all))
end
local nothing, err = lab.read_labfile(dir .. "/absent.lua")
check(nothing == nil and err.status == "io", tostring(err))

-- Machines: this one, four times.
local path = write([[
client_x = localhost{} client_y = localhost{} router = localhost{} server = localhost{}
link = {rate = "1gbit", rtt = "1ms"}
]])
local bed = assert(lab.open_lab(path))
check(#bed.hosts == 4 and bed.hosts[3] == bed.router and bed.hosts.server == bed.server, lab.pretty(bed))
check(bed.egress == "lo" and bed.link.rate_bps == 1e9, lab.pretty(bed.egress))
check(bed.prague.cc ~= nil or bed.prague.reason and bed.prague.hint, lab.pretty(bed.prague))
check(#assert(lab.open_lab(path, {roles = {"router"}})).hosts == 1, "one role")
nothing, err = lab.open_lab(write("router = localhost{}"), {roles = {"server"}})
check(nothing == nil and err.status == "usage" and err.message:find("server"), tostring(err))

-- One that is dead, or two: named, and the others go on.
path = write([[
client_x = localhost{}
client_y = ssh{host = "127.0.0.1", port = 1}
server = netns{netns = "ccalab-there-is-none", address = "10.0.0.1"}
]])
nothing, err = lab.open_lab(path)
check(nothing == nil and err.message:find("client_y: ") and err.message:find("server: "), tostring(err))
bed = assert(lab.open_lab(path, {partial = true}))
check(#bed.hosts == 1 and #bed.dead == 2 and bed.dead[1].name == "client_y", lab.pretty(bed))
assert(lab.localhost:run{"rm", "-r", dir})
print("ok")
