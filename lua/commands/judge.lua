-- `ccalab judge`: congestion controls side by side over sets of scenarios (docs/judge.md).

local ABOUT = {
    name = "judge", help = "hold congestion controls against each other, over sets of scenarios",
    usage = "[OPTIONS]",
    flags = {
        {"--sets", meta = "LIST", list = true, help = "of solo, friendliness, l4s (default: all)"},
        {"--size", meta = "SIZE", help = "quick or full (default quick)"},
        {"--candidates", meta = "LIST", list = true,
         help = "cubic, reno, bbr, prague, oracle, netllm:POLICY, ... (default cubic,reno,bbr,prague)"},
        {"--lab", meta = "FILE", help = "on the machines of this lab file instead of virtual ones"},
        {"--seeds", meta = "N", number = true, help = "how often each cell runs (default 5)"},
        {"--resume", meta = "DIR", help = "go on with the judge's directory: what is done stays"},
        {"--name", meta = "NAME", help = "of the run directory (default judge)"},
        {"--testbed", meta = "NAME", help = "of its virtual labs (default judge-PID)"},
        {"--idle-min", meta = "SHARE", number = true,
         help = "of the processors' time; a cell with less is invalid (default 0.05)"},
        {"--dry-run", help = "print the cells and run none"},
        {"--json", help = "print the results as JSON instead of tables"},
    },
    examples = {
        "sudo ccalab judge --sets l4s --seeds 1 --candidates cubic,prague,netllm:lua:own_cc.lua",
        "sudo ccalab judge --candidates cubic,bbr,prague,netllm:distilled:student.safetensors",
        "ccalab judge --size full --dry-run",
    },
}

local o = lab.args(ABOUT, arg)
if not o then
    return
end
if o[1] then
    error({status = "usage", subsystem = "judge", message = ("'%s' is not understood"):format(o[1]),
           hint = "see ccalab judge --help"}, 0)
elseif o.resume and not lab.read_file(o.resume .. "/run.json") then
    error({status = "usage", subsystem = "judge", message = o.resume .. " is no directory of the judge",
           hint = "the last line that the judge prints names it"}, 0)
end
local out = assert(lab.judge{sets = o.sets, size = o.size, candidates = o.candidates, seeds = o.seeds,
    dir = o.resume, name = o.name, testbed = o.testbed, lab = o.lab, idle_min = o.idle_min, dry_run = o.dry_run})
if o.dry_run then
    return
elseif o.json then
    print(lab.json_encode(out, true))
else
    lab._judge.print(out)
    print(out.files.report)
end
if #out.missing > 0 then
    local is_busy = false
    for _, one in ipairs(out.missing) do
        is_busy = is_busy or one.why:find("overloaded", 1, true)
    end
    error({status = "failed", subsystem = "judge",
           message = ("%d of %d cells failed or were invalid"):format(#out.missing, out.cells),
           hint = "ccalab judge --resume " .. out.dir .. " (with the same options) runs them again"
               .. (is_busy and "; on a machine that always has other work, --idle-min 0 lets them count" or "")}, 0)
end
