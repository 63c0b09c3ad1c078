-- The manual's chapter on grids of runs. lua/prelude/help.lua says what an entry holds.
return {
    title = "Grids of runs",
    text = "Every combination of some axes, several times, in an order that hides no drift, "
        .. "stopped and resumed at will.",
    classes = {{name = "Matrix", text = "A grid, run or to be run, made by `lab.matrix`.",
        fields = {
        {"dir", "string", "its directory: `run.json`, `cells.csv`, and `cells/` with a run "
            .. "directory for each attempt"},
        {"axes", "table", "as given"}, {"ndone", "integer", "how many cells are done"},
        {"order", "table[]", "the cells, in the order in which they run"},
        {"done", "table", "the done cells, by key"},
        {"record", "table", "what `run.json` holds"},
        {"failed", "table<string, lab.Error>", "the cells that failed this time, by key"}}}},
    entries = {
        {name = "lab.matrix", args = {{"o", "table", "the grid", fields = {
            {"axes", "{[1]: string, [2]: any[]}[]",
                "name and values; a value may be a table with a `label`"},
            {"run", "fun(cell: table, record: Record): table?, lab.Error?",
             "one cell: `cell` has a field for each axis, `repeat` and `seed`; returns a table of "
             .. "numbers and words. "
                .. "`nil, err` or an error is a failed cell"},
            {"name?", "string", "of its directory", "\"matrix\""},
            {"repeats?", "integer", "how often each cell runs", "1"},
            {"seed?", "integer", "of the shuffle; a cell's seed is this + repeat - 1", "1"},
            {"dir?", "string", "its directory; one that is there goes on: what is done stays, the "
                .. "rest runs", "a new one in `base`"},
            {"base?", "string", "where new ones are made", "$CCALAB_RUNS, else \"runs\""},
            {"only?", "fun(cell: table): boolean", "leaves out cells for which it is false"},
            {"shuffle?", "boolean", "within each repeat, by the seed", "true"},
            {"dry_run?", "boolean", "print the cells and run none", "false"},
            {"timeout_s?", "number", "of a cell, in seconds"},
            {"columns?", "string[]", "values that `cells.csv` has a column for in any case"},
            {"also?", "string", "what else the cells depend on: a directory of another is refused"}}}},
         returns = {{"Matrix"}},
         errors = "cells failed (`err.matrix` is the matrix); `usage`: the directory holds another "
             .. "matrix; `io`",
         raises = "misuse; `interrupted`",
         text = "Run what is left of a grid. Each cell runs in a task of its own, so that what it "
             .. "changed is put back "
            .. "before the next one.",
         example = [[
local m = assert(lab.matrix{name = "demo", base = "runs", repeats = 2, axes = {{"x", {1, 2}}},
    run = function(cell) return {square = cell.x ^ 2} end})
assert(m.ndone == 4)]]},
        {name = "lab.judge", args = {{"o?", "table", "", fields = {
            {"candidates?", "string[]", "\"cubic\", \"reno\", \"bbr\", \"prague\", whatever the lab has; "
                .. "\"netllm:POLICY\" as of `netllm drive`, \"netllm@0.8:POLICY\" at another return, "
                .. "\"netllm~0.1:POLICY\" exploring, \"netllm@0.8~0.1:POLICY\" both; \"oracle\"",
                "{\"cubic\", \"reno\", \"bbr\", \"prague\"}"},
            {"sets?", "(string|table)[]", "\"solo\", \"friendliness\", \"l4s\", or sets of one's own: "
                .. "`{name=, quick={scenario, ...}}`", "all three"},
            {"size?", "\"quick\"|\"full\"", "which of a set's lists", "\"quick\""},
            {"seeds?", "integer", "how often each cell runs", "5"},
            {"dir?", "string", "its directory; one that is there goes on", "a new one in `base`"},
            {"base?", "string", "where new ones are made", "$CCALAB_RUNS, else \"runs\""},
            {"name?", "string", "of its directory", "\"judge\""},
            {"lab?", "string", "a lab file: on its machines instead of virtual ones"},
            {"testbed?", "string", "name of its virtual labs", "judge-PID"},
            {"idle_min?", "number", "of the processors' time; below it a cell is invalid", "0.05"},
            {"retries?", "integer", "how often cells that failed or were invalid are run again", "2"},
            {"folder?", "string", "where sets are", "labs/judge"},
            {"dry_run?", "boolean", "print the cells and run none", "false"}}}},
         returns = {{"{dir: string, sets: table[], missing: {cell: string, why: string}[], "
             .. "left_out: {scenario: string, why: string}[], place: string, cells: integer, done: integer, "
             .. "candidates: table[], files: table}",
            "of each set `{name=, counted=, wins={[candidate]=n}, scenarios={{name=, score=, winners=, "
                .. "by={[candidate]={power=, ...}}}}}`, values as of `lab.stats`"}},
         errors = "a candidate cannot be had; `usage`: the directory holds another matrix; `io`",
         raises = "an option or a name that is none, a scenario that is not complete; `interrupted`",
         text = "Hold congestion controls against each other in the virtual lab or on machines, over sets of scenarios "
             .. "(judge.md). Writes `cells.csv`, `judge.csv` and `report.html`.",
         example = [[
local tiny = {name = "tiny", quick = {{name = "one", title = "One", seconds = 2, warmup_s = 0, score = "power",
    link = {rate = "20mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 2},
    flows = {{label = "x", host = "client_x", cc = "*"}}}}}
local out = assert(lab.judge{sets = {tiny}, candidates = {"cubic", "reno"}, seeds = 2, base = "runs", dry_run = true})
assert(out.cells == 4)]]},
        {name = "lab.collect", args = {{"o", "table", "", fields = {
            {"out", "string", "directory of the pools: `train.safetensors` and `test.safetensors`"},
            {"teachers?", "string[]", "as the judge's candidates",
                "{\"cubic\", \"reno\", \"bbr\", \"prague\"}"},
            {"advisor?", "string", "a policy as of `netllm drive`: asked at every decision of driven teachers what it "
                .. "would do, and not obeyed. Recipe loop learns its answers in place of what was done"},
            {"scenarios?", "\"quick\"|\"medium\"|\"full\"|table", "a list of labs/collect, or one's own: "
                .. "`{name=, scenarios={...}}`", "\"quick\""},
            {"seeds?", "integer", "how often each cell runs", "1"},
            {"test_share?", "number", "of the scenarios, that only the test pool has", "0.25"},
            {"recipe?", "string", "of the pools", "\"loop\""},
            {"dir?", "string", "of the runs; one that is there goes on", "a new one in `base`"},
            {"base?", "string", "where new ones are made", "$CCALAB_RUNS, else \"runs\""},
            {"name?", "string", "of its directory", "\"collect\""},
            {"lab?", "string", "as of `lab.judge`"},
            {"testbed?", "string", "name of its virtual labs", "collect-PID"},
            {"idle_min?", "number", "as of `lab.judge`", "0.05"},
            {"retries?", "integer", "as of `lab.judge`", "2"},
            {"folder?", "string", "where scenarios are", "labs/collect"},
            {"dry_run?", "boolean", "print the cells and run none", "false"}}}},
         returns = {{"{dir: string, train: table?, test: table?, scenarios: integer, held_out: string[], "
             .. "left_out: table[], missing: table[]}", "`train` and `test` as of `lab.pool`"}},
         errors = "as of `lab.judge` and `lab.pool`", raises = "as `lab.judge`",
         text = "Watch congestion controls over a grid of scenarios, a sample every 10 ms, and make pools of "
             .. "it whose flows say scenario and seed. Whole scenarios are kept for the test. Teaching by advice, "
             .. "where a policy goes and what its advisor would have done there, is a call of this (judge.md).",
         example = [[
local tiny = {name = "tiny", scenarios = {{name = "one", title = "One", seconds = 2, warmup_s = 0,
    link = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2"}, flows = {{label = "x", host = "client_x", cc = "*"}},
    axes = {{{label = "slow", link = {rate = "10mbit"}}, {label = "fast"}}}}}}
local got = assert(lab.collect{scenarios = tiny, teachers = {"cubic"}, out = "pools", base = "runs", dry_run = true})
assert(#got.held_out == 1)
-- By advice: the student drives, and teacher.lua says what it should have done.
assert(lab.collect{scenarios = tiny, teachers = {"netllm:distilled:student.st", "netllm~0.1:lua:teacher.lua"},
    advisor = "lua:teacher.lua", out = "pools", base = "runs", dry_run = true})]]},
        {name = "lab.teach", needs = "netllm", args = {{"o?", "table", "", fields = {
            {"teachers?", "string[]", "as of `lab.collect`", "labs/drive/teacher.lua, driving"},
            {"scenarios?", "string|table", "as of `lab.collect`", "\"quick\""},
            {"rounds?", "integer", "how often it learns of what it did itself, after round 0", "1"},
            {"own?", "number[]", "the returns that the student aims at when it makes experience of its own, as "
                .. "shares of the largest", "{1, 0.75}"},
            {"advisor?", "string", "a policy that is asked, in those rounds, what it would do in the student's place: "
                .. "its answers are learned (DAgger)", "the student's own decisions are"},
            {"collect?", "table", "other options of `lab.collect`: `recipe`, `seeds`, `test_share`, ..."},
            {"adapt?", "table", "options of `lab.adapt`, for every round",
                "{num_epochs = 40, rank = 16, lr = 1e-3, grad_accum_steps = 16, sample_step = 3}"},
            {"distill?", "table", "options of `lab.distill`", "{num_epochs = 100, lr = 5e-4}"},
            {"judge?", "boolean|table", "judge every round; or options of `lab.judge`, whose `candidates` are the "
                .. "baselines (cubic, bbr, prague) and whose `seeds` are 1 by default", "false"},
            {"dir?", "string", "its directory; one that is there goes on: what is done stays", "a new one in `base`"},
            {"base?", "string", "where new ones are made", "$CCALAB_RUNS, else \"runs\""},
            {"name?", "string", "of its directory", "\"teach\""},
            {"testbed?", "string", "name of its virtual labs", "teach-PID"},
            {"dry_run?", "boolean", "print what would be done", "false"}}}},
         returns = {{"{dir: string, rounds: table[], best: table, baselines: table, graded: integer, scenarios: "
             .. "integer, files: table}", "of each round `{round=, rows=, valid_loss=, no_op=, ..., judged=, grade=, "
             .. "student=, model=}`, as the columns of `rounds.csv` (judge.md); `best` is one of them: the best by "
             .. "its grade, the last where nobody judged"}},
         errors = "as of `lab.collect`, `lab.adapt`, `lab.distill` and `lab.judge`; `usage`: the directory holds "
             .. "another teaching; `unavailable`: a netllm without libtorch. Whether netllm takes the options of `adapt` "
             .. "and `distill` is tried before anything is collected", raises = "an option that is none; `interrupted`",
         text = "The whole loop: watch teachers, train a policy on them, distil it, judge it; then let it drive, add "
             .. "what comes of that to the experience, train on from the last checkpoint, distil, judge, as often as "
             .. "wanted (judge.md).",
         example = [[
local tiny = {name = "tiny", scenarios = {{name = "one", title = "One", seconds = 2, warmup_s = 0,
    link = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2"}, flows = {{label = "x", host = "client_x", cc = "*"}}}}}
assert(lab.teach{teachers = {"cubic", "prague"}, scenarios = tiny, rounds = 2, adapt = {num_epochs = 10},
    base = "runs", dry_run = true})
assert(lab.teach{teachers = {"netllm:lua:teacher.lua"}, advisor = "lua:teacher.lua", scenarios = tiny, rounds = 2,
    base = "runs", dry_run = true})]]},
        {name = "Matrix:rows", returns = {{"{cell: table, result: table, id: string}[]",
            "`id` is the run's"}},
         text = "The done cells, in the order of the axes.",
         example = [[
local m = assert(lab.matrix{base = "runs", axes = {{"x", {1, 2}}},
    run = function(cell) return {y = cell.x} end})
for _, row in ipairs(m:rows()) do
    print(row.cell.x, row.result.y, row.id)
end]]},
        {name = "Matrix:stats", args = {{"value", "string",
            "path of a value of the results: \"marks.ce\""},
            {"by?", "string[]", "names of axes", "all axes"}},
         returns = {{"{cell: table, stats: table?}[]", "`stats` as of `lab.stats`"}},
         text = "A value for each combination of the axes in `by`, over the repeats and the other "
             .. "axes.",
         example = [[
local m = assert(lab.matrix{base = "runs", repeats = 3, axes = {{"x", {1, 2}}},
    run = function(cell) return {y = cell.x + cell["repeat"]} end})
for _, g in ipairs(m:stats("y", {"x"})) do
    print(g.cell.x, g.stats.mean, g.stats.ci95)
end]]},
        {name = "Matrix:csv", returns = {{"string"}},
         text = "A row for each done cell: the axes, the repeat, the seed, and every value of the "
             .. "results.",
         example = [[
local m = assert(lab.matrix{base = "runs", axes = {{"x", {1, 2}}},
    run = function(cell) return {y = cell.x} end})
assert(m:csv() == "x,repeat,seed,y\n1,1,1,1\n2,1,1,2\n")]]},
        {name = "lab.stats", args = {{"values", "number[]",
            "what is no finite number is left out and counted"}},
         returns = {{"{n: integer, missing: integer, mean: number, sd: number?, ci95: number?, "
             .. "min: number, p5: number, median: number, p95: number, max: number}?",
            "`sd` of the sample (n - 1); `ci95` half the width of the mean's 95 % confidence "
            .. "interval, by Student's t; both nil for one value; "
                .. "quantiles interpolated. nil without any number"}},
         text = "What repeated measurements say, and how surely.",
         example = [[
local s = lab.stats{1, 2, 3, 0 / 0}
assert(s.mean == 2 and s.n == 3 and s.missing == 1)
print(("%.2f ± %.2f"):format(s.mean, s.ci95))]]},
        {name = "lab.csv", args = {{"head", "string[]", "names of the columns"},
            {"rows", "any[][]", "values; nil is empty"}},
         returns = {{"string"}},
             text = "A table as CSV (RFC 4180, lines ending in LF). Numbers keep every digit.",
         example = [[
assert(lab.csv({"a", "b"}, {{1, "x,y"}, {nil, 2}}) == 'a,b\n1,"x,y"\n,2\n')]]},
    },
}
