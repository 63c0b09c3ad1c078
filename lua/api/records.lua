-- The manual's chapter on records and plots. lua/prelude/help.lua says what an entry holds.

local PLOT = {
    {"lines", "{series: string, label: string?, scale: number?}[]",
        "at most 32; `scale` is a factor of the values (1)"},
    {"title?", "string"}, {"x?", "string", "what the axis shows", "\"time [s]\""},
        {"y?", "string", "with its unit: \"rate [bit/s]\""},
    {"t0?", "number", "begin, seconds since 1970", "that of the data"},
        {"t1?", "number", "end", "that of the data"},
    {"log_y?", "boolean", "", "false"}, {"zero?", "boolean", "the y axis includes 0", "false"},
    {"width?", "integer", "pixels", "860"}, {"height?", "integer", "pixels", "320"},
}
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
        fields = {{"dir", "string", "its path"}}}},
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
            fields = {{"record", "Record"}, {"title", "string"}, {"subtitle?", "string"},
            {"notes?", "string[]", "what the reader must know first"},
            {"sections", "{title: string?, text: string?, table: {header: any[]?, rows: any[][]}?, "
                .. "svg: string?}[]", "`svg` goes in as it is"},
            {"script?", "string", "a file, shown at the end"}}}},
         returns = {{"string", "its path"}}, errors = "`io`",
             text = "Write `report.html` into a run directory: one page that asks nobody for "
             .. "anything.",
         example = [[
local run <close> = assert(lab.record{name = "demo", base = "runs"})
print(assert(lab.report{record = run, title = "Demo",
    sections = {{table = {header = {"n"}, rows = {{1}, {2}}}}}}))]]},
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
        {name = "lab.svg", args = {{"plot", "table", "", fields = PLOT}},
            returns = {{"string", "an SVG document"}},
         raises = "no `lines`, or too many", text = "A plot of series.",
         example = [[
lab.sample("demo", {x = 1})
lab.sample("demo", {x = 2})
local svg = lab.svg{title = "Demo", y = "x [m]", lines = {{series = "demo/x", label = "x"}}}
assert(svg:find("Demo", 1, true))]]},
        {name = "lab.save_plot", args = {{"path", "string",
            "its ending says the format: .svg, .png (two pixels for one) or .pdf"},
            {"plot", "table|string", "as of `lab.svg`, or the text that it gave"}},
         returns = {{"string", "the path"}},
             errors = "`usage`: another ending; `unavailable`: no rsvg-convert for .png and .pdf; "
             .. "`io`, `host`",
         text = "Write a plot as a file.",
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
