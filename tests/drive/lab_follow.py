"""The window that iperf3 and tcp_info see is the one that was decided, and the target return can be
changed while the flow runs."""
from lab import *

WAVE = """
function on_sample(flow, s)
    return s.t % 1 < 0.5 and 30 or 30 + 50 * s.target
end
"""

with Lab("drive-follow") as lab:
    agent = lab.drive("lua:" + lab.file("wave.lua", WAVE), "--report", "0")
    sampler, path = lab.watch()
    client = lab.iperf3(4)
    time.sleep(2)
    agent.process.stdin.write('{"target_return_scale":0.4}\n')
    agent.process.stdin.flush()
    rate, out = mbps(client)
    sampler.send_signal(signal.SIGINT)
    sampler.wait()
    total = agent.stop()
    decided = [(t, v["wanted_pkts"]) for t, v in agent.samples()]
    seen = [(t, v["cwnd_pkts"]) for t, v in series(path) if t > decided[0][0] + 0.1]
    # A decision is in force at the next ACK; until the one after that it may be the one before.
    agree = sum(1 for t, cwnd in seen
                if any(w == cwnd and t - 0.2 < d < t + 0.05 for d, w in decided))
    print(f"{rate:.1f} Mbit/s, {len(decided)} decisions, {len(seen)} samples of tcp_info, "
          f"{agree} agree")
    check(len(decided) > 100 and len(seen) > 150, "both series have enough samples")
    check(agree > 0.9 * len(seen), "tcp_info's window is one that was decided just before")
    values = {w for _, w in decided}
    check(values == {30, 80, 50}, f"the script decided {values}, with 50 for the changed target")

    def changes(rows):
        return sum(1 for (_, a), (_, b) in zip(rows, rows[1:]) if a != b)
    # Of intervals at least a round trip long each half wave has some twenty.
    check(abs(changes(seen) - changes(decided)) <= 2,
          f"it changes as often: {changes(decided)} decided, {changes(seen)} seen")
    cwnds = [i["streams"][0]["snd_cwnd"] / MSS for i in out["intervals"]]
    # The first interval and the last (a socket that closes) may be others.
    inside = sum(1 for c in cwnds[1:-1] if c in (30, 80, 50))
    check(inside >= 0.8 * len(cwnds[1:-1]),
          f"iperf3 saw these windows: {inside} of {len(cwnds) - 2}")
    check(total["watchdog_share"] < 0.3, f"watchdog's share {total['watchdog_share']:.3f}")
    check(total["event_p99_us"] < 200000, f"event to window p99 {total['event_p99_us']:.0f} us")
