# Needs Python 3.11 or newer and make; each target installs what it needs into .venv. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt
OLDEST := $(VENV)-oldest
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.PHONY: help demo test coverage fuzz faults test-oldest check lint types format docs docs-serve examples clean
.DEFAULT_GOAL := help

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/demo-ready  ## Draw a digit
	$(BIN)/mnistgen-run --model cgan --digit 5

test: $(VENV)/test-ready  ## Run all tests
	$(BIN)/python -m pytest $(PARALLEL)

coverage: $(VENV)/test-ready  ## Run all tests and print the coverage of each package
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

fuzz: $(VENV)/test-ready  ## Run the fuzz tests with 10,000 random examples each
	MNISTGEN_FUZZ=fuzz $(BIN)/python -m pytest $(PARALLEL) tests/test_fuzz.py

faults: $(VENV)/test-ready  ## Interrupt commands and race writers many times (Linux)
	$(BIN)/python tests/interrupt_storm.py 160
	$(BIN)/python tests/dataset_race.py 250
	$(BIN)/python tests/file_race.py 40

test-oldest: $(OLDEST)/ready  ## Test the runtime with the oldest supported packages (downloads them)
	$(OLDEST)/bin/python -m pytest $$(grep -LE '^(from|import) (torch|training|export|onnx)' tests/test_*.py)

check: lint types coverage  ## Run lint, types and tests

lint: $(VENV)/test-ready  ## Run ruff's linter and formatter without changing files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test-ready  ## Run mypy
	$(BIN)/mypy

format: $(VENV)/test-ready  ## Fix formatting and fixable lint findings
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/test-ready  ## Build the documentation into site/
	$(BIN)/python -m mkdocs build

docs-serve: $(VENV)/test-ready  ## Serve the documentation and rebuild it on changes
	$(BIN)/python -m mkdocs serve

# Without these packages, the tests of examples/ are skipped. Some also need Node.js, or Chromium.
examples: $(VENV)/test-ready  ## Install what the examples need, and test them (uses the network)
	$(PIP) -e . flask nbclient ipykernel pyinstaller playwright
	npm ci --prefix examples/javascript
	$(BIN)/python -m pytest tests/test_examples.py

clean:  ## Remove the environments and everything built
	rm -rf $(VENV) $(OLDEST) dist site .coverage

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo-ready: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e '.[cpu]'
	touch $@

# PyTorch comes first, so that torchvision matches the build that is installed. The wheelhouse lets a test install
# the wheel without a network.
$(VENV)/test-ready: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) -e '.[dev]'
	$(BIN)/python -m pip --disable-pip-version-check -q download -c constraints.txt -d $(VENV)/wheelhouse \
	  numpy pillow click onnxruntime
	touch $@

$(OLDEST)/ready: pyproject.toml
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip --disable-pip-version-check -q install -e '.[cpu]' pytest sybil hypothesis hatchling \
	  $$($(OLDEST)/bin/python -c "import tomllib; \
	  project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	  bounds = project['dependencies'] + project['optional-dependencies']['cpu']; \
	  print(*(bound.replace('>=', '==') for bound in bounds))")
	touch $@
