# The short commands that the README names. Everything else is CMake's business: see CMakePresets.json.
BUILD := build
JOBS  := $(shell nproc)
# make train DATA=folder ARCH=mlp ARGS="--epochs 5"
DATA :=
ARCH := cnn
# Without DATA the CNN learns the generated deck, in a size and time that suit two cores.
ARGS := $(if $(DATA),,--image-size 96 --epochs 20)

# make install PREFIX=$HOME/.local (DESTDIR as usual)
PREFIX := /usr/local

# make gpu-suite SUITE="--part tests,bench --budget 540" (docs/gpu-suite.md)
SUITE :=

# make bench PEERS="--pytorch python3 --keras python3": interpreters that have them
PEERS :=

.PHONY: help deps configure build install train test test-long test-mutation kernel-table bench sweep performance-table gpu-suite \
  gpu-bundle format clean

help:
	@echo 'make train          build, then train and evaluate (DATA=folder: your pictures; else a generated deck)'
	@echo 'make test           build, then run the fast tests'
	@echo 'make build          the program: build/cudacards'
	@echo 'make install        the program and its documents under PREFIX ($(PREFIX))'
	@echo 'make test-long      the tests that take long'
	@echo 'make test-mutation  plant mistakes in the kernels and count which the tests notice'
	@echo 'make kernel-table   every kernel: what the emulator counted, registers and spills'
	@echo 'make bench          the benchmarks'
	@echo 'make sweep          time the tuning candidates of the kernels on this GPU and write its rows'
	@echo 'make performance-table  README.md again from bench/results'
	@echo 'make gpu-suite      everything that needs a GPU: tests, benchmarks, PyTorch, training (SUITE="--part bench")'
	@echo 'make gpu-bundle     the same as one folder for a machine with a GPU and nothing installed'
	@echo 'make deps           install the packages in packages.txt that are missing'
	@echo 'make format         clang-format over the sources'
	@echo 'make clean          remove the build folders'

deps:
	@tools/install_packages.sh packages.txt

configure: deps
	@cmake --preset release

build: configure
	@cmake --build $(BUILD) --target cudacards -j $(JOBS)

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

train: build
	@run=$$($(BUILD)/cudacards train $(if $(DATA),"$(DATA)") --arch $(ARCH) $(ARGS)) && \
	 $(BUILD)/cudacards eval "$$run" $(if $(DATA),--data "$(DATA)",--data data/deck --split test) && \
	 echo "The run is in $$run; try: $(BUILD)/cudacards predict $$run picture.jpg"

test: configure
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) -j $(JOBS) -E Long --output-on-failure

test-long: configure
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) -R Long --output-on-failure

test-mutation: configure
	@tools/mutate_kernels.py --build $(BUILD) --jobs $(JOBS)

kernel-table: configure
	@cmake --build $(BUILD) -j $(JOBS) --target test_kernels_emulated
	@CUDACARDS_KERNEL_COUNTERS=$(BUILD)/kernel-counters.json $(BUILD)/tests/kernels/test_kernels_emulated --gtest_brief=1 >&2
	@tools/kernel_table.py $(BUILD)/kernel-counters.json

bench: deps
	@cmake --preset bench
	@cmake --build build-bench -j $(JOBS)
	@build-bench/bench/bench_ops
	@build-bench/bench/bench_step
	@bench/compare_cpu.py --build build-bench $(PEERS)

sweep: deps
	@cmake --preset bench
	@cmake --build build-bench -j $(JOBS) --target sweep_kernels
	@build-bench/bench/sweep/sweep_kernels --write

performance-table:
	@tools/performance_table.py

gpu-suite:
	@tools/gpu_suite.py $(SUITE)

gpu-bundle: deps
	@tools/make_gpu_bundle.py

format:
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format -i

clean:
	@rm -rf build build-*/
