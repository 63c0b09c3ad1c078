#!/usr/bin/env python3
"""`capture` on the loopback of a throw-away namespace: what it says live, what it writes, what `ecn`
reads back and what tshark counts are the same, and stopping it loses nothing. Needs root."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import judge

NETNS = "cccap-%d" % os.getpid()
NETNS_PATH = "/run/netns/" + NETNS
BURST = 20000
processes = []  # all that were started and may still run when a test breaks off


def run(*args):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, text=True).stdout


def inside(*args):
    return run("ip", "netns", "exec", NETNS, *args)


class Capture:
    """A capture that runs; its events are lines on a pipe."""

    def __init__(self, *args, interface="lo"):
        self.process = subprocess.Popen(
            [judge.CLI, "capture", "-i", interface, "--netns", NETNS_PATH, *args],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        processes.append(self.process)
        self.events = []
        line = self.process.stdout.readline()
        self.events.append(json.loads(line))
        wanted = {"state": "up", "interface": interface}
        if "-w" in args and not {"--rotate-mib", "--rotate-time"} & set(args):
            wanted["file"] = args[args.index("-w") + 1]
        self.is_up = self.events[0].get("data") == wanted

    def cpu_ticks(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def wait(self, signum=None):
        """The exit code and the last result."""
        if signum:
            self.process.send_signal(signum)
        out = self.process.communicate(timeout=120)[0]
        self.events += [json.loads(line) for line in out.splitlines()]
        results = [e["data"] for e in self.events if e["type"] == "result"]
        return self.process.returncode, results[-1] if results else None


def udp_burst(count, tos, first_port):
    """Send and receive `count` datagrams inside the namespace: each has passed the tap."""
    code = """
import socket, sys
count, tos, port = map(int, sys.argv[1:])
rx = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); rx.bind(("127.0.0.1", port))
tx = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tx.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
for i in range(count):
    tx.sendto(b"x" * (i % 500), ("127.0.0.1", port)); rx.recv(600)
"""
    inside(sys.executable, "-c", code, str(count), str(tos), str(first_port))


def tcp_transfer():
    """A TCP connection with ECN: data one way, ACKs the other."""
    if shutil.which("iperf3"):
        server = subprocess.Popen(["ip", "netns", "exec", NETNS, "iperf3", "-s", "-1"],
                                  stdout=subprocess.DEVNULL)
        processes.append(server)
        for _ in range(600):
            if "5201" in inside("ss", "-Hltn", "sport", "=", "5201"):
                break
            time.sleep(0.1)
        inside("iperf3", "-c", "127.0.0.1", "-n", "8M", "-b", "40M")
        server.wait(timeout=120)
        return
    code = """
import socket
s = socket.create_server(("127.0.0.1", 5201)); c = socket.create_connection(("127.0.0.1", 5201))
r = s.accept()[0]
for i in range(500):
    c.sendall(bytes(1000)); r.recv(2000)
c.close(); r.close()
"""
    inside(sys.executable, "-c", code)


def compare(checks, what, result, path):
    """Live, from the file, and tshark."""
    drops = result.pop("kernel_drops")
    checks.equal(what + ": kernel drops", drops, 0)
    checks.equal(what + ": its file", (result.pop("files"), result.pop("files_written")),
                 ([path], 1))
    file = judge.ours(path)
    for flow in file["flows"]:
        for direction in ("fwd", "rev"):
            del flow[direction]["marks"]  # a live result is one line of events, and is spared them
    checks.equal(what + ": live result and ecn on the file", result, file)
    checks.equal(what + ": not truncated", result["truncated"], False)
    if shutil.which("tshark"):
        judge.check_totals(checks, path, result)
    else:
        print("tshark is not installed: compared with our own reading only")


def test_traffic(checks, tmp):
    path = os.path.join(tmp, "traffic.pcapng")
    capture = Capture("-w", path)
    checks.equal("up", capture.is_up, True)
    for tos in range(4):
        inside("ping", "-q", "-c", str(tos + 2), "-i", "0.01", "-Q", str(tos), "127.0.0.1")
        inside("ping", "-6", "-q", "-c", str(tos + 1), "-i", "0.01", "-Q", str(tos), "::1")
    udp_burst(300, 1, 7001)
    udp_burst(30, 3, 7001)
    tcp_transfer()
    end = time.monotonic() + 60
    while os.path.getsize(path) <= 24 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1.5)  # and samples come once a second
    is_flushed = os.path.getsize(path) > 24
    checks.equal("file is flushed while it is written", is_flushed, True)
    code, result = capture.wait(signal.SIGTERM)
    checks.equal("exit code after SIGTERM", code, 0)
    # Requests and replies; the kernel's echo keeps the codepoint.
    checks.equal("IPv6 CE", result["ipv6"]["ce"], 2 * 4)
    checks.equal("IPv6 ECT(1)", result["ipv6"]["ect1"], 2 * 2)
    checks.equal("IPv4 CE", result["ipv4"]["ce"], 2 * 5 + 30)
    checks.equal("IPv4 ECT(1)", result["ipv4"]["ect1"], 2 * 3 + 300)
    samples = [e for e in capture.events if e["type"] == "sample"]
    checks.equal("samples come", len(samples) > 0, True)
    checks.equal("what a sample holds", (samples[-1]["src"], sorted(samples[-1]["values"])),
                 ("ecn", sorted(["packets", "ce_ratio", "kernel_drops"] + judge.NAMES)))
    ratios = [e["values"]["ce_ratio"] for e in samples]
    checks.equal("CE ratios of intervals", all(r is None or 0 <= r <= 1 for r in ratios) and
                 any(ratios), True)
    big = max(result["flows"], key=lambda f: f["fwd"]["bytes"])
    checks.equal("the biggest flow is the transfer", (big["proto"], big["dport"]), ("tcp", 5201))
    checks.equal("its data is ECT(0)", big["fwd"]["data"]["ect0"] > 0, True)
    compare(checks, "traffic", result, path)


def test_stop_loses_nothing(checks, tmp):
    for signum in (signal.SIGTERM, signal.SIGINT):
        path = os.path.join(tmp, "burst-%d.pcapng" % signum)
        capture = Capture("-w", path, "-f", "udp")
        udp_burst(BURST, 3, 7002)
        code, result = capture.wait(signum)
        checks.equal("exit code after signal %d" % signum, code, 0)
        checks.equal("all of the burst", result["ipv4"]["ce"], BURST)
        compare(checks, "burst", result, path)
    # The last packet before the signal, in a block that the kernel has not handed over yet.
    for i in range(5):
        path = os.path.join(tmp, "one-%d.pcapng" % i)
        capture = Capture("-w", path)
        udp_burst(1, 3, 7003)
        code, result = capture.wait(signal.SIGTERM)
        checks.equal("one packet", (code, result["ipv4"]["ce"]), (0, 1))
        compare(checks, "one", result, path)


def test_filter_snaplen_duration(checks, tmp):
    path = os.path.join(tmp, "filter.pcapng")
    capture = Capture("-w", path, "-f", "udp port 7004", "--snaplen", "64", "--duration", "2")
    before = capture.cpu_ticks()
    udp_burst(10, 2, 7004)
    udp_burst(10, 2, 7005)
    time.sleep(1)
    # 100 ticks are a second; a loop that never sleeps would use most of them.
    checks.equal("it sleeps", capture.cpu_ticks() - before < 30, True)
    code, result = capture.wait()
    checks.equal("exit code after --duration", code, 0)
    checks.equal("filtered", result["frames"], 10)
    checks.equal("payload from the headers, not the snap length",
                 result["flows"][0]["fwd"]["bytes"], sum(range(10)))
    compare(checks, "filter", result, path)
    check_blocks(checks, path, result)


def check_blocks(checks, path, result):
    """What the file says of its making, as Wireshark reads it."""
    if shutil.which("capinfos"):
        info = run("capinfos", path)
        for text in ("Wireshark/... - pcapng", "Capture application: ccalab", "Capture oper-sys:    Linux",
                     "Name = lo", "Capture length = 64", "Time precision = nanoseconds (9)",
                     "Filter string = udp port 7004", "Number of stat entries = 1",
                     "Number of packets = %d" % result["frames"]):
            checks.equal("capinfos says " + text, text in info, True)
    if shutil.which("tshark"):
        blocks = subprocess.run(["tshark", "-r", path, "-X", "read_format:MIME Files Format", "-V"],
                                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                text=True).stdout
        checks.equal("nothing in it is malformed", "alformed" in blocks, False)
        for text in ("Number of Received Packets = %d" % result["frames"],
                     "Number of Dropped Packets = 0"):
            checks.equal("tshark says " + text, text in blocks, True)


def frames_of(path):
    return judge.ours(path)["frames"]


def test_files(checks, tmp):
    """A number of packets, files that follow one another, a full disk."""
    path = os.path.join(tmp, "count.pcapng")
    capture = Capture("-w", path, "-f", "udp", "--count", "7")
    udp_burst(20, 1, 7006)
    code, result = capture.wait()
    checks.equal("--count", (code, result["frames"], frames_of(path)), (0, 7, 7))

    # 20000 datagrams of 292 bytes and the 32 of a block: 6 files of a MiB.
    path = os.path.join(tmp, "ring.pcapng")
    capture = Capture("-w", path, "-f", "udp", "--rotate-mib", "1", "--snaplen", "0")
    udp_burst(BURST, 1, 7007)
    code, result = capture.wait(signal.SIGTERM)
    sizes = [os.path.getsize(f) for f in result["files"]]
    checks.equal("files by size", (len(sizes) > 4, max(sizes) < 1100000, min(sizes[:-1]) > 1048576),
                 (True, True, True))
    checks.equal("names", result["files"][1], os.path.join(tmp, "ring-00002.pcapng"))
    checks.equal("no packet is lost between files", sum(map(frames_of, result["files"])), BURST)
    path = os.path.join(tmp, "time.pcapng")
    capture = Capture("-w", path, "-f", "udp", "--rotate-time", "300ms", "--ring", "2",
                      "--duration", "1.6", "--interval", "200ms")
    code, result = capture.wait()
    there = sorted(f for f in os.listdir(tmp) if f.startswith("time-"))
    checks.equal("files by time, the newest kept", (result["files_written"] > 2, len(there), [
        os.path.basename(f) for f in result["files"]]), (True, 2, there))
    checks.equal("samples by interval",
                 3 <= len([e for e in capture.events if e["type"] == "sample"]) <= 8, True)

    disk = os.path.join(tmp, "disk")
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk]).returncode:
        print("no small disk can be made here: its end is not tested")
        return
    try:
        path = os.path.join(disk, "full.pcapng")
        capture = Capture("-w", path, "-f", "udp", "--interval", "100ms")
        udp_burst(3000, 1, 7008)
        code, result = capture.wait()
        error = capture.events[-1]
        checks.equal("a full disk", (code, error["type"], error["status"], "No space" in
                                     error["message"]), (7, "error", "io", True))
        checks.equal("a full disk: the account says so", result["truncated"], True)
        file = judge.ours(path)
        checks.equal("a full disk: the file is good up to there",
                     (file["truncated"], 1000 < file["frames"] <= result["frames"]), (False, True))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_errors(checks, tmp):
    for args, status, code in (
            (["-i", "nosuch0"], "host", 4), (["-i", "lo", "-f", "tcp prot 80"], "usage", 2),
            (["-i", "lo", "-w", tmp + "/no/such/dir"], "io", 7),
            (["-i", "lo", "--netns", "/run/netns/cccap-nosuch"], "host", 4),
            (["-i", "lo", "--duration", "soon"], "usage", 2), ([], "usage", 2),
            (["-i", "lo", "--ring", "3"], "usage", 2)):
        done = subprocess.run([judge.CLI, "capture", *args], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=120)
        event = json.loads(done.stdout.splitlines()[-1])
        checks.equal("error of %s" % args, (event["type"], event.get("status"), done.returncode),
                     ("error", status, code))
        if "-f" in args:
            checks.equal("where the filter is wrong", "column 5: 'prot'" in event["message"], True)
    # The interface goes away: what was counted is told all the same.
    inside("ip", "link", "add", "cccap0", "type", "veth", "peer", "name", "cccap1")
    inside("ip", "link", "set", "cccap0", "up")
    inside("ip", "link", "set", "cccap1", "up")
    inside("ip", "address", "add", "192.0.2.1/24", "dev", "cccap0")
    inside("ip", "neighbour", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:01", "dev", "cccap0")
    path = os.path.join(tmp, "gone.pcapng")
    capture = Capture("-w", path, "-f", "icmp", interface="cccap0")
    subprocess.run(["ip", "netns", "exec", NETNS, "ping", "-q", "-c", "3", "-i", "0.01", "-W", "1",
                    "-Q", "3", "192.0.2.2"], stdout=subprocess.DEVNULL, check=False)
    inside("ip", "link", "delete", "cccap0")
    code, result = capture.wait()
    checks.equal("interface gone: exit code", code, 4)
    checks.equal("interface gone: counts", (result["ipv4"]["ce"], result["truncated"]), (3, True))
    checks.equal("interface gone: last event", capture.events[-1]["type"], "error")
    checks.equal("interface gone: file", judge.ours(path)["ipv4"]["ce"], 3)


def main():
    if os.geteuid() != 0:
        judge.skip("namespaces and packet sockets need root")
    for command in ("ip", "ping"):
        if shutil.which(command) is None:
            judge.skip(command + " is not installed")
    if subprocess.run(["ip", "netns", "add", NETNS], stderr=subprocess.DEVNULL).returncode:
        judge.skip("no network namespace can be made here")
    checks = judge.Checks()
    try:
        inside("ip", "link", "set", "lo", "up")
        inside("sysctl", "-qw", "net.ipv4.tcp_ecn=1")
        with tempfile.TemporaryDirectory(prefix="cccap-") as tmp:
            test_traffic(checks, tmp)
            test_stop_loses_nothing(checks, tmp)
            test_filter_snaplen_duration(checks, tmp)
            test_files(checks, tmp)
            test_errors(checks, tmp)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
        run("ip", "netns", "delete", NETNS)
    checks.finish("lab_capture")


if __name__ == "__main__":
    main()
