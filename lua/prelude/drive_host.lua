-- `netllm drive` on another machine (docs/drive.md): the program and the policy's files go up once, the flows
-- get their ECT(1) there, and lines for its standard input find their way.

local there = {}
lab._drive_there = there

local function failure(status, message, hint)
    return lab.failure(status, "drive", message, hint)
end

-- The program --------------------------------------------------------------------------------------

local LOOK = [[uname -sm
d=${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/drive; mkdir -p "$d" && echo "dir $d" || exit 1
if p=$(command -v netllm); then echo "path $p $(netllm --version 2>/dev/null | head -n 1)"; fi
test -x "$d/netllm-$1" && echo there; exit 0]]

-- Does the program start there, and is it of this version?
local function try(host, path)
    local r, err, left = host:run{path, "--version", label = "netllm?", timeout_s = 15}
    if r and r.out:match("^netllm (%S+)") == lab.version then
        return true
    elseif r then
        return failure("unavailable", ("%s of %s is %s, not of version %s"):format(path, host.name,
            r.out:match("^[^\n]*"), lab.version), "install the same version there")
    end
    local said = left and left.err or ""
    local library = said:match("loading shared libraries: ([^:]+)")
    if library or said:find("GLIBC", 1, true) then
        return failure("unavailable", ("this machine's netllm does not start on %s: %s"):format(host.name,
            library and library .. " is missing" or said:match("version `[^']+' not found") or "another libc"),
            ("on %s: apt-get install libbpf1 libcjson1 liblua5.4-0, or install netllm %s there"):format(
                host.name, lab.version))
    end
    return nil, err
end

local found = setmetatable({}, {__mode = "k"}) -- by host, by program: {netllm=, dir=}

-- netllm on the host, and a directory for what it needs: the host's own where that has our version, else ours
-- is uploaded, once. Where the policy `needs_torch` that is netllm-torch, which can do everything alone.
function there.find(host, needs_torch)
    local ours = needs_torch and lab.program("netllm-torch") or lab.program("netllm")
    local of, key = found[host] or {}, ours or ""
    found[host] = of
    if of[key] then
        return of[key]
    end
    local hash = ours and lab.sha256(ours) or ""
    local r, err = host:run{"sh", "-c", LOOK, "sh", hash:sub(1, 16), label = "netllm?", timeout_s = 15}
    if not r then
        return nil, err
    end
    local dir = r.out:match("\ndir ([^\n]+)")
    local own, version = r.out:match("\npath (%S+) netllm (%S+)\n")
    if version == lab.version then
        of[key] = {netllm = own, dir = dir}
        return of[key]
    elseif not ours then
        return failure("unavailable", "neither this build nor " .. host.name .. " has netllm " .. lab.version,
                       "install it there")
    end
    local machine = assert(lab.localhost:run{"uname", "-sm", label = "uname"}).out
    if r.out:match("^[^\n]*\n") ~= machine then
        return failure("unavailable", ("%s has no netllm %s, and is a %s, which this machine's is not for"):format(
            host.name, lab.version, r.out:match("^[^\n]*")), "install it there")
    end
    local path, ok = ("%s/netllm-%s"):format(dir, hash:sub(1, 16)), nil
    if not r.out:find("\nthere\n", 1, true) then
        ok, err = host:upload(ours, path)
        if not ok then
            return nil, err
        end
    end
    ok, err = try(host, path)
    if not ok then
        return nil, err
    end
    of[key] = {netllm = path, dir = dir}
    return of[key]
end

-- Policies -----------------------------------------------------------------------------------------

local HASH = [[if test -d "$1"; then cd "$1" && set -- .; else cd "${1%/*}" && set -- "${1##*/}"; fi || exit 1
find "$1" -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum]]

local function is_model(policy)
    return type(policy) == "string" and policy:find("^model:")
end

-- The policy's word as it is to be said there; its file or directory is uploaded if it has one.
local function carry(host, at, policy)
    local kind, path = policy:match("^(%a+):(.+)$")
    if kind ~= "model" and kind ~= "distilled" and kind ~= "lua" then
        return policy
    end
    path = path:gsub("(.)/+$", "%1")
    if not lab.localhost:run{"test", "-e", path, label = "test"} then
        return failure("input", "there is no " .. path)
    end
    local r, err = lab.localhost:run{"sh", "-c", HASH, "sh", path:find("/", 1, true) and path or "./" .. path,
                                     label = "hash of the policy"}
    if not r then
        return nil, err
    end
    local target = ("%s/%s-%s"):format(at.dir, r.out:sub(1, 16), path:match("[^/]*$"))
    if not host:run{"test", "-e", target, label = "test"} then
        r, err = host:upload(path, target)
        if not r then
            return nil, err
        end
    end
    return kind .. ":" .. target
end

-- The ECT(1) of its flows --------------------------------------------------------------------------

local rules = 0

-- No TCP socket can set ECT(1); netllm marks its sockets, and a rule rewrites the ECT(0) of that mark. Returns true
-- and what takes it back before the script's end does. The table is of this call alone: whoever fails to drive, as
-- another one does already, must not take that one's rule away.
function there.add_rule(host)
    local facts, err = lab._probe(host)
    if not facts then
        return nil, err
    end
    rules = rules + 1
    local name = ("ccalab_ect1_%d_%d"):format(lab.pid, rules)
    local text = ([[table ip %s {}; delete table ip %s; table ip %s { chain out {
        type filter hook postrouting priority mangle; policy accept;
        meta mark 0x4c34 ip ecn ect0 ip ecn set ect1; }; }]]):format(name, name, name)
    local entry = {what = "nftables", target = "table ip " .. name, before = "none", summary = "none",
                   after = "ECT(1) for netllm's flows",
                   undo = {{argv = {"nft", "delete", "table", "ip", name}, may_fail = true}}}
    return lab._change(host, facts, entry, false, function()
        local r, why = host:run{"nft", text, label = "the ECT(1) rule", timeout_s = 5, sudo = true}
        if not r then
            why.hint = why.hint or ("on %s: apt-get install nftables; or ect = \"ect0\""):format(host.name)
        end
        return r and true, why
    end)
end

-- Driving ------------------------------------------------------------------------------------------

-- A job's standard input is empty over SSH. So the program reads a FIFO, which goes when the program does, and
-- at the latest when the next one is started.
local RUN = [[d=$1; t=$2; shift 2
for f in "$d"/in-*; do ! test -p "$f" || kill -0 "${f##*-}" 2>/dev/null || rm -f "$f"; done
f=$d/in-$t-$$; mkfifo -m 600 "$f" || exit 1
trap : TERM INT HUP; "$@" 0<>"$f"; r=$?; rm -f "$f"; exit $r]]
local SAY = [[for f in "$1"/in-"$2"-*; do test -p "$f" && printf '%s\n' "$3" 1<>"$f" && exit; done; exit 1]]

local says = setmetatable({}, {__mode = "k"}) -- by job: where its FIFO is
local count = 0

-- Start `netllm` on the host with words_of(o), `o` as of lab.drive but for the paths of its policies, which are
-- those there. Returns the job; a function that takes back what was changed for it before the script's end does;
-- and what `up` said.
function there.start(host, o, words_of)
    local at, err = there.find(host, is_model(o.policy) or is_model(o.advisor))
    if not at then
        return nil, err
    end
    local with = {}
    for key, value in pairs(o) do
        with[key] = value
    end
    for _, key in ipairs{"policy", "advisor"} do
        if o[key] then
            with[key], err = carry(host, at, o[key])
            if not with[key] then
                return nil, err
            end
        end
    end
    local ok, undo = true, function() return true end
    if (o.ect or "ect1") == "ect1" then
        ok, undo = there.add_rule(host)
        if not ok then
            return nil, undo
        end
    end
    count = count + 1
    local token = ("%d.%d"):format(lab.pid, count)
    local cmd = words_of(with)
    local words = {"sh", "-c", RUN, "sh", at.dir, token, at.netllm, label = cmd.label, events = true, sudo = true}
    table.move(cmd, 1, #cmd, #words + 1, words)
    local job, up
    job, err = host:start(words)
    if job then
        up, err = job:wait_up(300) -- a large policy has to be read
        if up then
            says[job] = {host = host, dir = at.dir, token = token}
            return job, undo, up
        end
        job:cancel()
    end
    undo()
    return nil, err
end

-- Write a line to the standard input of a job of there.start(). nil and no error: it is none.
function there.say(job, line)
    local at = says[job]
    if not at then
        return nil
    elseif not job:is_running() then
        return failure("failed", "it has ended")
    end
    return at.host:run{"sh", "-c", SAY, "sh", at.dir, at.token, line, label = "a line for netllm", timeout_s = 10,
                       sudo = true}
end
