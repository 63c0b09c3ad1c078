-- A recorded run of every kind of sample, its report, and plots of each kind and format in the directory
-- arg[1]; for report_page.sh.
local dir = arg[1]
local record <close> = assert(lab.record{name = "page", base = dir .. "/runs"})
for i = 0, 300 do
    lab.sample("client_x", {throughput_bps = 3e7 + 1e5 * (i % 20), cwnd_bytes = 1e5 + 500 * i,
        srtt_us = 20000 + (i * 37 % 400) * 10, delivered_ce = i < 100 and 0 or i})
    lab.sample("client_y & <co>", {throughput_bps = 1.5e7, cwnd_bytes = 8e4 + 300 * i,
        srtt_us = i == 150 and 0 / 0 or 24000 + (i * 53 % 400) * 20})
    lab.sample("link/down", {delay_l_us = 300 + i * 7 % 90, delay_c_us = 15000 + i * 31 % 900,
        prob = 0.02, link_rate_bps = i < 150 and 5e7 or 2.5e7})
    lab.sample("train", {loss = 1 / (1 + i / 50)})
    if i % 100 == 99 then
        lab.sample("valid", {loss = 1.1 / (1 + i / 50)})
    end
    lab.sleep(0.002)
end
assert(record:set("checks", {{ok = true, name = "ECN is on", seen = "1"},
                             {ok = false, name = "qdisc <x>", seen = "fq"}}))
assert(record:set("hosts.before", {client_x = {kernel = "6.1", sysctl = {["net.ipv4.tcp_ecn"] = 1}},
                                   server = {kernel = "6.5"}}))
assert(record:set("adapt", {valid_loss = 0.1, baselines = {constant = 0.3, persistence = 0.15}}))
assert(lab.localhost:run{"true"})
record:finish("ok")

local sections = assert(lab.report_sections(record))
-- What a hostile record may smuggle into a page: it must not fetch anything.
sections[#sections + 1] = {title = "Smuggled", svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" '
    .. 'height="9"><image href="http://smuggled.invalid/a.png" width="9" height="9"/></svg>'
    .. '<img src="http://smuggled.invalid/b.png">'}
assert(lab.report{run = record.dir, path = dir .. "/report.html", title = "A <page>",
                  notes = {"made up"}, sections = sections, script = arg[0]})
assert(lab.report{run = record.dir})
local html = lab.read_file(record.dir .. "/report.html")
local function has(text)
    if not html:find(text, 1, true) then
        error("the report lacks " .. text)
    end
end
for _, text in ipairs{"Jain", "Throughput", "Congestion window", "Round-trip time: distribution",
        "Round-trip time: quartiles", "Queue delay: distribution", "Queue delay: quartiles", "CE",
        "baseline constant", "baseline persistence", "rate 25M", "checkpoint", "qdisc &lt;x&gt;",
        "net.ipv4.tcp_ecn", "client_y____co_", "Commands", "link_down rate"} do
    has(text)
end

-- The same data as plots of each kind, in each format.
local samples <close> = assert(lab.samples(record))
local flows = {{series = "client_x/srtt_us", scale = 1e-3, label = "X <&>"},
               {series = "client_y & <co>/srtt_us", scale = 1e-3, label = "Y \255"}}
for kind, o in pairs{
    line = {lines = flows, marks = "network", log_y = true},
    cdf = {lines = flows, x = "RTT [ms]"},
    box = {lines = flows, y = "RTT [ms]"},
    scatter = {lines = {{x_series = "client_x/throughput_bps", series = "client_x/srtt_us"}}}} do
    o.kind, o.title, o.from = kind, kind, samples
    local plot = lab.plot(o)
    for _, ending in ipairs{"svg", "png", "pdf", "csv"} do
        assert(plot:save(("%s/%s.%s"):format(dir, kind, ending)))
    end
end

-- Misuse says what it is.
for _, o in ipairs{{}, {lines = {{serie = "x"}}}, {lines = {}, kind = "pie"}, {lines = {}, marks = "all"},
                   {lines = {{x = {1, 2}, y = {1}}}}, {lines = {{values = 7}}, kind = "box"}} do
    assert(not pcall(function() return lab.plot(o):svg() end), lab.pretty(o))
end
local none, err = lab.samples(dir .. "/nowhere")
assert(none == nil and err.status == "io", tostring(err))
print(record.dir)
