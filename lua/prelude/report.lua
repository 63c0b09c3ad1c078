-- The report: one self-contained HTML page with tables and inline SVG, no request to anywhere.

local STYLE = [[
:root{--ink:#1c2330;--soft:#5b6577;--line:#dde2ea;--paper:#fff;--warn:#8a4b00}
body{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:var(--ink);background:var(--paper);
max-width:920px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem;
border-bottom:1px solid var(--line);padding-bottom:.2rem}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}td.n{text-align:right}
.note{border-left:3px solid var(--warn);padding:.3rem .8rem;color:var(--warn)}
.sub{color:var(--soft)}svg{max-width:100%;height:auto}pre{background:#f5f7fa;padding:.8rem;
overflow-x:auto;font-size:13px}@media print{body{margin:0}pre{white-space:pre-wrap}}
]]

local ENTITIES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

local function escape(v)
    return (tostring(v):gsub('[&<>"]', ENTITIES))
end

local function table_html(t)
    local out = {"<table>"}
    if t.header then
        out[#out + 1] = "<tr>"
        for _, cell in ipairs(t.header) do
            out[#out + 1] = "<th>" .. escape(cell) .. "</th>"
        end
        out[#out + 1] = "</tr>"
    end
    for _, row in ipairs(t.rows) do
        out[#out + 1] = "<tr>"
        for _, cell in ipairs(row) do
            local class = type(cell) == "number" and ' class="n"' or ""
            out[#out + 1] = ("<td%s>%s</td>"):format(class, escape(cell))
        end
        out[#out + 1] = "</tr>"
    end
    out[#out + 1] = "</table>"
    return table.concat(out)
end

-- Write report.html into the run directory.
function lab.report(o)
    local path, err = o.record:path("report.html")
    if not path then
        return nil, err
    end
    local out = {'<!doctype html><html lang="en"><meta charset="utf-8"><title>', escape(o.title),
        '</title><meta name="viewport" content="width=device-width"><style>', STYLE,
        "</style><h1>", escape(o.title), '</h1><p class="sub">', escape(o.subtitle or ""), "</p>"}
    local function add(...)
        for _, piece in ipairs{...} do
            out[#out + 1] = piece
        end
    end
    for _, note in ipairs(o.notes or {}) do
        add('<p class="note">', escape(note), "</p>")
    end
    for _, s in ipairs(o.sections) do
        if s.title then
            add("<h2>", escape(s.title), "</h2>")
        end
        if s.text then
            add("<p>", escape(s.text), "</p>")
        end
        if s.table then
            add(table_html(s.table))
        end
        if s.svg then
            add(s.svg)
        end
    end
    if o.script then
        local text = lab.read_file(o.script)
        if text then
            add("<h2>The script of this run</h2><pre>", escape(text), "</pre>")
        end
    end
    local ok
    ok, err = lab.write_file(path, table.concat(out))
    if not ok then
        return nil, err
    end
    return path
end
