-- Plots as files. The drawing is lab.svg()'s; other formats are made from it by librsvg's own tool.

local FORMATS = {png = "png", pdf = "pdf"}

-- lab.save_plot(path, plot): write a plot, as lab.svg() takes it or the text that it gave, by the name's
-- ending: .svg, .png (two pixels for one, for paper and projectors) or .pdf. Returns the path. The latter two need
-- rsvg-convert (Debian's librsvg2-bin).
function lab.save_plot(path, plot)
    local svg = type(plot) == "table" and lab.svg(plot) or plot
    local ending = path:match("%.(%w+)$")
    if ending == "svg" then
        local ok, err = lab.write_file(path, svg)
        return ok and path or nil, err
    end
    local format = FORMATS[ending]
    if not format then
        return lab.failure("usage", "plot", ("no plots as '%s'"):format(path), "a name ending in .svg, .png or .pdf")
    end
    local tool = lab.program("rsvg-convert")
    if not tool then
        return lab.failure("unavailable", "plot", format .. " needs rsvg-convert", "install librsvg2-bin")
    end
    local from = os.tmpname()
    local tidy <close> = setmetatable({}, {__close = function() os.remove(from) end})
    local ok, err = lab.write_file(from, svg)
    if not ok then
        return nil, err
    end
    -- Whoever looks sees the old file or the new one.
    local part = path .. ".part"
    ok, err = lab.localhost:run{tool, "--format", format, "--zoom", format == "png" and 2 or 1,
                                "--output", part, from, label = "plot", timeout_s = 60}
    if not ok then
        os.remove(part)
        return nil, err
    end
    ok, err = os.rename(part, path)
    if not ok then
        return lab.failure("io", "plot", err)
    end
    return path
end
