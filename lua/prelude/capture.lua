-- Live captures on the hosts of a lab, and capture files.

local ccalab = assert(lab.program("ccalab"))

-- What runs on a machine over SSH: tcpdump, as root where the login may become root without being asked
-- (not with $1 = "user"), framed as capture/host_stream.h has it. It ends with its input, after what is
-- on its way to it; its words come last. The inner script is what runs as root, as nobody else may
-- signal tcpdump then.
local INNER = [[command -v tcpdump >/dev/null 2>&1 || exit 127; exec 4<&0;
tcpdump "$@" </dev/null 4<&- & p=$!;
{ read -r x <&4; sleep 0.3 || sleep 1; kill $p; } >/dev/null 2>&1 & w=$!;
wait $p; r=$?; kill $w 2>/dev/null; exit $r]]
local OUTER = [[PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; LC_ALL=C; export PATH LC_ALL;
i=$1; as=; if test "$2" = root && test "$(id -u)" != 0 && sudo -n true 2>/dev/null </dev/null;
then as="sudo -n"; fi; shift 2; echo ccalab:capture:1; exec 3>&1;
e=$($as /bin/sh -c "$i" sh "$@" 2>&1 >&3 3>&-); r=$?;
printf "ccalab:the:end:\n%s\n%s\n" "$r" "$e"]]

-- A login shell may be one that knows no line breaks within quotes.
INNER, OUTER = INNER:gsub("\n", " "), OUTER:gsub("\n", " ")

local SNAPLEN, BUFFER_KIB = 128, "16384"

local function tcpdump_on(host, o)
    return {"/bin/sh", "-c", OUTER, "sh", INNER, o.sudo == false and "user" or "root",
            "-n", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-Z", "root",
            "-B", BUFFER_KIB, "-i", o.interface, "-s", tostring(o.snaplen or SNAPLEN), "-w", "-",
            "--", o.filter}
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

-- lab.capture{host=, interface=, filter=, file=, snaplen=128, count=, seconds=, rotate_mib=, rotate_s=,
-- ring=, interval=1, label="ecn", on_count=, sudo=}: capture on a host, wherever it is; over SSH with
-- the tcpdump that is there. Packets are counted and written here (pcapng) as they come. Returns the
-- job once packets are being captured; it ends by itself with `count` packets or after `seconds`, else
-- with job:finish(), whose .data is the account of all packets (docs/capture.md). on_count(counts, t)
-- is called at every sample (docs/events.md), in a task of its own; what it returns as false ends the
-- capture.
function lab.capture(o)
    local host, cmd, keys = o.host, {ccalab, "capture", label = "capture", events = true}, {}
    for key in pairs(o) do
        if not options[key] then
            error(("lab.capture: unknown option '%s'"):format(tostring(key)), 2)
        end
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
        cmd.stdin_of = tcpdump_on(host, o)
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
