-- The manual's chapter on records and plots. lua/prelude/help.lua says what an entry holds.

local PLOT = {
    {"lines", "{series: string?, from: Samples?, x_series: string?, x_scale: number?, values: number[]?, "
        .. "x: number[]?, y: number[]?, level: number?, label: string?, scale: number?}[]",
        "at most 32. Data are a `series` (of the console, or of a record with `from`), or lists: `values` "
        .. "for cdf and box, `x` and `y` for line and scatter. A scatter of series takes pairs where "
        .. "`x_series` has the same time. `level` is a baseline, a horizontal line. `scale` is a factor of "
        .. "the values (1)"},
    {"kind?", "\"line\"|\"cdf\"|\"scatter\"|\"box\"", "", "\"line\""},
    {"from?", "Samples", "where series are, and marks", "those of the console"},
    {"title?", "string"}, {"x?", "string", "what the axis shows", "\"time [s]\" of lines"},
        {"y?", "string", "with its unit: \"rate [bit/s]\""},
    {"t0?", "number", "begin, seconds since 1970; of cdf and box: of the samples that count",
        "that of the data"},
        {"t1?", "number", "end", "that of the data"},
    {"log_y?", "boolean", "", "false"}, {"zero?", "boolean", "the y axis includes 0", "false"},
    {"marks?", "boolean|\"network\"|\"training\"|{t: number, label: string}[]",
        "vertical lines at events: those of the event stream (bursts of CE marks and changes of the rate "
        .. "are of the network, checkpoints of a training), or one's own", "false"},
    {"join_s?", "number", "points further apart than this are not joined", "all are"},
    {"width?", "integer", "pixels", "860"}, {"height?", "integer", "pixels", "320"},
}
local SECTIONS = "{title: string?, text: string?, table: {header: any[]?, rows: any[][]}?, "
    .. "plot: Plot?, svg: string?, code: string?}[]"
local RUN = "{id: string, dir: string, record: table?, status: string, error: lab.Error?}"
local DONE = {{"true"}}
local STATS = "{count: number, min: number, max: number, mean: number, median: number, p95: "
    .. "number, p99: number, last: number}?"

return {
    title = "Records and plots",
    text = "A record is the directory of a run: while one is open, events and commands go into it "
        .. "(runs.md). A series is what was "
        .. "sampled under one name, `SRC/NAME`.",
    classes = {{name = "Record",
        text = "The directory of a run, made by `lab.record`. With `local run <close> =` what the "
        .. "block leaves "
        .. "unfinished is recorded as failed, interrupted or unfinished. After its end only `dir` "
        .. "can be asked.",
        fields = {{"dir", "string", "its path"}}},
        {name = "Samples", text = "The series of a recorded run, from `lab.samples`. With `<close>` they are "
            .. "freed at once."},
        {name = "Plot", text = "What `lab.plot` makes.",
        fields = {{"options", "table", "what it was made of"}}}},
    entries = {
        {name = "lab.record", args = {{"o", "table", "",
            fields = {{"name?", "string", "part of its directory's name", "\"run\""},
            {"base?", "string", "where it is made", "$CCALAB_RUNS, else \"runs\""}}}},
         returns = {{"Record"}}, errors = "`io`", text = "Open a run directory.",
         example = [[
local run <close> = assert(lab.record{name = "demo", base = "runs"})
print(run.dir)
run:finish()]]},
        {name = "Record:path", args = {{"name", "string", "\"iperf3/x.json\""}},
            returns = {{"string"}},
         errors = "`usage`: it is not inside the directory; `io`",
             raises = "the record is finished",
         text = "The path of a file in it. Directories on the way are made.",
         example = [[
local run <close> = assert(lab.record{name = "demo", base = "runs"})
assert(lab.write_file(assert(run:path("notes/today.txt")), "it rained\n"))]]},
        {name = "Record:set", args = {{"key", "string"},
            {"value", "any", "as of `lab.json_encode`"}}, returns = DONE,
         errors = "`io`", raises = "the record is finished; a value that is no JSON",
             text = "Write a field of `run.json`, at once.",
         example = [[
local run <close> = assert(lab.record{name = "demo", base = "runs"})
assert(run:set("result", {rate_bps = 1e6}))]]},
        {name = "Record:finish", args = {{"status?", "string",
            "\"ok\", \"failed\", \"interrupted\" ...", "\"ok\""}, {"message?", "string", "why"}},
         raises = "the record is finished", text = "Close it.",
         example = [[
local run <close> = assert(lab.record{name = "demo", base = "runs"})
run:finish("failed", "the cable was loose")]]},
        {name = "lab.run_records", args = {{"base?", "string", "a directory of runs",
            "$CCALAB_RUNS, else \"runs\""}},
         returns = {{RUN .. "[]",
             "oldest first; `record` is run.json; `status` its own, \"killed\" where it says "
             .. "running and is not, "
            .. "\"unreadable\" with `error`"}},
         errors = "`io`: no such directory", text = "The records that there are.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
run:finish()
assert(lab.run_records("runs")[1].status == "ok")]]},
        {name = "lab.find_run", args = {{"which?", "string",
            "a directory; an id or a part of exactly one; a name, then the latest of it",
            "the latest of all"},
            {"base?", "string", "a directory of runs", "$CCALAB_RUNS, else \"runs\""}},
         returns = {{RUN}}, errors = "`usage`: none, or several; `io`", text = "One of them.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
run:finish()
assert(assert(lab.find_run("demo", "runs")).record.name == "demo")]]},
        {name = "lab.report", args = {{"o", "table", "",
            fields = {{"record?", "Record"},
            {"run?", "string|table", "in place of it: a run as of `lab.find_run`, or what finds it"},
            {"path?", "string", "the file", "report.html in the run's directory"},
            {"title?", "string", "", "the directory's name"}, {"subtitle?", "string"},
            {"notes?", "string[]", "what the reader must know first"},
            {"sections?", SECTIONS, "`svg` goes in as it is", "those of `lab.report_sections`"},
            {"script?", "string", "a file, shown at the end"}}}},
         returns = {{"string", "its path"}}, errors = "`io`; `usage`: no such run; `input`: no record",
             text = "Write the report of a run: one page that asks nobody for anything, in light or dark "
             .. "as the reader likes, and fit for paper.",
         example = [[
local run <close> = assert(lab.record{name = "demo", base = "runs"})
print(assert(lab.report{record = run, title = "Demo",
    sections = {{table = {header = {"n"}, rows = {{1}, {2}}}}}}))]]},
        {name = "lab.report_sections", args = {{"run", "table|Record", "as of `lab.find_run`"}},
         returns = {{SECTIONS}}, errors = "`io`, `input`: no record",
         text = "What a report shows of a run without being told: flows and their fairness; throughput, "
             .. "windows, RTT, queue delay, marks and losses over time, with baselines as lines; RTT and "
             .. "queue delay as distributions and boxes; checks, hosts, commands. What the record lacks is "
             .. "left out.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
lab.sample("client_x", {throughput_bps = 2e6, srtt_us = 20000})
run:finish()
local sections = assert(lab.report_sections(assert(lab.find_run("demo", "runs"))))
assert(sections[1].title == "Flows")]]},
        {name = "lab.samples", args = {{"run", "string|table|Record",
            "a directory, or as of `lab.find_run`"}},
         returns = {{"Samples"}}, errors = "`io`", text = "The samples of a recorded run. A source "
             .. "is named as its file, `link_down`; `link/down` means it too.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
lab.sample("demo", {x = 1})
run:finish()
local samples <close> = assert(lab.samples(run.dir))
assert(samples:stats("demo/x").last == 1)]]},
        {name = "Samples:names", returns = {{"string[]"}}, text = "The names of its series.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
lab.sample("demo", {x = 1})
assert(assert(lab.samples(run)):names()[1] == "demo/x")]]},
        {name = "Samples:stats", args = {{"name", "string"},
            {"t0?", "number", "begin, seconds since 1970", "the first sample"},
            {"t1?", "number", "end, which is not included", "the last sample"}},
         returns = {{STATS, "as of `lab.series_stats`"}}, text = "Statistics of a series.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
lab.sample("demo", {x = 1})
lab.sample("demo", {x = 3})
assert(assert(lab.samples(run)):stats("demo/x").mean == 2)]]},
        {name = "Samples:values", args = {{"name", "string"}},
         returns = {{"number[]?", "times, seconds since 1970; nil: no such series"},
            {"(number|false)[]?", "values; false is a gap"}}, text = "All samples of a series.",
         example = [[
local run = assert(lab.record{name = "demo", base = "runs"})
lab.sample("demo", {x = 7})
local times, values = assert(lab.samples(run)):values("demo/x")
assert(#times == 1 and values[1] == 7)]]},
        {name = "lab.sample", args = {{"src", "string", "who measured"},
            {"values", "table<string, number>", "numbers by name"}},
         text = "Publish a sample, now: each value goes to the series SRC/NAME.",
             raises = "a value that is no JSON",
         example = [[
lab.sample("demo", {rate_bps = 1e6})
assert(lab.series_stats("demo/rate_bps").last == 1e6)]]},
        {name = "lab.series_names", returns = {{"string[]"}},
            text = "The names of all series so far.",
         example = [[
lab.sample("demo", {x = 1})
assert(lab.series_names()[1] == "demo/x")]]},
        {name = "lab.series_stats", args = {{"name", "string"},
            {"t0?", "number", "begin, seconds since 1970", "the first sample"},
            {"t1?", "number", "end, which is not included", "the last sample"}},
         returns = {{STATS, "gaps are left out; nil without data"}},
             text = "Statistics of a series.",
         example = [[
lab.sample("demo", {x = 1})
lab.sample("demo", {x = 3})
assert(lab.series_stats("demo/x").mean == 2)]]},
        {name = "lab.save_series", args = {{"path", "string"}}, returns = DONE, errors = "`io`",
         text = "Write every sample of every series as CSV: `t_s,series,value`. A gap is an empty "
             .. "value.",
         example = [[
lab.sample("demo", {x = 1})
assert(lab.save_series("samples.csv"))]]},
        {name = "lab.plot", args = {{"o", "table", "", fields = PLOT}}, returns = {{"Plot"}},
         raises = "no `lines`, too many, an unknown option",
         text = "A plot: of lines over time, of distributions, of points, or of boxes (whiskers end within "
             .. "1.5 interquartile ranges, dots are the extremes).",
         example = [[
for i = 1, 50 do
    lab.sample("demo", {rtt_us = 20000 + 100 * (i % 7), rate_bps = 1e6 * i})
end
local box = lab.plot{kind = "box", title = "RTT", y = "[ms]", lines = {
    {series = "demo/rtt_us", scale = 1e-3, label = "live"}, {values = {20, 21, 30}, label = "before"}}}
assert(box:save("rtt.pdf"))
lab.plot{kind = "scatter", x = "rate [bit/s]", y = "RTT [us]",
    lines = {{x_series = "demo/rate_bps", series = "demo/rtt_us"}}}:save("both.png")
lab.plot{kind = "cdf", x = "[us]", lines = {{series = "demo/rtt_us"}}}:save("cdf.svg")]]},
        {name = "Plot:svg", returns = {{"string"}}, text = "The plot as an SVG document.",
         example = [[
assert(lab.plot{lines = {{x = {0, 1}, y = {2, 3}}}}:svg():find("^<svg"))]]},
        {name = "Plot:csv", returns = {{"string"}}, text = "What the plot shows, as CSV: `line,x,y`; of "
            .. "boxes their numbers.",
         example = [[
assert(lab.plot{lines = {{x = {0, 1}, y = {2, 3}, label = "a"}}}:csv() == 'line,x,y\n"a",0,2\n"a",1,3\n')]]},
        {name = "Plot:save", args = {{"path", "string",
            "its ending says the format: .svg, .png (two pixels for one), .pdf or .csv"}},
         returns = {{"string", "the path"}}, errors = "`usage`: another ending; `io`",
         text = "Write the plot as a file.",
         example = [[
assert(lab.plot{kind = "box", lines = {{values = {1, 2, 3}, label = "a"}}}:save("demo.png"))]]},
        {name = "lab.svg", args = {{"o", "table", "as of `lab.plot`"}},
            returns = {{"string", "an SVG document"}},
         raises = "as `lab.plot`", text = "The same as `lab.plot(o):svg()`.",
         example = [[
lab.sample("demo", {x = 1})
lab.sample("demo", {x = 2})
local svg = lab.svg{title = "Demo", y = "x [m]", lines = {{series = "demo/x", label = "x"}}}
assert(svg:find("Demo", 1, true))]]},
        {name = "lab.save_plot", args = {{"path", "string"}, {"plot", "table|Plot", "as of `lab.plot`"}},
         returns = {{"string", "the path"}}, errors = "as of `Plot:save`",
         text = "The same as `lab.plot(plot):save(path)`.",
         example = [[
lab.sample("demo", {x = 1})
assert(lab.save_plot("demo.svg", {lines = {{series = "demo/x"}}}))]]},
        {name = "lab.progress", args = {{"done", "number"}, {"total?", "number"},
            {"text?", "string"}}, text = "Say how far the script is.",
         example = [[
lab.progress(1, 3, "first of three")]]},
        {name = "lab.log", args = {{"text", "any", "as `tostring` gives it"},
            {"level?", "\"debug\"|\"info\"|\"warn\"|\"error\"", "", "\"info\""}},
         raises = "another level", text = "Write to the console's log.",
         example = [[
lab.log("the cable is loose", "warn")]]},
    },
}
