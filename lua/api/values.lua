-- The manual's chapter on values, files and the command line.
-- lua/prelude/help.lua says what an entry holds.
return {
    title = "Values, files, the command line",
    text = "An error is a table that prints itself: `lab.Error`.",
    classes = {{name = "lab.Error", text = "What a function returns after nil when it failed.",
        fields = {
        {"status", "string", "`failed`, `usage`, `syntax`, `host`, `timeout`, `unavailable`, `io`, "
            .. "`input`, `nomem`, `internal` or `interrupted`: "
            .. "the console's exit codes by name"},
        {"subsystem", "string", "who says so"}, {"message", "string"},
            {"hint", "string?", "what would help"}}}},
    entries = {
        {name = "help", args = {{"what?", "any",
            "a function, a name (\"lab.sleep\", \"Host:run\"), a Task, Host ...", "the chapters"}},
         text = "Print what the manual says of it, for the console's command line.",
         example = [[
help(lab.sleep)
help("Host:run")]]},
        {name = "dir", args = {{"value?", "any", "a table or an object of the console", "lab"}},
         text = "Print the names in it, with the first words of the manual on each.",
         example = [[
dir(lab)
dir(lab.localhost)]]},
        {name = "lab.failure", args = {{"status", "string", "as of `lab.Error`"},
            {"subsystem", "string"}, {"message", "string"}, {"hint?", "string"}},
         returns = {{"nil"}, {"lab.Error"}},
             text = "Nil and an error of one's own: `return lab.failure(...)`.",
         example = [[
local function half(n)
    if n % 2 == 1 then
        return lab.failure("input", "half", n .. " is odd", "give an even number")
    end
    return n // 2
end
print(select(2, half(3)))]]},
        {name = "lab.json_decode", args = {{"text", "string"}},
            returns = {{"any", "null is nil, in a list `lab.null`"}},
         errors = "`input`, with the place", text = "Read JSON.",
         example = [[
assert(lab.json_decode('{"a": [1, null, 3]}').a[3] == 3)]]},
        {name = "lab.json_encode", args = {{"value", "any",
            "a table with a first element is a list, an empty one an object; what is not finite is "
            .. "null"},
            {"pretty?", "boolean", "over several lines", "false"}},
         returns = {{"string"}}, raises = "functions, mixed keys, more than 64 levels",
             text = "Write JSON.",
         example = [[
assert(lab.json_encode{a = {1, lab.null, 3}} == '{"a":[1,null,3]}')]]},
        {name = "lab.null", type = "lightuserdata", text = "A null inside a JSON list."},
        {name = "lab.pretty", args = {{"value", "any"}}, returns = {{"string"}},
         text = "A value as the command line shows it: keys sorted, nesting and length bounded.",
         example = [[
assert(lab.pretty{b = 1, a = {1, "two"}} == '{a = {1, "two"}, b = 1}')]]},
        {name = "lab.flatten", args = {{"value", "table"}},
            returns = {{"table<string, any>", "by path; lists count from 1"}},
         text = "Every number, string and truth value of a nested table under its path.",
         example = [[
assert(lab.flatten{a = {b = {2}}}["a.b.1"] == 2)]]},
        {name = "lab.tc_qdiscs", args = {{"text", "string",
            "what `tc [-j] [-s] qdisc show` printed"}},
         returns = {{"table[]",
             "`{kind, handle, dev, root, options, bytes, drops, backlog, prob, delay_c, ...}` "
             .. "(qdisc.md)"}},
         errors = "`input`", text = "Read tc's output, text or JSON.",
         example = [[
local list = assert(lab.tc_qdiscs("qdisc pfifo 8001: dev eth0 root refcnt 2 limit 100p\n"))
assert(list[1].kind == "pfifo" and list[1].dev == "eth0")]]},
        {name = "lab.rate_bps", args = {{"text", "string", "in tc's words: \"50mbit\""}},
            returns = {{"integer", "bit/s"}}, errors = "`usage`",
         text = "A rate as a number.",
         example = [[
assert(lab.rate_bps("50mbit") == 50000000)]]},
        {name = "lab.iperf3_parse", args = {{"text", "string",
            "what `iperf3 -c ... --json` or `--json-stream` printed"}},
         returns = {{"table", "as of `lab.iperf3`"}},
             errors = "iperf3's own; the third value is the summary of what there is",
         text = "The summary of an iperf3 client's output.",
         example = [[
local r, err = lab.iperf3_parse('{"error": "the server is busy"}')
assert(r == nil)
print(err)]]},
        {name = "lab.iperf3_document", args = {{"text", "string", "as of `lab.iperf3_parse`"}},
            returns = {{"string?", "nil without one"}},
         text = "The JSON document in an iperf3 client's output, from the lines of a stream too.",
         example = [[
assert(lab.iperf3_document("no JSON") == nil)]]},
        {name = "lab.read_file", args = {{"path", "string"}}, returns = {{"string"}},
            errors = "`io`; `nomem`: over 256 MiB", text = "A whole file.",
         example = [[
assert(lab.write_file("a.txt", "text"))
assert(lab.read_file("a.txt") == "text")]]},
        {name = "lab.write_file", args = {{"path", "string"}, {"text", "string"}},
            returns = {{"true"}}, errors = "`io`",
         text = "Write a whole file: others see the old one or the new one.",
         example = [[
assert(lab.write_file("a.txt", "text"))]]},
        {name = "lab.list_dir", args = {{"path", "string"}},
            returns = {{"string[]", "sorted, without `.` and `..`"}}, errors = "`io`",
         text = "The names in a directory.",
         example = [[
assert(lab.make_dir("d/e"))
assert(lab.list_dir("d")[1] == "e")]]},
        {name = "lab.make_dir", args = {{"path", "string"}}, returns = {{"true"}}, errors = "`io`",
            text = "Make a directory, and those above it.",
         example = [[
assert(lab.make_dir("d/e/f"))]]},
        {name = "lab.sha256", args = {{"path", "string"}}, returns = {{"string", "in hex"}},
            errors = "`io`; `nomem`: over 256 MiB", text = "The SHA-256 of a file.",
         example = [[
assert(lab.write_file("empty", ""))
assert(lab.sha256("empty"):sub(1, 8) == "e3b0c442")]]},
        {name = "lab.now", returns = {{"number"}}, text = "Seconds since 1970.",
         example = [[
local t0 = lab.now()
lab.sleep(0.02)
assert(lab.now() - t0 > 0.01)]]},
        {name = "lab.program", args = {{"name", "string", "\"ccalab\", \"netllm\" ..."}},
            returns = {{"string", "its path"}},
         errors = "`unavailable`",
             text = "One of our programs: beside the console, else in `$PATH`.",
         example = [[
print(assert(lab.program("ccalab")))]]},
        {name = "lab.ask", args = {{"question", "string"}}, returns = {{"string", "the line"}},
            errors = "`unavailable`: nobody is at a terminal",
         text = "Ask the person at the terminal.",
         example = [[
local name, err = lab.ask("who measures?")
print(name or err.message)]]},
        {name = "lab.confirm", args = {{"question", "string"},
            {"options?", "table", "", fields = {{"yes?", "boolean", "the answer, without asking",
            "false"}}}},
         returns = {{"boolean"}}, errors = "`unavailable`: nobody is at a terminal",
             text = "Ask the person at the terminal for a yes.",
         example = [[
assert(lab.confirm("go on?", {yes = true}))]]},
        {name = "lab.args", args = {{"about", "table", "the command",
            fields = {{"name", "string"}, {"help", "string", "what it does"},
            {"usage", "string", "its words: \"[ROLE...] [OPTIONS]\""},
            {"flags", "{[1]: string, meta: string?, number: boolean?, many: boolean?, help: "
                .. "string}[]",
             "with `meta` a flag takes a value, with `number` a number; with `many` it may come "
             .. "again and gives a list"},
            {"examples?", "string[]", "lines at the end of the help"}}},
            {"words", "string[]", "usually `arg`"}},
         returns = {{"table?",
             "options by name (\"--dry-run\" is dry_run), other words as [1], [2] ...; nil: --help "
             .. "was printed, return at once"}},
         raises = "`usage`: a mistake in the command line",
             text = "Parse a script's command line, and print its help.",
         example = [[
local o = lab.args({name = "demo", help = "a demonstration", usage = "[WORD...]",
    flags = {{"--count", meta = "N", number = true, help = "how often"}}}, {"x", "--count", "3"})
assert(o.count == 3 and o[1] == "x")]]},
        {name = "lab.did_you_mean", args = {{"word", "string"},
            {"names", "string[]", "the first 256 count"}}, returns = {{"string?"}},
         text = "The name closest to a mistyped word, nil if none is close.",
         example = [[
assert(lab.did_you_mean("cubik", {"cubic", "prague"}) == "cubic")]]},
        {name = "lab.version", type = "string", text = "The version of the console."},
        {name = "lab.pid", type = "integer", text = "The console's process."},
    },
}
