# Every target sets up what it needs; nothing is assumed beyond Python 3.11, Node 20 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: faults soak fuzz fuzz-long fuzz-credit mutation mutation-credit sandwich forgeries broken
.PHONY: demo test test-slow check bench notebooks docs package lab screens setup clean

setup: $(VENV)/.ready contracts/node_modules/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up, once: torch, then the other Python packages, then npm's; about two minutes where nothing else runs."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

contracts/node_modules/.ready: contracts/package.json contracts/package-lock.json
	cd contracts && npm ci --no-fund --no-audit --loglevel=error
	@touch $@

demo: setup
	$(BIN)/vaultkit demo

test: setup
	$(BIN)/pytest -m "not slow" -n 2 --dist loadgroup

test-slow: setup
	$(BIN)/pytest -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

faults: setup
	$(BIN)/python -m tests.keeper.fault_report

soak: setup
	$(BIN)/python -m tests.keeper.soak

fuzz: setup
	$(BIN)/python -m tests.contracts.campaign fuzz

fuzz-long: setup
	$(BIN)/python -m tests.contracts.campaign long

fuzz-credit: setup
	$(BIN)/python -m tests.contracts.credit_forge campaign

sandwich: setup
	$(BIN)/python -m tests.contracts.sandwich

forgeries: setup
	VAULTKIT_WRITE_RESULTS=1 $(BIN)/pytest -q tests/contracts/test_forgeries.py -k ten_thousand

broken: setup
	$(BIN)/python -m tests.contracts.broken_contracts

mutation: setup
	$(BIN)/python -m tests.contracts.mutation

mutation-credit: setup
	$(BIN)/python -m tests.contracts.credit_mutation

bench: setup
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

notebooks: setup
	$(BIN)/pytest tests/notebooks

# Pages with every warning an error, into $(DOCS).
DOCS ?= build/docs
docs: setup
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs $(DOCS)

# Source archive and wheel, installed with all extras into an empty environment, where the demo runs.
package: setup
	$(BIN)/python -m tests.packaging.fresh

# Pictures of the notebooks in JupyterLab, into build/screens; needs Chromium.
screens: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt playwright
	$(BIN)/python -m tests.notebooks.screens

lab: setup
	$(BIN)/jupyter lab --notebook-dir=notebooks

clean:
	rm -rf build contracts/.build
