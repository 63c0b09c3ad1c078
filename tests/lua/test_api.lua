-- Values, strictness, files, plots, records.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local text = '{"a":[1,null,2.5],"b":{},"s":"x\\"y","t":true}'
check(lab.json_encode(lab.json_decode(text)):len() == #text, "JSON round trip")
local nothing, err = lab.json_decode("{oops")
check(nothing == nil and err.status == "input", tostring(err))
check(not pcall(lab.json_encode, {f = print}), "a function is no JSON")
check(not pcall(lab.json_encode, {1, x = 2}) or lab.json_encode({1, x = 2}) == "[1]", "mixed")
local deep = {}
deep.self = deep
check(not pcall(lab.json_encode, deep), "a cycle is no JSON")
check(lab.json_encode{x = 0 / 0} == '{"x":null}', "NaN is null")
check(lab.pretty({b = 1, a = {1, "two"}}) == '{a = {1, "two"}, b = 1}', lab.pretty({b = 1, a = {1, "two"}}))
check(lab.pretty(deep):find("{...}", 1, true), "cycles are shown")

check(not pcall(function() undeclared = 1 end), "globals are strict")
check(not pcall(function() return undeclared end), "reading too")
check(not pcall(os.exit, 0), "os.exit is guarded")
check(not pcall(os.execute, "true"), "os.execute needs --unsafe")
check(not pcall(io.popen, "true"), "io.popen needs --unsafe")

local dir = os.tmpname()
os.remove(dir)
local path
do
    local run <close> = assert(lab.record{name = "api test", base = dir})
    path = run.dir
    check(path:find("api_test$"), path)
    assert(run:set("numbers.list", {1, 2, 3}))
    check(lab.json_decode(lab.read_file(path .. "/run.json")).status == "running", "running")
    nothing, err = run:path("../outside")
    check(nothing == nil and err.status == "usage", tostring(err))
    lab.sample("api", {value = 1})
    lab.sample("api", {value = 9})
    local svg = lab.svg{title = "T <&>", y = "value", lines = {{series = "api/value", label = "v"},
                                                              {series = "absent"}}}
    check(svg:find("^<svg") or svg:find("^<%?xml"), svg:sub(1, 40))
    check(svg:find("T &lt;&amp;&gt;", 1, true), "escaped")
    check(not svg:find("nan") and not svg:find("inf"), "numbers only")
    assert(lab.save_plot(path .. "/plot.svg", {title = "T <&>", y = "value", lines = {
        {series = "api/value", label = "v"}, {series = "absent"}}}))
    check(lab.read_file(path .. "/plot.svg") == svg, "a plot as SVG")
    local plot = {title = "T", lines = {{series = "api/value"}}, width = 400, height = 240}
    nothing, err = lab.save_plot(path .. "/plot.jpg", plot)
    check(nothing == nil and err.status == "usage", tostring(err))
    assert(lab.save_plot(path .. "/plot.png", plot))
    local png = lab.read_file(path .. "/plot.png")
    check(png:sub(1, 8) == "\x89PNG\r\n\x1a\n" and string.unpack(">I4I4", png, 17) == 800, "PNG")
    assert(lab.plot(plot):save(path .. "/plot.pdf"))
    check(lab.read_file(path .. "/plot.pdf"):sub(1, 5) == "%PDF-", "PDF")
    nothing, err = lab.save_plot(dir .. "/nowhere/plot.pdf", plot)
    check(nothing == nil and err.status == "io", tostring(err))
    assert(lab.save_series(assert(run:path("samples.csv"))))
    check(lab.read_file(path .. "/samples.csv"):match("t_s,series,value\n[%d.]+,api/value,1\n"), "csv")
    local report = assert(lab.report{record = run, title = "T <&>", script = arg[0], sections = {
        {title = "S", table = {header = {"a"}, rows = {{1}, {"<b>"}}}, svg = svg}}})
    local html = lab.read_file(report)
    check(html:find("&lt;b&gt;", 1, true) and not html:find("http[s]?://[^w]"), "self-contained")
    nothing, err = lab.write_file(dir .. "/no/such/dir/f", "x")
    check(nothing == nil and err.status == "io", tostring(err))
end
local record = lab.json_decode(lab.read_file(path .. "/run.json"))
check(record.status == "unfinished", record.status)
check(lab.read_file(path .. "/events.jsonl"):find('"src":"api"', 1, true), "events are recorded")

-- A run that fails is recorded as failed, with the reason.
local failed
pcall(function()
    local run <close> = assert(lab.record{name = "fails", base = dir})
    failed = run.dir
    error("the reason")
end)
record = lab.json_decode(lab.read_file(failed .. "/run.json"))
check(record.status == "failed" and record.message:find("the reason"), lab.pretty(record))

nothing, err = lab.iperf3_parse('{"error": "error - the server is busy running a test. try again later"}')
check(nothing == nil and tostring(err):find("busy"), tostring(err))
nothing, err = lab.iperf3_parse("")
check(nothing == nil, "an empty document")

-- Command lines of commands written in Lua.
local about = {name = "demo", help = "a demonstration", usage = "[WORD...]", flags = {
    {"--dry-run", help = "change nothing"}, {"--lab", meta = "FILE", help = "the lab file"},
    {"--count", meta = "N", number = true, help = "how often"}}}
local o = lab.args(about, {"x", "--dry-run", "--lab=a.lua", "--count", "3", "--", "--y"})
check(o.dry_run == true and o.lab == "a.lua" and o.count == 3 and o[1] == "x" and o[2] == "--y",
      lab.pretty(o))
for _, words in ipairs{{"--dry-rnu"}, {"--lab"}, {"--dry-run=1"}, {"--count", "three"}} do
    local ok, why = pcall(lab.args, about, words)
    check(not ok and why.status == "usage", words[1])
end
check(select(2, pcall(lab.args, about, {"--dry-rnu"})).hint:find("--dry-run", 1, true), "near")

assert(lab.localhost:run{"rm", "-r", dir})
print("ok")
