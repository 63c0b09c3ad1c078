-- The place that a lab of the course runs in: virtual hosts, machines of a lab file, or recordings. All
-- but recordings are opened as a lab file.

local Course = lab._classes.Course

local function failure(status, message, hint)
    return lab.failure(status, "labs", message, hint)
end

local function ccalab(...)
    return lab.localhost:run{assert(lab.program("ccalab")), ...}
end

local function testbed_status(name)
    local r = ccalab("testbed", "status", "--name", name, "--json")
    local said = r and lab.json_decode(r.out)
    for _, one in ipairs(type(said) == "table" and said.labs or {}) do
        if one.name == name and one.state == "up" then
            return one.up
        end
    end
end

local function lab_file_of(up, spec)
    local out = {"-- the virtual lab of the course, as a lab file\n"}
    local bin = up.routers[1].bin
    for _, name in ipairs(up.names) do
        local h = up.hosts[name]
        out[#out + 1] = ("%s = netns{netns = %q, address = %q%s%s}\n"):format(name, h.netns, h.address,
            h.userns and (", userns = %q"):format(h.userns) or "",
            name == up.routers[1].name and (", bin = %q"):format(bin) or "")
    end
    out[#out + 1] = ("link = {rate = %q, rtt = %q, egress = %q}\n"):format(spec.rate, spec.rtt,
                                                                          up.router.egress)
    return table.concat(out)
end

-- Bring the virtual lab up as the lab wants it; `anew`: even if one is there.
function Course:_virtual_up(def, anew)
    local spec, name = def.testbed, self.progress.place.name
    local up = not anew and testbed_status(name)
    if not up then
        ccalab("testbed", "down", "--name", name)
        local r, err, left = ccalab("testbed", "up", "--name", name, "--rate", spec.rate, "--rtt",
                                    spec.rtt, "--aqm", spec.aqm or "dualpi2")
        if not r then
            local said = left and left.err and left.err:match("[^\n]+")
            return failure(err.status, said or err.message,
                           "without the rights for a virtual lab: ccalab labs start " .. def.name .. " --replay")
        end
        up = testbed_status(name)
        if not up then
            return failure("host", "the virtual lab did not stay up")
        end
        assert(lab.write_file(self.progress.place.file, lab_file_of(up, spec)))
    end
    return true
end

-- Do a step's hands or eyes need hosts? "here" is done on this machine, "files" on files alone.
local function needs_hosts(step)
    return (step.acts or "hosts") == "hosts" or (step.observes or "hosts") == "hosts"
end
lab._course_needs_hosts = needs_hosts

-- The place's hosts, nil where none are needed; brings a virtual lab up that has gone with a restart.
function Course:_bed(def, step)
    local place = self.progress.place
    if place.kind == "replay" or not needs_hosts(step) then
        return nil
    end
    if place.kind == "virtual" then
        local ok, err = self:_virtual_up(def)
        if not ok then
            return nil, err
        end
    end
    return lab.open_lab(place.file)
end

-- What the text of a lab calls {{port}}, {{server}} ... here.
function lab._course_words(place, bed)
    local w = {lab = "--lab lab.lua", shell = "ssh", port = "PORT", server = "SERVER", client_x = "CLIENT_X",
               client_y = "CLIENT_Y", prague = "prague"}
    if place.file then
        w.lab = "--lab " .. place.file
    end
    if place.kind == "virtual" then
        w.shell = "ccalab testbed shell --name " .. (place.name or "course")
    end
    if bed then
        w.port, w.prague = bed.egress or w.port, bed.prague.cc or w.prague
        for _, role in ipairs{"server", "client_x", "client_y"} do
            w[role] = bed[role] and bed[role].address or w[role]
        end
    end
    return w
end

function Course:_needs_hosts(def)
    for _, s in ipairs(def.steps) do
        if needs_hosts(s) then
            return true
        end
    end
    return false
end

-- Leave the place as it was found: idempotent, and the end of every lab.
function Course:_leave(def)
    local place = self.progress.place
    if def and def.cleanup then
        pcall(def.cleanup, self:_work(def))
    end
    if place and place.kind == "virtual" then
        ccalab("testbed", "down", "--name", place.name)
    elseif place and place.kind == "machines" then
        local ok, err = lab.restore() -- what this console changed, then what others before it did
        if not ok then
            return nil, err
        end
        return ccalab("restore", "--lab", place.file)
    end
    return true
end
