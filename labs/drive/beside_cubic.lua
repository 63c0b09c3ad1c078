-- A flow that a policy drives beside a CUBIC flow, through DualPI2: 50 Mbit/s, 20 ms.
--
-- usage: sudo ccalab labs/drive/beside_cubic.lua [POLICY] [SECONDS]
--   POLICY   as of `netllm drive --help`; own_cc.lua beside this file, if there is none

local o = lab.args({name = "labs/drive/beside_cubic.lua", usage = "[POLICY] [SECONDS]",
                    help = "a driven flow beside CUBIC", flags = {}}, arg)
if not o then
    return
end
local POLICY = o[1] or "lua:" .. assert(lab._find_labs()) .. "/drive/own_cc.lua"
local SECONDS = tonumber(o[2]) or 10

local bed = assert(lab.testbed{name = ("drive-%d"):format(lab.pid), rate = "50mbit", rtt = "20ms", aqm = "dualpi2"})
local drive = assert(lab.drive{policy = POLICY})
local r = assert(lab.run{{client = bed.client_x, cc = "netllm", label = "driven"},
    {client = bed.client_y, cc = "cubic", label = "cubic"}, server = bed.server, seconds = SECONDS})
local d = assert(drive:finish()).data
for _, label in ipairs{"driven", "cubic"} do
    local flow = r.by_label[label]
    print(("%-8s %6.1f Mbit/s"):format(label, flow.received_bps / 1e6))
end
print(("%s: %d decisions, event to window p50 %.0f us, p99 %.0f us; the watchdog had %.1f %%"):format(
    POLICY, d.decisions, d.event_p50_us or 0, d.event_p99_us or 0, 100 * (d.watchdog_share or 0)))
assert(bed:down())
