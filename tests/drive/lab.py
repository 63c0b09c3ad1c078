"""What the lab tests of `netllm drive` share: a virtual lab, an agent, flows, events."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["CCALAB_BUILD"]
CCALAB, NETLLM = f"{BUILD}/ccalab", f"{BUILD}/netllm"
SERVER = "10.98.3.2"
MSS = 1448


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def check(ok, what):
    print("ok  " if ok else "FAIL", what)
    if not ok:
        sys.exit(1)


def has_cc():
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as f:
        return "netllm" in f.read().split()


def until(fn, seconds):
    end = time.monotonic() + seconds
    while not fn():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Lab:
    """A lab that goes down with the block; its name is the test's."""

    def __init__(self, name):
        self.name, self.processes = name, []
        if os.geteuid() != 0:
            skip("needs root")
        if has_cc():
            skip("another netllm drive runs on this machine")

    def __enter__(self):
        up = subprocess.run([CCALAB, "testbed", "up", "--name", self.name], capture_output=True,
                            text=True)
        if up.returncode == 6:
            skip(up.stderr.strip())
        check(up.returncode == 0, f"the lab is up {up.stderr.strip() if up.returncode else ''}")
        self.tmp = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, kind, value, traceback):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
                p.wait()
        subprocess.run([CCALAB, "testbed", "down", "--name", self.name], capture_output=True)
        self.tmp.cleanup()

    def file(self, name, text):
        path = f"{self.tmp.name}/{name}"
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, host, words, **more):
        enter = ["ip", "netns", "exec", f"{self.name}-{host}"] if host else []
        p = subprocess.Popen(enter + words, **more)
        self.processes.append(p)
        return p

    def drive(self, *words):
        return Agent(self, words)

    def iperf3(self, seconds, *words):
        """Start a flow from client X; stdout of the process is iperf3's JSON."""
        server = self.start("server", ["iperf3", "-s", "-1", "--forceflush"],
                            stdout=subprocess.PIPE, text=True)
        for line in server.stdout:
            if "listening" in line:
                break
        return self.start("client_x", ["iperf3", "-c", SERVER, "-C", "netllm", "-J", "-t",
                                       str(seconds), "-i", "0.1", *words],
                          stdout=subprocess.PIPE, text=True)

    def watch(self):
        """Sample client X's socket every 10 ms."""
        path = f"{self.tmp.name}/tcp-info"
        p = self.start("client_x", [CCALAB, "tcp-info", "--label", "x", "--interval", "10ms",
                                    "--dport", "5201"], stdout=open(path, "w"))
        return p, path


class Agent:
    def __init__(self, lab, words):
        self.path = f"{lab.tmp.name}/events{len(lab.processes)}"
        self.process = lab.start(None, [NETLLM, "drive", *words], stdout=open(self.path, "w"),
                                 stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: self.process.poll() is not None or
              any(e["type"] == "result" for e in self.events()), 60)
        if self.process.poll() == 6:
            skip(self.process.stderr.read().strip())
        if self.process.poll() is not None:
            check(False, "the agent is up: " + self.process.stderr.read())

    def events(self):
        return events(self.path)

    def stop(self):
        """Its last result."""
        self.process.send_signal(signal.SIGINT)
        check(self.process.wait(60) == 0, "the agent ends on Ctrl-C with 0")
        check(until(lambda: not has_cc(), 60), "nothing is left registered")
        return self.events()[-1]["data"]

    def samples(self):
        """(t, values) of the flows."""
        return [(e["t"], e["values"]) for e in self.events()
                if e["type"] == "sample" and e["src"].startswith("drive/")]


def has_window(path, pkts):
    """Does what `watch` wrote know of this window yet?"""
    return any(e["type"] == "sample" and e["values"]["cwnd_pkts"] == pkts for e in events(path))


def events(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def series(path):
    """(t, values) of what `watch` wrote, of the socket that sent the most."""
    by = {}
    for e in events(path):
        if e["type"] == "sample":
            by.setdefault(e["src"], []).append((e["t"], e["values"]))
    return max(by.values(), key=lambda rows: rows[-1][1]["bytes_acked"])


def mbps(client):
    """What the server received, of a finished iperf3."""
    out = json.loads(client.communicate()[0])
    check("error" not in out, "iperf3 ends well " + out.get("error", ""))
    return out["end"]["sum_received"]["bits_per_second"] / 1e6, out
