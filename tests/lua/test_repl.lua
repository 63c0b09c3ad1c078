-- What the command line offers and warns of, and how it shows values.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local repl = debug.getregistry()["lab.repl"]

-- The completions of a text whose cursor is at the mark '|' (default: its end).
local function complete(text)
    local cursor = (text:find("|", 1, true) or #text + 1) - 1
    local start, words, hint = lab._repl_complete(text:gsub("|", "", 1), cursor)
    return table.concat(words, " "), hint, start
end
local function offers(text, want)
    local got = complete(text)
    check(got == want, ("%s: offers '%s', not '%s'"):format(text, got, want))
end

-- Globals, keywords, what is in tables, methods.
repl.beds = {{router = {rate_bps = 1, rate_max = 2, drop = function() end, ["no name"] = 1}}, by = {name = {x1 = 1}}}
offers("be", "beds")
offers("beds[1].router.rate", "rate_bps rate_max")
offers("print(beds[1].router.r", "rate_bps rate_max")
offers("beds['by'].name.", "x1")
offers('beds.by["name"].x', "x1")
offers("beds[1].router:", "drop")
offers("beds[1].router.rate_b| + 1", "rate_bps")
offers("beds[2].", "")
offers("nothing.there.", "")
offers("x = 3.", "")
offers("f().", "")
offers("repe", "repeat")
offers("lab.did_y", "did_you_mean")
offers("lab.localhost:ru", "run")
offers("('x'):", "")
offers("lab._repl_l", "_repl_lost")
check(not complete("lab."):find("_", 1, true) or not complete("lab."):find(" _"), "what is ours is not offered")
check(select(3, complete("1 + lab.did_y")) == 8, "where the word begins")

-- Nothing inside of strings and comments.
for _, text in ipairs{"'be", '"be', "[[be", "-- be", "--[[ be", "[==[ ]] be"} do
    offers(text, "")
end
offers("'x' .. be", "beds")
offers("--[[ x ]] be", "beds")
offers("'\\'' .. be", "beds")

-- Reading runs no code of the values.
local function trap()
    error("code was run")
end
repl.trap = setmetatable({plain = 1}, {__index = trap, __pairs = trap, __len = trap, __tostring = trap, __metatable = 7})
offers("trap.", "plain")
offers("trap.x.y", "")
repl.derived = setmetatable({own = 1}, {__index = setmetatable({base = 2}, {__index = {root = 3}})})
offers("derived.", "base own root")
local loop = {}
repl.loop = setmetatable(loop, {__index = loop})
offers("loop.x", "")

-- Signatures, and the options of a call.
local text, hint = complete("lab.matrix{")
check(hint and hint:find("^lab%.matrix{"), "no signature: " .. tostring(hint))
check(text:find("axes=", 1, true) and text:find("repeats=", 1, true) and not text:find("beds", 1, true), text)
offers("lab.matrix{name = 'x', rep", "repeats=")
offers("lab.matrix({name = 'x', rep", "repeats=")
offers("lab.matrix{name = be", "beds")
text, hint = complete("lab.sleep(1 + be")
check(text == "beds" and hint and hint:find("^lab%.sleep%("), tostring(hint))
hint = select(2, complete("lab.all{function() lab.sleep("))
check(hint and hint:find("^lab%.sleep"), tostring(hint))
hint = select(2, complete("lab.localhost:run{"))
check(hint and hint:find(":run{"), tostring(hint))
hint = select(2, complete("lab.sleep(1) + "))
check(not hint, tostring(hint))
hint = select(2, complete("lab.did_you_mea"))
check(hint and hint:find("^lab.did_you_mean%("), tostring(hint))

-- However broken the text is, it is no error.
math.randomseed(7)
local bits = {"lab", ".", ":", "(", ")", "{", "}", "[", "]", "'", '"', "=", ",", "--", "[[", "]]", "\n", "1", "x", "end",
    "local", "<", "function", "\\", "\255", " "}
for _ = 1, 3000 do
    local all = {}
    for i = 1, math.random(12) do
        all[i] = bits[math.random(#bits)]
    end
    local broken = table.concat(all)
    lab._repl_complete(broken, math.random(0, #broken))
    lab._repl_lost(broken)
end

-- Locals that nothing uses.
for line, lost in pairs{
    ["local x = 1"] = "x", ["local a, b <const> = 1, 2; print(b)"] = "a", ["local function f() end"] = "f",
    ["local x = 1; print(x)"] = false, ["x = 1"] = false, ["do local x = 1 end"] = false,
    ["for i = 1, 3 do local y = i end"] = false, ["if x then local y end local z = 1"] = "z",
    ["function f() local x = 1 end"] = false, ["local x = {x = t.x}"] = false, ["local x = 'local y'"] = "x",
    ["local bed <close> = lab.testbed{}"] = "bed", ["repeat local x = f() until x"] = false,
} do
    local got = lab._repl_lost(line) or false
    -- A name in its own value or as a key looks used: better no warning than a wrong one.
    check(got == lost, ("%s: %s"):format(line, tostring(got)))
end

-- Values: bounded in every direction, and shown without running what is in them.
local wide = {}
for i = 1, 5000 do
    wide[i] = {i, i, i}
end
check(#lab.pretty(wide) < 50000 and lab.pretty(wide):find("... 4900 more", 1, true), "a long list")
local deep, bottom = {}, nil
bottom = deep
for _ = 1, 1000 do
    bottom.x = {}
    bottom = bottom.x
end
check(#lab.pretty(deep) < 500 and lab.pretty(deep):find("deeper", 1, true), lab.pretty(deep))
local bush = {}
for i = 1, 90 do
    bush[i] = {}
    for k = 1, 90 do
        bush[i][k] = wide
    end
end
check(#lab.pretty(bush) < 200000, "a bush: " .. #lab.pretty(bush))
check(lab.pretty(("\u{b5}"):rep(5000)):find("... (10000 bytes)", 1, true), "a long string")
check(lab.pretty({[true] = 1, [2] = 2, ["a b"] = 3, [1.5] = 4, z = 5, a = {}})
    == '{[1.5] = 4, [2] = 2, [true] = 1, a = {}, ["a b"] = 3, z = 5}', lab.pretty({[true] = 1, [2] = 2, ["a b"] = 3,
    [1.5] = 4, z = 5, a = {}}))
check(lab.pretty(setmetatable({1}, {__pairs = trap, __index = trap, __metatable = false})) == "{1}", "metamethods")
check(lab.pretty("a\nb\27[2J") == '"a\\nb\\27[2J"', lab.pretty("a\nb\27[2J"))
