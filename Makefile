# One virtual environment for all: `make demo` runs the main job, `make test` the tests, `make check` what CI checks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

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

bench: .venv/dev.done
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/intervals.py
	$(BIN)/python bench/coverage.py
	$(BIN)/python bench/false_winners.py 0.1

clean:
	rm -rf .venv build dist *.egg-info src/*.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "assay needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assay needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/demo.done: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[sklearn]'
	touch $@

.venv/dev.done: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch .venv/demo.done $@
