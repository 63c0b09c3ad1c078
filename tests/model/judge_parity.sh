#!/bin/sh
# Compare the policy with transformers 4.34.1 and PEFT 0.6.2 over Debian's torch: judge_parity.sh
# JUDGE_EXPORT. Both come from PyPI into a virtual environment in the user's cache, once; where that
# cannot be, the test says so and is skipped.
set -eu

export_program=$1
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ccalab/judge-transformers-4.34.1-peft-0.6.2
python=/usr/bin/python3 # the one that Debian's python3-torch is for

skip() {
    echo "skipped: $1"
    exit 77
}

"$python" -c 'import torch, numpy' 2>/dev/null ||
    skip "python3-torch and python3-numpy are not installed (tools/setup.sh test)"

mkdir -p "$(dirname "$cache")"
exec 9>"$cache.lock"
flock 9 # two runs must not fill it at once
if [ ! -e "$cache/complete" ]; then
    rm -rf "$cache"
    "$python" -m venv --system-site-packages "$cache" >/dev/null 2>&1 ||
        skip "no virtual environment can be made in $cache (python3-venv?)"
    # Named one by one, without what they ask for: pip would fetch gigabytes of another torch.
    timeout 500 "$cache/bin/pip" install -q --disable-pip-version-check --retries 1 --timeout 15 \
        --no-deps transformers==4.34.1 peft==0.6.2 accelerate==0.24.1 tokenizers==0.14.1 \
        huggingface-hub==0.17.3 safetensors==0.4.5 regex==2023.10.3 PyYAML==6.0.1 psutil==5.9.6 \
        filelock==3.13.1 fsspec==2023.10.0 packaging==23.2 tqdm==4.66.1 requests==2.31.0 \
        typing-extensions==4.8.0 urllib3==2.1.0 idna==3.6 certifi==2023.11.17 \
        charset-normalizer==3.3.2 Jinja2==3.1.2 MarkupSafe==2.1.3 >"$cache/pip.log" 2>&1 ||
        skip "PyPI gives no transformers 4.34.1 and peft 0.6.2: $(tail -n 1 "$cache/pip.log")"
    touch "$cache/complete"
fi
flock -u 9

HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 OMP_NUM_THREADS=1 \
    exec "$cache/bin/python" "$here/judge_parity.py" "$export_program"
