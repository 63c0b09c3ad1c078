-- The report: one self-contained HTML page with tables and inline SVG, no request to anywhere. What the
-- sections of a run are is in report_sections.lua.

-- Colours are variables, so that the page follows the reader's light or dark; plots too, by the classes
-- of core/plot_page.h. Paper is always light.
local STYLE = [[
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6577;--line:#dde2ea;--paper:#fff;--warn:#8a4b00;
--code:#f5f7fa;--good:#166534;--bad:#b91c1c}
@media (prefers-color-scheme:dark) and (not print){:root{--ink:#e5e9f0;--soft:#a3adbd;--line:#39424f;
--paper:#14181f;--warn:#f0b060;--code:#1d232c;--good:#7bd88f;--bad:#ff8a80}
svg .ground{fill:var(--paper)}svg .text{fill:var(--ink)}svg .muted{fill:var(--soft)}
svg .grid{stroke:#2b323d}svg .axis{stroke:#5b6577}svg path.mark{stroke:#f0b060}svg text.mark{fill:#f0b060}
svg .s0{stroke:#4fa8e0}svg .s1{stroke:#ff8a4c}svg .s2{stroke:#34c79a}svg .s3{stroke:#e39cc3}
svg .s4{stroke:#f2b632}svg .s5{stroke:#8fd0f7}svg .s6{stroke:#b5bcc8}}
body{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:var(--ink);background:var(--paper);
max-width:920px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem;
border-bottom:1px solid var(--line);padding-bottom:.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line);
overflow-wrap:anywhere}th{color:var(--soft);font-weight:600}td.n{text-align:right}
td.good{color:var(--good)}td.bad{color:var(--bad);font-weight:600}
.note{border-left:3px solid var(--warn);padding:.3rem .8rem;color:var(--warn)}
.sub,footer{color:var(--soft)}footer{margin-top:3rem;font-size:13px}svg{max-width:100%;height:auto}
pre{background:var(--code);padding:.8rem;overflow-x:auto;font-size:13px}
@media print{@page{margin:15mm}body{margin:0;max-width:none;padding:0}pre{white-space:pre-wrap;
overflow-wrap:anywhere}.wide{overflow:visible}h2{break-after:avoid}svg,tr{break-inside:avoid}}
]]

-- Nothing may be fetched, whatever the text of a section says.
local POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

local ENTITIES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}
local VERDICTS = {ok = "good", pass = "good", ["?"] = "bad", fail = "bad", failed = "bad"}

local function escape(v)
    return (tostring(v):gsub('[&<>"]', ENTITIES))
end

local function table_html(t)
    local out = {'<div class="wide"><table>'}
    if t.header then
        out[#out + 1] = "<thead><tr>"
        for _, cell in ipairs(t.header) do
            out[#out + 1] = "<th>" .. escape(cell) .. "</th>"
        end
        out[#out + 1] = "</tr></thead>"
    end
    for _, row in ipairs(t.rows) do
        out[#out + 1] = "<tr>"
        for _, cell in ipairs(row) do
            local class = type(cell) == "number" and "n" or VERDICTS[cell]
            out[#out + 1] = ("<td%s>%s</td>"):format(class and (' class="%s"'):format(class) or "",
                escape(cell))
        end
        out[#out + 1] = "</tr>"
    end
    out[#out + 1] = "</table></div>"
    return table.concat(out)
end

local function section_html(s)
    local out = {}
    local function add(...)
        for _, piece in ipairs{...} do
            out[#out + 1] = piece
        end
    end
    if s.title then
        add("<h2>", escape(s.title), "</h2>\n")
    end
    if s.text then
        add("<p>", escape(s.text), "</p>\n")
    end
    if s.table then
        add(table_html(s.table), "\n")
    end
    if s.plot then
        add(s.plot:svg())
    end
    if s.svg then
        add(s.svg)
    end
    if s.code then
        add("<pre>", escape(s.code), "</pre>\n")
    end
    return table.concat(out)
end

-- lab.report(o): write report.html of a run: `sections`, else what lab.report_sections() makes of it.
function lab.report(o)
    local path, err
    local run = o.record or o.run
    if type(run) == "string" then
        run, err = lab.find_run(run)
        if not run then
            return nil, err
        end
    end
    if o.path then
        path = o.path
    elseif type(run) == "userdata" then -- a Record that is still open
        path, err = run:path("report.html")
    else
        path = run.dir .. "/report.html"
    end
    local sections = o.sections
    if path and not sections then
        sections, err = lab.report_sections(run)
    end
    if not path or not sections then
        return nil, err
    end
    local title = o.title or run.dir:match("[^/]+$")
    local out = {'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n',
        '<meta http-equiv="Content-Security-Policy" content="', escape(POLICY), '">\n',
        '<meta name="viewport" content="width=device-width">\n<title>', escape(title),
        "</title>\n<style>", STYLE, "</style></head><body>\n<h1>", escape(title),
        '</h1>\n<p class="sub">', escape(o.subtitle or ""), "</p>\n"}
    for _, note in ipairs(o.notes or {}) do
        out[#out + 1] = '<p class="note">' .. escape(note) .. "</p>\n"
    end
    for _, s in ipairs(sections) do
        out[#out + 1] = section_html(s)
    end
    local script = o.script and lab.read_file(o.script)
    if script then
        out[#out + 1] = section_html{title = "The script of this run", code = script}
    end
    out[#out + 1] = ("<footer>ccalab %s</footer></body></html>\n"):format(escape(lab.version))
    local ok
    ok, err = lab.write_file(path, table.concat(out))
    return ok and path or nil, err
end
