#!/usr/bin/env python3
"""lab.open_capture() against tshark: counts of filters, values of fields, the account."""

import glob
import json
import os
import subprocess
import tempfile

import judge

CAPTURES = sorted(p for p in glob.glob(os.path.join(os.environ["CCALAB_SOURCE"], "..", "shared", "data",
                                         "captures", "*.pcap*"))
                  if os.path.getsize(p) < 400000)
FILTERS = ["", "ip.dsfield.ecn == 3", "tcp.flags.ack and tcp.len == 0", "frame.number in {2..5}"]
FIELDS = ["frame.number", "ip.src", "tcp.stream", "tcp.seq", "tcp.len"]

SCRIPT = r"""
local job = lab.json_decode(assert(lab.read_file(arg[1])))
local out = {}
for i, path in ipairs(job.paths) do
    local cap <close> = assert(lab.open_capture(path))
    local counts, rows = {}, {}
    for k, filter in ipairs(job.filters) do
        counts[k] = assert(cap:count(filter))
    end
    for p in assert(cap:packets("ip and tcp")) do -- what is kept stays what it is
        rows[#rows + 1] = p
        if #rows == 200 then
            break
        end
    end
    for k, p in ipairs(rows) do
        local row = {}
        for n, field in ipairs(job.fields) do
            row[n] = tostring(p[field] == nil and "" or p[field])
        end
        rows[k] = table.concat(row, "\t")
    end
    local ecn = assert(cap:ecn())
    out[i] = {counts = counts, rows = #rows > 0 and rows or lab.null, frames = ecn.frames,
              ce = ecn.ipv4.ce + ecn.ipv6.ce}
end
print(lab.json_encode(out))
"""

# What needs no judge: errors, closing, and that a pass over much finds nothing stops for others.
BEHAVIOUR = r"""
local path = arg[1]
local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end
local cap = assert(lab.open_capture(path))
local nothing, e = cap:packets("ip.src == == 3")
check(nothing == nil and e.status == "usage" and e.position == 11, tostring(e))
nothing, e = cap:count("ip.srx == 10.0.0.1")
check(nothing == nil and e.position == 1 and e.hint, tostring(e))
nothing, e = lab.open_capture(arg[0])
check(nothing == nil and e.status == "input", tostring(e))
nothing, e = lab.open_capture("/nonexistent")
check(nothing == nil and e.status == "io", tostring(e))
for p in cap:packets("tcp") do
    check(#p:all("tcp.port") == 2 and p["ip.dsfield.ecn"] and p["tcp"] == true, tostring(p))
    local ok, why = pcall(function() return p["tcp.sequ"] end)
    check(not ok and why:find("did you mean 'tcp.seq'"), why)
    break
end
local ticks, task = 0, lab.spawn(function()
    while true do
        cap:count("frame.number == 0")
    end
end)
local t0 = lab.now()
while lab.now() - t0 < 0.5 do
    lab.sleep(0.01)
    ticks = ticks + 1
end
t0 = lab.now()
task:cancel()
nothing, e = task:join()
check(e.status == "interrupted" and lab.now() - t0 < 0.3 and ticks >= 5, ticks)
do
    local inner <close> = cap
end
check(not pcall(cap.count, cap), "a closed capture")
print("behaviour: ok")
"""


def run(script, argument, tmp):
    path = os.path.join(tmp, "script.lua")
    with open(path, "w") as f:
        f.write(script)
    return subprocess.run([judge.CLI, "--run", path, argument], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def cut_short(checks, path, tmp):
    """A file that ends within a record says so."""
    cut = os.path.join(tmp, "cut.pcap")
    with open(path, "rb") as f, open(cut, "wb") as out:
        out.write(f.read()[:-3])
    said = run("local c = lab.open_capture(arg[1]) print(c:count() > 0, c.truncated)", cut, tmp)
    checks.equal("a file cut short", said.startswith("true\trecord "), True)


def main():
    judge.need_tshark()
    if not CAPTURES:
        judge.skip("no ../shared/data/captures beside the tree")
    checks = judge.Checks()
    with tempfile.TemporaryDirectory(prefix="cclua-") as tmp:
        job = os.path.join(tmp, "job.json")
        with open(job, "w") as f:
            json.dump({"paths": CAPTURES, "filters": FILTERS, "fields": FIELDS}, f)
        results = json.loads(run(SCRIPT, job, tmp))
        for path, result in zip(CAPTURES, results):
            name = os.path.basename(path)
            # tshark's tables count by their own filters, -Y chooses the rows.
            counts, rows = judge.look(path, [text or "frame" for text in FILTERS], FIELDS,
                                      ["-E", "occurrence=f", "-Y", "ip and tcp"])
            for text, count in zip(FILTERS, result["counts"]):
                checks.equal("%s: %s" % (name, text), count, counts[text or "frame"])
            rows = ["\t".join(values) for values in rows[:200]]
            checks.equal(name + ": values", result["rows"] or [], rows)
            ours = judge.ours(path)
            checks.equal(name + ": account", (result["frames"], result["ce"]),
                         (ours["frames"], ours["ipv4"]["ce"] + ours["ipv6"]["ce"]))
        plain = [p for p in CAPTURES if p.endswith(".pcap")]
        print(run(BEHAVIOUR, max(plain, key=os.path.getsize), tmp), end="")
        cut_short(checks, plain[0], tmp)
    checks.finish("judge_lua")


if __name__ == "__main__":
    main()
