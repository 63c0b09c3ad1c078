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
            {"timeout_s?", "number", "of a cell, in seconds"}}}},
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
