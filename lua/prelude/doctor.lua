-- The doctor: surveys hosts, all side by side, has them judged for their roles (remote/checks.h), shows
-- what is wrong and, if asked, repairs what can be repaired without harm.

local SURVEY_S = 30

local CLOCK_TRIES, CLOCK_GOOD_S = 3, 0.02

-- What a time that the host wrote between our asking and our hearing it says of its clock less ours, which
-- lies between `low` and `high`; several such times together say more.
local function narrow(clock, t, resolution_s, asked, heard)
    clock.low = math.max(clock.low or -math.huge, t - resolution_s - heard)
    clock.high = math.min(clock.high or math.huge, t + resolution_s - asked)
    clock.offset_s, clock.error_s = (clock.low + clock.high) / 2, (clock.high - clock.low) / 2
end

-- Starting a command may take a host long (a login shell with much to read), and nobody knows which part
-- of that came before the time was taken. A signal to one that runs already does not wait for it.
local TELL_TIME = [[trap 'date +%s.%N; exit 0' TERM; echo ready; while :; do sleep 1 & wait; done]]

local function ask_clock(host, clock)
    for _ = 1, CLOCK_TRIES do
        if clock.error_s <= CLOCK_GOOD_S then
            return
        end
        local job = host:start{"sh", "-c", TELL_TIME, label = "clock " .. host.name, ready = "ready",
                               timeout_s = 10}
        if not job or not job:wait_up(10) then
            return
        end
        local asked = lab.now()
        local r = job:finish()
        local t = r and tonumber(r.out:match("(%d+%.%d+)%s*$"))
        if not t then
            return
        end
        narrow(clock, t, 0, asked, lab.now())
    end
end

-- Run the survey on a host: its text and facts, with the offset of its clock.
local function survey(host, to, is_router)
    local cmd = {"sh", "-c", lab._survey_script, "survey", is_router and "forward" or "",
                 label = "survey " .. host.name, ready = "@clock", timeout_s = SURVEY_S}
    for _, address in ipairs(to or {}) do
        cmd[#cmd + 1] = address
    end
    local asked = lab.now()
    local job, err = host:start(cmd)
    if not job then
        return nil, err
    end
    local _, why = job:wait_up(SURVEY_S)
    local heard = lab.now()
    local r, left
    r, err, left = job:wait()
    local text = (r or left or {out = ""}).out
    -- What was said before the time ran out is still worth something.
    if not r and not (text:find("\n@kernel 0\n", 1, true) and err.status == "timeout") then
        return nil, err or why
    end
    local facts
    facts, err = lab._survey_parse(text)
    if not facts then
        return nil, err
    end
    if facts.clock_s then
        local clock = {}
        narrow(clock, facts.clock_s, facts.clock_resolution_s, asked, heard)
        ask_clock(host, clock)
        facts.clock_offset_s, facts.clock_error_s = clock.offset_s, clock.error_s
    end
    return {text = text, facts = facts}
end

-- What a host says of itself; clock_offset_s is its clock less ours, to within clock_error_s.
function lab.facts(host, o)
    o = o or {}
    local s, err = survey(host, o.to, o.forward)
    if not s then
        return nil, err
    end
    return s.facts
end

-- A line typed by the person at the terminal; not in a pipe, nor in the console's own screen.
function lab.ask(question)
    if not lab._can_ask then
        return lab.failure("unavailable", "ask", "nobody can be asked here: " .. question,
                           "--yes (yes=true in Lua) says yes beforehand")
    end
    io.stderr:write(question, " ")
    while true do
        local line = lab._typed_line()
        if line == false then
            return lab.failure("interrupted", "ask", "the input ended")
        elseif line then
            return line
        end
        lab.sleep(0.05)
    end
end

-- True if the person says y, or `yes` says so for them.
function lab.confirm(question, o)
    if o and o.yes then
        return true
    end
    local answer, err = lab.ask(question .. " (y/n)")
    if not answer then
        return nil, err
    end
    return answer:lower():match("^%s*y") ~= nil
end

-- Who is to be what ---------------------------------------------------------------------------------

-- "client", "router", "server", or "all" for a machine that stands alone.
local function role_of(L, name)
    if L.roles and L.roles[name] then
        return L.roles[name]
    end
    for _, role in ipairs{"client", "router", "server"} do
        if name:find("^" .. role) then
            return role
        end
    end
    return "client"
end

local function cc_of(L, name, o)
    if o.cc and o.cc[name] then
        return o.cc[name]
    end
    if name == "client_x" or not L.client_x then
        return L.prague and L.prague.cc or "prague"
    end
    return "cubic"
end

-- The address of a host that cannot be asked, where the lab file gives it.
local function address_in_file(L, name)
    for _, h in ipairs(L.file and L.file.hosts or {}) do
        if h.name == name then
            return h.address
        end
    end
end

-- The hosts of a lab to look at, each with what is expected of it: {host=, error=, name=, role=, want=,
-- addresses=}.
local function plan(L, o)
    local link = L.link or {}
    local is_virtual = L.job ~= nil -- lab.testbed{}
    local rtt_us = link.rtt_us or (link.delay_us and 2 * link.delay_us)
    local members, of, ccs, seen = {}, {client = {}, server = {}}, {}, {}
    local function add(name, host, err)
        local m = {name = name, host = host, error = err, role = role_of(L, name)}
        local address = host and host.address or address_in_file(L, name)
        members[#members + 1] = m
        if of[m.role] and address and address ~= "" then
            table.insert(of[m.role], address)
        end
        if m.role == "client" then
            m.cc = cc_of(L, name, o)
            if not seen[m.cc] then
                ccs[#ccs + 1], seen[m.cc] = m.cc, true
            end
        end
    end
    for _, host in ipairs(L.hosts) do
        add(host.name, host)
    end
    for _, dead in ipairs(L.dead or {}) do
        add(dead.name, nil, dead.error)
    end
    local both = table.move(of.server, 1, #of.server, #of.client + 1,
                            table.move(of.client, 1, #of.client, 1, {}))
    local wanted = {}
    for _, name in ipairs(o.roles or {}) do
        wanted[name] = true
    end
    local out = {}
    for _, m in ipairs(members) do
        m.addresses = m.role == "client" and of.server or m.role == "server" and of.client or both
        m.want = {roles = m.role ~= "all" and {m.role} or nil, ccs = m.role == "client" and {m.cc} or ccs,
                  to = m.role == "server" and of.client or of.server,
                  ports = o.ports or {5201, 5202},
                  aqm = link.aqm and link.aqm:match("%S+"), egress = is_virtual and L.egress
                      or link.egress, rate_bps = o.rate_bps or link.rate_bps,
                  rtt_s = o.rtt_s or (rtt_us and rtt_us / 1e6), is_virtual = is_virtual}
        if m.role ~= "router" then
            m.want.egress = nil
        end
        if L.to then -- this machine alone
            m.addresses, m.want.to = L.to, L.to
            m.want.ccs = {cc_of(L, m.name, o)}
        end
        if not o.roles or wanted[m.name] or wanted[m.role] then
            out[#out + 1] = m
        end
    end
    return out
end

-- Examining -----------------------------------------------------------------------------------------

local function unreachable(err)
    return {{name = "host", verdict = "fail", seen = err.message, want = "a host that answers",
             fix = err.hint, is_fix_safe = false, needs_root = false}}
end

local function examine(m)
    local s, err = nil, m.error
    if m.host then
        s, err = survey(m.host, m.addresses, m.role == "router")
    end
    if s then
        m.facts = s.facts
        m.want.clock_offset_s, m.want.clock_error_s = s.facts.clock_offset_s, s.facts.clock_error_s
        m.checks, err = lab._judge_survey(s.text, m.want)
    end
    m.error = err
    m.checks = m.checks or unreachable(err)
    lab._publish_checks(m.name, m.role, m.checks)
    return true
end

local MARKS = {pass = "ok  ", fail = "FAIL", unknown = "?   "}

-- Text of a host, as it may be shown on a terminal.
local function clean(text)
    return (text:gsub("%c", "?"))
end

local function show(m)
    print(clean(("%s (%s)%s"):format(m.name, m.role, m.facts and (": " .. (m.facts.distro or "Linux")
          .. ", " .. m.facts.kernel) or "")))
    for _, c in ipairs(m.checks) do
        print(clean(("  %s %-12s %s"):format(MARKS[c.verdict], c.name, c.seen or "-")))
        if c.verdict ~= "pass" then
            if c.want then
                print(clean(("         wanted     %s"):format(c.want)))
            end
            if c.fix then
                print(clean(("         to fix     %s"):format(c.fix)))
            end
        end
    end
end

local function round(members, o)
    local tasks, count = {}, {pass = 0, fail = 0, unknown = 0}
    for i, m in ipairs(members) do
        tasks[i] = lab.spawn(function()
            m.checks = nil
            return examine(m)
        end)
    end
    for i, task in ipairs(tasks) do
        assert(task:join())
        lab.progress(i, #tasks, "surveyed " .. members[i].name)
    end
    for _, m in ipairs(members) do
        for _, c in ipairs(m.checks) do
            count[c.verdict] = count[c.verdict] + 1
        end
        if not o.quiet then
            show(m)
        end
    end
    if not o.quiet then
        print(("%d checks: %d ok, %d failed, %d cannot tell"):format(
            count.pass + count.fail + count.unknown, count.pass, count.fail, count.unknown))
    end
    return count
end

-- Repairing -----------------------------------------------------------------------------------------

-- What --fix may do, as a list of {member=, check=}.
local function repairs(members)
    local out = {}
    for _, m in ipairs(members) do
        for _, c in ipairs(m.checks) do
            if c.verdict ~= "pass" and c.is_fix_safe and c.action and m.host then
                out[#out + 1] = {member = m, check = c}
            end
        end
    end
    return out
end

-- Settings are changed through the setters that write the journal first, so that they are put back: at
-- the end of the script, or with `keep` by `ccalab restore`.
local function apply(host, action, keep)
    if action.sysctl then
        return lab.set_sysctl(host, action.sysctl, action.value, {keep = keep})
    elseif action.qdisc then
        return lab.set_qdisc(host, action.qdisc, action.spec, {rate = action.rate, keep = keep})
    elseif action.offload then
        for _, feature in ipairs(action.features) do
            local ok, err = lab.set_offload(host, action.offload, feature, false, {keep = keep})
            if not ok then
                return nil, err
            end
        end
        return true
    end
    local cmd = table.move(action.run, 1, #action.run, 1, {label = "fix", timeout_s = 30, sudo = true})
    return host:run(cmd)
end

local function repair(members, o)
    local list = repairs(members)
    if #list == 0 then
        print("nothing that --fix may repair")
        return nil
    end
    print("to be done:")
    for _, r in ipairs(list) do
        print(("  %s: %s"):format(r.member.name, r.check.fix))
    end
    local yes, err = lab.confirm("do that?", o)
    if err then
        error(err, 0)
    elseif not yes then
        print("nothing was changed")
        return nil
    end
    for _, r in ipairs(list) do
        local ok, why = apply(r.member.host, r.check.action, o.keep)
        print(("  %s %s: %s"):format(ok and "done  " or "FAILED", r.member.name,
              ok and r.check.fix or why.message))
    end
    return list
end

-- Look at all hosts of a lab, side by side, and print what is well, what is not, and how to mend it; with
-- `fix` mend it, after showing it and asking. A host that cannot be reached is a failed check of that name, and
-- holds up nobody. What is not said is expected as the lab has it. Checks are those of docs/doctor.md.
function lab.doctor(L, o)
    o = o or {}
    local members = plan(L, o)
    local count = round(members, o)
    if o.fix and repair(members, o) then
        count = round(members, o)
    end
    local out = {hosts = {}, passed = count.pass, failed = count.fail, unknown = count.unknown}
    for i, m in ipairs(members) do
        out.hosts[i] = {name = m.name, role = m.role, address = m.host and m.host.address,
                        checks = m.checks, facts = m.facts, error = m.error and m.error.message}
    end
    return out
end
