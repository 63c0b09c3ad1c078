"""`netllm pool import` against Python's own pickle. Usage: pool_import.py NETLLM [PART...]
(published, made_here, hostile; all of them)

The published pools, where ../shared is at hand, must come out as their CSV says, digit for digit.
Pickles made here, by the standard library with stand-ins for torch and numpy, are taken or refused;
a refused one must not have run a line of code."""
import collections
import csv
import glob
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import types

NETLLM = os.path.abspath(sys.argv[1])
SOURCE = os.environ.get("CCALAB_SOURCE", ".")
failures = []


def check(what, ok, detail=""):
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


def netllm(*args):
    p = subprocess.run([NETLLM, *args], capture_output=True, text=True, timeout=240)
    events = [json.loads(line) for line in p.stdout.splitlines()]
    return p.returncode, (events[-1] if events else {}), p.stdout + p.stderr


def rows(path):
    with open(path) as f:
        return [tuple(float(v) for v in row.values()) for row in csv.DictReader(f)]


# --- stand-ins for what the published pools name ----------------------------------------------------


def module(name):
    m = sys.modules.get(name)
    if not m:
        m = sys.modules[name] = types.ModuleType(name)
        if "." in name:
            setattr(module(name.rsplit(".", 1)[0]), name.rsplit(".", 1)[1], m)
    return m


def function(where, name):
    def f(*args):
        raise AssertionError("nobody calls this")
    f.__module__, f.__qualname__, f.__name__ = where, name, name
    setattr(module(where), name, f)
    return f


rebuild = function("torch._utils", "_rebuild_tensor_v2")
load = function("torch.storage", "_load_from_bytes")
scalar = function("numpy.core.multiarray", "scalar")
dtype = function("numpy", "dtype")
float_storage = function("torch", "FloatStorage")


class Reduce:
    """Pickles as a call of `fn` with `args`, then a state."""

    def __init__(self, fn, args, state=None):
        self.what = (fn, args) if state is None else (fn, args, state)

    def __reduce__(self):
        return self.what


def storage(values):
    out = io.BytesIO()

    class Persistent(pickle.Pickler):
        def persistent_id(self, obj):
            return obj[1] if isinstance(obj, tuple) and obj[:1] == ("pid",) else None

    for part in (0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True},
                 ("pid", ("storage", float_storage, "1", "cpu", len(values), None)), ["1"]):
        Persistent(out, 2).dump(part)
    return out.getvalue() + struct.pack("<q", len(values)) + struct.pack(f"<{len(values)}f", *values)


def tensor(values, raw=None):
    return Reduce(rebuild, (Reduce(load, (raw or storage(values),)), 0, (3,), (1,), False,
                            collections.OrderedDict()))


def f8(v, order="<"):
    d = Reduce(dtype, ("f8", False, True), (3, order, None, None, None, -1, -1, 0))
    return Reduce(scalar, (d, struct.pack("<d", v)))


class ExperiencePool:
    def __init__(self, states, actions, rewards, dones):
        self.states, self.actions, self.rewards, self.dones = states, actions, rewards, dones


ExperiencePool.__module__ = "__main__"


def good(n=7):
    return dict(states=[tensor([0.1 + i, 1448.0 * i, 1e6]) for i in range(n)],
                actions=[f8(i / 3) for i in range(n)],
                rewards=[f8(-i / 7) if i % 2 else 0.1 for i in range(n)],
                dones=[i == 3 or i == n - 1 for i in range(n)])


def dump(name, protocol=4, **lists):
    with open(name, "wb") as f:
        pickle.dump(ExperiencePool(**lists), f, protocol)
    return name


# --- the tests --------------------------------------------------------------------------------------


def published():
    pools = sorted(glob.glob(f"{SOURCE}/../shared/data/pools/*.pkl"))
    for path in pools:
        name = os.path.basename(path)
        rc, event, out = netllm("pool", "import", path, "-o", "p.safetensors")
        check(f"{name} is imported", rc == 0 and event["data"]["recipe"] == "published", out)
        rc, _, out = netllm("pool", "export", "p.safetensors", "--csv", "-o", "p.csv")
        check(f"{name} is its CSV", rc == 0 and rows("p.csv") == rows(path[:-3] + "csv"), out)
    constants = {"1000bbr": (4.649067, 3.494955), "3000bbr": (4.567887, 3.526118),
                 "1000cubic": (2.123894, 2.941935), "3000prague": (2.324875, 3.290070)}
    for pool, (mean, std) in constants.items():
        path = f"{SOURCE}/../shared/data/pools/{pool}_exp_pool.pkl"
        if os.path.exists(path):
            data = netllm("pool", "import", path, "-o", "p.safetensors")[1]["data"]
            check(f"constants of {pool}", abs(data["reward_mean"] - mean) < 1e-6
                  and abs(data["reward_std"] - std) < 1e-6, data)
    if not pools:
        print("skip the published pools: no ../shared/data/pools")


def made_here():
    for protocol in (3, 4, 5):
        rc, event, out = netllm("pool", "import", dump("a.pkl", protocol, **good()), "-o", "a.st")
        check(f"a pool of protocol {protocol}", rc == 0 and event["data"]["rows"] == 7
              and event["data"]["episodes"] == 2 and event["data"]["recipe"] == "imported", out)
    netllm("pool", "export", "a.st", "--csv", "-o", "a.csv")
    got = rows("a.csv")
    f32 = struct.unpack("<f", struct.pack("<f", 0.1 + 2))[0]
    check("its rows", len(got) == 7 and got[2] == (f32, 2896.0, 1e6, 2 / 3, 0.1, 0.0)
          and [r[5] for r in got] == [0, 0, 0, 1, 0, 0, 1], got)
    # Pools by the tutorial's builder have whole numbers as actions.
    p = good()
    p["actions"] = [1, 2, 3, 1, 2, 300, True]
    rc, event, out = netllm("pool", "import", dump("b.pkl", **p), "-o", "b.st")
    check("whole numbers as actions", rc == 0 and event["data"]["columns"]["action"]["max"] == 300, out)


def refused(what, says, change=None, raw=None):
    for name in ("executed", "x.st"):
        if os.path.exists(name):
            os.remove(name)
    lists = good()
    if change:
        change(lists)
    path = dump("x.pkl", **lists)
    if raw is not None:
        with open(path, "wb") as f:
            f.write(raw)
    rc, event, out = netllm("pool", "import", path, "-o", "x.st")
    check(what, rc == 8 and event.get("status") == "input" and says in event["message"]
          and not os.path.exists("x.st") and not os.path.exists("executed"), out)


def hostile():
    with open(dump("whole.pkl", **good()), "rb") as f:
        whole = f.read()
    mkdir = Reduce(os.mkdir, ("executed",))
    for column in ("states", "actions", "rewards", "dones"):
        refused(f"os.mkdir among the {column}", "not allowed",
                lambda p, c=column: p[c].__setitem__(1, mkdir))
    refused("eval in the pool's place", "not allowed", raw=pickle.dumps(Reduce(eval, ("1",))))
    inner = pickle.dumps(Reduce(os.mkdir, ("executed",)), 2)
    refused("os.mkdir inside a storage", "not allowed",
            lambda p: p["states"].__setitem__(0, tensor([], raw=inner)))
    refused("a storage that is no storage", "storage",
            lambda p: p["states"].__setitem__(0, tensor([], raw=pickle.dumps(5, 2) * 5)))
    refused("a storage of four floats", "3 floats",
            lambda p: p["states"].__setitem__(0, tensor([1, 2, 3, 4])))
    refused("a storage cut short", "states[0]",
            lambda p: p["states"].__setitem__(0, tensor([], raw=storage([1, 2, 3])[:-1])))
    refused("a list in a tensor's place", "states[2]: no tensor",
            lambda p: p["states"].__setitem__(2, [1, 2, 3]))
    refused("a big-endian number", "actions[4]",
            lambda p: p["actions"].__setitem__(4, f8(1, ">")))
    refused("a text in a number's place", "rewards[6]: no number",
            lambda p: p["rewards"].__setitem__(6, "1"))
    refused("NaN", "row 5: action", lambda p: p["actions"].__setitem__(5, f8(float("nan"))))
    refused("a column that is too short", "6 rewards", lambda p: p["rewards"].pop())
    refused("no rows", "no rows", lambda p: [p[c].clear() for c in p])
    refused("an empty file", "breaks off", raw=b"")
    refused("no pickle", "not allowed", raw=b"{\"intervals\": []}")
    for cut in range(0, len(whole), max(1, len(whole) // 12)):
        with open("x.pkl", "wb") as f:
            f.write(whole[:cut])
        rc, event, out = netllm("pool", "import", "x.pkl", "-o", "x.st")
        if rc != 8 or event.get("status") != "input":
            check(f"cut after {cut} bytes", False, out)
    check("cut anywhere", not os.path.exists("x.st"))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for part in sys.argv[2:] or ("published", "made_here", "hostile"):
        {"published": published, "made_here": made_here, "hostile": hostile}[part]()
print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
