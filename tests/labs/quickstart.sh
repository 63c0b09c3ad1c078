#!/bin/sh
# The quickstart with no terminal: it ends well, names what it promises, its counts are tshark's,
# and nothing is left behind.
. ./lab.sh
shape=$CCALAB_BUILD/quickstart.shape # for labs_labfile
rm -f "$shape"
"$ccalab" --run "$CCALAB_SOURCE/labs/quickstart.lua" 14 >"$tmp/out" 2>"$tmp/err" </dev/null ||
    fail "exit status $?"
nothing_left "after the run"
cat "$tmp/out"
run=$(sed -n 's/^run directory  *//p' "$tmp/out")
for file in run.json events.jsonl samples.csv ecn.json report.html capture/router.pcapng \
    iperf3/client_x.json iperf3/client_y.json pool/pool.safetensors \
    plots/cwnd.svg plots/rtt.svg plots/throughput.svg; do
    [ -s "$run/$file" ] || fail "$file is missing or empty"
done
grep -q '"status":.*"ok"' "$run/run.json" || fail "run.json does not say ok"
for line in 'throughput          X .* Mbit/s, Y cubic .* Mbit/s' 'CE of client X      [0-9]* packets'; do
    grep -q "^$line" "$tmp/out" || fail "no line: $line"
done
if "$CCALAB_BUILD/netllm" info 2>/dev/null | grep -q '^libtorch [0-9]'; then
    for line in 'baselines, test MSE constant [0-9.]*, persistence [0-9.]*' 'policy, test MSE    [0-9.]*'; do
        grep -q "^$line" "$tmp/out" || fail "no line: $line"
    done
    [ -s "$run/plots/loss.svg" ] && [ -s "$run/model/adapter_model.safetensors" ] ||
        fail "no loss plot or model"
fi
# Both flows had a fair part of 50 Mbit/s. The bounds are wide: this machine may be busy.
python3 - "$run/run.json" <<'PY' || fail "implausible rates"
import json, sys
r = json.load(open(sys.argv[1]))["result"]["throughput_bps"]
x, y = r["client_x"] / 1e6, r["client_y"] / 1e6
print(f"X {x:.1f} Mbit/s, Y {y:.1f} Mbit/s")
sys.exit(not (28 < x + y < 49.5 and 0.1 < x / y < 10))
PY
./shape.py "$run" "$tmp/out" >"$tmp/shape" && mv "$tmp/shape" "$shape" || fail "shape.py"
command -v tshark >/dev/null || skip "the rest needs tshark"
# One reading for all: what each packet says, and whether its header has the right checksum.
tshark -o ip.check_checksum:TRUE -r "$run/capture/router.pcapng" -T fields -e ip.dsfield.ecn -e ip.checksum.status \
    >"$tmp/fields" 2>/dev/null || fail "tshark"
"$ccalab" ecn "$run/capture/router.pcapng" --json >"$tmp/ecn" || fail "ccalab ecn"
for pair in 0:not_ect 1:ect1 2:ect0 3:ce; do
    judge=$(awk -F'\t' -v ecn="${pair%:*}" '$1 != "" && $1 + 0 == ecn {n++} END {print n + 0}' "$tmp/fields")
    ours=$(sed -n "s/.*\"ipv4\":{[^}]*\"${pair#*:}\":\([0-9]*\).*/\1/p" "$tmp/ecn")
    echo "${pair#*:}: ours $ours, tshark $judge"
    [ "$judge" = "$ours" ] || fail "${pair#*:}: ours $ours, tshark $judge"
done
# What was marked kept a right header checksum: 1 is good, 0 bad.
bad=$(awk -F'\t' '$2 == "0" || $2 == "Bad" {n++} END {print n + 0}' "$tmp/fields")
good=$(awk -F'\t' '$2 == "1" || $2 == "Good" {n++} END {print n + 0}' "$tmp/fields")
echo "IP header checksums: $good good, $bad bad"
[ "$bad" -eq 0 ] && [ "$good" -gt 10000 ] || fail "bad header checksums"
