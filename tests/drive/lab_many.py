"""Twenty flows at once; connections that open and close a thousand times and more; each by name."""
from lab import *

SHORT = """
import socket, sys, threading
count, port = int(sys.argv[1]), 5300
listener = socket.create_server(("127.0.0.1", port), backlog=64)
def serve():
    for _ in range(count):
        c = listener.accept()[0]
        while c.recv(65536):
            pass
        c.close()
t = threading.Thread(target=serve)
t.start()
for _ in range(count):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"netllm")
    s.connect(("127.0.0.1", port))
    s.sendall(bytes(4000))
    s.close()
t.join()
"""
COUNT = 1100  # more than the kernel's program has slots

with Lab("drive-many") as lab:
    agent = lab.drive("constant:4", "--report", "0")
    rate, out = mbps(lab.iperf3(3, "-P", "20"))
    total = agent.stop()
    windows = {}
    for e in agent.events():
        if e["type"] == "sample" and e["src"] != "drive" and e["values"]["is_driven"]:
            windows.setdefault(e["src"], []).append(e["values"]["cwnd_pkts"])
    print(f"{rate:.1f} Mbit/s, {total['flows']} flows, {total['decisions']} decisions, "
          f"largest batch {total['largest_batch']}")
    check(len(windows) == 20 == total["flows"], "all 20 flows are driven")
    check(all(len(w) > 8 and sum(x == 4 for x in w) > 0.8 * len(w) for w in windows.values()),
          "each has its window")
    check(total["open_flows"] == 0, "and none is left open")
    # A bandwidth-delay product of some 83 packets, and 80 of windows.
    check(rate > 15, "together they use the link")

    agent = lab.drive("lua:" + lab.file("short.lua", """
        function on_sample(flow, s)
            flow.n = (flow.n or 0) + 1
            assert(flow.n < 100 and flow.src:sub(1, 10) == "127.0.0.1:")
            return 10
        end"""), "--ect", "none", "--interval", "0")
    began = time.monotonic()
    client = lab.start("client_x", [sys.executable, "-c", SHORT, str(COUNT)])
    check(client.wait(120) == 0, f"{COUNT} connections in {time.monotonic() - began:.1f} s")
    time.sleep(1)
    total = agent.stop()
    check(total["flows"] == COUNT, f"each was heard of: {total['flows']}")
    check(total["open_flows"] == 0 and total["lost_records"] == 0, "and each has closed")
    check(total["decisions"] >= COUNT * 0.9 and total["refused"] == 0, "and was decided for")
    check(not [e for e in agent.events() if e["type"] == "log"], "without a word of complaint")
