-- Plots, and the samples of recorded runs that they are made of. The drawing itself is lab._draw()'s.

local FORMATS = {svg = true, png = true, pdf = true, csv = true}
local OPTIONS = {"kind", "title", "x", "y", "t0", "t1", "log_y", "zero", "width", "height", "join_s",
                 "lines", "marks", "from"}
local LINE = {"series", "from", "x_series", "x_scale", "values", "x", "y", "level", "label", "scale"}

local check_keys = lab._check_keys

-- lab.samples(run): the samples of a recorded run: a directory, a run as of lab.find_run, or a Record.
function lab.samples(run)
    return lab._samples(type(run) == "string" and run or run.dir)
end

local Plot = {}
Plot.__index, lab._classes.Plot = Plot, Plot

-- lab.plot(o): a plot of lines over time, of distributions, of points or of boxes.
function lab.plot(o)
    if type(o) ~= "table" or type(o.lines) ~= "table" then
        error("lab.plot needs lines = {{series = ...}, ...}", 2)
    end
    check_keys(o, OPTIONS, "lab.plot")
    for i, line in ipairs(o.lines) do
        check_keys(line, LINE, ("lab.plot: line %d"):format(i))
    end
    return setmetatable({options = o}, Plot)
end

function Plot:svg()
    return assert(lab._draw(self.options, "svg"))
end

function Plot:csv()
    return assert(lab._draw(self.options, "csv"))
end

-- Plot:save(path): the name's ending says the format.
function Plot:save(path)
    local format = path:match("%.(%w+)$")
    if not FORMATS[format] then
        return lab.failure("usage", "plot", ("no plots as '%s'"):format(path),
                           "a name ending in .svg, .png, .pdf or .csv")
    end
    local text, err = lab._draw(self.options, format)
    if not text then
        return nil, err
    end
    local ok
    ok, err = lab.write_file(path, text)
    return ok and path or nil, err
end

-- lab.svg(o): the plot as an SVG document.
function lab.svg(o)
    return lab.plot(o):svg()
end

-- lab.save_plot(path, plot): the same as lab.plot(plot):save(path).
function lab.save_plot(path, plot)
    if getmetatable(plot) ~= Plot then
        plot = lab.plot(plot)
    end
    return plot:save(path)
end
