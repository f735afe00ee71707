# One virtual environment for all: `make demo` runs the main job, `make test` the tests, `make check` what CI checks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
BUILT := pyproject.toml setup.py constraints.txt src/assay/_native/kernels.c

.PHONY: demo test check docs bench clean

demo: .venv/demo.done
	$(BIN)/assay demo

test: .venv/dev.done
	$(BIN)/python -m pytest -n 2 -q

check: .venv/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev.done
	$(BIN)/python docs/generate.py

bench: .venv/bench.done
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/intervals.py
	$(BIN)/python bench/peers.py
	ASSAY_KERNELS=numpy $(BIN)/python bench/peers.py
	$(BIN)/python bench/stream.py
	$(BIN)/python bench/stream.py --text
	ASSAY_KERNELS=numpy $(BIN)/python bench/stream.py
	$(BIN)/python bench/coverage.py --quick
	$(BIN)/python bench/false_winners.py --quick

clean:
	rm -rf .venv build dist *.egg-info src/*.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "assay needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assay needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/demo.done: .venv/bin/python $(BUILT)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[sklearn]'
	$(BIN)/python -m compileall -q src/assay
	touch $@

.venv/dev.done: .venv/bin/python $(BUILT)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q src/assay
	touch .venv/demo.done $@

.venv/bench.done: .venv/dev.done
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@
