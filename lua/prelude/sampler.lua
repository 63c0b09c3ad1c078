-- What samples sockets and probes the path on a host: this console's own program on this machine and in
-- its namespaces; the static ccalab-sampler, uploaded once, on Linux machines of the same kind over SSH;
-- ss(8) in a loop elsewhere.

local ccalab = assert(lab.program("ccalab"))

local found = {} -- by the name of the SSH host: {words=, how=, why=}

-- Say where our sampler is on the host, or would be, and whether it is there.
local LOOK = [[uname -sm; p=${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/sampler-$1
if [ -x "$p" ]; then echo "there $p"; else mkdir -p "${p%/*}" && echo "absent $p"; fi]]

local LOOP = [[trap 'exit 0' TERM INT HUP
o=-tinHO
ss $o "$1 = :9" >/dev/null 2>&1 || o=-tin
while :; do date +@%s.%N; ss $o "$1 = :$2" || exit 1; echo @; sleep "$3"; done]]

-- Upload the sampler if it is not there. Returns its path on the host, or nil and why not.
local function install(host)
    local program = lab.program("ccalab-sampler")
    if not program then
        return nil, "this build has no ccalab-sampler"
    end
    local machine = assert(lab.localhost:run{"uname", "-sm", label = "uname"}).out
    local hash, err = lab.sha256(program)
    if not hash then
        return nil, err.message
    end
    local r
    r, err = host:run{"sh", "-c", LOOK, "sh", hash:sub(1, 16), label = "sampler?", timeout_s = 15}
    if not r then
        return nil, err.message
    end
    local there, state, path = r.out:match("^([^\n]*\n)(%a+) ([^\n]+)")
    if there ~= machine then
        return nil, ("it is a %s, this machine a %s"):format((there or "?"):gsub("%s+$", ""),
            machine:gsub("%s+$", ""))
    end
    if state == "absent" then
        r, err = host:upload(program, path)
        if not r then
            return nil, err.message
        end
    end
    r, err = host:run{path, "probe", "--help", label = "sampler?", timeout_s = 15}
    if not r then
        return nil, err.message
    end
    return path
end

-- What samples there, found once a host.
function lab.sampler_of(host)
    if host.kind ~= "ssh" then
        return {how = "ccalab", words = {ccalab}}
    end
    if not found[host.name] then
        local path, why = install(host)
        if path then
            found[host.name] = {how = "ccalab-sampler", words = {path}}
        else
            found[host.name] = {how = "ss", why = why}
            lab.log(("%s: sampling with ss, coarser: %s"):format(host.name, why), "warn")
        end
    end
    return found[host.name]
end

-- Sample the host's TCP flows to (from) a port until the job is finished. `how` = "ss" insists on ss.
function lab.sample_flows(o)
    local by = o.how == "ss" and {how = "ss"} or lab.sampler_of(o.host)
    local interval, label = o.interval or 0.1, "tcp-info " .. o.label
    local cmd
    if by.how == "ss" then
        cmd = {"sh", "-c", LOOP, "sh", o.dport and "dport" or "sport", o.dport or o.sport, interval,
               reader = {kind = "ss", label = o.label, dport = o.dport, sport = o.sport,
                         peer = o.peer}}
    else
        cmd = {by.words[1], "tcp-info", "--label", o.label, "--interval",
               ("%.0fms"):format(interval * 1000), o.dport and "--dport" or "--sport",
               o.dport or o.sport}
        if o.peer then
            table.move({"--peer", o.peer}, 1, 2, #cmd + 1, cmd)
        end
    end
    cmd.label, cmd.events = label, true
    local job, err = lab._start_up(o.host, cmd)
    return job, job and by.how or err
end

-- Measure the RTT until the job is finished, with ECT(1) and Not-ECT in turn.
function lab.probe_path(o)
    local by = lab.sampler_of(o.host)
    if by.how == "ss" then
        return lab.failure("unavailable", "probe", ("nothing of ours runs on %s: %s"):format(
            o.host.name, by.why))
    end
    return lab._start_up(o.host, {by.words[1], "probe", "--to", o.to, "--label", o.label or "probe",
        "--interval", ("%.0fms"):format((o.interval or 0.1) * 1000), label = "probe " .. o.host.name,
        events = true})
end
