-- The manual of the Lua functions (lua/api/*.lua), and help() and dir() of the command line.
--
-- A chapter is {title=, text=, classes={{name=, text=, fields={...}}}, entries={...}}; an entry
--   name     "lab.sleep" of a function, "Host:run" of a method
--   args     {{name, type, text, default, fields={...}}}: "name?" may be left out; `fields` are those of
--            a table, as args; the field "[n]" stands for the elements of its list
--   returns  {{type, text}}
--   errors   when nil and a lab.Error is returned instead; raises: when an error is raised
--   text, example
--   needs    nil, or "lab", "netllm", "ssh": what the example needs; `tested` is the test of one that
--            cannot be run in the tests, which knows it as `tested_as`, else by its name
--   type     of a value that is no function
-- Types are those of LuaCATS (luals.github.io/wiki/annotations).

local registry = debug.getregistry()
local VARIABLE = {Testbed = "bed", Lab = "bed", Capture = "cap", Packet = "p", Matrix = "m"}

local manual -- {chapters=, by_name=, names=}, once somebody has asked

-- The table of a class's methods, nil of one that has none to look into.
local function methods_of(class)
    local meta = registry["lab." .. class]
    if lab._classes[class] then
        return lab._classes[class]
    elseif meta then
        return meta.methods or (type(meta.__index) == "table" and meta.__index or nil)
    end
end

-- The function or value that an entry is about.
local function value_of(name)
    local class, method = name:match("^(%w+):(.+)$")
    if class then
        return (methods_of(class) or {})[method]
    end
    return rawget(name:match("^lab%.") and lab or _G, name:match("[^.]+$"))
end

local function load_manual()
    if not manual then
        manual = {chapters = lab._manual_chapters(), by_name = {}, names = {}, classes = {}}
        for _, chapter in ipairs(manual.chapters) do
            for _, class in ipairs(chapter.classes or {}) do
                manual.classes[class.name] = class
                manual.names[#manual.names + 1] = class.name
            end
            for _, e in ipairs(chapter.entries) do
                manual.by_name[e.name] = e
                manual.names[#manual.names + 1] = e.name
            end
        end
    end
    return manual
end

-- "lab.testbed{name=, rate=, ...}", "bed:down()", "lab.qdiscs(host, [dev], [{stats=}])".
local function signature(e)
    local class, method = e.name:match("^(%w+):(.+)$")
    local name = class and (VARIABLE[class] or class:lower()) .. ":" .. method or e.name
    if e.type then
        return name
    end
    local words = {}
    for i, arg in ipairs(e.args or {}) do
        local word, left = arg[1]:match("^([^?]*)(%??)$")
        if arg.fields then
            local keys = {}
            for k, field in ipairs(arg.fields) do
                local key = field[1]:gsub("%?$", "")
                keys[k] = key == "[n]" and "..." or key .. "="
            end
            word = "{" .. table.concat(keys, ", ") .. "}"
            if #e.args == 1 then
                return name .. word
            end
        end
        words[i] = left == "?" and "[" .. word .. "]" or word
    end
    return ("%s(%s)"):format(name, table.concat(words, ", "))
end

-- For the command `api` and the tests.
function lab._manual()
    return load_manual(), {signature = signature, methods_of = methods_of, value_of = value_of}
end

local function first_sentence(text)
    return text:match("^(.-)%.%s") or text:gsub("%.$", "")
end

local function wrap(indent, text)
    local line = indent
    for word in text:gmatch("%S+") do
        if #line + #word > 96 and line:find("%S") then
            print(line)
            line = indent
        end
        line = line .. (line:find("%S$") and " " or "") .. word
    end
    print(line)
end

local function show_args(args, indent)
    for _, arg in ipairs(args) do
        local text = ("%s  %s"):format(arg[1]:gsub("%?$", ""), arg[2])
        if arg[3] and arg[3] ~= "" then
            text = text .. ": " .. arg[3]
        end
        wrap(indent, text .. (arg[4] and (" (default: %s)"):format(arg[4]) or ""))
        if arg.fields then
            show_args(arg.fields, indent .. "  ")
        end
    end
end

local function show_entry(e)
    print(signature(e))
    wrap("  ", e.text)
    show_args(e.args or {}, "    ")
    for _, r in ipairs(e.returns or {}) do
        wrap("  ", "returns " .. r[1] .. (r[2] and ": " .. r[2] or ""))
    end
    if e.errors then
        wrap("  ", "nil, err: " .. e.errors)
    end
    if e.raises then
        wrap("  ", "raises: " .. e.raises)
    end
    if e.example then
        print("  example:\n    " .. e.example:gsub("\n", "\n    "))
    end
end

local function show_class(class)
    print(class.name)
    wrap("  ", class.text)
    show_args(class.fields or {}, "    ")
    for _, name in ipairs(load_manual().names) do
        if name:match("^([%w.]+):") == class.name then
            print("  " .. signature(manual.by_name[name]))
        end
    end
end

-- The name of the class that a value is of, or nil.
local function class_of(value)
    local meta = getmetatable(value)
    if type(meta) ~= "table" or type(value) == "string" then
        return nil
    end
    local name = rawget(meta, "__name")
    if type(name) == "string" and name:find("^lab%.") then
        return name == "lab.Error" and name or name:sub(5)
    end
    for class, methods in pairs(lab._classes) do
        if methods == meta then
            return class
        end
    end
end

-- For the command line (lua/prelude/repl.lua): the manual's class of a value and its entry of a function or value.
function lab._class_of(value)
    local class = class_of(value)
    return class and load_manual().classes[class]
end

function lab._entry_of(value)
    for _, name in ipairs(value ~= nil and load_manual().names or {}) do
        if manual.by_name[name] and rawequal(value_of(name), value) then
            return manual.by_name[name]
        end
    end
end

lab._signature = signature

local function show_all()
    for _, chapter in ipairs(manual.chapters) do
        print(chapter.title)
        local names = {}
        for i, e in ipairs(chapter.entries) do
            names[i] = e.name
        end
        wrap("  ", table.concat(names, "  "))
    end
    print('help("NAME"), help(FUNCTION) or help(VALUE) tells more; dir(VALUE) lists what is in it')
end

local function show_named(name)
    if manual.by_name[name] then
        return show_entry(manual.by_name[name])
    elseif manual.classes[name] then
        return show_class(manual.classes[name])
    end
    local is_found = false
    for _, full in ipairs(manual.names) do
        if full:match("[^.:]+$") == name or full:lower() == name:lower() then
            is_found = true
            show_named(full)
        end
    end
    if not is_found then
        local near = lab.did_you_mean(name, manual.names)
            or lab.did_you_mean("lab." .. name, manual.names)
        print(("the manual has no '%s'%s"):format(name, near and (": did you mean %s?"):format(near)
            or "; help() lists what it has"))
    end
end

rawset(_G, "help", function(...)
    local what, is_found = (...), false
    load_manual()
    if select("#", ...) == 0 or what == lab then
        return show_all()
    elseif type(what) == "string" then
        return show_named(what)
    end
    for _, name in ipairs(manual.names) do
        local e = manual.by_name[name]
        if e and what ~= nil and rawequal(value_of(name), what) then
            show_entry(e)
            is_found = true
        end
    end
    local class = class_of(what)
    if is_found and not class then
        return
    elseif class and manual.classes[class] then
        return show_class(manual.classes[class])
    end
    print(("the manual has nothing on this %s; help() lists what it has"):format(type(what)))
end)

local function dir_line(key, text)
    if #text > 68 then
        text = text:sub(1, utf8.offset(text, 0, 66) - 1) .. "..."
    end
    print(("  %-24s %s"):format(key, text))
end

rawset(_G, "dir", function(...)
    local value = ...
    if select("#", ...) == 0 then
        value = lab
    end
    load_manual()
    local class = class_of(value)
    if class and manual.classes[class] then
        for _, field in ipairs(manual.classes[class].fields or {}) do
            dir_line(field[1], field[3] or field[2])
        end
        for _, name in ipairs(manual.names) do
            if name:match("^([%w.]+):") == class then
                dir_line(name:match(":.*"), first_sentence(manual.by_name[name].text))
            end
        end
        return
    elseif type(value) ~= "table" then
        print("  " .. type(value))
        return
    end
    local keys = {}
    for key in next, value do
        if type(key) ~= "string" or key:sub(1, 1) ~= "_" then
            keys[#keys + 1] = key
        end
    end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
        local e = value == lab and manual.by_name["lab." .. tostring(key)]
        local text = e and first_sentence(e.text) or lab.pretty(rawget(value, key))
        dir_line(tostring(key), (text:gsub("%s+", " ")))
    end
end)
