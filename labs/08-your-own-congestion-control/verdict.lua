-- What a judge.csv says of the student's congestion control and of others (docs/judge.md). The file is the
-- student's: what is not of its form is left out.

local OWN = "lua:own_cc.lua"
local M = {}

-- {scenario = {score=, by={candidate = {n=, score=, rate=, p99=}}}} of a file, nil where it has none.
function M.read(path)
    local head, out = nil, {}
    for line in (lab.read_file(path) or ""):gmatch("[^\n]+") do
        local cells = {}
        for cell in (line .. ","):gmatch("([^,]*),") do
            cells[#cells + 1] = cell
        end
        if not head then
            head = cells
        else
            local row = {}
            for i, key in ipairs(head) do
                row[key] = cells[i]
            end
            if row.scenario and row.candidate then
                local one = out[row.scenario] or {score = row.score, by = {}}
                out[row.scenario] = one
                one.by[row.candidate] = {n = math.tointeger(tonumber(row.n)) or 0, rate = tonumber(row.rate_mbit),
                    score = tonumber(row.score == "power" and row.power or row.off_mbit),
                    p99 = tonumber(row.delay_p99_ms)}
            end
        end
    end
    return next(out) and out or nil
end

-- The verdict of the folder: that of the latest judge in runs/, else judge.csv.
function M.find(c)
    local found
    for _, run in ipairs(lab.list_dir(c:path("runs")) or {}) do -- their names begin with the time
        found = M.read(c:path("runs/" .. run .. "/judge.csv")) or found
    end
    return found or M.read(c:path("judge.csv"))
end

local sorted = lab._sorted_keys

function M.table(verdict)
    local rows = {}
    for _, name in ipairs(sorted(verdict)) do
        for _, who in ipairs(sorted(verdict[name].by)) do
            local v = verdict[name].by[who]
            rows[#rows + 1] = {name, verdict[name].score == "power" and "power, more is better"
                or "off an equal share, less is better", who, ("%d"):format(v.n),
                v.score and ("%.2f"):format(v.score) or "-",
                v.rate and ("%.1f"):format(v.rate) or "-", v.p99 and ("%.2f"):format(v.p99) or "-"}
        end
    end
    return {title = "What the judge said", rows = rows,
            header = {"scenario", "score", "who", "cells", "value", "Mbit/s", "queue p99 ms"}}
end

-- Of a verdict the scenarios in which every one of `names` has a valid cell; with "" anybody else has one.
function M.scenarios(verdict, names)
    local list = {}
    for _, name in ipairs(sorted(verdict or {})) do
        local by, all = verdict[name].by, true
        for _, who in ipairs(names) do
            local has = by[who] ~= nil and by[who].n > 0 and by[who].score ~= nil
            for other, v in pairs(who == "" and by or {}) do
                has = has or (other ~= OWN and v.n > 0)
            end
            all = all and has
        end
        list[#list + 1] = all and name or nil
    end
    return list
end

function M.policy(verdict)
    for _, one in pairs(verdict or {}) do
        for who in pairs(one.by) do
            if who:find("^distilled:") or who:find("^model:") then
                return who
            end
        end
    end
end

-- Who is ahead in each scenario that both have a valid cell in, and by how much; how many those are. Within
-- the judge's 10 % of the best both are.
function M.compare(verdict, policy)
    local out, wins = {}, {policy = 0, own = 0}
    for _, name in ipairs(M.scenarios(verdict, {OWN, policy})) do
        local one = verdict[name]
        local mine, its = one.by[OWN].score, one.by[policy].score
        for who in pairs(lab._judge.winners({policy = its, own = mine}, one.score)) do
            wins[who] = wins[who] + 1
        end
        out[#out + 1] = one.score == "power"
            and ("%s: the policy's power is %.0f %% of yours (%.1f, %.1f)"):format(name, 100 * its / mine, its, mine)
            or ("%s: the policy is %.2f Mbit/s off an equal share, yours %.2f"):format(name, its, mine)
    end
    local who = wins.policy > wins.own and "the policy is ahead"
        or wins.own > wins.policy and "yours is ahead" or "a tie"
    return ("%s, %d : %d (within 10 %% both count). %s"):format(who, wins.policy, wins.own,
        table.concat(out, "; ")), #out
end

return M
