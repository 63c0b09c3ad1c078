"""kill -9 of the agent in mid-flow: the watchdog takes over, the flow goes on, nothing is left."""
import struct

from lab import *


def allowed_latency_us():
    """What all who ask the kernel for processors that wake up in time agree on."""
    with open("/dev/cpu_dma_latency", "rb") as f:
        return struct.unpack("i", f.read(4))[0]


with Lab("drive-killed") as lab:
    agent = lab.drive("constant:20", "--awake")
    is_awake = agent.events()[0]["data"]["is_awake"]
    check(not is_awake or allowed_latency_us() > 0, "without flows all may sleep")
    sampler, path = lab.watch()
    client = lab.iperf3(4)
    check(until(lambda: has_window(path, 20), 60), "the window is 20")
    time.sleep(1)
    check(not is_awake or allowed_latency_us() == 0, "no processor sleeps while a flow is open")
    agent.process.kill()
    killed = time.time()
    agent.process.wait()
    check(not is_awake or allowed_latency_us() > 0, "all may sleep again")
    check(until(lambda: not has_cc(), 60), "nothing is left registered")
    rate, _ = mbps(client)
    sampler.send_signal(signal.SIGINT)
    sampler.wait()
    rows = series(path)
    before = [v["cwnd_pkts"] for t, v in rows if killed - 0.8 < t < killed]
    after = [(t - killed, v["cwnd_pkts"]) for t, v in rows if t > killed]
    check(set(before) == {20}, f"driven, the window is 20: {set(before)}")
    grown = next((t for t, cwnd in after if cwnd > 20), 99)
    # 200 ms, a packet's growth in a round trip of 20 ms, and what a busy machine adds.
    print(f"{rate:.1f} Mbit/s; the window grows {grown * 1000:.0f} ms after the kill, to "
          f"{max(c for _, c in after)}")
    check(grown < 2, "the watchdog has taken over")
    check(max(c for _, c in after) > 30, "it goes on growing")
    gap, last = 0, rows[0]
    for row in rows[1:]:
        if row[1]["bytes_acked"] > last[1]["bytes_acked"]:
            gap, last = max(gap, row[0] - last[0]), row
    check(gap < 2, f"no stall: at most {gap * 1000:.0f} ms without an acknowledgement")
    # The name is free for the next.
    lab.drive("constant:20").stop()
