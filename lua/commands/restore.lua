-- `ccalab restore`: put hosts back as they were before a console changed them.

local about = {
    name = "restore", help = "put hosts back as they were before a console changed them",
    usage = "[--lab FILE] [--list] [HOST...]",
    flags = {{"--lab", meta = "FILE", help = "only the hosts of this lab, reached as it says"},
             {"--list", help = "only say what would be put back"}}}
local o = lab.args(about, arg)
if not o then
    return
end

local bed, roles = nil, {}
if o.lab then
    bed = assert(lab.open_lab(o.lab, {partial = true}))
    for _, host in ipairs(bed.file.hosts) do
        roles[host.name] = true
    end
end
local wanted = {}
for _, name in ipairs(o) do
    wanted[name] = true
end

local function is_wanted(left)
    local host = left.host or {}
    if #o > 0 and not (wanted[host.name or ""] or wanted[host.host or ""]) then
        return false
    end
    return not bed or roles[host.name or ""] == true
end

local function one_line(v)
    v = type(v) == "table" and lab.json_encode(v) or tostring(v)
    return #v > 60 and v:sub(1, 57) .. "..." or v
end

local lefts = {}
for _, left in ipairs(assert(lab.journals())) do
    if left.error then
        lab.log(("%s: %s"):format(left.key, left.error), "warn")
    elseif left.host and #left.pending > 0 and is_wanted(left) then
        lefts[#lefts + 1] = left
        wanted[left.host.name], wanted[left.host.host or ""] = nil, nil
    end
end
for name in pairs(wanted) do
    if name ~= "" then
        print(name .. ": nothing to put back")
    end
end
if #lefts == 0 then
    if #o == 0 then
        print("nothing to put back")
    end
    return
end

for _, left in ipairs(lefts) do
    local h = left.host
    print(("%s (%s), changed by process %d%s"):format(h.name,
        h.kind == "ssh" and "ssh " .. (h.host or h.name) or h.netns or "this machine", left.pid,
        left.is_held and ", which still runs" or ""))
    for i = #left.pending, 1, -1 do
        local e = left.pending[i]
        print(("  %s %s: %s%s"):format(e.what, e.target, one_line(e.summary or e.before),
            e.after and type(e.after) == "string" and " (now " .. e.after .. ")" or ""))
    end
end
if o.list then
    return
end

local tasks, failed = {}, nil
for i, left in ipairs(lefts) do
    if not left.is_held then
        tasks[i] = lab.spawn(lab._restore_left, left, bed and bed.hosts[left.host.name])
    end
end
for i, left in ipairs(lefts) do
    if not tasks[i] then
        print(left.host.name .. ": left alone, its console still runs")
    else
        local r, err = tasks[i]:join()
        if r then
            print(("%s: %s"):format(left.host.name, r.note or ("put back (%d)"):format(r.undone)))
        else
            print(("%s: not put back: %s"):format(left.host.name, err.message))
            failed = failed or err
        end
    end
end
if failed then
    error(failed, 0)
end
