-- Installing a kernel on a host and booting it, without anybody in front of its boot menu: the new kernel
-- is chosen for the next boot only, so that a machine which does not come back needs but a power cycle.

local KEEP_DEFAULT = "/etc/default/grub.d/ccalab.cfg"

-- What `source` is: "url", "directory" or "release" (of a kernel that the host has), with the packages of
-- a directory; or nil, err.
local function look_at(source)
    if source:match("^https?://") then
        local path = source:gsub("[?#].*", "")
        if path:match("%.deb$") or path:match("%.zip$") or path:match("%.tar%.?%w*$") then
            return "url"
        end
        return lab.failure("usage", "kernel", source .. " is no .deb, .zip or .tar",
                           "give the address of a package, or of an archive of packages")
    end
    local r, err = lab.localhost:run{"find", source .. "/", "-maxdepth", 1, "-name", "*.deb", "-type", "f",
                                     label = "packages"}
    if not r then
        if source:match("^%d+%.[%w._+~-]+$") then
            return "release"
        end
        err.hint = "give a directory of .deb packages, a URL, or the release of a kernel that is installed"
        return nil, err
    end
    local files = {}
    for file in r.out:gmatch("[^\n]+") do
        files[#files + 1] = file
    end
    table.sort(files)
    if #files == 0 then
        return lab.failure("usage", "kernel", source .. " has no .deb packages in it")
    end
    return "directory", files
end

-- As root there. Fails with what the command said last as the hint.
local function as_root(t, cmd)
    cmd.timeout_s, cmd.sudo = cmd.timeout_s or 60, true
    local r, err, left = t.host:run(cmd)
    if not r and not err.hint and left and left.err and left.err:match("%S") then
        err.hint = left.err:match("([^\n]+)%s*$")
    end
    return r, err
end

local function first_line(host, cmd, timeout_s)
    cmd.label, cmd.timeout_s = cmd[1], timeout_s or 20
    local r, err = host:run(cmd)
    if not r then
        return nil, err
    end
    return (r.out:match("^[^\n]*"))
end

-- The steps: each takes t = {host=, source=, kind=, files=, uid=, dir=, release=, entry=, wait_s=} and
-- returns true, or nil and an error.

local FETCH = [[cd "$1" && { if command -v curl >/dev/null; then curl -fsSL -o "$2" "$3"
else wget -q -O "$2" "$3"; fi; } && case "$2" in
*.zip) unzip -q -o "$2" -d x ;;
*.tar*) mkdir x && tar -xf "$2" -C x ;;
esac && { [ ! -d x ] || find x -name '*.deb' -exec mv {} . \; ; }]]

local function stage(t)
    local dir, err = first_line(t.host, {"mktemp", "-d"})
    if not dir then
        return nil, err
    end
    t.dir = dir
    if t.kind == "url" then
        local name = t.source:gsub("[?#].*", ""):match("[^/]+$")
        local r
        r, err = t.host:run{"sh", "-c", FETCH, "fetch", dir, name, t.source, label = "fetch",
                            timeout_s = 1800}
        return r and true, err
    end
    for i, file in ipairs(t.files) do
        local ok
        lab.progress(i - 1, #t.files, "upload " .. file:match("[^/]+$"))
        ok, err = t.host:upload(file, dir .. "/" .. file:match("[^/]+$"))
        if not ok then
            return nil, err
        end
    end
    return true
end

local function find_release(t)
    local r, err = t.host:run{"sh", "-c", 'cd "$1" && for f in *.deb; do dpkg-deb -f "$f" Package || exit; done',
                              "packages", t.dir, label = "packages", timeout_s = 60}
    if not r then
        return nil, err
    end
    for name in r.out:gmatch("[^\n]+") do
        local release = name:match("^linux%-image%-unsigned%-(%d.*)$") or name:match("^linux%-image%-(%d.*)$")
        if release and not release:match("%-dbg$") then
            if t.release and t.release ~= release then
                return lab.failure("input", "kernel", ("two kernels among the packages: %s and %s"):format(
                    t.release, release), "give the packages of one")
            end
            t.release = release
        end
    end
    if not t.release then
        return lab.failure("input", "kernel", "no linux-image package among the packages")
    end
    return true
end

local function install(t)
    return as_root(t, {"sh", "-c", 'cd "$1" && DEBIAN_FRONTEND=noninteractive exec dpkg -i ./*.deb', "dpkg",
                       t.dir, label = "dpkg", timeout_s = 1800})
end

local function find_entry(t)
    for _, update in ipairs{false, true} do
        local r, err
        if update then
            r, err = as_root(t, {"update-grub", label = "update-grub", timeout_s = 300})
            if not r then
                return nil, err
            end
        end
        r, err = as_root(t, {"cat", "/boot/grub/grub.cfg", label = "grub.cfg"})
        if not r then
            return nil, err
        end
        t.entry, err = lab._grub_entry(r.out, t.release)
        if t.entry or update then
            return t.entry and true, err
        end
    end
end

local function boot_id(host)
    return first_line(host, {"cat", "/proc/sys/kernel/random/boot_id"}, 10)
end

-- Reboot and wait for another boot than this one; that the connection is lost is part of it.
local function reboot(t)
    local before, err = boot_id(t.host)
    if not before then
        return nil, err
    end
    local r
    r, err = as_root(t, {"sh", "-c", "setsid sh -c 'sleep 1; exec reboot' </dev/null >/dev/null 2>&1 &",
                         label = "reboot"})
    if not r then
        return nil, err
    end
    local started = lab.now()
    while lab.now() - started < t.wait_s do
        lab.sleep(1)
        lab.progress(lab.now() - started, t.wait_s, t.host.name .. " reboots")
        local left = t.wait_s - (lab.now() - started)
        if not t.host.is_up and left > 0 then
            lab.timeout(left, lab.ssh, {name = t.host.name})
        end
        local now = t.host.is_up and boot_id(t.host)
        if now and now ~= before then
            return true
        end
    end
    return lab.failure("timeout", "kernel", ("%s did not come back within %d s"):format(t.host.name, t.wait_s),
                       "its boot entry was for one boot: switch it off and on, and the kernel of before starts")
end

local function check_running(t)
    local running, err = first_line(t.host, {"uname", "-r"})
    if not running then
        return nil, err
    elseif running ~= t.release then
        return lab.failure("host", "kernel", ("%s came back with %s, not with %s; its default is as before"):format(
            t.host.name, running, t.release), "look at its console: perhaps the new kernel did not boot")
    end
    return true
end

local KEEP = ([[mkdir -p "${1%/*}" && echo GRUB_DEFAULT=saved >"$1" && update-grub && exec grub-set-default "$2"]])

local function make_default(t)
    return as_root(t, {"sh", "-c", KEEP, "default", KEEP_DEFAULT, t.entry, label = "grub-set-default",
                       timeout_s = 300})
end

-- What will happen, as people read it before they say yes.
local function steps_of(t)
    local sudo = t.uid == 0 and "" or "sudo "
    local out = {}
    if t.kind ~= "release" then
        out[1] = t.kind == "url" and "fetch " .. t.source .. " there"
            or ("upload %d packages of %s"):format(#t.files, t.source)
        out[2] = sudo .. "dpkg -i ./*.deb"
    end
    out[#out + 1] = sudo .. "grub-reboot " .. (t.kind == "release" and "ENTRY OF " .. t.release or "THE NEW ENTRY")
        .. "   (for one boot)"
    out[#out + 1] = ("%sreboot, and wait up to %d s for it to come back"):format(sudo, t.wait_s)
    out[#out + 1] = ("if the new kernel runs: GRUB_DEFAULT=saved in %s, %supdate-grub, %sgrub-set-default"):format(
        KEEP_DEFAULT, sudo, sudo)
    return out
end

local function prepare(host, kind, files, source, wait_s)
    if host.kind ~= "ssh" then
        return lab.failure("usage", "kernel", host.name .. " is not reached by SSH",
                           "a kernel is installed on another machine, whose way back can be awaited")
    end
    local uid, err = first_line(host, {"id", "-u"})
    if not uid then
        return nil, err
    end
    local t = {host = host, source = source, kind = kind, files = files, uid = tonumber(uid), wait_s = wait_s,
               release = kind == "release" and source or nil}
    local ok
    ok, err = as_root(t, {"true", label = "a kernel"})
    if not ok then
        return nil, err
    end
    if kind == "release" then
        ok, err = host:run{"test", "-e", "/boot/vmlinuz-" .. source, label = "kernel"}
        if not ok then
            return lab.failure("host", "kernel", ("%s has no kernel %s"):format(host.name, source),
                               "give the packages instead: a directory or a URL")
        end
    end
    return t
end

local function run_steps(t)
    local function step(text, fn)
        print(("  %s: %s"):format(t.host.name, text))
        local ok, err = fn(t)
        if not ok then
            error(err, 0)
        end
    end
    if t.kind ~= "release" then
        step(t.kind == "url" and "fetching" or "uploading", stage)
        step("looking into the packages", find_release)
    end
    if first_line(t.host, {"uname", "-r"}) == t.release then
        print(("  %s: %s runs already"):format(t.host.name, t.release))
        return t.release
    end
    if t.kind ~= "release" then
        step("installing " .. t.release, install)
    end
    step("looking for its boot entry", find_entry)
    step("choosing it for the next boot", function()
        return as_root(t, {"grub-reboot", t.entry, label = "grub-reboot"})
    end)
    step("rebooting", reboot)
    step("checking the kernel", check_running)
    step("making it the default", make_default)
    return t.release
end

-- Install a kernel on hosts, one after the other, boot it and make it the default. Everything is shown before
-- it is done, and asked for.
function lab.install_kernel(hosts, source, o)
    o = o or {}
    local kind, files = look_at(source)
    if not kind then
        return nil, files
    end
    local targets = {}
    for i, host in ipairs(hosts) do
        local t, err = prepare(host, kind, files, source, o.wait_s or 300)
        if not t then
            return nil, err
        end
        targets[i] = t
        print(host.name .. ":")
        for k, text in ipairs(steps_of(t)) do
            print(("  %d. %s"):format(k, text))
        end
    end
    local yes, err = lab.confirm("install and reboot?", o)
    if not yes then
        if not err then
            return lab.failure("interrupted", "kernel", "nothing was changed")
        end
        return nil, err
    end
    local release
    for _, t in ipairs(targets) do
        local ok, what = pcall(run_steps, t)
        if t.dir and t.host.is_up then
            t.host:run{"rm", "-rf", "--", t.dir, label = "tidy up", timeout_s = 60}
        end
        if not ok then
            return nil, what
        end
        release = what
    end
    return release
end
