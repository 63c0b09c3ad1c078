"""What report_run.lua left in a directory, seen by others: every SVG by an XML parser, pictures by
their first bytes, the numbers by the csv module. usage: report_page.py DIRECTORY"""
import csv, glob, os, re, struct, sys, xml.etree.ElementTree as xml

where = sys.argv[1]
SVG = "{http://www.w3.org/2000/svg}"


def check(ok, what):
    if not ok:
        sys.exit("FAIL " + what)


def svg_of(text, what, least):
    root = xml.fromstring(text)
    check(root.tag == SVG + "svg", what)
    paths = [p.get("d") for p in root.iter(SVG + "path")]
    check(len(paths) >= least, what + ": %d paths" % len(paths))
    for d in paths:
        check(re.fullmatch(r"([ML]-?\d+\.\d -?\d+\.\d(h\.1)?)*", d), what + ": " + d[:60])
    return root


for kind in ("line", "cdf", "box", "scatter"):
    base = os.path.join(where, kind)
    root = svg_of(open(base + ".svg", encoding="utf-8").read(), kind, 3)
    texts = ["".join(t.itertext()) for t in root.iter(SVG + "text")]
    check(kind in texts, kind + ": no title in " + repr(texts))
    check(kind == "scatter" or "X <&>" in texts, kind + ": no label")
    png = open(base + ".png", "rb").read()
    check(png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (1720, 640), kind)
    check(len(png) > 5000, kind + ".png is empty")
    pdf = open(base + ".pdf", "rb").read()
    check(pdf[:5] == b"%PDF-" and pdf.rstrip().endswith(b"%%EOF"), kind + ".pdf")
    rows = list(csv.reader(open(base + ".csv", encoding="utf-8", errors="replace", newline="")))
    check({len(r) for r in rows} == {9 if kind == "box" else 3}, kind + ".csv")
    check(len(rows) == 3 if kind == "box" else len(rows) > 100, kind + ".csv: %d rows" % len(rows))

page = open(os.path.join(where, "runs", os.listdir(os.path.join(where, "runs"))[0], "report.html"),
            encoding="utf-8").read()
plots = re.findall(r"<svg.*?</svg>", page, re.S)
check(len(plots) >= 9, "%d plots in the report" % len(plots))
for i, text in enumerate(plots):
    svg_of(text, "plot %d of the report" % i, 2)
check(not re.search(r'(src|href)\s*=|@import|url\(', page), "the report refers to something")
ids = re.findall(r'\sid="', page)
check(not ids, "ids in the report")
print("ok: %d plots in the report, 4 kinds in 4 formats" % len(plots))
