-- Live captures on the hosts of a lab, and capture files.

local ccalab = assert(lab.program("ccalab"))

-- What runs on a machine over SSH: tcpdump, as root where the login may become root without being asked
-- (not with $1 = "user"), framed as capture/host_stream.h has it. It ends with its input, after what is
-- on its way to it ($1 of the inner script are seconds); its words come last. The inner script is what runs as root, as nobody else may
-- signal tcpdump then.
local INNER = [[command -v tcpdump >/dev/null 2>&1 || exit 127; exec 4<&0; s=$1; shift;
tcpdump "$@" </dev/null 4<&- & p=$!;
{ read -r x <&4; sleep $s || sleep 2; kill $p; } >/dev/null 2>&1 & w=$!;
wait $p; r=$?; kill $w 2>/dev/null; exit $r]]
local OUTER = [[PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; LC_ALL=C; export PATH LC_ALL;
i=$1; as=; if test "$2" = root && test "$(id -u)" != 0 && sudo -n true 2>/dev/null </dev/null;
then as="sudo -n"; fi; shift 2; echo ccalab:capture:1; exec 3>&1;
e=$($as /bin/sh -c "$i" sh "$@" 2>&1 >&3 3>&-); r=$?;
printf "ccalab:the:end:\n%s\n%s\n" "$r" "$e"]]

-- A login shell may be one that knows no line breaks within quotes.
INNER, OUTER = INNER:gsub("\n", " "), OUTER:gsub("\n", " ")

-- Immediate mode gives each packet a place of the longest one's size: with whole frames that is a buffer
-- of a few packets only. Without it they come in blocks, a second late.
local SNAPLEN, IMMEDIATE_MAX = 128, 2048

local function tcpdump_on(o)
    local snaplen = o.snaplen or SNAPLEN
    local is_immediate = snaplen > 0 and snaplen <= IMMEDIATE_MAX
    local cmd = {"/bin/sh", "-c", OUTER, "sh", INNER, o.sudo == false and "user" or "root",
                 is_immediate and "0.3" or "1.2", "-n", "-U", "--time-stamp-precision=nano",
                 "-Z", "root", "-B", is_immediate and "16384" or "65536", "-i", o.interface,
                 "-s", tostring(snaplen), "-w", "-"}
    if is_immediate then
        cmd[#cmd + 1] = "--immediate-mode"
    end
    cmd[#cmd + 1] = "--"
    cmd[#cmd + 1] = o.filter
    return cmd
end

local options = {host = true, on_count = true, sudo = true, interface = "-i", file = "-w",
                 filter = "-f", snaplen = "--snaplen", count = "--count", seconds = "--duration",
                 rotate_mib = "--rotate-mib", rotate_s = "--rotate-time", ring = "--ring",
                 interval = "--interval", label = "--label"}

-- Call fn with the counts of every sample, until the job ends or fn returns false, which ends it.
local function follow(job, fn)
    for counts, t in job.next_sample, job do
        local ok, answer = pcall(fn, counts, t)
        if not ok then
            lab.log("on_count: " .. tostring(answer), "error")
        end
        if not ok or answer == false then
            job:finish()
            return
        end
    end
end

-- Capture on a host, wherever it is; over SSH with the tcpdump that is there. Packets are counted and
-- written here (pcapng) as they come.
function lab.capture(o)
    local host, cmd, keys = o.host, {ccalab, "capture", label = "capture", events = true}, {}
    lab._check_keys(o, lab._sorted_keys(options), "lab.capture")
    for key in pairs(o) do
        keys[#keys + 1] = type(options[key]) == "string" and key or nil
    end
    table.sort(keys)
    for _, key in ipairs(keys) do
        cmd[#cmd + 1] = options[key]
        cmd[#cmd + 1] = tostring(o[key])
    end
    if host.kind == "ssh" then
        cmd[#cmd + 1] = "--from-host"
        cmd[#cmd + 1] = host.name
        cmd.stdin_of = tcpdump_on(o)
    end
    cmd.grace_s = 15 -- what is under way still comes
    local job, up, err
    job, err = host:start(cmd)
    if not job then
        return nil, err
    end
    up, err = job:wait_up(15)
    if not up then
        job:cancel()
        err.position = tonumber(err.message:match("^capture filter, column (%d+)"))
        return nil, err
    end
    if o.on_count then
        lab.spawn(follow, job, o.on_count)
    end
    return job
end

-- host:capture{interface=, ...}: the same.
getmetatable(lab.localhost).methods.capture = function(host, o)
    local all = {host = host}
    for key, value in pairs(o) do
        all[key] = value
    end
    return lab.capture(all)
end

-- Capture files -------------------------------------------------------------------------------------

-- The account of a capture file, as `ccalab ecn FILE --json` gives it.
function lab.ecn(file)
    local r, err = lab.localhost:run{ccalab, "ecn", file, "--json", label = "ecn"}
    if not r then
        return nil, err
    end
    return lab.json_decode(r.out)
end

-- lab.flow(ecn, host): the flow that sent the most bytes from the host, or nil.
function lab.flow(ecn, host)
    local best
    for _, flow in ipairs(ecn.flows) do
        if flow.src == host.address and (not best or flow.fwd.bytes > best.fwd.bytes) then
            best = flow
        end
    end
    return best
end

local Capture = {}
Capture.__index, lab._classes.Capture = Capture, Capture

-- Ask a pass for what one of its methods gives, however long that takes: other tasks run meanwhile.
local function ask(pass, method)
    while true do
        local value, err = method(pass)
        if value ~= false then
            return value, err
        end
        lab.sleep(0)
    end
end

-- Begin a pass over the file of `cap`.
local function begin(cap, filter)
    if cap.passes == nil then
        error("this capture is closed", 3)
    end
    local pass, err = lab._capture_pass(cap.path, filter)
    if pass then
        cap.passes[pass] = true
    end
    return pass, err
end

local function finish(cap, pass)
    cap.truncated = pass:truncated()
    pass:close()
    cap.passes[pass] = nil
end

-- A capture file, read again by each of its methods.
function lab.open_capture(path)
    local cap = setmetatable({path = path, passes = setmetatable({}, {__mode = "k"})}, Capture)
    local pass, err = begin(cap)
    if not pass then
        return nil, err
    end
    cap:close()
    cap.passes = setmetatable({}, {__mode = "k"})
    return cap
end

-- Iterate over the packets that pass a display filter. A packet stays what it is after its turn.
function Capture:packets(filter)
    local pass, err = begin(self, filter)
    if not pass then
        return nil, err
    end
    return function()
        local p, why = ask(pass, pass.next)
        if p == nil and why then
            error(why, 0)
        elseif p == nil then
            finish(self, pass)
        end
        return p
    end, nil, nil, pass
end

-- How many packets pass.
function Capture:count(filter)
    local pass, err = begin(self, filter)
    if not pass then
        return nil, err
    end
    local n
    n, err = ask(pass, pass.count)
    if n then
        finish(self, pass)
    end
    return n, err
end

-- cap:ecn(): the account of the file, as lab.ecn().
function Capture:ecn()
    return lab.ecn(self.path)
end

function Capture:close()
    for pass in pairs(self.passes or {}) do
        pass:close()
    end
    self.passes = nil
end

Capture.__close = Capture.close
