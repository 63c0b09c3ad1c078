# make        build the release preset (build/release)
# make run    install what is missing, build, run the quickstart lab (needs root: it makes namespaces)
# make test   install what is missing, build, run every test, also under ASan and UBSan
# make bench  the benchmarks of tests/bench (never part of the tests)

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
CCALAB := build/release/ccalab

.PHONY: all build setup run test bench format clean

all: build

build:
	@cmake --preset release -DCMAKE_MESSAGE_LOG_LEVEL=NOTICE
	@cmake --build --preset release --target ccalab ccalab-link netllm

setup:
	@tools/setup.sh run

run: setup
	@$(MAKE) --no-print-directory build
	@if [ -t 0 ] && [ -t 1 ]; then $(SUDO) $(CCALAB) --watch labs/quickstart.lua; \
	else $(SUDO) $(CCALAB) --run labs/quickstart.lua; fi

test:
	@tools/setup.sh test
	@tests/run.sh

bench: build
	@for b in tests/bench/*.sh; do echo "== $$b"; $$b || [ $$? = 77 ] || exit 1; done

format:
	@git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | xargs clang-format -i

clean:
	rm -rf build
