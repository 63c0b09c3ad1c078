-- Changing hosts, and putting them back. A change is written to the journal (docs/restore.md) before it
-- is made, and undone when the script ends, however it ends; what a killed console leaves, `ccalab
-- restore` puts back.

local STEP_S, RESTORE_S = 5, 10 -- limits of one command, and of putting back all that a script changed

local journals = {} -- of this console: by the key of the host, {journal=, host=}

local function failure(status, message, hint)
    return lab.failure(status, "change", message, hint)
end

-- The journal ---------------------------------------------------------------------------------------

local function key_of(facts)
    return facts.boot_id .. "-" .. facts.net:gsub("%D", "")
end

-- How to reach the host again.
local function whereabouts(host)
    local o = host.kind == "ssh" and lab._ssh_options(host)
        or {netns = host.netns, userns = host.userns, bin = host.bin, address = host.address}
    o.name, o.kind = host.name, host.kind
    return o
end

local function journal_of(host, facts)
    local key = key_of(facts)
    if not journals[key] then
        local journal, err = lab._journal(key, whereabouts(host))
        if not journal then
            return nil, err
        end
        journals[key] = {journal = journal, host = host, key = key}
    end
    return journals[key]
end

local function close(open)
    open.journal:close()
    if journals[open.key] == open then
        journals[open.key] = nil
    end
end

local function close_if_empty(open)
    if #open.journal:pending() == 0 then
        close(open)
    end
end

-- After an entry was undone: is the host as it was? Returns what it is instead, or nil.
local differs = {}

-- Undo one entry of a journal. Returns true; or nil and an error, the entry then stays.
local function undo(open, entry, facts)
    local err
    if open.host.kind == "ssh" and not open.host.is_up then -- lost, and perhaps on its way back
        local back
        back, err = lab.ssh{name = open.host.name}
        if not back then
            return nil, err
        end
    end
    if not facts then
        facts, err = lab._probe(open.host)
        if not facts then
            return nil, err
        end
    end
    for _, step in ipairs(entry.undo) do
        local cmd = {timeout_s = STEP_S, label = ("restore %s"):format(open.host.name), sudo = true}
        for i, word in ipairs(step.argv) do
            cmd[i] = word
        end
        local r
        r, err = open.host:run(cmd)
        if not r and not (step.may_fail and err.status == "host" and open.host.is_up
                          and err.subsystem ~= "sudo") then
            return nil, err
        end
    end
    local seen = differs[entry.what] and differs[entry.what](open.host, entry)
    if seen then
        lab.log(("%s: %s %s was put back, but is now %s"):format(open.host.name, entry.what,
            entry.target, seen), "warn")
    end
    return open.journal:done(entry.id)
end

local function is_pending(open, id)
    if journals[open.key] ~= open then -- all of it was undone, and the journal closed
        return nil
    end
    for _, entry in ipairs(open.journal:pending()) do
        if entry.id == id then
            return entry
        end
    end
end

-- It is already as it shall be: nobody else may be about to put it back.
local function is_as_wanted(host, facts)
    local open, err = journal_of(host, facts)
    if not open then
        return nil, err
    end
    close_if_empty(open)
    return true
end

-- Make a change: `entry` is {what=, target=, before=, after=, undo={{argv=, may_fail=}, ...}, redo=},
-- `apply` makes it. With `keep` it outlives this console.
-- Returns true and a function that puts it back before its time.
local function change(host, facts, entry, keep, apply)
    local open, err = facts.uid == 0, nil
    if not open then -- better now than when it is to be undone
        open, err = host:run{"true", label = "a change", sudo = true}
    end
    if open then
        open, err = journal_of(host, facts)
    end
    if not open then
        return nil, err
    end
    entry.keep = keep or nil
    local id
    id, err = open.journal:add(entry)
    if not id then
        return nil, err
    end
    if not keep then
        lab._defer(function()
            local left = is_pending(open, id)
            if left then
                lab._undo_soon(open, left)
            end
        end)
    end
    local ok
    ok, err = apply()
    if not ok then
        local undone, undo_err = undo(open, is_pending(open, id), facts)
        if not undone then
            lab.log(("%s: a failed change could not be undone: %s"):format(host.name,
                undo_err.message), "warn")
        end
        close_if_empty(open)
        return nil, err
    end
    return true, function()
        local left = is_pending(open, id)
        local done, why = true, nil
        if left then
            done, why = undo(open, left)
            close_if_empty(open)
        end
        return done, why
    end
end

-- At the end of a script: undo within what is left of its time, and say what stays.
local deadline
function lab._undo_soon(open, entry)
    if open.host.kind == "netns" and not open.host.is_up then -- its lab is down, and all of it gone
        open.journal:done(entry.id)
        close_if_empty(open)
        return
    end
    local now = lab.now()
    if not deadline or now > deadline + 60 then
        deadline = now + RESTORE_S
    end
    local ok, err
    if now < deadline then
        ok, err = lab.timeout(deadline - now, undo, open, entry)
    else
        err = select(2, failure("timeout", "there was no time left"))
    end
    if not ok then
        lab.log(("%s: %s %s is not put back: %s"):format(open.host.name, entry.what, entry.target,
            err.message), "error")
        lab.log(("run 'ccalab restore %s' when the host can be reached"):format(open.host.name), "error")
    end
    close_if_empty(open)
end

-- Put back now what this console has changed, the latest first; on one host or on all.
function lab.restore(host)
    local n, first = 0, nil
    local list = {}
    for _, open in pairs(journals) do
        list[#list + 1] = open
    end
    for _, open in ipairs(list) do
        local pending = open.journal:pending()
        for i = #pending, 1, -1 do
            if (not host or host.name == open.host.name) and pending[i].pid == lab.pid then
                local ok, err = undo(open, pending[i])
                first = first or err
                n = n + (ok and 1 or 0)
            end
        end
        close_if_empty(open)
    end
    if first then
        return nil, first
    end
    return n
end

-- Settings ------------------------------------------------------------------------------------------

local function sysctl_path(name)
    if not name:match("^[%w_%-./]+$") or name:find("..", 1, true) or name:sub(1, 1) == "/" then
        error(("'%s' is no name of a kernel parameter"):format(name), 3)
    end
    return "/proc/sys/" .. (name:find("/", 1, true) and name or name:gsub("%.", "/"))
end

local function write_argv(path, value)
    return {"sh", "-c", [[printf '%s\n' "$1" | tee "$2" >/dev/null]], "sh", value, path}
end

local function plain(value)
    return (tostring(value):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- Change a kernel parameter until the script ends.
function lab.set_sysctl(host, name, value, o)
    local path = sysctl_path(name)
    local facts, err = lab._probe(host)
    if not facts then
        return nil, err
    end
    local before
    before, err = lab.sysctl(host, name)
    if not before then
        return nil, err
    end
    value = tostring(value)
    if plain(before) == plain(value) then
        return is_as_wanted(host, facts)
    end
    local entry = {what = "sysctl", target = name, before = before, after = value,
                   undo = {{argv = write_argv(path, before)}}}
    return change(host, facts, entry, o and o.keep, function()
        local cmd = write_argv(path, value)
        cmd.label, cmd.timeout_s, cmd.sudo = "sysctl " .. name, STEP_S, true
        return host:run(cmd)
    end)
end

function differs.sysctl(host, entry)
    local now = lab.sysctl(host, entry.target)
    return plain(now or "?") ~= plain(entry.before) and tostring(now) or nil
end

local FEATURES = {tso = "tcp-segmentation-offload", gso = "generic-segmentation-offload",
                  gro = "generic-receive-offload", lro = "large-receive-offload",
                  sg = "scatter-gather", rx = "rx-checksumming", tx = "tx-checksumming"}

-- The state of an offload by ethtool, and true where the driver has fixed it.
function lab.offload(host, dev, feature)
    local r, err = host:run{"ethtool", "-k", dev, label = "ethtool", timeout_s = STEP_S}
    if not r then
        return nil, err
    end
    local name = FEATURES[feature] or feature
    for line in r.out:gmatch("[^\n]+") do
        local word, state, rest = line:match("^%s*([%w-]+):%s*(%l+)(.*)$")
        if word == name then
            return state, rest:find("fixed", 1, true) ~= nil
        end
    end
    return failure("unavailable", ("%s: %s has no %s"):format(host.name, dev, name))
end

-- Switch an offload of a network card until the script ends.
function lab.set_offload(host, dev, feature, on, o)
    local want = on and "on" or "off"
    local facts, err = lab._probe(host)
    if not facts then
        return nil, err
    end
    local before, fixed = lab.offload(host, dev, feature)
    if not before then
        return nil, fixed
    elseif before == want then
        return is_as_wanted(host, facts)
    elseif fixed then
        return failure("unavailable", ("%s: the driver of %s does not let %s be switched %s"):format(
            host.name, dev, feature, want))
    end
    local function argv(state)
        return {"ethtool", "-K", dev, feature, state}
    end
    local entry = {what = "offload", target = dev .. " " .. feature, dev = dev, feature = feature,
                   before = before, after = want, undo = {{argv = argv(before)}}}
    return change(host, facts, entry, o and o.keep, function()
        local cmd = argv(want)
        cmd.label, cmd.timeout_s, cmd.sudo = "ethtool " .. dev, STEP_S, true
        return host:run(cmd)
    end)
end

function differs.offload(host, entry)
    local now = lab.offload(host, entry.dev, entry.feature)
    return now ~= entry.before and tostring(now) or nil
end

-- Make the host forget what it learned of paths, so that one run does not start where the last one ended.
-- Nothing can give that back to a kernel, it learns anew.
function lab.flush_tcp_metrics(host)
    local r, err = host:run{"ip", "tcp_metrics", "show", label = "ip tcp_metrics", timeout_s = STEP_S}
    if not r then
        return nil, err
    end
    local done
    done, err = host:run{"ip", "tcp_metrics", "flush", label = "ip tcp_metrics", timeout_s = STEP_S,
                         sudo = true}
    if not done then
        return nil, err
    end
    return r.out
end

-- For the prelude's qdisc.lua.
lab._change, lab._differs, lab._journal_of, lab._close_if_empty = change, differs, journal_of, close_if_empty

-- After a console that is gone -----------------------------------------------------------------------

-- lab._restore_left(left, host or nil): put back what lab.journals() lists as `left`, a console that is gone
-- having changed it; `host` if it is open already. Returns {undone=, note=}, or nil and an error.
function lab._restore_left(left, host)
    local err
    if not host then
        if left.host.netns and not lab.localhost:run{"test", "-e", left.host.netns} then
            local journal = assert(lab._journal(left.key))
            for _, entry in ipairs(journal:pending()) do
                journal:done(entry.id)
            end
            journal:close()
            return {undone = 0, note = "that virtual host is gone, and its changes with it"}
        end
        host, err = lab._host_of(left.host)
        if not host then
            return nil, err
        end
    end
    local facts
    facts, err = lab._probe(host)
    if not facts then
        return nil, err
    end
    local journal
    journal, err = lab._journal(left.key)
    if not journal then
        return nil, err
    end
    local open = {journal = journal, host = host, key = left.key}
    local pending, n, first = journal:pending(), 0, nil
    local is_other = key_of(facts) ~= left.key
    for i = #pending, 1, -1 do
        local ok
        if is_other then -- the kernel has forgotten them
            ok, err = journal:done(pending[i].id)
        else
            ok, err = undo(open, pending[i], facts)
        end
        n = n + (ok and 1 or 0)
        first = first or (not ok and err or nil)
    end
    journal:close()
    if first then
        return nil, first
    end
    return {undone = is_other and 0 or n,
            note = is_other and "it was started anew since, and its changes are gone with that" or nil}
end

-- What is written down of changes to hosts, of this and other consoles.
function lab.journals()
    return lab._journals()
end
