#!/usr/bin/env python3
"""The shape of a quickstart's report, without its figures: shape.py RUN_DIRECTORY STDOUT_FILE.

Left out is what only an emulated link and a capture on this machine tell: the seed, and the samples of the
other direction and of the marks while they pass."""
import json
import os
import re
import sys

run, out = sys.argv[1:]
for folder, _, files in sorted(os.walk(run)):
    for name in sorted(files):
        path = os.path.relpath(os.path.join(folder, name), run)
        if path not in ("samples/link_up.csv", "samples/ecn.csv"):
            print("file", path)


def keys(value, path, depth):
    if isinstance(value, dict) and depth:
        for key in sorted(value):
            keys(value[key], path + "." + key, depth - 1)
    elif path != "seeds.link":
        # An empty table of Lua is {}, whatever it would hold.
        kind = "list" if value == {} else type(value).__name__
        print("run.json", path, "number" if kind in ("int", "float") else kind)


record = json.load(open(os.path.join(run, "run.json")))
for part in sorted(record):
    keys(record[part], part, 3 if part in ("result", "hosts", "seeds") else 0)
for check in record["checks"]:
    print("check", check["name"])
for host in record["hosts"]["before"].values():
    print("fact", *sorted(host))

html = open(os.path.join(run, "report.html")).read()
for tag, text in re.findall(r"<(h1|h2|th)[^>]*>(.*?)</\1>", html, re.S):
    print("report", tag, re.sub(r"<[^>]*>", "", text).strip())
print("report plots", html.count("<svg"))
for line in open(out):
    label = re.match(r"[A-Za-z][A-Za-z ,]*?(?=  |$)", line.rstrip("\n"))
    if label:
        print("said", label[0])
