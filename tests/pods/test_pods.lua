-- Pods against a server that speaks the provider's API, a real sshd being the pod. Run by with_server.sh.
local t = dofile((arg[0]:match("^(.*)/") or ".") .. "/helper.lua")
local check, fails, set = t.check, t.fails, t.set

-- Prices ------------------------------------------------------------------------------------------
local offers = assert(lab.pod_offers())
check(#offers == 4 and offers[1].name == "RTX 3070" and offers[1].price_per_h == 0.13, lab.pretty(offers))
offers = assert(lab.pod_offers{gpu = "4090", cloud = "COMMUNITY"})
check(#offers == 1 and offers[1].price_per_h == 0.31 and offers[1].data_centers[2] == "EU-RO-1", lab.pretty(offers))
check(#assert(lab.pod_offers{gpu = {"4090", "3070"}}) == 2, "one of several")
check(#assert(lab.pod_offers{memory_gb = 20, max_price = 0.3}) == 1, "memory and price")

-- Pauses that are asked for, faults that pass, and those that do not ------------------------------
local began = lab.now()
set{rate = 1, rate_header = 1, broken = 2}
check(#assert(lab.pods()) == 0, "no pods")
check(lab.now() - began >= 2, "the pauses were made")
-- A key for this machine goes through no proxy.
assert(lab.localhost:run{"env", "http_proxy=http://127.0.0.1:1", assert(lab.program("ccalab")), "pods", "list"})
set{garbage = true}
fails("input", {"JSON"}, lab.pods())
set{garbage = false, huge = true}
fails("nomem", {"longer than"}, lab.pods())
set{huge = false}

-- Before anything costs ---------------------------------------------------------------------------
fails("usage", {"budget"}, lab.pod{name = "x", yes = true})
fails("unavailable", {"no SSH key is registered", "settings"},
    lab.pod{name = "x", yes = true, budget = 1, identity = t.identity})
set{keys = {"ssh-ed25519 AAAAC3somebodyelse other"}}
fails("unavailable", {"none of your SSH keys"}, lab.pod{name = "x", yes = true, budget = 1, identity = t.identity})
t.register_key()
fails("unavailable", {"nobody can be asked"}, lab.pod{name = "x", budget = 1, identity = t.identity})
fails("usage", {"no GPU like that", "RTX 4090"},
    lab.pod{name = "x", gpu = "B200", yes = true, budget = 1, identity = t.identity})
fails("usage", {"no network volume", "course"},
    lab.pod{name = "x", volume = "absent", yes = true, budget = 1, identity = t.identity})
check(not pcall(lab.pod, {nmae = "x"}), "unknown option")
check(#t.requests("^POST /v2/pods") == 0, "nothing was ordered")
set{money = true}
fails("host", {"402", "balance", "top it up"}, lab.pod{name = "x", yes = true, budget = 1, identity = t.identity})
local _, _, told = lab.localhost:run{assert(lab.program("ccalab")), "pods", "up", "x", "--gpu", "A5000", "--gpu", "4090",
                                     "--yes", "--budget", 1, "--idle", 0.5, "--identity", t.identity}
check(told.out:find("0.26 USD per hour, up to 0.44 if", 1, true), "what it may come to: " .. told.out .. told.err)
set{money = false, no_room = {"NVIDIA GeForce RTX 4090", "NVIDIA RTX A5000"}}
t.forget()
fails("host", {"no machine was to be had", "no instances", "there is room for"},
    lab.pod{name = "x", gpu = {"4090", "A5000"}, tries = 2, pause_s = 0.1, yes = true, budget = 1,
            identity = t.identity})
check(#t.requests("^POST /v2/pods$") == 4, "each was tried in each round")
set{no_room = {}, die = true}
fails("host", {"ERROR"}, lab.pod{name = "x", yes = true, budget = 1, identity = t.identity})
check(#set{die = false} == 0, "it was given back")

-- A pod -------------------------------------------------------------------------------------------
t.forget()
set{lost = 1, no_room = {"NVIDIA RTX A5000"}} -- the first has no room, the answer of the second is lost
local pod = assert(lab.pod{name = "course", gpu = {"A5000", "4090"}, volume = "course", budget = 2, yes = true,
                           identity = t.identity})
print(pod)
check(pod.cost_per_h == 0.44 and pod.gpu == "NVIDIA GeForce RTX 4090", lab.pretty(pod))
check(assert(pod.host:run{"echo", "hello"}).out == "hello\n", "a host like any other")
local orders = t.requests("^POST /v2/pods$")
local order = assert(lab.json_decode(orders[#orders].body))
check(#orders == 2 and order.startSsh and order.ports[1] == "22/tcp" and
      order.mounts.network[1].volumeId == "vol1" and order.dataCenterIds[1] == "EU-RO-1", orders[#orders].body)
local list = assert(lab.pods())
check(#list == 1 and list[1].budget_usd == 2 and list[1].stop_in_s > 3600 * 4 and list[1].stop_in_s < 3600 * 4.6 and
      list[1].spent_usd < 0.1, lab.pretty(list))
local jobs = assert(pod.host:jobs())
check(#jobs >= 1 and lab.pretty(jobs):find('id = "watchdog"', 1, true), "its watchdog runs: " .. lab.pretty(jobs))
local seen = assert(pod.host:run{"sh", "-c", 'ls -l "$XDG_CACHE_HOME/ccalab/watchdog"; cat /proc/[0-9]*/cmdline | tr "\\0" " "'}).out
check(seen:find("-rw------- [^\n]* key\n") and not seen:find("rp_test_key", 1, true), seen:sub(1, 600))

-- Taken up by its name, not ordered again; stopped (Pod:stop); started again; at the end Pod:delete ----
t.forget()
check(assert(lab.pod{name = "course", budget = 2, yes = true, identity = t.identity}).id == pod.id, "the same")
check(#t.requests("^POST /v2/pods$") == 0, "not ordered again")
assert(pod:stop())
check(pod.host == nil and set{}[1].status == "EXITED", "stopped")
check(assert(lab.pods())[1].stop_in_s == nil, "it costs nothing")
pod = assert(lab.pod{name = "course", budget = 2, yes = true, identity = t.identity})
check(#t.requests("action$") == 2 and pod.host.is_up, "started")

-- A watchdog on any machine ends a job at its time ---------------------------------------------------
local sleeper = assert(pod.host:start{"sleep", 7402, detached = "sleeper"})
repeat
    lab.sleep(0.05)
until lab.pretty(assert(pod.host:jobs())):find('id = "sleeper"', 1, true)
local watch = assert(lab.guard(pod.host, {hours = 1 / 3600, job = "sleeper", grace_s = 1}))
local _, err = sleeper:wait(120)
check(err and err.message:find("signal 15"), tostring(err))
check(assert(watch:wait(120)).data.why:find("time"), "and says so")

-- A changed host key is fatal, at once --------------------------------------------------------------
local known = ("%s/ccalab/pods/%s.known_hosts"):format(os.getenv("XDG_STATE_HOME"), pod.id)
local stranger = lab.read_file(t.sshd .. "/stranger.pub"):match("%S+ %S+")
local place = ("[127.0.0.1]:%s"):format(os.getenv("SSHD_PORT"))
assert(lab.write_file(known, ("%s %s\n"):format(place, stranger)))
began = lab.now()
local r, _, left = lab.localhost:run{assert(lab.program("ccalab")), "pods", "up", "course", "--yes", "--budget", 2,
                                     "--identity", t.identity}
check(not r and left.err:find("CHANGED", 1, true) and lab.now() - began < 90, left.err)
check(set{}[1].status == "RUNNING", "it was running before: it is left")

assert(pod:delete())
check(#set{} == 0, "given back")
print("ok")
