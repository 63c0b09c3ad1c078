-- Lab 06: from recordings to an experience pool: what the recipes make of the same rows, what is wrong with
-- the published one, and what a baseline is.

local function build(c, recipe, out, names)
    c:netllm{"pool", "build", "--recipe", recipe, "-o", out, table.unpack(names or c:bring_recordings())}
end

-- Of each episode of a pool, the rows with the number of the episode.
local function rows_of(c, name)
    local rows = assert(c:pool_rows(name))
    local episode = 1
    for _, row in ipairs(rows) do
        row.episode = episode
        if row.done == 1 then
            episode = episode + 1
        end
    end
    return rows
end

local function range(rows)
    local low, high = math.huge, -math.huge
    for _, row in ipairs(rows) do
        low, high = math.min(low, row.cwnd_bytes), math.max(high, row.cwnd_bytes)
    end
    return low, high
end

local function mean(rows, fn)
    local sum = 0
    for _, row in ipairs(rows) do
        sum = sum + fn(row)
    end
    return sum / #rows
end

local function number(text)
    return tonumber((text or ""):match("^%s*([%d.eE+-]+)"))
end

local function answered(c, ok, want, how)
    return c.judge(ok, {seen = c.answer and "your answer: " .. c.answer or "no answer yet", want = want, how = how})
end

return {
    title = "The pool and the policy",
    about = "recipes, return conditioning, what the published pool cannot show",
    minutes = 25,
    steps = {
        {
            name = "build", title = "A pool of your recordings", acts = "files", observes = "files",
            setup = function(c) c:bring_recordings() end,
            observe = function(c)
                if not c:exists("pool.safetensors") then
                    return {is_there = false}
                end
                local info, err = c:pool_info("pool.safetensors")
                if not info then
                    return nil, err
                end
                local seen = {is_there = true, recipe = info.recipe, rows = info.rows, ccs = {}}
                for i, flow in ipairs(info.flows) do
                    seen.ccs[i] = flow.cc
                end
                return seen
            end,
            checks = {
                {name = "pool", says = "There is a pool of the recipe lab", look = function(seen, c)
                    return c.judge(seen.recipe == "lab", {want = "pool.safetensors, of recipe lab",
                        seen = seen.is_there and ("recipe %s, %d rows"):format(seen.recipe, seen.rows)
                            or "no pool.safetensors in your folder", how = "netllm pool info"})
                end},
                {name = "flows", says = "Flows of three congestion controls are in it", look = function(seen, c)
                    local kinds, n = {}, 0
                    for _, cc in ipairs(seen.ccs or {}) do
                        n = n + (kinds[cc] and 0 or 1)
                        kinds[cc] = true
                    end
                    return c.judge(n >= 3, {seen = table.concat(seen.ccs or {}, ", "),
                        want = "three episodes, each of another congestion control", how = "netllm pool info"})
                end},
            },
            hints = {
                "`netllm pool build` takes any number of recordings; each flow becomes an episode.",
                "`netllm pool build --recipe lab -o pool.safetensors prague.json cubic.json reno.json`, in your folder.",
            },
            solution = {does = "builds a pool of recipe lab from the three recordings",
                        run = function(c) build(c, "lab", "pool.safetensors") end},
            wrong = {
                {name = "tutorial", does = "builds it by the tutorial's recipe", fails = "pool",
                 run = function(c) build(c, "tutorial", "pool.safetensors") end},
                {name = "one-flow", does = "builds it from the CUBIC flow alone", fails = "flows",
                 run = function(c) build(c, "lab", "pool.safetensors", {"cubic.json"}) end},
            },
        },
        {
            name = "leak", title = "The answer is in the question", acts = "files", observes = "files",
            question = "In how many rows of published.safetensors is the action exactly what the same row's window gives?",
            setup = function(c)
                c:bring_recordings()
                build(c, "published", "published.safetensors")
            end,
            observe = function(c)
                local rows = rows_of(c, "published.safetensors")
                local low, high = range(rows)
                local seen = {rows = #rows, copied = 0, mse_copy = 0}
                for _, row in ipairs(rows) do
                    local error_ = row.action - (row.cwnd_bytes - low) / (high - low)
                    seen.copied = seen.copied + (math.abs(error_) < 1e-6 and 1 or 0)
                    seen.mse_copy = seen.mse_copy + error_ ^ 2 / #rows
                end
                return seen
            end,
            checks = {
                {name = "copied", says = "You have counted the rows that give their answer away",
                 look = function(seen, c)
                    return answered(c, number(c.answer) == seen.copied,
                        ("the number of rows, of %d, where action = (cwnd - min) / (max - min)"):format(seen.rows),
                        "the pool's own rows, min and max over the whole pool")
                end},
            },
            hints = {
                "Export the pool as CSV and compare two columns: cwnd_bytes, put on a scale from 0 to 1, and action.",
                "`netllm pool export published.safetensors --csv -o p.csv`; min and max are those of all rows.",
                "`awk -F, 'NR>1 {c[NR]=$2; a[NR]=$4; if (!l||$2<l) l=$2; if ($2>h) h=$2} END {for (i in c) "
                    .. "{d=a[i]-(c[i]-l)/(h-l); if (d<0) d=-d; n+=d<1e-6} print n}' p.csv`",
            },
            solution = {does = "compares each action with the same row's window",
                        run = function(c) c.answer = tostring(c:observed().copied) end},
            wrong = {
                {name = "none", does = "trusts that the action is hidden", fails = "copied",
                 run = function(c) c.answer = "0" end},
            },
        },
        {
            name = "baseline", title = "What doing nothing scores", acts = "files", observes = "files",
            question = "With recipe lab (pool.safetensors), what mean squared error has 'leave the window as it is'?",
            setup = function(c)
                c:bring_recordings()
                if not c:exists("pool.safetensors") then
                    build(c, "lab", "pool.safetensors")
                end
            end,
            observe = function(c)
                local rows = rows_of(c, "pool.safetensors")
                local average = mean(rows, function(r) return r.action end)
                return {rows = #rows, no_op = mean(rows, function(r) return r.action ^ 2 end),
                        constant = mean(rows, function(r) return (r.action - average) ^ 2 end),
                        magnitude = mean(rows, function(r) return math.abs(r.action) end)}
            end,
            checks = {
                {name = "no-op", says = "You know the score of doing nothing", look = function(seen, c)
                    local given = number(c.answer)
                    return answered(c, given ~= nil and math.abs(given - seen.no_op) <= 0.02 * seen.no_op,
                        "the mean of the squared actions, within 2 %", ("%d rows of the pool"):format(seen.rows))
                end},
            },
            hints = {
                "The action of recipe lab is ln(next window / window). For an unchanged window that is 0.",
                "Who always answers 0 is wrong by the action itself: average action x action over all rows.",
                "`netllm pool export pool.safetensors --csv -o l.csv; awk -F, 'NR>1 {s+=$4*$4; n++} END {print s/n}' l.csv`",
            },
            solution = {does = "averages the squared actions",
                        run = function(c) c.answer = ("%.8f"):format(c:observed().no_op) end},
            wrong = {
                {name = "zero", does = "answers 0, because nothing was done", fails = "no-op",
                 run = function(c) c.answer = "0" end},
                {name = "magnitude", does = "averages the actions without squaring them", fails = "no-op",
                 run = function(c) c.answer = ("%.8f"):format(c:observed().magnitude) end},
            },
        },
    },
}
