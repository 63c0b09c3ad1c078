#!/bin/sh
# netllm's forward pass beside llama.cpp's, on models of the same shape with random weights: a whole
# context of w = 20 steps (59 tokens), as an exact decision takes. llama.cpp is built from the
# sources that PyPI's llama-cpp-python carries, for this processor. A measurement, not a test: run
# it on a quiet machine.
#   tests/bench/llama_cpp.sh [BUILD_DIRECTORY] [SHAPE...]
# Shapes: tiny, small, medium, gpt2, tinyllama. THREADS (2), ROUNDS (5). Needs cmake, ninja,
# python3-venv and, the first time, PyPI; everything lies in the build directory.
set -e
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
[ $# -eq 0 ] || shift
build=$(cd "$build" && pwd)
venv=$build/bench-llama
if [ ! -x "$venv/llama-bench" ]; then
    /usr/bin/python3 -m venv "$venv"
    { "$venv/bin/pip" install -q numpy pyyaml tqdm requests &&
        "$venv/bin/pip" download -q --no-deps --no-binary llama-cpp-python -d "$venv" \
            llama-cpp-python==0.3.36; } ||
        { rm -rf "$venv"; echo "PyPI cannot be reached" >&2; exit 77; }
    mkdir -p "$venv/source"
    tar -xzf "$venv"/llama_cpp_python-*.tar.gz -C "$venv/source" --strip-components=1
    source=$venv/source/vendor/llama.cpp
    # Once by its own kernels, once with a BLAS for longer inputs: either may be the faster.
    for blas in OFF ON; do
        cmake -S "$source" -B "$venv/make-$blas" -G Ninja -DCMAKE_BUILD_TYPE=Release \
            -DGGML_NATIVE=ON -DGGML_BLAS=$blas -DGGML_BLAS_VENDOR=Generic -DLLAMA_CURL=OFF \
            -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
            -DLLAMA_BUILD_SERVER=OFF >"$venv/make-$blas.log"
        ninja -C "$venv/make-$blas" llama-bench >>"$venv/make-$blas.log"
    done
    ln -s make-OFF/bin/llama-bench "$venv/llama-bench"
fi
PYTHONPATH=$venv/source/vendor/llama.cpp/gguf-py exec "$venv/bin/python" \
    "$here/llama_compare.py" "$build" "$venv" "$@"
