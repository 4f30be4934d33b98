# make demo and make test do everything on a fresh machine; no system package is needed beyond Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: setup setup-dev demo test check format lint types docs bench clean

setup: $(STAMP)  ## make .venv with the pinned versions; .venv/bin/extractor is the command

setup-dev: $(DEV_STAMP)  ## the same with what tests, checks and training need (torch among it)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv, or make PYTHON=python3.11 ..."; exit 3; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "the venv module is missing: sudo apt-get install python3-venv"; exit 3; }
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e .
	@touch $@

$(DEV_STAMP): $(STAMP)
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## run the main job on the shipped fixtures and say what came out
	@$(BIN)/python -m extractor.demo fixtures demo-lake

test: setup-dev  ## all tests, in parallel
	$(BIN)/python -m pytest -q -n 2

check: lint types test  ## what the continuous integration runs

format: setup-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup-dev
	$(BIN)/mypy

docs: setup-dev  ## write the generated part of docs/
	$(BIN)/python docs/generate.py

clean:
	rm -rf demo-lake dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
