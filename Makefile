# One virtual environment for all: `make demo` runs the main job, `make test` the tests, `make check` what CI checks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := -m pip install -q --disable-pip-version-check
BUILT := pyproject.toml setup.py constraints.txt src/assay/_native/kernels.c

.PHONY: help demo test test-all test-frameworks test-wheel test-oldest check fix docs bench clean

help:  ## Show what can be made.
	@sed -n 's/^\([a-z-]*\):.*##/make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: .venv/demo.done  ## Set up, then run the main job on real data.
	$(BIN)/assay demo

test: .venv/dev.done  ## Set up, then run the tests and doctests, but for the slow ones.
	$(BIN)/python -m pytest -n 2 -q

test-all: .venv/dev.done test-frameworks  ## Run every test, the slow ones too.
	$(BIN)/python -m pytest -n 2 -q -m "slow or not slow"

test-frameworks: build/frameworks/done  ## Train with Keras, Transformers, Lightning, skorch and others, in an environment of their own.
	OMP_NUM_THREADS=1 KERAS_BACKEND=torch build/frameworks/bin/python -m pytest -q -m "slow or not slow" tests/adapters
	OMP_NUM_THREADS=1 KERAS_BACKEND=tensorflow build/frameworks/bin/python -m pytest -q tests/adapters/test_keras.py tests/deep/test_keras_network.py
	OMP_NUM_THREADS=1 KERAS_BACKEND=torch build/frameworks/bin/python -m pytest -q -m "slow or not slow" tests/deep tests/fusions/test_export_onnx.py
	OMP_NUM_THREADS=1 KERAS_BACKEND=torch build/frameworks/bin/python -m pytest -q -m "slow or not slow" tests/training
	build/frameworks/bin/python -m pytest -q -m "slow or not slow" tests/tracking
	build/frameworks/bin/python -m pytest -q tests/metrics/test_custom.py tests/table/test_columns.py tests/table/test_label_maps.py
	KERAS_BACKEND=jax build/frameworks/bin/python -m pytest -q -m "slow or not slow" tests/training/test_training.py -k keras
	KERAS_BACKEND=jax build/frameworks/bin/python -m pytest -q -m "slow or not slow" tests/examples

test-wheel: .venv/dev.done  ## Build the wheel, install it alone into an empty environment, run the main job.
	rm -rf build/wheel
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python $(INSTALL) -c constraints.txt "$$(ls build/wheel/*.whl)[sklearn]"
	cd build/wheel && venv/bin/assay demo --out demo
	cd build/wheel && venv/bin/assay evaluate demo/predictions.parquet --json - > demo/evaluation.json

test-oldest: .venv/bin/python  ## Test tables and their reading with the oldest versions that pyproject.toml promises.
	rm -rf build/oldest
	$(PYTHON) -m venv build/oldest
	$(PYTHON) .ci/oldest.py > build/oldest/oldest.txt
	build/oldest/bin/python $(INSTALL) -c build/oldest/oldest.txt -e '.[sklearn]' pytest hypothesis pandas polars
	build/oldest/bin/python -m pytest -q -p no:cacheprovider tests/table tests/io tests/evaluation tests/selection/test_cross_validate.py

check: .venv/dev.done  ## Check style, types and the layers of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/dev.done  ## Format, and fix what ruff can fix by itself.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/dev.done  ## Write the generated pages of docs/; commit them.
	$(BIN)/python docs/generate.py

bench: .venv/bench.done  ## Measure speed, coverage, false winners, each against its peers in one run, and verdicts.
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/intervals.py
	$(BIN)/python bench/peers.py
	ASSAY_KERNELS=numpy $(BIN)/python bench/peers.py
	$(BIN)/python bench/stream.py
	$(BIN)/python bench/collect.py
	$(BIN)/python bench/stream.py --text
	ASSAY_KERNELS=numpy $(BIN)/python bench/stream.py
	$(BIN)/python bench/coverage.py --quick
	$(BIN)/python bench/false_winners.py --quick
	$(BIN)/python bench/fusion_auto.py --seeds 2
	$(BIN)/python bench/diagnosis.py --quick

clean:  ## Remove the environment and everything built.
	rm -rf .venv build dist *.egg-info src/*.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "assay needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assay needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/demo.done: .venv/bin/python $(BUILT)
	$(BIN)/python $(INSTALL) -c constraints.txt -e '.[sklearn]'
	$(BIN)/python -m compileall -q src/assay
	touch $@

.venv/dev.done: .venv/bin/python $(BUILT)
	$(BIN)/python $(INSTALL) -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q src/assay
	touch .venv/demo.done $@

build/frameworks/done: .venv/bin/python $(BUILT)
	$(PYTHON) -m venv build/frameworks
	build/frameworks/bin/python $(INSTALL) -c constraints.txt -e '.[frameworks]'
	touch $@

.venv/bench.done: .venv/dev.done
	$(BIN)/python $(INSTALL) -c constraints.txt -e '.[bench]'
	touch $@
