-- The ground under every script: strict globals, coroutines that may wait, pretty printing, tasks.

local raw_resume, yield, pack, unpack = coroutine.resume, coroutine.yield, table.pack, table.unpack
local WAIT = lab._wait
lab._wait = nil
lab._classes = {} -- the method tables of what the prelude makes, by the name in the manual

-- A script's own coroutine may call functions that wait. Their yield is not the coroutine's: it is
-- passed on to the task, and what the task is resumed with is passed back.
local function resume(co, ...)
    local r = pack(raw_resume(co, ...))
    while r[1] and r.n == 2 and r[2] == WAIT do
        r = pack(raw_resume(co, yield(WAIT)))
    end
    return unpack(r, 1, r.n)
end
coroutine.resume = resume

function coroutine.wrap(fn)
    local co = coroutine.create(fn)
    return function(...)
        local r = pack(resume(co, ...))
        if not r[1] then
            coroutine.close(co)
            error(r[2], 0)
        end
        return unpack(r, 2, r.n)
    end
end

setmetatable(_G, {
    __newindex = function(_, name)
        error(("assignment to the undeclared global '%s': write 'local %s'"):format(name, name), 2)
    end,
    __index = function(_, name)
        error(("the global '%s' does not exist"):format(tostring(name)), 2)
    end,
})

-- Raise, at the caller of the function whose options `o` are, for a key that is not among `names`. `level`: where
-- that caller is, as for error(), if the function does not call this itself.
function lab._check_keys(o, names, what, level)
    for key in pairs(o) do
        local known = false
        for _, name in ipairs(names) do
            known = known or key == name
        end
        if not known then
            local near = lab.did_you_mean(tostring(key), names)
            error(("%s: unknown option '%s'%s"):format(what, tostring(key),
                near and (", did you mean '%s'?"):format(near) or ""), level or 3)
        end
    end
end

-- The keys of a table, all strings or all numbers, in their order.
function lab._sorted_keys(of)
    local keys = {}
    for key in pairs(of) do
        keys[#keys + 1] = key
    end
    table.sort(keys)
    return keys
end

-- lab.pretty(v): how the command line shows a value. Keys sorted; nesting, length and the whole bounded. Tables are
-- read raw; of what a value brings along only its __tostring is called.
local DEPTH_MAX, KEYS_MAX, VALUES_MAX, STRING_MAX = 6, 100, 2000, 2000

local function pretty_string(s)
    local cut = #s > STRING_MAX and s:sub(1, (utf8.offset(s, 0, STRING_MAX + 1) or STRING_MAX + 1) - 1) or s
    local text = ("%q"):format(cut):gsub("\\\n", "\\n")
    return #cut < #s and ("%s... (%d bytes)"):format(text, #s) or text
end

local function pretty_key(k)
    return type(k) == "string" and pretty_string(k) or tostring(k)
end

local function order_keys(a, b)
    local ta, tb = type(a), type(b)
    if ta ~= tb then
        return ta == "number" or (tb ~= "number" and ta < tb)
    elseif ta == "number" or ta == "string" then
        return a < b
    end
    return tostring(a) < tostring(b)
end

local function pretty(v, indent, seen)
    local meta = debug.getmetatable(v)
    seen.count = seen.count + 1
    if type(v) == "string" then
        return pretty_string(v)
    elseif type(v) ~= "table" or (type(meta) == "table" and rawget(meta, "__tostring")) then
        return tostring(v)
    elseif seen[v] then
        return "{...}"
    elseif #indent > 2 * DEPTH_MAX then
        return next(v) == nil and "{}" or "{ deeper }"
    end
    seen[v] = true
    local keys, out, inner, is_list = {}, {}, indent .. "  ", true
    for k in next, v do
        keys[#keys + 1] = k
    end
    table.sort(keys, order_keys)
    for i, k in ipairs(keys) do
        if i > KEYS_MAX or seen.count > VALUES_MAX then
            out[#out + 1] = ("... %d more"):format(#keys - i + 1)
            break
        end
        local text = pretty(rawget(v, k), inner, seen)
        is_list = is_list and math.type(k) == "integer" and k == i
        if is_list then
            out[#out + 1] = text
        elseif type(k) == "string" and k:match("^[%a_][%w_]*$") then
            out[#out + 1] = k .. " = " .. text
        else
            out[#out + 1] = "[" .. pretty_key(k) .. "] = " .. text
        end
    end
    seen[v] = nil
    local line = "{" .. table.concat(out, ", ") .. "}"
    if #line + #indent <= 90 and not line:find("\n") then
        return line
    end
    return "{\n" .. inner .. table.concat(out, ",\n" .. inner) .. "\n" .. indent .. "}"
end

function lab.pretty(v)
    return (pretty(v, "", {count = 0}))
end

-- Run the functions side by side. (lua/api/ says what each public function takes, gives and fails with.)
function lab.all(functions)
    local tasks, results = {}, {}
    for i, fn in ipairs(functions) do
        tasks[i] = lab.spawn(fn)
    end
    for i, task in ipairs(tasks) do
        local value, err = task:join()
        if value == nil and err ~= nil then
            for k = i + 1, #tasks do
                tasks[k]:cancel()
            end
            return nil, err
        end
        results[i] = value
    end
    return results
end

-- The results of fn, or an error of status "timeout" with its task and jobs ended.
function lab.timeout(seconds, fn, ...)
    local task = lab.spawn(fn, ...)
    local r = pack(task:join(seconds))
    if r[1] == nil and type(r[2]) == "table" and r[2].status == "timeout" then
        task:cancel()
        task:join()
    end
    return unpack(r, 1, r.n)
end
