-- The manual's chapter on packets. lua/prelude/help.lua says what an entry holds.
return {
    title = "Packets",
    text = "Live captures on any host, and capture files with the display filters and fields of "
        .. "`ccalab packets` "
        .. "(packets.md). In the examples `handshakes.pcap` is any capture file.",
    classes = {
        {name = "Capture", text = "A capture file, made by `lab.open_capture`. Each method reads "
            .. "the file anew. "
            .. "With `local cap <close> =` the end of the block closes it.", fields = {
            {"path", "string", "the file"},
            {"truncated", "string?",
                "what cut the file short, once something has read it to its end"}}},
        {name = "Packet", text = "A packet, which may be kept. `p[\"tcp.seq\"]` is the first value "
            .. "of a field, nil if it has none: a "
            .. "number, a string (addresses), a boolean (flags; `true` for protocols and labels) "
            .. "or seconds. An unknown field "
            .. "raises. `tostring(p)` is a line of text."},
    },
    entries = {
        {name = "lab.capture", args = {{"o", "table", "what to capture", fields = {
            {"host", "Host", "where; over SSH with the tcpdump that is there"},
            {"interface", "string", "on which port"},
            {"filter?", "string", "a capture filter, as of tcpdump"},
            {"file?", "string", "write the packets here, as pcapng"},
            {"snaplen?", "integer", "bytes kept of a packet; 0: all", "128"},
            {"count?", "integer", "end after so many packets"},
            {"seconds?", "number", "end after so long"},
            {"rotate_mib?", "integer", "begin a new file after so many MiB"},
            {"rotate_s?", "integer", "begin a new file after so many seconds"},
            {"ring?", "integer", "keep so many of these files"},
            {"interval?", "number", "seconds between samples", "1"},
            {"label?", "string", "of the samples", "\"ecn\""},
            {"on_count?", "fun(counts: table, t: number): boolean?",
             "called at every sample (events.md), in a task of its own; what it returns as false "
             .. "ends the capture"},
            {"sudo?", "boolean", "over SSH: become root where that asks nobody", "true"}}}},
         returns = {{"Job", "once packets are being captured; `data` of its result is the account "
             .. "of all packets (capture.md)"}},
         errors = "the host, the interface, the right to capture; `err.position` is the column "
             .. "where the filter is wrong",
         raises = "an unknown option", needs = "lab",
         text = "Capture on a host, counting the ECN codepoints. It ends after `count` packets, "
             .. "after `seconds`, or by `job:finish()`.",
         example = [[
local job = assert(lab.capture{host = bed.router, interface = bed.egress, filter = "icmp"})
assert(bed.client_x:run{"ping", "-c", "2", "-i", "0.2", bed.server.address})
local account = assert(job:finish()).data
print(lab.pretty(account))]]},
        {name = "lab.open_capture", args = {{"path", "string",
            "pcap or pcapng, packed by gzip or zstd or not"}},
         returns = {{"Capture"}},
             errors = "`io`, `input`: no file, or no capture; `unavailable`: a link type that is "
             .. "not known", text = "Open a capture file.",
         example = [[
local cap <close> = assert(lab.open_capture("handshakes.pcap"))
print(cap:count("tcp.flags.syn == 1"), cap.truncated)]]},
        {name = "lab.ecn", args = {{"path", "string", "a capture file"}},
            returns = {{"table", "as of `ccalab ecn --json` (capture.md)"}},
         errors = "no file, or no capture",
             text = "The account of a capture file: codepoints, and flows with their ECN.",
         example = [[
local account = assert(lab.ecn("handshakes.pcap"))
print(#account.flows)]]},
        {name = "lab.flow", args = {{"ecn", "table", "of `lab.ecn`"},
            {"host", "Host", "the sender"}},
         returns = {{"table?", "one of `ecn.flows`, nil if the host sent none"}},
         text = "The flow that sent the most bytes from the host's address.",
         example = [[
local account = assert(lab.ecn("handshakes.pcap"))
assert(lab.flow(account, lab.localhost) == nil)
print(lab.flow(account, {address = account.flows[1].src}).fwd.bytes)]]},
        {name = "Capture:packets", args = {{"filter?", "string", "a display filter (packets.md)",
            "all packets"}},
         returns = {{"fun(): Packet?", "an iterator, for `for`"}},
         errors = "`usage`: the filter is wrong, at column `err.position`",
         raises = "in the loop: the file cannot be read on", text = "Iterate over packets.",
         example = [[
local cap <close> = assert(lab.open_capture("handshakes.pcap"))
for p in assert(cap:packets("tcp.flags.syn == 1")) do
    print(p["frame.number"], p["ip.src"], p)
end]]},
        {name = "Capture:count", args = {{"filter?", "string", "a display filter (packets.md)",
            "all packets"}},
         returns = {{"integer"}},
             errors = "`usage`: the filter is wrong, at column `err.position`; the file cannot be "
             .. "read on",
         text = "How many packets pass.",
         example = [[
local cap <close> = assert(lab.open_capture("handshakes.pcap"))
assert(cap:count("tcp") <= cap:count())
local n, err = cap:count("tcp.sequence")
assert(n == nil and err.position == 1)]]},
        {name = "Capture:ecn", returns = {{"table", "as of `lab.ecn`"}},
            errors = "the file cannot be read",
         text = "The account of the file.",
         example = [[
local cap <close> = assert(lab.open_capture("handshakes.pcap"))
print(#assert(cap:ecn()).flows)]]},
        {name = "Capture:close",
            text = "End what still reads it. Its methods that read then raise.",
         example = [[
local cap = assert(lab.open_capture("handshakes.pcap"))
cap:close()]]},
        {name = "Packet:all", args = {{"field", "string", "as of `ccalab packets --fields`"}},
            returns = {{"any[]"}},
         raises = "an unknown field", text = "All values of a field.",
         example = [[
local cap <close> = assert(lab.open_capture("handshakes.pcap"))
for p in assert(cap:packets()) do
    print(table.concat(p:all("tcp.port"), ","))
    break
end]]},
    },
}
