-- What the judge found, for people: tables in the terminal and as HTML with distributions, and CSV.

local judge = lab._judge

judge.NOTES = {
    "power: r²/d, r the candidate's rate in Mbit/s, d base RTT + mean delay in its queue in ms (higher is better)",
    "off: how far the candidate's rate is from an equal share of the bottleneck, in Mbit/s (lower is better)",
    "winners are within 10 % of a scenario's best",
    "rtt+: the flow's smoothed RTT over the least it ever had, the sender's own estimate",
    "±: half of the 95 % confidence interval of the mean over the seeds",
}
local HOW = { -- queue delays are known
    emulator = "of all packets of a run, as the emulator counted them",
    qdisc = "as the router's AQM told it, 20 times a second at most",
    backlog = "bytes waiting in the router's FIFO over its rate, 20 times a second at most",
}
local ONE_SET = "only one set was judged: no winners are counted, as whoever wins alone may starve, or be starved, "
    .. "beside others"
local COLUMNS = {"rate_mbit", "utilisation", "delay_p50_ms", "delay_p95_ms", "delay_p99_ms", "delay_mean_ms", "power",
    "off_mbit", "rtt_extra_p50_ms", "rtt_extra_p95_ms", "rtt_extra_p99_ms", "rtt_extra_mean_ms", "jain", "ratio",
    "mark_share", "loss_share", "retransmits", "decide_p50_us", "decide_p99_us",
    "event_p99_us", "stale_share", "late_p99_us", "idle_share"}
-- Of cells.csv, in any case: what a cell could not measure is empty.
judge.CELL_COLUMNS = {"set", "score", "queue", "aqm", "delay_from", "marks", "drops", table.unpack(COLUMNS)}
local HEAD = {"candidate", "n", "score", "rate", "util %", "queue p50", "p95", "p99 ms", "rtt+ p50", "Jain", "ratio",
              "marks %",
              "loss %", "decide p50", "p99 us", "stale %"}

-- "12.3", or "12.3 ±0.4"; "-" for what was not measured.
local function show(stats, format, scale, with_ci)
    if not stats then
        return "-"
    end
    local text = format:format((scale or 1) * stats.mean)
    return with_ci and stats.ci95 and text .. " ±" .. format:format((scale or 1) * stats.ci95) or text
end

local function row_of(one, who)
    local v = one.by[who.label]
    if not v then
        return {who.label, "0", "no valid cell"}
    end
    local score = v[judge.VALUES[one.score]]
    return {(one.winners[who.label] and "* " or "  ") .. who.label, ("%d"):format(score and score.n or 0),
        show(score, "%.2f", 1, true), show(v.rate_mbit, "%.2f"), show(v.utilisation, "%.1f", 100),
        show(v.delay_p50_ms, "%.2f"), show(v.delay_p95_ms, "%.2f"), show(v.delay_p99_ms, "%.2f", 1, true),
        show(v.rtt_extra_p50_ms, "%.2f"), show(v.jain, "%.3f"), show(v.ratio, "%.2f", 1, true),
        show(v.mark_share, "%.2f", 100),
        show(v.loss_share, "%.2f", 100), show(v.decide_p50_us, "%.0f"), show(v.decide_p99_us, "%.0f"),
        show(v.stale_share, "%.1f", 100)}
end

local function title_of(one)
    return ("%s: score is %s"):format(one.name, one.score == "power" and "power, Mbit²/s² per ms"
        or "off an equal share, Mbit/s")
end

-- What the packets of a scenario waited in, and how their delay is known.
local function text_of(out, one)
    for _, who in ipairs(out.candidates) do
        local v = one.by[who.label]
        if v then
            return ("Queue: %s. Its delay: %s."):format(v.aqm or "?", HOW[v.delay_from]
                or "not told by this queue; the column rtt+ is the senders' estimate")
        end
    end
end

-- What is to be said of the whole.
local function notes_of(out)
    local notes = {"on " .. out.place}
    for _, one in ipairs(out.left_out) do
        notes[#notes + 1] = ("left out: %s: %s"):format(one.scenario, one.why)
    end
    for _, cell in ipairs(out.missing) do
        notes[#notes + 1] = ("missing: %s: %s"):format(cell.cell, cell.why)
    end
    return notes
end

-- Rows {label, wins of each set}; nil where one set alone was judged.
local function wins_of(out)
    if #out.sets < 2 then
        return nil
    end
    local head, rows = {"winners within 10 %"}, {}
    for i, set in ipairs(out.sets) do
        head[i + 1] = ("%s (of %d)"):format(set.name, set.counted)
    end
    for i, who in ipairs(out.candidates) do
        rows[i] = {who.label}
        for k, set in ipairs(out.sets) do
            rows[i][k + 1] = ("%d"):format(set.wins[who.label] or 0)
        end
    end
    return head, rows
end

local function print_table(head, rows)
    local width = {}
    for _, row in ipairs{head, table.unpack(rows)} do
        for i, cell in ipairs(row) do
            width[i] = math.max(width[i] or 0, utf8.len(cell) or #cell)
        end
    end
    for _, row in ipairs{head, table.unpack(rows)} do
        local out = {}
        for i, cell in ipairs(row) do
            local pad = (" "):rep(width[i] - (utf8.len(cell) or #cell))
            out[i] = i == 1 and cell .. pad or pad .. cell
        end
        print((table.concat(out, "  "):gsub("%s+$", "")))
    end
end

judge.print_table = print_table

-- Print what lab.judge() returned.
function judge.print(out)
    for _, set in ipairs(out.sets) do
        for _, one in ipairs(set.scenarios) do
            local rows = {}
            for i, who in ipairs(out.candidates) do
                rows[i] = row_of(one, who)
            end
            print("\n" .. title_of(one))
            print_table(HEAD, rows)
            print(text_of(out, one) or "")
        end
    end
    local head, rows = wins_of(out)
    print("")
    if head then
        print_table(head, rows)
        print("")
    end
    for _, note in ipairs(judge.NOTES) do
        print(note)
    end
    if not head then
        print(ONE_SET)
    end
    for _, note in ipairs(notes_of(out)) do
        print(note)
    end
    print(("\n%d of %d cells; %s"):format(out.done, out.cells, out.dir))
end

-- A row for each scenario and candidate: how many cells, did it win, and of each value mean and ci95.
local function summary_csv(out)
    local head, rows = {"set", "scenario", "candidate", "n", "score", "is_winner", "aqm", "delay_from"}, {}
    local first = #head
    for _, key in ipairs(COLUMNS) do
        head[#head + 1], head[#head + 2] = key, key .. "_ci95"
    end
    for _, set in ipairs(out.sets) do
        for _, one in ipairs(set.scenarios) do
            for _, who in ipairs(out.candidates) do
                local v = one.by[who.label] or {}
                local row = {set.name, one.name, who.label, v.rate_mbit and v.rate_mbit.n or 0, one.score,
                             one.winners[who.label] or false, v.aqm, v.delay_from}
                for i, key in ipairs(COLUMNS) do
                    row[first + 2 * i - 1] = v[key] and v[key].mean
                    row[first + 2 * i] = v[key] and v[key].ci95
                end
                rows[#rows + 1] = row
            end
        end
    end
    return lab.csv(head, rows)
end

-- How the delay of each candidate's queue is distributed: the samples of the bottleneck, of all seeds.
local function delay_plot(out, m, one)
    local lines, s = {}, nil
    for _, scenario in ipairs(m.axes[1][2]) do
        s = scenario.label == one.name and scenario.s or s
    end
    for _, who in ipairs(out.candidates) do
        local all = {}
        local queue = one.by[who.label] and one.by[who.label].queue == "L" and "l" or "c"
        for _, id in ipairs(one.ids[who.label] or {}) do
            local samples <close> = lab.samples(("%s/cells/%s"):format(m.dir, id)) or nil
            local raw = samples and (lab.json_decode(lab.read_file(("%s/cells/%s/run.json"):format(m.dir, id)) or "")
                or {}).raw
            local values
            if raw and raw.totals.is_hosts then
                values = judge.told_delays(s, who.is_scalable, raw, samples)
            elseif raw then
                _, values = samples:values(("link/down/delay_%s_us"):format(queue))
            end
            for _, v in ipairs(values or {}) do
                all[#all + 1] = v and v / 1e3 or nil
            end
        end
        if #all > 0 and #lines < 32 then
            lines[#lines + 1] = {label = who.label, values = all}
        end
    end
    return #lines > 0 and lab.plot{kind = "cdf", title = "Delay in the candidate's queue", x = "[ms]", lines = lines}
        or nil
end

-- Write judge.csv and report.html into the matrix's directory; the paths of all files.
function judge.write(out, m)
    local sections, notes = {}, {}
    local head, rows = wins_of(out)
    if head then
        sections[1] = {title = "Winners", table = {header = head, rows = rows}}
    else
        notes[1] = ONE_SET
    end
    for _, note in ipairs(notes_of(out)) do
        notes[#notes + 1] = note
    end
    for _, set in ipairs(out.sets) do
        for _, one in ipairs(set.scenarios) do
            rows = {}
            for i, who in ipairs(out.candidates) do
                rows[i] = row_of(one, who)
            end
            sections[#sections + 1] = {title = title_of(one), text = text_of(out, one),
                                       table = {header = HEAD, rows = rows}, plot = delay_plot(out, m, one)}
        end
    end
    sections[#sections + 1] = {title = "How to read it", text = table.concat(judge.NOTES, ". ") .. "."}
    local files = {cells = m.dir .. "/cells.csv", summary = m.dir .. "/judge.csv", report = m.dir .. "/report.html"}
    local ok, err = lab.write_file(files.summary, summary_csv(out))
    if ok then
        ok, err = lab.report{path = files.report, title = "The judge", notes = notes, sections = sections,
            subtitle = ("%s size, %d seeds, %d of %d cells; ccalab %s"):format(out.size, out.seeds, out.done,
                out.cells, lab.version)}
    end
    if not ok then
        return nil, err
    end
    return files
end
