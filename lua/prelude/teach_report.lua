-- What a teaching came to, for people: its rounds.csv and the tables it ends with.

local judge, teach = lab._judge, lab._teach

local COLUMNS = {"round", "rows", "episodes", "own_rows", "missing", "train_loss", "valid_loss", "constant",
    "persistence", "no_op", "test_loss", "test_no_op", "distill_loss", "distill_constant", "decision_p50_us",
    "decision_p99_us", "seconds", "grade"}

-- The names of the judge's scenarios, and of the baselines, in a fixed order.
local function names_of(out)
    local labels, seen = {}, {}
    for _, one in pairs(out.baselines) do
        for label in pairs(one.by) do
            seen[label] = true
        end
    end
    for label in pairs(seen) do
        labels[#labels + 1] = label
    end
    table.sort(labels)
    return lab._sorted_keys(out.baselines), labels
end

-- A row for each round: its numbers, then for each of the judge's scenarios the student's score and
-- those of the baselines.
function teach.csv(out)
    local scenarios, labels = names_of(out)
    local head, rows = {table.unpack(COLUMNS)}, {}
    for _, name in ipairs(scenarios) do
        for _, label in ipairs{"student", table.unpack(labels)} do
            head[#head + 1] = ("%s: %s"):format(name, label)
        end
    end
    for i, row in ipairs(out.rounds) do
        local cells, n = {}, #COLUMNS
        for k, key in ipairs(COLUMNS) do
            cells[k] = row[key]
        end
        for _, name in ipairs(scenarios) do
            cells[n + 1] = row.judged and row.judged[name] and row.judged[name].value
            for k, label in ipairs(labels) do
                cells[n + 1 + k] = out.baselines[name].by[label]
            end
            n = n + 1 + #labels
        end
        rows[i] = cells
    end
    return lab.csv(head, rows)
end

local function show(format, value, scale)
    return value and format:format(value * (scale or 1)) or "-"
end

local function print_losses(out)
    local rows = {}
    for i, r in ipairs(out.rounds) do
        rows[i] = {("round %d"):format(r.round), show("%d", r.rows), show("%.3g", r.valid_loss),
            show("%.3g", r.constant), show("%.3g", r.persistence), show("%.3g", r.no_op),
            show("%.3g", r.test_loss), show("%.3g", r.test_no_op),
            show("%.3g", r.distill_loss), show("%.3g", r.distill_constant), show("%.1f", r.decision_p50_us),
            show("%.1f", r.seconds, 1 / 60)}
    end
    judge.print_table({"", "rows", "loss", "constant", "persistence", "no-op", "unseen", "its no-op", "distilled",
                       "constant", "us", "min"}, rows)
    print("losses are mean squared errors on validation rows of the round's own pool; 'unseen' is on scenarios kept "
        .. "apart, the\nsame in all rounds; 'distilled' is the student's distance from the trained policy")
end

local function print_scores(out)
    local scenarios, labels = names_of(out)
    local head, rows = {"judged"}, {}
    for _, r in ipairs(out.rounds) do
        head[#head + 1] = ("round %d"):format(r.round)
    end
    table.move(labels, 1, #labels, #head + 1, head)
    for i, name in ipairs(scenarios) do
        local base = out.baselines[name]
        local row = {("%s, %s"):format(name, base.score == "power" and "power" or "off, Mbit/s")}
        for _, r in ipairs(out.rounds) do
            row[#row + 1] = show("%.2f", r.judged[name] and r.judged[name].value)
        end
        for _, label in ipairs(labels) do
            row[#row + 1] = show("%.2f", base.by[label])
        end
        rows[i] = row
    end
    local grades = {"grade"}
    for _, r in ipairs(out.rounds) do
        grades[#grades + 1] = show("%.3f", r.grade)
    end
    rows[#rows + 1] = grades
    judge.print_table(head, rows)
    print(("grade: geometric mean of (power / the best baseline's) and ((1 + the best baseline's distance) / "
        .. "(1 + the round's)),\nover %d of %d scenarios, those in which every round has a valid cell; 1 is as good "
        .. "as the best baseline in each"):format(out.graded, out.scenarios))
end

-- Print what lab.teach() returned.
function teach.print(out)
    print_losses(out)
    print("")
    if next(out.baselines) then
        print_scores(out)
    end
    local best = out.best
    if best.grade then
        print(("\nbest: round %d, grade %.3f. It was chosen among %d by these very cells: judge it on others before "
            .. "you quote it"):format(best.round, best.grade, #out.rounds))
    else
        print(("\nround %d is the last; nobody has judged which one is best"):format(best.round))
    end
    print(("the student: %s\n%s"):format(best.student, out.files.rounds))
end
