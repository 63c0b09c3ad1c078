-- Lab 00: who is who in the lab, where its bottleneck is, how long a round trip takes, a first run.

local ROLES = {"client_x", "client_y", "router", "server"}

-- Run a command and keep what a student would have seen of it.
local function shown(host, words, label)
    words.label, words.timeout_s = label, 15
    local r = assert(host:run(words))
    return {host = host.name, command = table.concat(words, " "), output = (r.out:gsub("%s+$", ""))}
end

local function answered(c, t)
    if not c.answer then
        t.seen, t.ok = "no answer yet", false
    else
        t.seen = "your answer: " .. c.answer
    end
    return c.judge(t.ok, t)
end

return {
    title = "Who is who in the lab",
    about = "roles, topology, the bottleneck, the console",
    minutes = 10,
    testbed = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2"},
    steps = {
        {
            name = "roles", title = "Four roles and one bottleneck", acts = "files",
            question = "At which port of the router does the queue of the narrow link stand?",
            observe = function(c)
                local seen = {hosts = {}, shown = {}, egress = c.bed.egress}
                for _, role in ipairs(ROLES) do
                    local host = c.bed[role]
                    local facts = host and lab._probe(host)
                    seen.hosts[role] = {address = host and host.address, kernel = facts and facts.kernel}
                end
                seen.shown[1] = shown(c.bed.router, {"ip", "route", "get", c.bed.server.address}, "route")
                seen.shown[2] = shown(c.bed.router, {"tc", "qdisc", "show"}, "queues")
                return seen
            end,
            checks = {
                {name = "hosts", says = "All four hosts answer", look = function(seen, c)
                    for _, role in ipairs(ROLES) do
                        if not seen.hosts[role].kernel then
                            return c.not_yet{seen = role .. " does not answer", want = "an answer", host = role,
                                             how = "uname -r on every host"}
                        end
                    end
                    return c.pass("Linux " .. seen.hosts.router.kernel .. " on the router",
                                  "client_x, client_y, router, server", "uname -r on every host")
                end},
                {name = "port", says = "You know which port the bottleneck is at", look = function(seen, c)
                    return answered(c, {ok = c.answer == seen.egress, host = "router",
                        want = "the port where packets to the server wait for the narrow link",
                        how = "the lab file's egress, else ip route get on the router"})
                end},
            },
            hints = {
                "A queue stands at a port. `tc` knows them all: which of them has a queue that manages itself?",
                "On the virtual router: `tc qdisc show`, and the port after `dev` in the line that begins with "
                    .. "`qdisc dualpi2`. On a router of your own: `ip route get` and the server's address.",
            },
            solution = {does = "asks the router for its route to the server", run = function(c)
                c.answer = c:observed().egress
            end},
            wrong = {
                {name = "lo", does = "names the loopback device", fails = "port",
                 run = function(c) c.answer = "lo" end},
            },
        },
        {
            name = "rtt", title = "The empty path", acts = "files",
            question = "How long is the base round trip from client X to the server, in ms?",
            observe = function(c)
                local ping = shown(c.bed.client_x, {"ping", "-n", "-c", 8, "-i", 0.05, "-W", 2,
                                                    c.bed.server.address}, "ping")
                return {shown = {ping}, min_ms = tonumber(ping.output:match("= ([%d.]+)/"))}
            end,
            checks = {
                {name = "measured", says = "You know the round trip while nobody sends", look = function(seen, c)
                    if not seen.min_ms then
                        return c.cannot("ping got no answer from the server")
                    end
                    local given = tonumber((c.answer or ""):match("^%s*([%d.]+)"))
                    return answered(c, {ok = given ~= nil and math.abs(given - seen.min_ms)
                                             <= math.max(1, seen.min_ms / 10),
                        want = "what ping measures, within 10 % or 1 ms", host = "client_x",
                        how = "the shortest of 8 pings from client X to the server"})
                end},
            },
            hints = {
                "An empty path has no queue: the shortest of a few pings is the wire's own delay, there and back.",
                "On client X: `ping -c 8` and the server's address; take `min` of the last line.",
            },
            solution = {does = "pings the server from client X", run = function(c)
                c.answer = tostring(c:observed().min_ms)
            end},
            wrong = {
                {name = "one-way", does = "halves the round trip", fails = "measured",
                 run = function(c) c.answer = "10" end},
            },
        },
        {
            name = "console", title = "A first run",
            observe = function(c)
                local seen = {client_x = c.bed.client_x.address, rate_bps = c.bed.link.rate_bps, runs = {},
                              flows = c:iperf3_files()}
                for _, run in ipairs(lab.run_records(c:path("runs")) or {}) do
                    seen.runs[#seen.runs + 1] = {id = run.id, status = run.status}
                end
                return seen
            end,
            checks = {
                {name = "run", says = "A run of yours ended well", look = function(seen, c)
                    local last = seen.runs[#seen.runs]
                    return c.judge(last ~= nil and last.status == "ok", {want = "a run directory of status ok",
                        seen = last and last.id .. ": " .. last.status or "no run yet",
                        how = "run.json in the run directories of your folder"})
                end},
                {name = "flow", says = "Its flow began at client X and filled the link", look = function(seen, c)
                    local best
                    for _, f in ipairs(seen.flows) do
                        if f.from == seen.client_x and (not best or f.throughput_bps > best) then
                            best = f.throughput_bps or 0
                        end
                    end
                    return c.judge(best ~= nil and best >= 0.6 * seen.rate_bps, {host = "client_x",
                        seen = best and ("%.1f Mbit/s"):format(best / 1e6) or "no flow from client X",
                        want = ("at least 60 %% of %.0f Mbit/s"):format(seen.rate_bps / 1e6),
                        how = "iperf3's own JSON in the run directory"})
                end},
            },
            hints = {
                "`ccalab run` sends flows and leaves a directory for each run. Who sends, and with what, "
                    .. "`--flow` says.",
                "The run must land in your folder: set CCALAB_RUNS as the text shows.",
                "`--flow client_x:server:cubic:4s`, and four seconds of patience.",
            },
            solution = {does = "sends CUBIC from client X for 3 s by ccalab run", run = function(c)
                assert(lab.localhost:run{"env", "CCALAB_RUNS=" .. c:path("runs"),
                    assert(lab.program("ccalab")), "run", "--lab", c.place.file, "--flow",
                    "client_x:server:cubic:3s", "--no-probes", label = "ccalab run"})
            end},
            wrong = {
                {name = "client-y", does = "sends from client Y instead", fails = "flow", run = function(c)
                    assert(lab.localhost:run{"env", "CCALAB_RUNS=" .. c:path("runs"),
                        assert(lab.program("ccalab")), "run", "--lab", c.place.file, "--flow",
                        "client_y:server:cubic:2s", "--no-probes", label = "ccalab run"})
                end},
            },
        },
    },
}
