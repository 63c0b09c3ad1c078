-- What the tests of pods share: the server's faults, and what it was asked.
local dir, sshd = assert(os.getenv("POD_DIR"), "run it by ctest"), os.getenv("SSHD_DIR")
local t = {dir = dir, sshd = sshd, identity = sshd .. "/id"}

function t.check(ok, what)
    if not ok then
        error(what, 2)
    end
end

-- Set faults; the pods that the provider has then.
function t.set(faults)
    local r = assert(lab.localhost:run{"curl", "-sS", "-d", next(faults) and lab.json_encode(faults) or "{}",
                                       os.getenv("POD_URL") .. "/test"})
    return assert(lab.json_decode(r.out)).pods
end

function t.requests(pattern)
    local out = {}
    for line in (lab.read_file(dir .. "/requests") or ""):gmatch("[^\n]+") do
        local r = assert(lab.json_decode(line))
        if (r.method .. " " .. r.path):find(pattern) then
            out[#out + 1] = r
        end
    end
    return out
end

function t.forget()
    assert(lab.write_file(dir .. "/requests", ""))
end

-- It must fail, with this status and these texts in message or hint.
function t.fails(status, texts, value, err)
    t.check(value == nil and err, "it does not fail: " .. lab.pretty(value))
    local said = tostring(err) .. " " .. tostring(err.hint)
    print(said)
    t.check(err.status == status, ("%s, not %s"):format(err.status, status))
    for _, text in ipairs(texts) do
        t.check(said:find(text, 1, true), ("no '%s' in: %s"):format(text, said))
    end
end

function t.register_key()
    t.set{keys = {"ssh-ed25519 AAAAC3somebodyelse other", lab.read_file(t.identity .. ".pub"):match("[^\n]+")}}
end

return t
