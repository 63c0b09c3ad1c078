-- The command lines of `ccalab doctor` and the other commands written in Lua: one table says what there
-- is, parses it and is the --help text.

local function fail(about, message, hint)
    error({status = "usage", subsystem = about.name, message = message,
           hint = hint or ("see ccalab %s --help"):format(about.name)}, 0)
end

local function usage(about)
    local out = {("ccalab %s: %s\n\nusage: ccalab %s%s\n"):format(about.name, about.help,
        about.name, about.usage ~= "" and " " .. about.usage or "")}
    for _, flag in ipairs(about.flags) do
        local left = flag.meta and ("%s %s"):format(flag[1], flag.meta) or flag[1]
        out[#out + 1] = ("  %-26s %s"):format(left, flag.help)
    end
    out[#out + 1] = ("  %-26s %s"):format("--help", "print this text")
    if about.examples then
        out[#out + 1] = "\nexamples:\n  " .. table.concat(about.examples, "\n  ")
    end
    return table.concat(out, "\n")
end

local function number_of(about, flag, value)
    return tonumber(value) or fail(about, ("%s cannot be %s"):format(flag[1], value), "a number is wanted")
end

-- lab.args(about, words): parse a command line. `about` is {name="doctor", help="what it does",
-- usage="[ROLE...] [OPTIONS]", flags={{"--lab", meta="FILE", help="..."}, {"--json", help="..."}}, examples={"..."}};
-- a flag with `meta` takes a value ("--lab FILE" or "--lab=FILE"), with `number=true` a number; with
-- `list=true` several between commas, and the option is a list of them; with `many=true` it may come
-- again, and the option is the list of its values.
-- Returns the options by name without dashes ("dry-run" is dry_run; true for flags without a value),
-- with the other words as [1], [2]...; nil if --help was asked for and printed: return at once. A
-- mistake raises an error of status "usage".
function lab.args(about, words)
    local known, names = {}, {"--help"}
    for _, flag in ipairs(about.flags) do
        known[flag[1]] = flag
        names[#names + 1] = flag[1]
    end
    local out, i = {}, 1
    while i <= #words do
        local word = words[i]
        i = i + 1
        if word == "--help" or word == "-h" then
            print(usage(about))
            return nil
        elseif word == "--" then
            table.move(words, i, #words, #out + 1, out)
            break
        elseif word:sub(1, 1) ~= "-" or word == "-" then
            out[#out + 1] = word
        else
            local name, value = word:match("^(%-%-[^=]+)=(.*)$")
            local flag = known[name or word]
            if not flag then
                local near = lab.did_you_mean(name or word, names)
                fail(about, "unknown option " .. (name or word),
                     near and ("did you mean %s?"):format(near))
            elseif flag.meta and not value then
                value = words[i] or fail(about, flag[1] .. " needs a value",
                                         ("%s %s"):format(flag[1], flag.meta))
                i = i + 1
            elseif value and not flag.meta then
                fail(about, flag[1] .. " takes no value")
            end
            if flag.list then
                local list = {}
                for one in value:gmatch("[^,]+") do
                    list[#list + 1] = flag.number and number_of(about, flag, one) or one
                end
                value = #list > 0 and list or fail(about, flag[1] .. " needs a value", "A,B,...")
            elseif flag.number then
                value = number_of(about, flag, value)
            end
            local key = flag[1]:gsub("^%-%-", ""):gsub("-", "_")
            if flag.many then
                out[key] = out[key] or {}
                table.insert(out[key], value)
            else
                out[key] = value or true
            end
        end
    end
    return out
end

-- Put the words of a command line that are options of `netllm adapt`, "num-epochs=20", into `options`, which is
-- returned: num_epochs = 20. misuse(message, hint) raises for one that is none.
function lab._read_adapt_words(options, words, misuse)
    local known = {}
    for i, flag in ipairs(lab._adapt_flags) do
        known[i], known[flag] = flag, true
    end
    for _, word in ipairs(words) do
        local key, value = word:match("^%-*([%w-]+)=(.+)$")
        if not known[key] then
            local near = key and lab.did_you_mean(key, known)
            misuse(key and key .. " is no option of netllm adapt" or word .. " is not NAME=VALUE",
                   near and ("did you mean %s?"):format(near) or "as in num-epochs=20; see netllm adapt --help")
        end
        options[key:gsub("-", "_")] = tonumber(value) or value
    end
    return options
end
