"""Policies that are wrong, and an advisor: nothing that they answer, or fail to answer, harms a
flow."""
from lab import *

POLICIES = {
    "not a number": "return 0/0",
    "nothing": "",
    "zero": "return 0",
    "negative": "return -5",
    "10^12": "return 1e12",
    "a loop": "while true do end",
    "a loop that catches errors": "while true do pcall(function() while true do end end) end",
    "an error, now and then": "flow.n = (flow.n or 0) + 1 "
                              "if flow.n % 24 > 5 then error('no idea') end return 20",
    "a pacing of 1 bit/s": "return 40, 1",
}
WATCHDOG = {"not a number", "nothing", "a loop", "a loop that catches errors"}

with Lab("drive-wrong") as lab:
    for name, body in POLICIES.items():
        agent = lab.drive("lua:" + lab.file("wrong.lua", f"function on_sample(flow, s) {body} end"),
                          "--report", "0")
        rate, _ = mbps(lab.iperf3(1.2))
        check(agent.process.poll() is None, f"{name}: the agent lives")
        total = agent.stop()
        rows = [v for _, v in agent.samples()]
        errors = [e["text"] for e in agent.events()
                  if e["type"] == "log" and e["level"] == "error"]
        print(f"{name}: {rate:.1f} Mbit/s, {total['refused']} refused, {total['clamped']} clamped; "
              f"{errors[0] if errors else 'no message'}")
        check(all(2 <= v["cwnd_pkts"] <= 1 << 17 for v in rows), "the window has bounds")
        if name in WATCHDOG:
            check(rate > 2, "the flow goes on, without decisions")
            check(all(not v["is_driven"] for v in rows), "under the watchdog")
        if name == "not a number":
            check(total["refused"] > 10, "no decision comes of it")
            check(any("not a number" in e.get("text", "") for e in agent.events()), "and it is said")
        if name in ("zero", "negative"):
            check(total["clamped"] > 10 and rows[-1]["cwnd_pkts"] == 2, "two packets are the least")
        if name == "10^12":
            check(total["clamped"] > 3 and rate > 3, "the flow goes on")
        if "loop" in name:
            check("budget" in errors[0] and "watchdog" in errors[0], "the message says why")
        if name == "nothing":
            check("returned nil" in errors[0], "the message says why")
        if name.startswith("an error"):
            check("no idea" in errors[0], "the message is the script's own")
            check(any(v["is_driven"] and v["takeovers"] >= 1 for v in rows),
                  "the watchdog takes over and hands back")
        if name.startswith("a pacing"):
            check(0.3 < rate < 6, "two packets a round trip are the least")

    # An advisor is not obeyed, and one that loops costs its budget, not the decisions.
    for name, body in (("an advisor", "return 20"),
                       ("an advisor that loops", "while true do end")):
        advisor = lab.file("advisor.lua", f"function on_sample(flow, s) {body} end")
        agent = lab.drive("constant:40", "--advisor", "lua:" + advisor, "--report", "0")
        rate, _ = mbps(lab.iperf3(1.2))
        total = agent.stop()
        rows = [v for _, v in agent.samples()][5:]
        errors = [e["text"] for e in agent.events()
                  if e["type"] == "log" and e["level"] == "error"]
        print(f"{name}: {rate:.1f} Mbit/s, event to window p99 {total['event_p99_us']:.0f} us")
        check(rate > 2 and all(v["wanted_pkts"] == 40 for v in rows), "the policy decides")
        check(total["watchdog_share"] < 0.5, "in time")
        advised = {v["advised_bytes"] for v in rows}
        if "loops" in name:
            check(advised == {None}, "it advises nothing")
            check("no advice" in errors[0] and "budget" in errors[0], "the message says why")
        else:
            check(advised == {20 * MSS} and not errors, "its advice is noted")
