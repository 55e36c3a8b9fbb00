# `make demo` draws a digit, `make test` tests everything; both need Python 3.11 or newer, and nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt

.PHONY: demo test lint format clean

demo: $(VENV)/demo-ready
	$(BIN)/mnistgen-run --model cgan --digit 5

test: $(VENV)/test-ready
	$(BIN)/python -m pytest

lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo-ready: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e '.[cpu]'
	touch $@

# PyTorch first, so that whichever build of it pip finds, or you have put into the environment, is the one that torchvision
# then goes with. The wheelhouse lets the test that installs the wheel into an environment of its own do without a network.
$(VENV)/test-ready: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) -e '.[dev]'
	$(BIN)/python -m pip --disable-pip-version-check -q download -c constraints.txt -d $(VENV)/wheelhouse \
	  numpy pillow click onnxruntime
	touch $@
