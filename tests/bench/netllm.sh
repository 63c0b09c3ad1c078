#!/bin/sh
# netllm against the same model on transformers 4.34.1 and PEFT 0.6.2: once computed the published
# way, once batched. Medians of interleaved rounds on the same threads. A measurement, not a test:
# run it on a quiet machine.
#   tests/bench/netllm.sh [BUILD_DIRECTORY] [SHAPE...]
# Needs python3-torch and, the first time, PyPI (a virtual environment in the build directory).
# THREADS (2), ROUNDS (5).
set -e
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
[ $# -eq 0 ] || shift
venv=$build/bench-venv
if [ ! -x "$venv/bin/python" ]; then
    /usr/bin/python3 -c 'import torch' || { echo "install python3-torch" >&2; exit 77; }
    /usr/bin/python3 -m venv --system-site-packages "$venv"
    # Without what they depend on: Debian's torch calls itself 1.13.0a0, which pip would replace.
    "$venv/bin/pip" install -q --no-deps transformers==4.34.1 peft==0.6.2 tokenizers==0.14.1 \
        huggingface-hub==0.17.3 accelerate==0.23.0 safetensors==0.4.0 &&
    "$venv/bin/pip" install -q psutil tqdm packaging pyyaml regex filelock requests fsspec ||
        { rm -rf "$venv"; echo "PyPI cannot be reached" >&2; exit 77; }
fi
exec "$venv/bin/python" "$here/netllm_compare.py" "$build" "$@"
