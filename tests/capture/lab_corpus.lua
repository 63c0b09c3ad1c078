-- Makes tests/capture/corpus/lab-prague.pcap: one connection of TCP Prague and one of CUBIC, both
-- sending through a DualPI2 bottleneck of the virtual lab, as its router sees them; whole connections,
-- frames cut to 128 bytes. Run it where the lab has root and Prague, then look at what it prints.
--
-- usage: ccalab --run tests/capture/lab_corpus.lua FILE

local file = assert(arg[1], "which file?")
local bed = assert(lab.testbed{name = "lc" .. lab.pid, rate = "10mbit", rtt = "10ms", aqm = "dualpi2"})
assert(bed.prague.cc, bed.prague.reason)
print(("Prague: %s (%s)"):format(bed.prague.cc, bed.prague.label))

local capture = assert(lab.capture{host = bed.router, interface = bed.egress, file = file,
                                   filter = "tcp portrange 5301-5302"})
local function send(client, cc, port, bytes)
    local server = assert(bed.server:start{"iperf3", "-s", "-1", "-p", port, "--forceflush",
                                           ready = "Server listening"})
    assert(server:wait_up(5))
    assert(client:run{"iperf3", "-c", bed.server.address, "-p", port, "-C", cc, "-n", bytes})
    return server:wait()
end
assert(lab.all{
    function() return send(bed.client_x, bed.prague.cc, 5301, "900K") end,
    function() return send(bed.client_y, "cubic", 5302, "500K") end,
})
local account = assert(capture:finish()).data
for _, flow in ipairs(account.flows) do
    print(flow.verdict)
end
