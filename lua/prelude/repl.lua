-- Lines typed by hand: running one, what could be typed at a place in it, and what of it will be lost. Nothing here
-- but lab._repl_run() runs code of the line or of the values in it: tables are read raw, functions of metatables are
-- not called.

local pack, unpack = table.pack, table.unpack
local repl = debug.getregistry()["lab.repl"] -- the globals of typed lines

local WORDS_MAX = 200
local KEYWORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true "
    .. "until while"):gmatch("%a+") do
    KEYWORDS[word] = true
end

-- Run a line; what it comes to, as text, and the first value as `_`.
function lab._repl_run(chunk)
    local r = pack(chunk())
    if r[1] ~= nil then
        rawset(repl, "_", r[1])
    end
    for i = 1, r.n do
        r[i] = lab.pretty(r[i])
    end
    return r.n > 0 and table.concat(r, "\t", 1, r.n) or nil
end

-- The words of a text: a list of {kind=, text=, at=} with kind "name", "keyword", "number", "string" or the text
-- itself, and whether the text ends inside of a string or a comment.
local function lex(text)
    local out, at = {}, 1
    local function add(kind, to)
        out[#out + 1] = {kind = kind, text = text:sub(at, to), at = at}
        at = to + 1
    end
    while true do
        at = text:find("%S", at)
        if not at then
            return out, false
        end
        local is_comment = text:find("^%-%-", at) ~= nil
        local equals = text:match("^%[(=*)%[", is_comment and at + 2 or at)
        local c = text:sub(at, at)
        if equals then
            local _, to = text:find("]" .. equals .. "]", at, true)
            if not to then
                return out, true
            elseif is_comment then
                at = to + 1
            else
                add("string", to)
            end
        elseif is_comment then
            at = text:find("\n", at, true)
            if not at then
                return out, true
            end
        elseif c == '"' or c == "'" then
            local to = at + 1
            while true do
                to = text:find("[\\\n" .. c .. "]", to)
                if not to or text:sub(to, to) == "\n" then
                    return out, true
                elseif text:sub(to, to) == c then
                    break
                end
                to = to + 2
            end
            add("string", to)
        elseif c:find("[%a_]") then
            local to = select(2, text:find("^[%w_]+", at))
            add(KEYWORDS[text:sub(at, to)] and "keyword" or "name", to)
        elseif c:find("%d") or text:find("^%.%d", at) then
            add("number", select(2, text:find("^[%w_.]+", at)))
        else
            local to = select(2, text:find("^%.%.%.?", at)) or select(2, text:find("^::", at)) or at
            add(text:sub(at, to), to)
        end
    end
end

-- Where a key is looked for that the value itself has not, nil if that is no table.
local function behind(value)
    local meta = debug.getmetatable(value)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(index) == "function" then
        index = rawget(meta, "methods")
    end
    return type(index) == "table" and index or nil
end

-- The value of a key, without calling anything.
local function raw_index(value, key)
    for _ = 1, 10 do
        if type(value) == "table" then
            local found = rawget(value, key)
            if found ~= nil then
                return found
            end
        end
        value = behind(value)
        if value == nil then
            return nil
        end
    end
end

local function global(name)
    local value = rawget(repl, name)
    if value == nil then
        value = rawget(_G, name)
    end
    return value
end

-- The value that the words up to words[last] name, as `lab.stats` or `beds[1].router`, and the index of the
-- first of them. nil: they name none.
local function value_before(words, last)
    local keys, i = {}, last
    while true do
        local w = words[i]
        local is_index = w and w.kind == "]" and words[i - 1] and words[i - 2] and words[i - 2].kind == "["
        local key = is_index and words[i - 1] or nil
        if w and w.kind == "name" then
            table.insert(keys, 1, w.text)
            local sep = words[i - 1] and words[i - 1].kind
            if sep ~= "." and sep ~= ":" then
                break
            end
            i = i - 2
        elseif key and key.kind == "number" and tonumber(key.text) then
            table.insert(keys, 1, math.tointeger(tonumber(key.text)) or tonumber(key.text))
            i = i - 3
        elseif key and key.kind == "string" and not key.text:find("[\\%[]") then
            table.insert(keys, 1, key.text:sub(2, -2))
            i = i - 3
        else
            return nil
        end
    end
    local value = global(keys[1])
    for k = 2, #keys do
        if value == nil then
            return nil
        end
        value = raw_index(value, keys[k])
    end
    return value, i
end

local function collect(into, value)
    for _ = 1, 10 do
        if type(value) == "table" then
            for key, inner in next, value do
                if type(key) == "string" and into[key] == nil then
                    into[key] = inner
                end
            end
        end
        value = behind(value)
        if value == nil then
            return
        end
    end
end

-- What can stand behind "value." or "value:".
local function members(value, sep)
    local found, names = {}, {}
    collect(found, value)
    local class = lab._class_of(value)
    for _, field in ipairs(class and class.fields or {}) do
        found[field[1]:gsub("%?$", "")] = found[field[1]] or true
    end
    for key, inner in next, found do
        if sep == "." or type(inner) == "function" then
            names[#names + 1] = key
        end
    end
    return names
end

-- The call that the end of `words` is in: the manual's entry of its function, which argument it is, and whether
-- what comes next is a key of a table that is that argument.
local function call_around(words)
    local depth, argument, is_table = 0, 1, false
    for i = #words, 1, -1 do
        local kind = words[i].kind
        if kind == ")" or kind == "}" or kind == "]" then
            depth = depth + 1
        elseif kind == "(" or kind == "{" or kind == "[" then
            depth = depth - 1
        elseif kind == "," and depth == 0 then
            argument = argument + 1
        end
        if depth < 0 then
            depth = 0
            local value = kind ~= "[" and value_before(words, i - 1)
            if value then
                local entry = lab._entry_of(value)
                if kind == "{" then
                    argument, is_table = 1, true
                end
                return entry, argument, is_table
            end
            is_table = kind == "{" and words[i - 1] ~= nil and (words[i - 1].kind == "(" or words[i - 1].kind == ",")
            argument = 1
        end
    end
end

-- lab._repl_complete(text, cursor): what could be typed at `cursor` (bytes before it): where the word begins that a
-- completion replaces (bytes before it), the completions, sorted, and the signature of the function that is
-- being called, or nil.
function lab._repl_complete(text, cursor)
    local words, is_open = lex(text:sub(1, cursor))
    local entry, argument, is_table = call_around(words)
    local hint = entry and lab._signature(entry)
    if is_open then
        return cursor, {}, hint
    end
    local last, partial = words[#words], ""
    if last and (last.kind == "name" or last.kind == "keyword") and last.at + #last.text == cursor + 1 then
        partial = last.text
        words[#words] = nil
    elseif last and last.kind == "number" and last.at + #last.text == cursor + 1 then
        return cursor, {}, hint
    end
    local names, before = {}, words[#words]
    local sep = before and before.kind
    if sep == "." or sep == ":" then
        local value = value_before(words, #words - 1)
        if value ~= nil then
            names = members(value, sep)
        end
    else
        local is_key = is_table and (sep == "{" or sep == "," or sep == ";")
        for _, field in ipairs(is_key and entry and entry.args and (entry.args[argument] or {}).fields or {}) do
            if field[1]:find("^[%a_][%w_]*%??$") and field[1]:sub(1, #partial) == partial then
                names[#names + 1] = field[1]:gsub("%?$", "") .. "="
            end
        end
        if #names == 0 and (not is_key or partial ~= "") then
            for _, from in ipairs{repl, _G, KEYWORDS} do
                for name in next, from do
                    names[#names + 1] = type(name) == "string" and name or nil
                end
            end
        end
    end
    local out, seen = {}, {}
    for _, name in ipairs(names) do
        local is_hidden = name:find("^_") and partial == ""
        if name:sub(1, #partial) == partial and not is_hidden and not seen[name] and name:find("^[%a_][%w_]*=?$") then
            seen[name] = true
            out[#out + 1] = name
        end
    end
    table.sort(out)
    if not hint and #out == 1 and partial ~= "" then
        words[#words + 1] = {kind = "name", text = out[1], at = 0}
        local one = lab._entry_of(value_before(words, #words))
        hint = one and lab._signature(one)
    end
    return cursor - #partial, table.move(out, 1, math.min(#out, WORDS_MAX), 1, {}), hint
end

-- The word at which the names of a `local` are all told; they, without their attributes.
local function declared(words, i)
    local names = {}
    if words[i].kind == "keyword" then -- local function f
        return i + 2, {words[i + 1] and words[i + 1].text}
    end
    while words[i] and words[i].kind == "name" do
        names[#names + 1] = words[i].text
        i = i + 1
        if words[i] and words[i].kind == "<" then
            i = i + 3
        end
        if not words[i] or words[i].kind ~= "," then
            break
        end
        i = i + 1
    end
    return i, names
end

-- lab._repl_lost(text): the locals of a line that nothing in it uses: they are gone at its end.
function lab._repl_lost(text)
    local words, depth, lost = lex(text), 0, {}
    for i, w in ipairs(words) do
        if w.kind == "keyword" then
            if w.text == "function" or w.text == "do" or w.text == "if" or w.text == "repeat" then
                depth = depth + 1
            elseif w.text == "end" or w.text == "until" then
                depth = depth - 1
            elseif w.text == "local" and depth == 0 and words[i + 1] then
                local after, names = declared(words, i + 1)
                for _, name in ipairs(names) do
                    local is_used = false
                    for k = after, #words do
                        is_used = is_used or (words[k].kind == "name" and words[k].text == name
                            and not (words[k - 1].kind == "." or words[k - 1].kind == ":"))
                    end
                    lost[#lost + 1] = not is_used and name or nil
                end
            end
        end
    end
    return #lost > 0 and table.concat(lost, ", ") or nil
end
