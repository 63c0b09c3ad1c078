#!/bin/sh
# A report opens from the file system in a browser that is told to log what it asks the network for:
# nothing, even where the record smuggles in references. It prints to PDF. And all plots are what they
# should be to other programs' eyes (report_page.py).
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/ccalab_report.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "FAILED: $*"
    exit 1
}

"${CCALAB_BUILD:?run it by ctest}/ccalab" --run "$here/report_run.lua" "$dir" >"$dir/out" 2>&1 || {
    cat "$dir/out"
    fail "the run"
}
python3 "$here/report_page.py" "$dir" || exit 1

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "no Chromium here: the page was not opened"
    exit 77
}

# Open a page: NAME.pdf, and NAME.net with what was asked of the network. No name resolves.
open_page() {
    timeout 200 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
        --disable-background-networking --disable-component-update --disable-sync --no-first-run \
        --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$dir/profile" \
        --log-net-log="$dir/$1.net" --net-log-capture-mode=Everything \
        --print-to-pdf="$dir/$1.pdf" "file://$dir/$1.html" >"$dir/$1.log" 2>&1
}

# Does the log see a request at all? And what does the browser ask for by itself?
echo '<!doctype html><p>control</p><img src="http://seen.invalid/a.png">' >"$dir/control.html"
open_page control || {
    tail -n 3 "$dir/control.log"
    echo "Chromium does not run here: the page was not opened"
    exit 77
}
open_page report || fail "Chromium on the report: $(tail -n 3 "$dir/report.log")"
python3 - "$dir/control.net" "$dir/report.net" <<'END' || exit 1
import json, re, sys

def asked(path):
    text = open(path, encoding="utf-8", errors="replace").read()
    try:
        events = json.loads(text)["events"]
    except ValueError:  # the browser left before it had closed the list
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    urls = {e.get("params", {}).get("url", "") for e in events if isinstance(e.get("params"), dict)}
    return {re.match(r"(https?|wss?|ftp)://([^/:]+)", u).group(2) for u in urls
            if re.match(r"(https?|wss?|ftp)://", u)}, len(events)

control, n = asked(sys.argv[1])
if "seen.invalid" not in control:
    sys.exit("FAIL the control page's request is not in the log: %r" % control)
report, n = asked(sys.argv[2])
extra = report - (control - {"seen.invalid"})
if extra:
    sys.exit("FAIL the report asked for %s" % sorted(extra))
print("ok: no request in %d events of the browser's network log" % n)
END
[ "$(head -c 5 "$dir/report.pdf")" = "%PDF-" ] || fail "no PDF"
[ "$(wc -c <"$dir/report.pdf")" -gt 50000 ] || fail "the PDF is empty"
