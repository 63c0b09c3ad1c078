#!/bin/sh
# Labs 02 to 07 as a student types them, with a rented pod in the middle: collect on the virtual lab
# (from recordings where there are no rights for one), backbone, pool, upload, a real training on the
# pod, the console killed in the middle of it, a new one that takes it up, fetch, test, report, pod
# stopped. Run by with_server.sh.
set -u
PATH="$PATH:/usr/sbin:/sbin"
ccalab="$CCALAB_BUILD/ccalab" netllm="$CCALAB_BUILD/netllm"
"$netllm" info 2>/dev/null | grep -q '^libtorch [0-9]' ||
    { echo "skipped: netllm was built without libtorch"; exit 77; }
tmp="$SSHD_DIR/seen" name="cp-$$" labs="$XDG_STATE_HOME/ccalab/labs" volume="$SSHD_DIR/volume"
export CCALAB_LABS="$CCALAB_SOURCE/labs"
mkdir -p "$tmp" "$volume"
training=
finish() {
    [ -z "$training" ] || kill -9 "$training"
    "$ccalab" testbed down --name "$name"
} >/dev/null 2>&1
trap finish EXIT

fail() { echo "FAILED: $*"; tail -n 30 "$tmp/out"; exit 1; }
must() { "$@" >"$tmp/out" 2>&1 </dev/null || fail "$*"; }
labs() { must "$ccalab" labs "$@"; }
says() { grep -q -- "$1" "$tmp/out" || fail "no line: $1"; }
unsolved() {
    "$ccalab" labs check >"$tmp/out" 2>&1 </dev/null
    [ $? = 1 ] || fail "$1 starts solved"
}
take() { # TEXT of a recording
    labs show
    letter=$(sed -n "s/^  \\([A-Z]\\)  $1.*/\\1/p" "$tmp/out")
    labs take "$letter"
}
await() { # FILE TEXT
    i=0
    until grep -q "$2" "$1" 2>/dev/null; do
        i=$((i + 1))
        [ $i -lt 1200 ] || fail "no $2 in $1"
        sleep 0.1
    done
}
py() { /usr/bin/python3 -c "$@"; }
passed() { labs check; says 'passed; go on'; echo "passed: $1"; }
sent_all() { wait $sender || fail "the flows: $(tail -n 3 "$tmp/send")"; }

# 02: X against Y, the marks, the packets.
place=virtual
"$ccalab" labs start 02 --testbed "$name" >"$tmp/out" 2>&1 </dev/null || {
    echo "from recordings: $(tail -n 2 "$tmp/out" | head -n 1)"
    place=replay
    labs start 02 --replay
}
sent() { # HOST: bytes
    "$ccalab" testbed shell --name "$name" "$1" -- cat /proc/net/dev 2>/dev/null </dev/null |
        awk '/:/ && !/lo:/ { sub(/.*:/, ""); n += $9 } END { print n + 0 }'
}
send() { # SECONDS: from X and Y; returns when both send
    x=$(sent client_x) y=$(sent client_y) i=0
    "$ccalab" run --lab "$labs/lab.lua" --flow "client_x:server:prague:$1" --flow "client_y:server:cubic:$1" \
        --no-probes >"$tmp/send" 2>&1 </dev/null &
    sender=$!
    until [ "$(sent client_x)" -gt $((x + 100000)) ] && [ "$(sent client_y)" -gt $((y + 100000)) ]; do
        i=$((i + 1))
        [ $i -lt 600 ] || fail "nothing is sent: $(tail -n 3 "$tmp/send")"
        sleep 0.1
    done
}
export CCALAB_RUNS="$SSHD_DIR/runs"
unsolved traffic
[ $place = replay ] && take 'lets X send with Prague and Y' || send 10s
passed traffic
labs next
if [ $place = replay ]; then
    take 'puts DualPI2 at the port'
else
    sent_all
    must "$ccalab" qdisc --lab "$labs/lab.lua" set router bn1 dualpi2
    send 10s
fi
passed marks
[ $place = replay ] || sent_all
labs next
unsolved packets
x=$("$ccalab" labs check --json 2>/dev/null | sed -n 's/.*"client_x":[^"]*"\([0-9.]*\)".*/\1/p')
labs answer "$("$ccalab" packets "$labs/work/02-l4s-works/router.pcapng.gz" \
    -Y "ip.dsfield.ecn == 3 && ip.src == $x && tcp.len > 0" 2>/dev/null | grep -c "$x")"
passed packets
labs next

# 03: three recordings.
work="$labs/work/03-collect"
[ $place = replay ] && labs start 03 --replay || labs start 03 --testbed "$name"
export CCALAB_RUNS="$work/runs"
if [ $place = replay ]; then
    take 'sends Prague, CUBIC and Reno'
else
    for cc in prague cubic reno; do # each alone
        must "$ccalab" run --lab "$labs/lab.lua" --flow "client_x:server:$cc:4s:interval=0.1" \
            --no-probes --name "$cc"
        cp "$work/runs/"*"$cc"*/iperf3/*.json "$SSHD_DIR/$cc.json" || fail "no recording of $cc"
    done
fi
[ $place = virtual ] || cp "$work/"*.json "$SSHD_DIR/"
passed record
labs next
labs answer "$(py 'import json, statistics, sys
def seen(path):
    d = json.load(open(path))
    rows = [i["streams"][0] for i in d["intervals"]]
    rtt = statistics.median(r["rtt"] for r in rows if r.get("rtt") and r.get("snd_cwnd"))
    return rtt, d["end"]["sender_tcp_congestion"]
print(min(map(seen, sys.argv[1:]))[1])' "$SSHD_DIR/prague.json" "$SSHD_DIR/cubic.json" "$SSHD_DIR/reno.json")"
passed compare
labs next

# The pod. Nobody can be asked, so that a budget is needed.
curl -sS -d "{\"keys\": [\"$(cut -d' ' -f1,2 "$SSHD_DIR/id.pub")\"]}" "$POD_URL/test" >"$tmp/out" || fail "no key"
must "$ccalab" pods up gpu --gpu 4090 --budget 1 --yes --identity "$SSHD_DIR/id"

# 04: a gated model, from the hub to the pod's volume and into the lab's folder.
hub="$POD_DIR/hub/gated/tiny"
mkdir -p "$hub"
py 'import array, json, random, struct, sys
h, m, layers, v = 64, 128, 2, 256
shapes = {"model.embed_tokens.weight": [v, h], "model.norm.weight": [h], "lm_head.weight": [v, h]}
for i in range(layers):
    p = "model.layers.%d." % i
    shapes.update({p + "self_attn.%s_proj.weight" % n: [h, h] for n in "qkvo"})
    shapes.update({p + "mlp.gate_proj.weight": [m, h], p + "mlp.up_proj.weight": [m, h],
                   p + "mlp.down_proj.weight": [h, m], p + "input_layernorm.weight": [h],
                   p + "post_attention_layernorm.weight": [h]})
random.seed(7)
header, data = {}, array.array("f")
for name, shape in shapes.items():
    n, at = shape[0] * (shape[1] if len(shape) > 1 else 1), 4 * len(data)
    data.extend((random.gauss(0, 0.02) for _ in range(n)) if len(shape) > 1 else [1.0] * n)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, 4 * len(data)]}
text = json.dumps(header).encode()
open(sys.argv[1] + "/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data.tobytes())
json.dump({"model_type": "llama", "hidden_size": h, "intermediate_size": m, "num_hidden_layers": layers,
           "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": v, "rms_norm_eps": 1e-5,
           "max_position_embeddings": 512, "rope_theta": 10000, "tie_word_embeddings": False},
          open(sys.argv[1] + "/config.json", "w"))' "$hub"
labs start 04 --virtual
unsolved place
must "$ccalab" backbone get gated/tiny --to "$labs/work/04-backbone/backbone"
must "$ccalab" backbone get gated/tiny --to "gpu:$volume/tiny" --identity "$SSHD_DIR/id"
cmp "$hub/model.safetensors" "$volume/tiny/model.safetensors" || fail "the model on the volume is another"
passed place
labs next
labs answer 25.1
passed memory
labs next

# 06: the pool.
work="$labs/work/06-pool-and-policy"
mkdir -p "$work"
cp "$SSHD_DIR/prague.json" "$SSHD_DIR/cubic.json" "$SSHD_DIR/reno.json" "$work/"
labs start 06
unsolved build
(cd "$work" && "$netllm" pool build --recipe lab -o pool.safetensors prague.json cubic.json reno.json) \
    >"$tmp/out" 2>&1 || fail "no pool"
passed build
labs next
export_pool() { must "$netllm" pool export "$work/$1.safetensors" --csv -o "$SSHD_DIR/pool.csv"; }
export_pool published
labs answer "$(awk -F, 'NR>1 {c[NR]=$2; a[NR]=$4; if (!l||$2<l) l=$2; if ($2>h) h=$2} END {for (i in c)
    {d=a[i]-(c[i]-l)/(h-l); if (d<0) d=-d; n+=d<1e-6} print n}' "$SSHD_DIR/pool.csv")"
passed leak
labs next
export_pool pool
labs answer "$(awk -F, 'NR>1 {s+=$4*$4; n++} END {print s/n}' "$SSHD_DIR/pool.csv")"
passed baseline
cp "$work/pool.safetensors" "$SSHD_DIR/"
labs next

# 05: the training, on the pod; its console is killed.
labs start 05
unsolved train
work="$labs/work/05-train-on-gpu"
cp "$SSHD_DIR/pool.safetensors" "$work/"
cd "$work" || exit 1
train() { # EVENTS
    exec "$ccalab" --events "$1" train --host gpu --identity "$SSHD_DIR/id" --pool pool.safetensors \
        --model-dir model --plm-path "there:$volume/tiny" --remote-dir "$volume/ccalab" --netllm "$netllm" \
        -- num-epochs=200 lr=1e-3 grad-accum-steps=4 w=4 threads=1 workers=1
}
(train "$tmp/first.jsonl") >"$tmp/out" 2>&1 </dev/null &
training=$!
await "$tmp/first.jsonl" '"step":30,'
kill -9 $training
wait $training
training=
# What netllm itself writes, kept when the job is collected: the judge of what the new console has seen.
ln "$SSHD_DIR/cache/ccalab/jobs/train/out" "$SSHD_DIR/truth.jsonl" || fail "the training is not there"
killed=$(wc -l <"$SSHD_DIR/truth.jsonl")
sleep 1 # nobody looks
(train train.jsonl) >"$tmp/out" 2>&1 </dev/null || fail "the new console"
says 'the checkpoint is in model'
py 'import json, sys
def samples(path):
    events = [json.loads(line) for line in open(path) if line[-1] == "\n"] # one was being written
    return [(e["src"], e["values"].get("step"), e["values"]["loss"]) for e in events
            if e.get("type") == "sample" and e.get("src") in ("train", "valid")]
first, seen, truth = map(samples, sys.argv[1:4])
steps = [s[1] for s in seen if s[0] == "train"]
print("%d steps; the first console saw %d events and was killed at %s of %d" % (len(steps), len(first),
      sys.argv[4], len(truth)))
assert steps == list(range(1, len(steps) + 1)) and len(steps) > 100, "a gap: %s" % steps
assert seen == truth, "not what netllm wrote"
assert 0 < len(first) < len(seen), "it was not killed in mid-training"
assert first == seen[:len(first)], "another start"
assert int(sys.argv[4]) < len(truth), "it was not killed in mid-training"
' "$tmp/first.jsonl" train.jsonl "$SSHD_DIR/truth.jsonl" "$killed" >"$tmp/out" 2>&1 || fail "the events"
cat "$tmp/out"
cmp "$volume/ccalab/train/model/adapter_model.safetensors" model/adapter_model.safetensors ||
    fail "another checkpoint"
passed train
labs next

# 07: the judgement, and the report to hand in.
work="$labs/work/07-judge"
mkdir -p "$work"
cp -r model pool.safetensors "$work/"
labs start 07
unsolved score
cd "$work" || exit 1
"$netllm" test --exp-pool-path pool.safetensors --model-dir model >test.jsonl 2>"$tmp/out" || fail "netllm test"
passed score
labs next
labs answer "$(py 'import json
r = [e for e in map(json.loads, open("test.jsonl")) if e["type"] == "result"][-1]["data"]
best = min(r["baselines"][n] for n in ("constant", "persistence", "no_op", "ridge", "mlp") if n in r["baselines"])
print("worse" if r["test_loss"] > 1.02 * best else "better" if r["test_loss"] < 0.98 * best else "tie")')"
passed verdict
labs next
unsolved report
labs report --name 'A Student' --output "$work/report.html"
passed report
labs next
labs report --name 'A Student' --output "$tmp/report.html"
grep -q 'A Student: 14 steps passed, 14 open' "$tmp/report.html" ||
    fail "the report: $(grep -o 'A Student: [^;]*' "$tmp/report.html")"
grep -q 'solution was shown\|were skipped' "$tmp/report.html" && fail "somebody else did it"

# The pod, which nobody needs any more.
must "$ccalab" pods stop gpu
curl -sS -d '{}' "$POD_URL/test" | grep -q '"status": "EXITED"' || fail "the pod runs on"
must "$ccalab" pods list
echo "ok: $place"
