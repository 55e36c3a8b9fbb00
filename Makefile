# `make demo` draws a digit, `make test` tests everything; both need Python 3.11 or newer, and nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt

OLDEST := $(VENV)-oldest

.PHONY: demo test test-oldest lint format docs docs-serve examples clean

demo: $(VENV)/demo-ready
	$(BIN)/mnistgen-run --model cgan --digit 5

test: $(VENV)/test-ready
	$(BIN)/python -m pytest

# What needs neither PyTorch nor the workshop, with the lower bounds of pyproject.toml; it downloads them.
test-oldest: $(OLDEST)/ready
	$(OLDEST)/bin/python -m pytest $$(grep -LE '^(from|import) (torch|training|export|onnx)' tests/test_*.py)

lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site, into site/; any file server shows it, and so does a browser that opens site/index.html.
docs: $(VENV)/test-ready
	$(BIN)/python -m mkdocs build

docs-serve: $(VENV)/test-ready
	$(BIN)/python -m mkdocs serve

# What the tests of examples/ need beside a browser and Node.js; without it they skip.
examples: $(VENV)/test-ready
	$(PIP) -e . flask nbclient ipykernel pyinstaller playwright
	npm ci --prefix examples/javascript
	$(BIN)/python -m pytest tests/test_examples.py

clean:
	rm -rf $(VENV) $(OLDEST) dist site

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

$(OLDEST)/ready: pyproject.toml
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip --disable-pip-version-check -q install -e '.[cpu]' pytest hatchling \
	  $$($(OLDEST)/bin/python -c "import tomllib; \
	  project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	  bounds = project['dependencies'] + project['optional-dependencies']['cpu']; \
	  print(*(bound.replace('>=', '==') for bound in bounds))")
	touch $@
