-- `ccalab --test DIR`: every test_*.lua of a directory, each in a console of its own.

local about = {
    name = "test", help = "run the tests of a directory: every test_*.lua in it",
    usage = "DIR|FILE.lua...",
    flags = {{"--junit", meta = "FILE", help = "also write the results as JUnit XML"},
             {"--timeout", meta = "SECONDS", number = true, help = "of each test (60)"}}}
local o = lab.args(about, arg)
if not o then
    return
end
local CCALAB = assert(lab.program("ccalab"))
local UNAVAILABLE = 6 -- exit code of a test that ended with an error of that status

if #o == 0 then
    error({status = "usage", subsystem = "test", message = "which directory?",
           hint = "ccalab --test tests"}, 0)
end
local files = {}
for _, path in ipairs(o) do
    if path:find("%.lua$") then
        files[#files + 1] = path
    else
        for _, name in ipairs(assert(lab.list_dir(path))) do
            if name:find("^test_.*%.lua$") then
                files[#files + 1] = path:gsub("/+$", "") .. "/" .. name
            end
        end
    end
end
if #files == 0 then
    error({status = "usage", subsystem = "test", message = "no test_*.lua in " .. o[1]}, 0)
end

local function diagnostics(text)
    for line in text:gmatch("[^\n]+") do
        print("# " .. line)
    end
end

-- Test Anything Protocol, version 13.
print("TAP version 13")
print("1.." .. #files)
local results, failed = {}, 0
for i, path in ipairs(files) do
    lab.progress(i - 1, #files, path)
    local begin = lab.now()
    local done, err, left = lab.localhost:run{CCALAB, "--run", path, label = path,
                                              timeout_s = o.timeout or 60}
    left = done or left or {}
    local r = {path = path, took_s = lab.now() - begin, out = left.out or "", err = left.err or ""}
    results[i] = r
    if done then
        print(("ok %d - %s"):format(i, path))
    elseif left.exit_code == UNAVAILABLE then
        r.skipped = r.err:match("ccalab: ([^\n]*)") or "not available here"
        print(("ok %d - %s # SKIP %s"):format(i, path, r.skipped))
    else
        failed = failed + 1
        r.failed = err.message
        print(("not ok %d - %s"):format(i, path))
        diagnostics(err.message)
        diagnostics(r.err)
        diagnostics(r.out)
    end
end
lab.progress(#files, #files, "tests")

local function xml(text)
    -- What XML 1.0 has no way to write becomes a question mark.
    text = utf8.len(text) and text or text:gsub("[\128-\255]", "?")
    return (text:gsub("[%z\1-\8\11\12\14-\31\127]", "?"):gsub('[&<>"]',
        {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}))
end

if o.junit then
    local out = {'<?xml version="1.0" encoding="UTF-8"?>',
                 ('<testsuite name="ccalab" tests="%d" failures="%d">'):format(#files, failed)}
    for _, r in ipairs(results) do
        out[#out + 1] = ('  <testcase name="%s" time="%.3f">'):format(xml(r.path), r.took_s)
        if r.skipped then
            out[#out + 1] = ('    <skipped message="%s"/>'):format(xml(r.skipped))
        elseif r.failed then
            out[#out + 1] = ('    <failure message="%s">%s</failure>'):format(xml(r.failed), xml(r.err))
        end
        out[#out + 1] = ("    <system-out>%s</system-out>\n  </testcase>"):format(xml(r.out))
    end
    out[#out + 1] = "</testsuite>\n"
    assert(lab.write_file(o.junit, table.concat(out, "\n")))
end
if failed > 0 then
    error({status = "failed", subsystem = "test",
           message = ("%d of %d tests failed"):format(failed, #files)}, 0)
end
