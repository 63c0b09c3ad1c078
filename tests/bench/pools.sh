#!/bin/sh
# Does the policy forecast? For every published pool (PICKLES/*.pkl): import, recipe lab, adapt,
# test, and a line of a table with what it is measured against. The options below were chosen by
# the validation losses alone (docs/netllm.md). OPTIONS in the environment replaces them.
#
#   tests/bench/pools.sh [NETLLM [PICKLES [OUT]]]      about a minute a pool on one core
set -eu
here=$(cd "$(dirname "$0")" && pwd)
netllm=$(realpath "${1:-$here/../../build/release/netllm}") pickles=${2:-$here/../../../shared/data/pools}
[ -d "$pickles" ] || { echo "skipped: there is no $pickles"; exit 77; }
out=${3:-$(mktemp -d)}
options=${OPTIONS:---lr 3e-4 --grad-accum-steps 16 --sample-step 5 --num-epochs 30 --patience 6
    --label-clip 3 --threads 1}
mkdir -p "$out"
echo "options: $options"
echo "| pool | valid / constant | policy | constant | persistence | no_op | ridge | perceptron |" \
    "best epoch | s | beats all three |"
echo "|---|---|---|---|---|---|---|---|---|---|---|"
for pickle in "$pickles"/*.pkl; do
    name=$(basename "$pickle" _exp_pool.pkl)
    "$netllm" pool import "$pickle" -o "$out/$name.raw" >/dev/null
    "$netllm" pool build --recipe lab -o "$out/$name.st" "$out/$name.raw" >/dev/null
    # shellcheck disable=SC2086 # a list of words
    "$netllm" adapt --exp-pool-path "$out/$name.st" --model-dir "$out/$name" $options \
        >"$out/$name.adapt.jsonl"
    "$netllm" test --exp-pool-path "$out/$name.st" --model-dir "$out/$name" --threads 1 \
        >"$out/$name.test.jsonl"
    python3 - "$name" "$out" <<'END'
import json, sys
name, out = sys.argv[1:]
def result(kind):
    for line in open(f"{out}/{name}.{kind}.jsonl"):
        event = json.loads(line)
        if event["type"] == "result":
            return event["data"]
adapt, test = result("adapt"), result("test")
b, loss = test["baselines"], test["test_loss"]
print("| %s | %.3f | %.5f | %.5f | %.5f | %.5f | %.5f | %.5f | %d of %d | %.0f | %s |" % (
    name, adapt["valid_loss"] / adapt["baselines"]["constant"], loss, b["constant"],
    b["persistence"], b["no_op"], b["ridge"], b["mlp"], adapt["best_epoch"], adapt["epochs"],
    adapt["seconds"],
    "yes" if loss < min(b["constant"], b["persistence"], b["no_op"]) else "no"))
END
done
