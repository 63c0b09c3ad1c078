-- `ccalab doctor`: docs/doctor.md.

local about = {
    name = "doctor", help = "is this machine, or is every host of a lab, fit for its role?",
    usage = "[--lab FILE] [ROLE...] [OPTIONS]",
    flags = {
        {"--lab", meta = "FILE", help = "the hosts of this lab file; without it this machine"},
        {"--as", meta = "ROLE", help = "this machine's role: client, router or server (default: all)"},
        {"--to", meta = "ADDRESS", help = "where this machine's packets go, several with commas between"},
        {"--cc", meta = "NAME", help = "the congestion control that client_x, or this machine, uses"},
        {"--ports", meta = "PORT,...", help = "TCP ports that the server needs (default: 5201,5202)"},
        {"--fix", help = "repair what can be restored, after showing it"},
        {"--yes", help = "do not ask"},
        {"--json", help = "print the result as JSON"},
        {"--install-kernel", meta = "SOURCE",
         help = "install it on the ROLEs and boot it: a directory of .deb, a URL, or a release"},
        {"--wait", meta = "SECONDS", number = true, help = "for a host to come back (default: 300)"},
    },
}
local ROLES = {"client", "router", "server"}

local o = lab.args(about, arg)
if not o then
    return
end

local function usage(message, hint)
    error({status = "usage", subsystem = "doctor", message = message,
           hint = hint or "see ccalab doctor --help"}, 0)
end

local function split(text, convert)
    local out = {}
    for word in (text or ""):gmatch("[^,%s]+") do
        out[#out + 1] = convert and (convert(word) or usage(("'%s' is no number"):format(word))) or word
    end
    return #out > 0 and out or nil
end

local function is_one_of(word, list)
    for _, w in ipairs(list) do
        if w == word then
            return true
        end
    end
    return false
end

-- This machine alone, as a lab.
local function this_machine()
    if #o > 0 then
        usage(("'%s' is a host of a lab"):format(o[1]), "give the lab file too: --lab FILE")
    elseif o.as and not is_one_of(o.as, ROLES) then
        local near = lab.did_you_mean(o.as, ROLES)
        usage("no role is called " .. o.as, near and ("did you mean %s?"):format(near))
    end
    if o.fix and not o.as then
        usage("--fix needs to know what this machine is to be", "--as client, --as router or --as server")
    end
    return {hosts = {lab.localhost}, roles = {["local"] = o.as or "all"}, to = split(o.to) or {}}
end

local roles = table.move(o, 1, #o, 1, {})
local L
if o.lab then
    if o.as or o.to then
        usage("--as and --to are for this machine alone", "the lab file says who is what")
    end
    -- The routes between all hosts matter, also where few are asked about.
    L = assert(lab.open_lab(o.lab, {partial = true}))
    for _, role in ipairs(roles) do
        local names = table.move(ROLES, 1, #ROLES, 1, {})
        for _, h in ipairs(L.file.hosts) do
            names[#names + 1] = h.name
        end
        if not is_one_of(role, names) then
            local near = lab.did_you_mean(role, names)
            usage(("%s has no %s"):format(o.lab, role), near and ("did you mean %s?"):format(near))
        end
    end
else
    L = this_machine()
end

if o.install_kernel then
    if #roles == 0 then
        usage("which hosts?", "ccalab doctor --lab FILE --install-kernel SOURCE ROLE...")
    end
    local hosts = {}
    for i, role in ipairs(roles) do
        if not L.hosts[role] then
            for _, dead in ipairs(L.dead) do
                if dead.name == role then
                    error(dead.error, 0)
                end
            end
            usage(role .. " is no host of " .. o.lab, "name the hosts one by one: client_x, router ...")
        end
        hosts[i] = L.hosts[role]
    end
    local release = assert(lab.install_kernel(hosts, o.install_kernel, {yes = o.yes, wait_s = o.wait}))
    print("runs " .. release)
    return
end

local result = lab.doctor(L, {roles = #roles > 0 and roles or nil, fix = o.fix, yes = o.yes, keep = true,
                              quiet = o.json, ports = split(o.ports, math.tointeger),
                              cc = o.cc and {client_x = o.cc, ["local"] = o.cc}})
if o.json then
    print(lab.json_encode(result, true))
end
if result.failed > 0 then
    error({status = "failed", subsystem = "doctor", message = ("%d check%s failed"):format(
        result.failed, result.failed == 1 and "" or "s")}, 0)
end
