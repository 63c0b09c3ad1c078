-- `ccalab --test DIR`: TAP, JUnit, and what each test may do.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local dir = os.tmpname()
os.remove(dir)
assert(lab.localhost:run{"mkdir", "-p", dir .. "/none"})
local function write(name, text)
    assert(lab.write_file(dir .. "/" .. name, text))
end
write("test_a.lua", 'print("fine <&> \\7 µ")')
write("test_b.lua", 'local t = {}\nprint("before")\nlocal x = t.y.z')
write("test_c.lua", 'error({status = "unavailable", subsystem = "lab", message = "no router here"}, 0)')
write("test_d.lua", 'while true do end')
write("helper.lua", 'error("this is no test")')

local ccalab = assert(lab.program("ccalab"))
local _, _, left = lab.localhost:run{ccalab, "--test", dir, "--timeout", "4", "--junit", dir .. "/j.xml"}
check(left.exit_code == 1, "exit code " .. tostring(left.exit_code))
local out = left.out
check(out:find("^TAP version 13\n1%.%.4\n"), out)
check(out:find("\nok 1 - " .. dir .. "/test_a.lua\n", 1, true), out)
check(out:find("\nnot ok 2 - " .. dir .. "/test_b.lua\n", 1, true), out)
check(out:find("# [^\n]*test_b.lua:3: attempt to index a nil value"), out)
check(out:find("\n# before\n", 1, true), out)
check(out:find("\nnot ok 4 - " .. dir .. "/test_d.lua\n", 1, true), out)
check(out:find("\nok 3 - " .. dir .. "/test_c.lua # SKIP lab: no router here\n", 1, true), out)
check(left.err:find("2 of 4 tests failed"), left.err)
local xml = lab.read_file(dir .. "/j.xml")
check(xml:find('tests="4"', 1, true), xml)
check(xml:find("fine &lt;&amp;&gt; ? µ", 1, true), xml)

local done = assert(lab.localhost:run{ccalab, "--test", dir .. "/test_a.lua"})
check(done.out:find("1..1\nok 1", 1, true), done.out)
_, _, left = lab.localhost:run{ccalab, "--test", dir .. "/none"}
check(left.exit_code == 2 and left.err:find("no test_"), left.err)
_, _, left = lab.localhost:run{ccalab, "--test", dir .. "/nowhere"}
check(left.exit_code == 7 and left.err:find("nowhere"), left.err)
assert(lab.localhost:run{"rm", "-rf", dir .. "/"})
