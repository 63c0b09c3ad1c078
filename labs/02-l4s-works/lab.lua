-- Lab 02: two flows meet at the queue. What each packet says, what the queue writes on it, and how to read
-- both in a capture.

local SECONDS = 5 -- of the solution's flows; the check looks in the middle of them

-- Let flows of these congestion controls, by client, run beside the check.
local function send(c, ccs)
    c:later(function()
        local flows = {server = c.bed.server, seconds = SECONDS, sample = false, probes = false, progress = false}
        for _, role in ipairs{"client_x", "client_y"} do
            if ccs[role] then
                flows[#flows + 1] = {client = c.bed[role], cc = ccs[role]}
            end
        end
        return lab.run(flows)
    end)
    lab.sleep(1.2) -- both are sending by then
end

local function both(c)
    send(c, {client_x = c.bed.prague.cc or "prague", client_y = "cubic"})
end

-- What passes the router's port now, and what queues there.
local function observe(c)
    local seen = assert(c:capture("router.pcapng.gz", 2, 700))
    seen.queue = assert(c:queue())
    local rows = {}
    for _, role in ipairs{"client_x", "client_y"} do
        seen[role .. "_data"] = c:data_of(seen, role)
        local d = seen[role .. "_data"]
        rows[#rows + 1] = d and {role, d.not_ect, d.ect0, d.ect1, d.ce} or {role, "-", "-", "-", "-"}
    end
    seen.table = {title = "Data packets at the router's port", rows = rows,
                  header = {"from", "Not-ECT", "ECT(0)", "ECT(1)", "CE"}}
    return seen
end

local function counts(d)
    return d and ("%d Not-ECT, %d ECT(0), %d ECT(1), %d CE"):format(d.not_ect, d.ect0, d.ect1, d.ce)
        or "no data packet"
end

local HOW = "our capture of headers at the router's port, data packets alone"
local NOBODY = "flows that run while the check looks: send for longer"

return {
    title = "Does L4S work?",
    about = "X against Y, ECT(1), CE, the packet screen",
    minutes = 20,
    testbed = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2"},
    steps = {
        {
            name = "traffic", title = "X against Y", observe = observe,
            checks = {
                {name = "x-ect1", says = "Client X sends L4S packets", look = function(seen, c)
                    local d = c:data_of(seen, "client_x")
                    return c.judge(d ~= nil and d.ect1 + d.ce >= 0.9 * d.total and d.ect1 > 0,
                        {seen = counts(d), host = "client_x", how = HOW,
                         want = d and "nearly all of its data ECT(1), or CE made of it" or NOBODY})
                end},
                {name = "y-classic", says = "Client Y sends beside it, classic", look = function(seen, c)
                    local d = c:data_of(seen, "client_y")
                    return c.judge(d ~= nil and d.ect1 == 0, {seen = counts(d), host = "client_y", how = HOW,
                        want = d and "no ECT(1) from client Y" or NOBODY})
                end},
            },
            hints = {
                "The check captures 700 packets, for two seconds at most. Both flows must be running just then.",
                "In another terminal: `ccalab run` with two `--flow`, 60 seconds each.",
                "`--flow client_x:server:prague:60s --flow client_y:server:cubic:60s`, then `ccalab labs check`.",
            },
            solution = {does = "lets X send with Prague and Y with CUBIC, side by side", run = both},
            wrong = {
                {name = "cubic", does = "lets X and Y both send with CUBIC", fails = "x-ect1",
                 run = function(c) send(c, {client_x = "cubic", client_y = "cubic"}) end},
                {name = "alone", does = "lets X send with Prague, alone", fails = "y-classic",
                 run = function(c) send(c, {client_x = c.bed.prague.cc or "prague"}) end},
            },
        },
        {
            name = "marks", title = "The queue marks", observe = observe,
            setup = function(c)
                if c.place.kind == "virtual" then
                    c:set_queue("fifo limit 200p")
                end
            end,
            checks = {
                {name = "queue", says = "DualPI2 queues at the router's port", look = function(seen, c)
                    local kinds = table.concat(seen.queue.kinds, ", ")
                    return c.judge(kinds:find("dualpi2", 1, true) ~= nil, {seen = kinds, want = "dualpi2",
                        host = "router", how = "tc qdisc show dev " .. seen.queue.dev})
                end},
                {name = "marks", says = "It writes CE on data packets of client X", look = function(seen, c)
                    local d = c:data_of(seen, "client_x")
                    return c.judge(d ~= nil and d.ce > 0 and d.ect1 > 0, {host = "router", how = HOW,
                        seen = d and ("%s: %.2f %% marked"):format(counts(d), 100 * d.ce / d.total) or counts(d),
                        want = d and "CE beside ECT(1) on data of client X" or NOBODY})
                end},
            },
            hints = {
                "Marks are written where packets wait. Which queue is at the port, and does it know ECT(1)?",
                "Lab 01, step 3: give the port DualPI2. Then let both flows run and check.",
                "`ccalab qdisc {{lab}} set router {{port}} dualpi2`, the two flows of the step before, "
                    .. "`ccalab labs check`.",
            },
            solution = {does = "puts DualPI2 at the port and lets X and Y send", run = function(c)
                c:set_queue("dualpi2")
                both(c)
            end},
            wrong = {
                {name = "fifo", does = "leaves the port a plain FIFO and lets X and Y send", fails = "marks",
                 run = both},
                {name = "codel", does = "puts CoDel with ECN at the port and lets X and Y send", fails = "queue",
                 run = function(c)
                    c:set_queue("codel ecn")
                    both(c)
                 end},
            },
        },
        {
            name = "packets", title = "Reading the marks", acts = "files", observes = "files",
            question = "How many data packets of client X carry CE in router.pcapng.gz?",
            setup = function(c)
                if not c:exists("router.pcapng.gz") then
                    c:copy_in("marks/solution/router.pcapng.gz")
                end
            end,
            observe = function(c)
                local cap <close> = assert(lab.open_capture(c:path("router.pcapng.gz")))
                local by, x, most = {}, nil, 0
                for p in assert(cap:packets("tcp.len > 0 && ip.dsfield.ecn & 1 == 1")) do
                    local src = p["ip.src"]
                    by[src] = (by[src] or 0) + 1
                    if by[src] > most then
                        x, most = src, by[src]
                    end
                end
                if not x then
                    return lab.failure("unavailable", "labs", "router.pcapng.gz has no packet of an L4S flow",
                                       "go back to the step before, or ccalab labs reset 02")
                end
                local filter = ("ip.dsfield.ecn == 3 && ip.src == %s && tcp.len > 0"):format(x)
                return {client_x = x, marked = assert(cap:count(filter)), filter = filter,
                        frames = assert(cap:count("ip.dsfield.ecn == 3"))}
            end,
            checks = {
                {name = "count", says = "You can tell marked data from the rest", look = function(seen, c)
                    return c.judge(tonumber(c.answer) == seen.marked, {
                        seen = c.answer and "your answer: " .. c.answer or "no answer yet",
                        want = "the number of data packets from " .. seen.client_x .. " with ECN = 3",
                        how = "counted with our display filter"})
                end},
            },
            hints = {
                "`ip.dsfield.ecn == 3` shows everything that is marked. Are these all data, and all client X's?",
                "Acknowledgements have no payload: `tcp.len > 0` keeps data. `ip.src ==` keeps one sender.",
                "`ip.dsfield.ecn == 3 && ip.src == ADDRESS && tcp.len > 0`: the status line, or the number of "
                    .. "lines that `ccalab packets FILE -Y` prints, is the answer.",
            },
            solution = {does = "filters for CE, client X's address and payload, and counts",
                        run = function(c) c.answer = tostring(c:observed().marked) end},
            wrong = {
                {name = "ect1", does = "counts the packets with ECN = 1 instead", fails = "count", run = function(c)
                    local cap <close> = assert(lab.open_capture(c:path("router.pcapng.gz")))
                    c.answer = tostring(cap:count("ip.dsfield.ecn == 1"))
                end},
                {name = "none", does = "answers 0", fails = "count", run = function(c) c.answer = "0" end},
            },
        },
    },
}
