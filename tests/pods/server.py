#!/usr/bin/python3
"""Plays Runpod's API v2 and the Hugging Face hub's file API for the tests.

server.py DIR: serves DIR/hub as the hub, writes its port to DIR/port and each request as a line of JSON
to DIR/requests (without the key). The pods are a real sshd, $SSHD_PORT. POST /test sets what shall go
wrong: {"NAME": VALUE}, see `faults`. It ends with its parent.
"""
import ctypes
import hashlib
import http.server
import json
import os
import re
import signal
import sys
import threading
import time

KEY, TOKEN = "rp_test_key_0123456789", "hf_test_token_0123456789"
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
where = sys.argv[1]
user = os.environ.get("USER") or __import__("pwd").getpwuid(os.getuid()).pw_name
lock = threading.Lock()
pods, volumes = {}, [{"id": "vol1", "name": "course", "size": 100, "dataCenter": "EU-RO-1",
                      "type": "STANDARD"}]
keys = []
faults = {
    "rate": 0,         # so many 429s with Retry-After: 1
    "rate_header": 0,  # so many 429s with RateLimit alone
    "broken": 0,       # so many 500s
    "lost": 0,         # so many pods are created, and the answer is a 500
    "no_room": [],     # GPU ids that are refused with 400
    "money": False,    # 402 to create
    "garbage": False,  # 200 with no JSON
    "huge": False,     # 200 with more bytes than anybody wants
    "slow_s": 0,       # before each answer
    "die": False,      # pods go to ERROR
    "times": [0.2, 0.4, 0.7],  # until STARTING, RUNNING, ssh.direct
    "cut": 0,          # so many downloads break after half of what was asked for
    "flip": False,     # downloads have a wrong byte
    "throttle": 0,     # downloads: bytes per second
}
GPUS = [
    ("NVIDIA GeForce RTX 4090", "RTX 4090", 24, 0.44, 0.31, "HIGH", ["US-KS-2", "EU-RO-1"]),
    ("NVIDIA RTX A5000", "RTX A5000", 24, 0.26, 0.16, "LOW", ["EU-RO-1"]),
    ("NVIDIA H100 PCIe", "H100 PCIe", 80, 2.39, 1.99, "NONE", []),
    ("NVIDIA GeForce RTX 3070", "RTX 3070", 8, 0.13, 0.1, "HIGH", ["US-KS-2"]),
]


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t)) if t else None


def show(pod):
    """A pod as the API shows it, its state by its age."""
    age = time.time() - pod["since"]
    starting, running, ssh = faults["times"]
    status = pod["status"]
    if status == "PROVISIONING":
        status = "PROVISIONING" if age < starting else "STARTING" if age < running else "RUNNING"
        if faults["die"] and age >= starting:
            status = "ERROR"
    is_up = status == "RUNNING"
    actions = {"RUNNING": ["stop", "restart", "terminate"], "EXITED": ["start", "terminate"],
               "ERROR": ["start", "terminate"]}.get(status, ["stop", "terminate"])
    direct = {"host": "127.0.0.1", "port": int(os.environ.get("SSHD_PORT", "22")), "username": user,
              "command": "ssh %s@127.0.0.1" % user}
    body = pod["body"]
    return {"id": pod["id"], "name": body["name"], "status": status, "actions": actions,
            "image": body["image"], "args": "", "disk": body.get("disk", 20), "ports": body.get("ports", []),
            "env": {}, "registry": None, "mounts": body.get("mounts", {}), "gpu": body["gpu"],
            "cloud": body.get("cloud", "SECURE"), "cudaVersion": "12.8" if is_up else None,
            "dataCenterId": (body.get("dataCenterIds") or ["US-KS-2"])[0],
            "ssh": {"proxy": None, "direct": direct if is_up and age >= ssh and "22/tcp" in
                    body.get("ports", []) and body.get("startSsh") else None},
            "template": None, "cost": 0.0 if status in ("EXITED", "TERMINATED") else pod["cost"],
            "locked": False, "globalNetworking": {"enabled": False},
            "runtime": {"uptime": int(age), "ports": []} if is_up else None,
            "createdAt": iso(pod["created"]), "startedAt": iso(pod["since"]) if is_up else None}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=None, headers=(), kind="application/json"):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def problem(self, status, title, detail, errors=None, headers=()):
        body = {"title": title, "status": status, "detail": detail}
        if errors:
            body["errors"] = errors
        self.answer(status, body, headers, "application/problem+json")

    def handle_all(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        with lock, open(where + "/requests", "a") as f:
            f.write(json.dumps({"t": time.time(), "method": self.command, "path": self.path,
                                "range": self.headers.get("Range"), "agent": self.headers.get("User-Agent", ""),
                                "auth": bool(self.headers.get("Authorization")),
                                "body": text.decode("utf-8", "replace")}) + "\n")
        if self.path == "/test":
            faults.update(json.loads(text))
            keys[:] = faults.pop("keys", keys)
            return self.answer(200, {"pods": [show(p) for p in pods.values()]})
        if faults["slow_s"]:
            time.sleep(faults["slow_s"])
        if self.path.startswith("/v2/"):
            return self.runpod(text)
        return self.hub()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_all

    # --- Runpod

    def runpod(self, text):
        if self.headers.get("Authorization") != "Bearer " + KEY:
            return self.problem(401, "Unauthorized", "invalid or missing API key")
        quota = (("RateLimit", '"minute";r=10;t=12, "hour";r=2800;t=1812'),)
        if faults["rate"] > 0:
            faults["rate"] -= 1
            return self.problem(429, "Too Many Requests", "slow down", headers=(("Retry-After", "1"),))
        if faults["rate_header"] > 0:
            faults["rate_header"] -= 1
            return self.problem(429, "Too Many Requests", "slow down",
                                headers=(("RateLimit", '"minute";r=0;t=1, "hour";r=2800;t=1812'),))
        if faults["broken"] > 0:
            faults["broken"] -= 1
            return self.problem(500, "Internal Server Error", "upstream failed")
        if faults["garbage"]:
            return self.answer(200, b"<html>not what you think</html>")
        if faults["huge"]:
            return self.answer(200, b'{"pods":["' + b"x" * (9 << 20) + b'"]}')
        path = self.path.split("?")[0]
        name = self.command + " " + path[3:]
        with lock:
            if name == "GET /catalog/gpus":
                return self.answer(200, {"gpus": [
                    {"id": i, "name": n, "pool": None, "manufacturer": "NVIDIA", "memory": m, "secure": True,
                     "community": True, "price": {"secure": s, "community": c},
                     "maxCount": {"secure": 8, "community": 4}, "availability": a,
                     "dataCenters": [{"id": d, "name": d, "availability": a} for d in where_]}
                    for i, n, m, s, c, a, where_ in GPUS]}, quota)
            if name == "GET /network-volumes":
                return self.answer(200, {"networkVolumes": volumes}, quota)
            if name == "GET /account/ssh-keys":
                return self.answer(200, {"keys": keys}, quota)
            if name == "GET /pods":
                return self.answer(200, {"pods": [show(p) for p in pods.values()]}, quota)
            if name == "POST /pods":
                return self.create(text)
            if name == "GET /billing/pods":
                return self.answer(200, {"records": [], "metadata": {
                    "query": {}, "recordCount": 0, "uniquePodCount": 0,
                    "totals": {"totalAmount": 1.25, "gpuAmount": 1.0, "cpuAmount": 0, "diskAmount": 0.25}}})
            m = re.match(r"/v2/pods/(\w+)(/action)?$", path)
            pod = pods.get(m.group(1)) if m else None
            if not pod:
                return self.problem(404, "Not Found", "pod not found")
            if m.group(2):
                return self.action(pod, text)
            if self.command == "DELETE":
                del pods[pod["id"]]
                return self.answer(204)
            return self.answer(200, show(pod))

    def create(self, text):
        try:
            body = json.loads(text)
        except ValueError:
            return self.problem(400, "Bad Request", "the body is no JSON")
        known = {"name", "image", "gpu", "cloud", "disk", "ports", "startSsh", "dataCenterIds", "mounts", "env"}
        wrong = ["unknown field " + k for k in body if k not in known]
        wrong += ["%s is required" % k for k in ("name", "image", "gpu") if k not in body]
        if wrong:
            return self.problem(422, "Unprocessable Entity", "validation failed", wrong)
        gpu = [g for g in GPUS if g[0] == body["gpu"]["id"]]
        if faults["money"]:
            return self.problem(402, "Payment Required", "your balance is too low")
        if not gpu or gpu[0][0] in faults["no_room"] or gpu[0][5] == "NONE":
            return self.problem(400, "Bad Request", "no instances are available for this GPU right now")
        for mount in body.get("mounts", {}).get("network", []):
            volume = [v for v in volumes if v["id"] == mount["volumeId"]]
            if not volume or body.get("dataCenterIds") != [volume[0]["dataCenter"]]:
                return self.problem(400, "Bad Request", "the volume is in another data center")
        ident = "pod%05d" % (len(pods) + os.getpid() % 10000)
        now = time.time()
        pods[ident] = {"id": ident, "body": body, "status": "PROVISIONING", "since": now, "created": now,
                       "cost": gpu[0][3] * body["gpu"].get("count", 1)}
        if faults["lost"] > 0:
            faults["lost"] -= 1
            return self.problem(500, "Internal Server Error", "the answer was lost")
        return self.answer(201, show(pods[ident]))

    def action(self, pod, text):
        action, shown = json.loads(text).get("action"), show(pod)
        if action not in shown["actions"]:
            return self.problem(409, "Conflict", "%s is not valid in %s" % (action, shown["status"]))
        if action == "stop":
            pod["status"], pod["stopped"] = "EXITED", time.time()
        elif action == "start":
            pod["status"], pod["since"] = "PROVISIONING", time.time()
        return self.answer(200, show(pod))

    # --- the hub: DIR/hub/ORG/NAME/FILES; what is in DIR/hub/gated wants the token

    def hub(self):
        m = re.match(r"/api/models/([\w.-]+/[\w.-]+)/revision/([\w.-]+)(\?.*)?$", self.path)
        f = re.match(r"/([\w.-]+/[\w.-]+)/resolve/([\w.-]+)/([\w./-]+)$", self.path)
        cdn = re.match(r"/cdn/([\w./-]+)$", self.path)
        repo = (m or f).group(1) if m or f else None
        if repo and repo.startswith("gated/") and self.headers.get("Authorization") != "Bearer " + TOKEN:
            code = 403 if self.headers.get("Authorization") else 401
            return self.answer(code, {"error": "Access to model is restricted"}, (("X-Error-Code", "GatedRepo"),))
        folder = "%s/hub/%s" % (where, repo)
        if repo and not os.path.isdir(folder):
            return self.answer(401, {"error": "Repository not found"}, (("X-Error-Code", "RepoNotFound"),))
        if m:
            siblings = []
            for name in sorted(os.listdir(folder)):
                data = open(folder + "/" + name, "rb").read()
                one = {"rfilename": name, "size": len(data),
                       "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
                if name.endswith((".safetensors", ".bin")):
                    one["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
                siblings.append(one)
            return self.answer(200, {"id": repo, "sha": "c0ffee" + "0" * 34, "gated": False, "siblings": siblings})
        if f:  # large files lie elsewhere, where the token must not come
            if f.group(3).endswith((".safetensors", ".bin")):
                return self.answer(302, b"", (("Location", "http://localhost:%d/cdn/%s/%s" % (
                    self.server.server_port, repo, f.group(3))),))
            return self.send_file(folder + "/" + f.group(3))
        if cdn:
            if self.headers.get("Authorization"):
                return self.answer(400, {"error": "a token came to the CDN"})
            return self.send_file(where + "/hub/" + cdn.group(1))
        return self.answer(404, {"error": "no such page"})

    def send_file(self, path):
        if not os.path.isfile(path):
            return self.answer(404, {"error": "no such file"}, (("X-Error-Code", "EntryNotFound"),))
        data = open(path, "rb").read()
        if faults["flip"] and len(data) > 100:
            data = data[:50] + bytes([data[50] ^ 1]) + data[51:]
        m = re.match(r"bytes=(\d+)-$", self.headers.get("Range") or "")
        start = int(m.group(1)) if m else 0
        headers = [("ETag", '"%s"' % hashlib.sha256(data).hexdigest()), ("Accept-Ranges", "bytes")]
        if m and start >= len(data):
            return self.answer(416, b"", [("Content-Range", "bytes */%d" % len(data))])
        if m:
            headers.append(("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data))))
        part = data[start:]
        self.send_response(206 if m else 200)
        for name, value in headers + [("Content-Length", str(len(part)))]:
            self.send_header(name, value)
        self.end_headers()
        if faults["cut"] > 0 and len(part) > 1000:
            faults["cut"] -= 1
            self.wfile.write(part[:len(part) // 2])
            self.close_connection = True
            return None
        rate = faults["throttle"]
        for i in range(0, len(part), rate // 20 if rate else 1 << 20):
            self.wfile.write(part[i:i + (rate // 20 if rate else 1 << 20)])
            if rate:
                time.sleep(0.05)
        return None


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # who asks may go away


server = Server(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(where + "/port.new", "w") as out:
    out.write(str(server.server_port))
os.rename(where + "/port.new", where + "/port")
server.serve_forever()
