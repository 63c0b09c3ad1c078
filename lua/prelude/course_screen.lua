-- What the screen Labs (console/view_labs.c) asks for: do a word of the course, then tell what to show, as
-- JSON.

local WORDS = {start = true, check = true, hint = true, next = true, solve = true, reset = true, answer = true,
               take = true, state = true}

local hints, judged -- of the step that is shown

-- An error in one line.
local function told(err)
    if type(err) == "table" and err.message then
        return err.message .. (err.hint and err.hint ~= "" and "; " .. err.hint or "")
    end
    return tostring(err)
end

-- A value that the console shows as this text and nothing else.
local function raw(text)
    return setmetatable({}, {__tostring = function() return text end})
end

local function begin(course, name, place)
    place = place or ""
    if place == "" then
        return course:start(name)
    elseif place == "replay" or place == "virtual" then
        return course:start(name, {[place] = true})
    end
    return course:start(name, {lab = place})
end

function lab._labs_screen(word, a, b)
    assert(WORDS[word], word)
    local said
    local course, err = lab.course()
    if not course then
        return raw(lab.json_encode{error = told(err)})
    end
    local ok, failed = pcall(function()
        if word == "check" or word == "solve" then
            judged = course[word](course)
        elseif word == "hint" then
            local h = course:hint()
            hints = hints or {}
            hints[h.tier] = h.text
        elseif word == "answer" and a then
            local def = course:find(course.progress.current or "")
            local step = def and def.steps[course:_kept(def).step]
            if step and #course:takes(def, step) > 0 then
                course:take(a)
            else
                course:answer(a)
            end
            judged = course:check()
        elseif word ~= "state" then
            if word == "start" then
                assert(begin(course, a, b))
            elseif word == "next" then
                local def, _, _, mine = course:_current()
                if mine.state == "open" then
                    said = "this step is not passed yet: c checks it, i gives a hint, S solves it"
                    return
                end
                if course:next() == "done" then
                    said = ("lab %s is done; Enter on another begins that"):format(def.name)
                end
            else
                assert(course[word](course))
            end
            hints, judged = nil, nil
        end
    end)
    local out = {labs = course:list(), hints = hints, judged = judged, said = said,
                 error = not ok and told(failed) or nil}
    out.step = course.progress.current and course:show() or nil
    return raw(lab.json_encode(out))
end
